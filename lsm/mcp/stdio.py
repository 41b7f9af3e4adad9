"""The server over standard input and output, for a client that starts it."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import anyio
from mcp.server.stdio import stdio_server

from lsm.mcp.server import build_server

if TYPE_CHECKING:
    from lsm.app import Mind
    from lsm.mcp.caller import Access


def serve_stdio(mind: Mind, access: Access) -> None:
    """Serve *mind* until the client closes standard input.

    Nothing but the protocol goes to standard output: what anything else prints there, libraries
    and children included, comes out on standard error.
    """
    # The thread that waits for input cannot be woken: with it, Python's own way out would hang.
    signal.signal(signal.SIGINT, _end)
    signal.signal(signal.SIGTERM, _end)
    anyio.run(_serve, mind, access)


def leave() -> None:
    """End the process, without waiting for calls that were cancelled and still run."""
    sys.stderr.flush()
    os._exit(0)


async def _serve(mind: Mind, access: Access) -> None:
    server = build_server(mind, access)
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


def _end(number: int, _frame: object) -> None:
    # The database needs no goodbye: what is not committed rolls back.
    os._exit(128 + number)
