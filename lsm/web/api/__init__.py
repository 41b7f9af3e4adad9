"""The API: the verbs of the command line over HTTP, below ``/api/v1``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import anyio
import msgspec
from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Mount, Route

from lsm.errors import LsmError
from lsm.web.api import elsewhere, jobs, library, memories, schedules
from lsm.web.api.events import following
from lsm.web.api.inputs import body_in, place_in, query_in
from lsm.web.api.openapi import PREFIX, description
from lsm.web.api.operations import Begun, Call, Listing, Nothing, Operation
from lsm.web.api.problems import told
from lsm.web.api.running import Runner
from lsm.web.api.shapes import Event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from lsm.app import Mind

__all__ = ["OPERATIONS", "PREFIX", "Runner", "description", "routes"]

_AT_ONCE = 16  # requests at work; the next waits
_PARAMETER = re.compile(r"\{(\w+)\}")


def _unserved(_: Call[Any, Any]) -> None:
    """Served as a stream, see `following`."""


_EVENTS = Operation(
    method="GET",
    path="/jobs/{job_id}/events",
    name="followJob",
    summary="A job as server-sent events: its row at each change, until it ends.",
    run=_unserved,
    answers=Event,
    media="text/event-stream",
)
OPERATIONS: tuple[Operation, ...] = (
    *library.OPERATIONS,
    *jobs.OPERATIONS,
    _EVENTS,
    *memories.OPERATIONS,
    *schedules.OPERATIONS,
    *elsewhere.OPERATIONS,
)


def routes(
    mind: Mind, runner: Runner | None = None, is_over: Callable[[], bool] = lambda: False
) -> list[Mount]:
    """What to mount into an application, which lets in only whom it knows.

    Args:
        mind: stays open as long as requests come.
        runner: of long jobs; close it when the server ends. None: one of its own.
        is_over: whether the server is about to end; streams end then.
    """
    api = _Api(mind, runner or Runner(mind), is_over)
    app = Starlette(
        routes=api.routes(),
        exception_handlers={LsmError: told, HTTPException: told, Exception: told},
    )
    app.router.redirect_slashes = False
    mount = Mount(PREFIX, app=app)
    # A line end in an address is ours to answer, too.
    mount.path_regex = re.compile(mount.path_regex.pattern, re.DOTALL)
    return [mount]


class _Api:
    """Answers requests. Work is done in threads, so that a slow one holds up no other."""

    def __init__(self, mind: Mind, runner: Runner, is_over: Callable[[], bool]) -> None:
        self._mind = mind
        self._runner = runner
        self._is_over = is_over
        self._document = msgspec.json.encode(description(OPERATIONS))
        self._limiter: anyio.CapacityLimiter | None = None

    def routes(self) -> list[Route]:
        by_path: dict[str, dict[str, Operation]] = {}
        for each in OPERATIONS:
            by_path.setdefault(each.path, {})[each.method] = each
        # One route a path: what it answers to a wrong method names all the right ones.
        found = [
            Route(path, self._endpoint(methods), methods=list(methods))
            for path, methods in sorted(by_path.items(), key=_fixed_first)
            if path != _EVENTS.path
        ]
        return [
            Route("/openapi.json", self._describe, methods=["GET"]),
            Route(_EVENTS.path, self._follow, methods=["GET"]),
            *found,
        ]

    def _endpoint(self, methods: dict[str, Operation]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            method = "GET" if request.method == "HEAD" else request.method
            return await self._answer(methods[method], request)

        return endpoint

    async def _answer(self, operation: Operation, request: Request) -> Response:
        query = query_in(request.query_params.multi_items(), operation.query)
        body = None
        if operation.body is not None:
            body = body_in(await request.body(), operation.body)
        place = place_in(request.path_params)
        call = Call(self._mind, self._runner, place, query, body)
        self._limiter = self._limiter or anyio.CapacityLimiter(_AT_ONCE)
        return await to_thread.run_sync(
            lambda: _response(operation, operation.run(call), request), limiter=self._limiter
        )

    async def _follow(self, request: Request) -> Response:
        query_in(request.query_params.multi_items(), Nothing)
        place = place_in(request.path_params)
        return await following(self._runner.book, place["job_id"], self._is_over)

    async def _describe(self, _: Request) -> Response:
        return Response(self._document, media_type="application/json")


def _response(operation: Operation, answer: Any, request: Request) -> Response:
    headers: dict[str, str] = {}
    if isinstance(answer, Listing):
        if answer.cursor is not None:
            kept = [p for p in request.query_params.multi_items() if p[0] != "cursor"]
            target = f"{PREFIX}{operation.path}?{urlencode([*kept, ('cursor', answer.cursor)])}"
            for name, value in request.path_params.items():
                target = target.replace(f"{{{name}}}", urlencode({"": value})[1:])
            headers["link"] = f'<{target}>; rel="next"'
        answer = answer.rows
    elif isinstance(answer, Begun):
        headers["location"] = PREFIX + answer.location
        answer = answer.row
    return Response(
        msgspec.json.encode(answer), operation.status, headers, media_type=operation.media
    )


def _fixed_first(entry: tuple[str, Any]) -> tuple[int, str]:
    """``/schedules/next`` before ``/schedules/{schedule_id}``."""
    return len(_PARAMETER.findall(entry[0])), entry[0]
