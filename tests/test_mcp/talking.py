"""Assistants as the SDK makes them: each talks to a server, in this process or in its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.types import Implementation

from lsm.mcp.server import build_server
from tests.test_cli.command import LSM

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from mcp.types import CallToolResult

    from lsm.app import Mind
    from lsm.mcp.caller import Access

T = TypeVar("T")
ERAS = ("legacy", "auto")  # the handshake of 2025, and the protocol of 2026 that has none


def talk(
    server: Any, talking: Callable[[Client], Awaitable[T]], mode: str = "legacy", name: str = "Bot"
) -> T:
    """What comes of *talking* with *server*: one of ours, a command, or an address."""

    async def all_of_it() -> T:
        who = Implementation(name=name, version="1.2")
        async with Client(server, mode=mode, client_info=who, read_timeout_seconds=60) as client:
            return await talking(client)

    return anyio.run(all_of_it)


def call(
    mind: Mind,
    tool: str,
    arguments: dict[str, Any] | None = None,
    access: Access = "candidates",
    name: str = "Bot",
) -> CallToolResult:
    """The result of one call of a tool."""
    server = build_server(mind, access)
    return talk(server, lambda client: client.call_tool(tool, arguments or {}), name=name)


def answer(mind: Mind, tool: str, access: Access = "candidates", **arguments: Any) -> Any:
    """What a tool answers, which must be no error and say the same in both its forms."""
    result = call(mind, tool, arguments, access)
    assert not result.is_error, text_of(result)
    assert json.loads(text_of(result)) == result.structured_content
    return result.structured_content


def refusal(mind: Mind, tool: str, access: Access = "candidates", **arguments: Any) -> str:
    """What a tool says that did not do it."""
    result = call(mind, tool, arguments, access)
    assert result.is_error
    return text_of(result)


def text_of(result: CallToolResult) -> str:
    """Its one text."""
    (content,) = result.content
    assert content.type == "text"
    return content.text


def command(home: Path, *flags: str) -> StdioServerParameters:
    """`lsm mcp`, as a client's settings say it."""
    return StdioServerParameters(command=str(LSM), args=["--home", str(home), "mcp", *flags])
