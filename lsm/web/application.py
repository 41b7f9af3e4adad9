"""Puts the pages, the actions, the API and MCP behind one door."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from lsm.errors import LsmError
from lsm.web import actions, api, entrance
from lsm.web.guard import PROGRAMS, Door, Guard
from lsm.web.pages import ask, documents, library, memory, others, schedules, search
from lsm.web.problems import problem, status_of
from lsm.web.render import STATIC

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

    from lsm.web.limits import Limits
    from lsm.web.site import Site

_PAGES = (search, documents, ask, memory, schedules, library, others, entrance, actions)


def application(site: Site, limits: Limits) -> ASGIApp:
    """The whole of one server as an ASGI application."""
    from lsm.mcp.http import McpHttp

    door = Door(
        keys=site.keys,
        port=site.port,
        limits=limits,
        page=lambda status, detail: site.renderer.page(
            None, "sign_in.html", {"detail": detail}, status
        ),
        say=site.say,
    )
    mcp = McpHttp(site.mind, sorted(door.hosts()))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with mcp.running():
            yield

    app = Starlette(
        routes=[
            *(route for pages in _PAGES for route in pages.routes(site)),
            *_api(site),
            Route("/mcp", mcp),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        lifespan=lifespan,
        exception_handlers=dict.fromkeys(
            (LsmError, HTTPException, Exception), lambda request, error: _told(site, request, error)
        ),
    )
    app.router.redirect_slashes = False
    return Guard(app, door)


def _api(site: Site) -> list[Mount]:
    """The API, whose faults we tell as our own."""
    mounts = api.routes(site.mind, site.runner, site.stopping.is_set)
    for mount in mounts:
        if isinstance(mount.app, Starlette):
            mount.app.add_exception_handler(
                Exception, lambda request, error: _told(site, request, error)
            )
    return mounts


def _told(site: Site, request: Request, error: Exception) -> Response:
    """An error as a page or, for programs and scripts, as a problem."""
    request_id: str = request.scope["state"]["request_id"]
    status, detail = 500, f"something went wrong here; the log says what, under {request_id}"
    if isinstance(error, HTTPException):
        status, detail = error.status_code, error.detail
        if status == 404:
            detail = "there is no such page"
    elif isinstance(error, LsmError):
        status = status_of(error)
        if status < 500 or status in (501, 502, 503, 507):
            detail = str(error)
        else:
            site.say(f"lsm: request {request_id}: {error}")
    if request.method in ("GET", "HEAD") and not request.url.path.startswith(PROGRAMS):
        return site.renderer.page(request, "message.html", {"detail": detail}, status)
    return problem(status, detail, request_id)
