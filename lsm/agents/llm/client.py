"""Talks to a model's server through pydantic-ai. The only module that imports it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import httpx2
from pydantic_ai.direct import model_request
from pydantic_ai.exceptions import AgentRunError, UserError
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from lsm.agents.llm.failures import model_error
from lsm.agents.llm.model import Call, ModelError, Reply, ToolSpec
from lsm.agents.memory.fence import tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Any

    from lsm.agents.llm.opening import Address
    from lsm.config.models.llm import LlmConfig

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_LOOK_S = 0.1  # how often a request that is under way asks whether to stop
_NO_KEY = "none"  # the libraries insist on one; servers without keys ignore it


class ServedModel:
    """A model behind a server."""

    def __init__(self, where: Address, config: LlmConfig) -> None:
        self._where = where
        self._config = config

    @property
    def name(self) -> str:
        """As in the configuration."""
        return f"{self._where.kind}:{self._where.model}"

    def begin(self, instructions: str, tools: Sequence[ToolSpec] = ()) -> ServedDialogue:
        """A new conversation."""
        return ServedDialogue(self._where, self._config, instructions, tools)


class ServedDialogue:
    """One conversation: its messages, and a connection of its own."""

    def __init__(
        self, where: Address, config: LlmConfig, instructions: str, tools: Sequence[ToolSpec]
    ) -> None:
        self._where = where
        self._config = config
        self._instructions = instructions
        self._tools = [
            ToolDefinition(
                name=tool.name,
                description=tool.description,
                parameters_json_schema=dict(tool.schema),
                strict=False,  # strict schemas allow no optional arguments
            )
            for tool in tools
        ]
        self._messages: list[ModelMessage] = []
        self._parts: list[ModelRequestPart] = []
        self._size = tokens(instructions) + sum(tokens(str(tool)) for tool in tools)
        self._runner = asyncio.Runner()
        self._http = _http_client(where, config)
        self._model = _model(where, config, self._http)

    def say(self, text: str) -> None:
        """Add words of ours to what is sent next."""
        self._parts.append(UserPromptPart(text))
        self._size += tokens(text)

    def answer(self, call: Call, text: str) -> None:
        """Add what a tool has answered to what is sent next."""
        self._parts.append(ToolReturnPart(call.tool, text, tool_call_id=call.id))
        self._size += tokens(text)

    def size(self) -> int:
        """About how many tokens the next request will be, its answer not counted."""
        return self._size

    def reply(
        self,
        should_stop: Callable[[], bool],
        *,
        with_tools: bool = True,
        most_tokens: int | None = None,
    ) -> Reply | None:
        """Send what was added and wait; None as soon as *should_stop* says so."""
        most = min(self._config.max_tokens, most_tokens or self._config.max_tokens)
        settings = ModelSettings(max_tokens=most, timeout=self._config.timeout_s)
        if self._tools and not with_tools:
            # Not left out: some servers refuse a history of calls to tools they do not know.
            settings["tool_choice"] = "none"
        request = ModelRequest(parts=self._parts, instructions=self._instructions)
        self._messages.append(request)
        self._parts = []
        asked = model_request(
            self._model,
            self._messages,
            model_settings=settings,
            model_request_parameters=ModelRequestParameters(function_tools=self._tools),
        )
        try:
            response = self._runner.run(_unless(asked, should_stop))
        except (AgentRunError, UserError, httpx2.HTTPError, ValueError, TypeError) as error:
            # The last two: a server that says 200 and sends something else than an answer.
            raise model_error(error, self._where) from None
        if response is None:
            return None
        self._messages.append(response)
        return self._read(response)

    def _read(self, response: ModelResponse) -> Reply:
        text = response.text or ""
        calls = tuple(
            Call(part.tool_call_id, part.tool_name, part.args_as_json_str())
            for part in response.tool_calls
        )
        written = tokens(text) + sum(tokens(call.arguments) for call in calls)
        counted = response.usage.total_tokens or self._size + written
        self._size += written
        if not text.strip() and not calls and response.finish_reason != "length":
            raise ModelError(f"{self._where.url}: the model answered nothing", retryable=True)
        return Reply(text, calls, counted, response.finish_reason == "length")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._http.aclose())
        self._runner.close()


async def _unless(
    asked: Coroutine[Any, Any, ModelResponse], should_stop: Callable[[], bool]
) -> ModelResponse | None:
    """What *asked* brings, or None if it is told to stop first."""
    task = asyncio.ensure_future(asked)
    try:
        while not task.done():
            if should_stop():
                return None
            await asyncio.wait({task}, timeout=_LOOK_S)
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})


def _http_client(where: Address, config: LlmConfig) -> httpx2.AsyncClient:
    # Redirects are not followed: they could take words and key to another host. A proxy for the
    # outside cannot reach our own machine.
    proxied = urlsplit(where.url).hostname not in _LOOPBACK
    return httpx2.AsyncClient(timeout=config.timeout_s, follow_redirects=False, trust_env=proxied)


def _model(where: Address, config: LlmConfig, http: httpx2.AsyncClient) -> Model:
    if where.kind == "anthropic":
        return _anthropic(where, config, http)
    from openai import AsyncOpenAI
    from pydantic_ai.models.ollama import OllamaModel
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.ollama import OllamaProvider
    from pydantic_ai.providers.openai import OpenAIProvider
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    client = AsyncOpenAI(
        base_url=where.url,
        api_key=where.key or _NO_KEY,
        max_retries=config.retries,
        http_client=http,
    )
    if where.kind == "ollama":
        return OllamaModel(where.model, provider=OllamaProvider(openai_client=client))
    if urlsplit(where.url).hostname == "api.openai.com":
        return OpenAIChatModel(where.model, provider=OpenAIProvider(openai_client=client))
    provider = OpenAICompatibleProvider("configured", openai_client=client)
    return OpenAIChatModel(where.model, provider=provider)


def _anthropic(where: Address, config: LlmConfig, http: httpx2.AsyncClient) -> Model:
    from anthropic import AsyncAnthropic
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    client = AsyncAnthropic(
        base_url=where.url,
        api_key=where.key or _NO_KEY,
        max_retries=config.retries,
        http_client=http,
    )
    return AnthropicModel(where.model, provider=AnthropicProvider(anthropic_client=client))
