"""The same server over streamable HTTP, on a real socket."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from lsm.mcp.http import McpHttp
from tests.test_mcp.talking import ERAS, talk, text_of
from tests.test_providers.replay import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp.client import Client

    from lsm.app import Mind
    from tests.test_providers.replay import Replay

BODY = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "plain", "version": "1"},
    },
}
ACCEPT = {"accept": "application/json, text/event-stream"}


@pytest.mark.parametrize("mode", ERAS)
def test_an_assistant_lists_and_calls_tools(reading: Mind, mode: str) -> None:
    async def at_work(client: Client) -> tuple[int, str]:
        tools = (await client.list_tools()).tools
        return len(tools), text_of(await client.call_tool("search", {"query": "kiln"}))

    with serving(reading) as address:
        count, found = talk(address, at_work, mode)

    assert count == 8
    assert "fired on Fridays" in found


@pytest.mark.parametrize("mode", ERAS)
def test_a_proposal_carries_the_name_of_the_assistant(mind: Mind, mode: str) -> None:
    with serving(mind) as address:
        talk(
            address,
            lambda client: client.call_tool("memory_add", {"text": "Fire on Saturdays"}),
            mode,
            name="Cursor",
        )

    assert mind.memories.candidates()[0].provenance == "mcp cursor 1.2"


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("host", "evil.example", 421),
        ("host", "127.0.0.1", 421),
        ("host", "127.0.0.1:1", 421),
        ("host", "127.0.0.1.evil.example:{port}", 421),
        ("host", "localhost.:{port}", 421),
        ("host", "localhost:{port}", 200),
        ("origin", "http://evil.example", 403),
        ("origin", "http://127.0.0.1:{port}.evil.example", 403),
        ("origin", "null", 403),
        ("origin", "http://127.0.0.1:1", 403),
        ("origin", "http://127.0.0.1:{port}", 200),
        ("content-type", "text/plain", 400),
    ],
)
def test_who_is_not_ours_is_refused(reading: Mind, header: str, value: str, status: int) -> None:
    with serving(reading) as address:
        port = httpx.URL(address).port
        headers = ACCEPT | {header: value.format(port=port)}

        answer = httpx.post(address, json=BODY, headers=headers)

    assert answer.status_code == status


def test_a_body_of_over_a_megabyte_is_refused(reading: Mind) -> None:
    with serving(reading) as address:
        answer = httpx.post(address, content=b" " * (1 << 20) + b"{}", headers=ACCEPT)

    assert answer.status_code == 413


@pytest.mark.parametrize("mode", ERAS)
def test_a_call_that_takes_too_long_can_be_cancelled(
    asking_elsewhere: Mind, replay: Replay, mode: str
) -> None:
    replay.says("search.example.org", Reply(raw=b"HTTP/1.1 200 OK\r\n\r\n", stall=True))

    async def impatient(client: Client) -> tuple[bool, str]:
        with anyio.move_on_after(0.5) as waiting:
            await client.call_tool("remote_search", {"provider": "searx", "query": "kilns"})
        return waiting.cancelled_caught, text_of(
            await client.call_tool("search", {"query": "kiln"})
        )

    with serving(asking_elsewhere) as address:
        cancelled, found = talk(address, impatient, mode)
        replay.close()

    assert cancelled
    assert "fired on Fridays" in found


@contextmanager
def serving(mind: Mind) -> Iterator[str]:
    """The address of a server for *mind*."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # Of a socket that it did not make itself, the event loop leaves Nagle's delay on.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = listener.getsockname()[1]
        app = McpHttp(mind, [f"127.0.0.1:{port}", f"localhost:{port}"])
        web = Starlette(routes=[Route("/mcp", app)], lifespan=lambda _: app.running())
        server = uvicorn.Server(uvicorn.Config(web, log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            server.should_exit = True
            thread.join()
