"""The way to a model: which protocol, which server, which key."""

from __future__ import annotations

import threading

import pytest

from lsm.agents.llm.model import ModelError, ToolSpec
from lsm.agents.llm.opening import address, open_model
from lsm.config.models.llm import LlmConfig
from lsm.errors import ConfigError
from tests.test_agents.model_server import Fail, Say, Use, model_server, steps

SEARCH = ToolSpec("search", "Finds.", {"type": "object", "properties": {"q": {"type": "string"}}})


@pytest.mark.parametrize(
    ("kind", "suffix", "path"),
    [
        ("openai", "/v1", "/v1/chat/completions"),
        ("ollama", "/v1", "/v1/chat/completions"),
        ("anthropic", "", "/v1/messages"),
    ],
)
def test_each_kind_of_server_is_spoken_to_in_its_own_words(
    monkeypatch: pytest.MonkeyPatch, kind: str, suffix: str, path: str
) -> None:
    monkeypatch.setenv("MY_KEY", "the-key")
    with model_server(steps(Use([("search", {"q": "x"})]), Say("done"))) as server:
        url = server.url.removesuffix("/v1") + suffix
        config = LlmConfig(model=f"{kind}:m", base_url=url, api_key_env="MY_KEY", retries=0)
        with open_model(config).begin("rules", [SEARCH]) as dialogue:
            dialogue.say("hello")
            first = dialogue.reply(lambda: False)
            assert first is not None
            dialogue.answer(first.calls[0], "found")
            last = dialogue.reply(lambda: False, with_tools=False)

    assert [(call.tool, call.arguments) for call in first.calls] == [("search", '{"q":"x"}')]
    assert last is not None
    assert (first.tokens, last.text) == (20, "done")
    assert server.last.path.partition("?")[0] == path
    assert "the-key" in str(server.last.headers)


def test_a_failure_that_may_pass_is_tried_again_as_often_as_configured() -> None:
    with model_server(steps(Fail(503), Say("done"))) as server:
        config = LlmConfig(model="openai:m", base_url=server.url, retries=1)
        with open_model(config).begin("rules") as dialogue:
            dialogue.say("hello")
            reply = dialogue.reply(lambda: False)

    assert reply is not None
    assert reply.text == "done"
    assert len(server.requests) == 2


def test_a_redirect_is_not_followed() -> None:
    with model_server(steps(Say("elsewhere"))) as other, model_server(steps(Fail(307))) as server:
        server.location = f"{other.url}/chat/completions"
        config = LlmConfig(model="openai:m", base_url=server.url, retries=0)
        with open_model(config).begin("rules") as dialogue:
            dialogue.say("hello")
            with pytest.raises(ModelError):
                dialogue.reply(lambda: False)

    assert other.requests == []


def test_a_request_is_given_up_when_it_is_told_to() -> None:
    told = threading.Event()
    with model_server(steps(Fail(500, after_s=3))) as server:
        config = LlmConfig(model="openai:m", base_url=server.url, retries=0)
        with open_model(config).begin("rules") as dialogue:
            dialogue.say("hello")
            threading.Timer(0.3, told.set).start()

            assert dialogue.reply(told.is_set) is None


KEYS = {"OPENAI_API_KEY": "o", "ANTHROPIC_API_KEY": "a", "MINE": "m"}


@pytest.mark.parametrize(
    ("settings", "name", "url", "key"),
    [
        ({"model": "openai:x"}, "", "https://api.openai.com/v1", "o"),
        ({"model": "anthropic:x"}, "", "https://api.anthropic.com", "a"),
        ({"model": "ollama:x"}, "", "http://localhost:11434/v1", None),
        # Another server gets the key that is named for it, or none.
        ({"model": "openai:x", "base_url": "http://gpu/v1"}, "", "http://gpu/v1", None),
        (
            {"model": "openai:x", "base_url": "http://gpu/v1", "api_key_env": "MINE"},
            "",
            "http://gpu/v1",
            "m",
        ),
        # A model of another kind gets neither server nor key of the configured one.
        (
            {"model": "openai:x", "base_url": "http://gpu/v1", "api_key_env": "MINE"},
            "anthropic:y",
            "https://api.anthropic.com",
            "a",
        ),
        ({"base_url": "http://gpu/v1", "api_key_env": "MINE"}, "openai:y", "http://gpu/v1", "m"),
    ],
)
def test_no_key_goes_to_a_server_that_it_is_not_for(
    settings: dict[str, str], name: str, url: str, key: str | None
) -> None:
    found = address(LlmConfig(**settings), name, KEYS)

    assert (found.url, found.key) == (url, key)
    assert key is None or f"'{key}'" not in repr(found)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "no language model is configured"),
        ({"model": "openai:x"}, "the environment variable OPENAI_API_KEY is not set"),
        ({"model": "ollama:x", "api_key_env": "MINE"}, "the environment variable MINE is not set"),
    ],
)
def test_what_is_missing_is_named(settings: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        address(LlmConfig(**settings), "", {})
