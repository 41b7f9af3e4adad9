"""Ask: the passages at once, and a language model only for whoever asks it to write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lsm.app import Mind
from tests.test_agents.model_server import Fail, ModelServer, Say, model_server, steps
from tests.test_web.browser import Server, words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WRITTEN = "Every 90 days. [1]\nQUOTES\n[1] We rotate keys every 90 days"


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with model_server(steps(Say(WRITTEN), Fail(400))) as running:
        yield running


@pytest.fixture
def server(tmp_path: Path, model: ModelServer) -> Iterator[Server]:
    home, notes = tmp_path / "home", tmp_path / "notes"
    home.mkdir(mode=0o700)
    notes.mkdir()
    settings = f'[llm]\nmodel = "openai:scripted"\nbase_url = "{model.url}"\nretries = 0\n'
    (home / "lsm.toml").write_text(settings, "utf-8")
    (notes / "keys.md").write_text("# Keys\n\nWe rotate keys every 90 days.\n", "utf-8")
    with Mind(str(home)) as mind:
        mind.ingest(str(notes))
        with Server(mind) as made:
            yield made


def test_a_visit_shows_passages_and_asks_no_model(server: Server, model: ModelServer) -> None:
    seen = server.browser().see("/ask?q=how+often+do+we+rotate+keys")

    assert "every 90 days" in words(seen.xpath("//blockquote")[0])
    assert words(seen.xpath("//button[@data-write]")[0]) == "Let openai:scripted answer from these"
    assert model.requests == []


def test_whoever_asks_the_model_gets_its_answer_with_citations(
    server: Server, model: ModelServer
) -> None:
    from lxml import html

    answer = server.browser().post("/ask/written", {"q": "how often do we rotate keys"})

    seen = html.fromstring(answer.text)
    assert words(seen.xpath("//article//p")[0]) == "Every 90 days. [1]"
    assert seen.xpath("//a[@class='cite']/@href") == ["#c1"]
    assert "Answered by openai:scripted" in words(seen.xpath("//*[@data-announce]")[0])
    assert seen.xpath("//button[@data-write]") == []
    assert len(model.requests) == 1


def test_a_model_that_fails_leaves_the_passages_and_says_so(server: Server) -> None:
    from lxml import html

    asking = server.browser()
    asking.post("/ask/written", {"q": "how often do we rotate keys"})  # the only answer it has

    answer = asking.post("/ask/written", {"q": "and when do we rotate keys"})

    seen = html.fromstring(answer.text)
    assert answer.status_code == 200
    assert "here is what was found instead" in words(seen.xpath("//*[@class='problem']")[0])
    assert "every 90 days" in words(seen.xpath("//blockquote")[0])


@pytest.mark.parametrize("body", [{}, {"q": ""}, {"q": "x", "k": 3}, {"q": "x" * 2001}])
def test_a_question_that_is_none_reaches_no_model(
    server: Server, model: ModelServer, body: dict[str, object]
) -> None:
    assert server.browser().post("/ask/written", body).status_code == 400
    assert model.requests == []
