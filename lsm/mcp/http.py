"""The server over streamable HTTP, for `/mcp` inside `lsm serve`."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings

from lsm.mcp.server import build_server

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from starlette.types import Receive, Scope, Send

    from lsm.app import Mind
    from lsm.mcp.caller import Access

_MOST_BYTES = 1 << 20  # of a request
_SESSIONS = 256
_IDLE_SECONDS = 30 * 60.0


class McpHttp:
    """An ASGI application for one path; `running` must be entered once, before the first request.

    It checks Host and Origin itself, whatever stands before it; who may call at all (the token)
    is the business of the application that mounts it.

    Args:
        mind: what is asked; stays open as long as this runs.
        hosts: values of the Host header that are ours, port included: ``127.0.0.1:8765``.
        access: as `build_server`.
    """

    def __init__(self, mind: Mind, hosts: Sequence[str], access: Access = "candidates") -> None:
        self._manager = StreamableHTTPSessionManager(
            build_server(mind, access),
            # Without this the SDK checks neither header.
            security_settings=TransportSecuritySettings(
                enable_dns_rebinding_protection=True,
                allowed_hosts=list(hosts),
                allowed_origins=[f"http://{host}" for host in hosts],
            ),
            max_request_body_size=_MOST_BYTES,
            session_idle_timeout=_IDLE_SECONDS,
            max_sessions=_SESSIONS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._manager.handle_request(scope, receive, send)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """While this is entered, requests are answered; leaving it ends every session."""
        async with self._manager.run():
            yield
