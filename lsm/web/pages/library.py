"""The library as a whole: what is read, how it grew, what could not be read, and what runs now."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.routing import Route

from lsm.web.charts import HEIGHT, WIDTH, bars, growth_chart
from lsm.web.render import query
from lsm.web.site import PAGE, number_in, text_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from lsm.web.site import Site

_LOOK = 0.2  # seconds between two looks at a running ingest
_ALIVE = 15.0  # seconds of silence after which a line says that we are still there
_SHORT = 8  # rows of a list on the overview


def routes(site: Site) -> list[BaseRoute]:
    """Of the library."""
    catalogue = site.mind.catalogue

    def show(request: Request) -> Response:
        stats = catalogue.stats()
        values = {
            "stats": stats,
            "growth": growth_chart(stats.growth),
            "width": WIDTH,
            "height": HEIGHT,
            "bars": bars(stats.by_type),
            "roots": catalogue.roots(),
            "errors": catalogue.failures(most=_SHORT),
            "versions": catalogue.versions(most=_SHORT),
            "state": site.ingesting.told(),
        }
        return site.renderer.page(request, "library.html", values)

    def documents(request: Request) -> Response:
        below, after = text_in(request, "below"), text_in(request, "after")
        found = catalogue.documents(after, below, PAGE + 1)
        values = {
            "below": below,
            "documents": found[:PAGE],
            "next": _next("/library/documents", found, below=below),
            "count": site.mind.overview().files,
        }
        return site.renderer.page(request, "documents.html", values)

    def errors(request: Request) -> Response:
        found = catalogue.failures(text_in(request, "after"), PAGE + 1)
        more = found[PAGE - 1].source_path if len(found) > PAGE else None
        values = {
            "errors": found[:PAGE],
            "next": query("/library/errors", after=more) if more else "",
            "count": site.mind.overview().errors,
        }
        return site.renderer.page(request, "errors.html", values)

    def versions(request: Request) -> Response:
        found = catalogue.versions(number_in(request, "before"), PAGE + 1)
        more = found[PAGE - 1].version if len(found) > PAGE else None
        values = {
            "versions": found[:PAGE],
            "next": query("/library/versions", before=more) if more else "",
        }
        return site.renderer.page(request, "versions.html", values)

    async def progress(_: Request) -> Response:
        return StreamingResponse(_events(site), media_type="text/event-stream")

    return [
        Route("/library", show),
        Route("/library/documents", documents),
        Route("/library/errors", errors),
        Route("/library/versions", versions),
        Route("/library/progress", progress),
    ]


def _next(path: str, found: list[Any], **values: object) -> str:
    return query(path, **values, after=found[PAGE - 1].path) if len(found) > PAGE else ""


async def _events(site: Site) -> AsyncIterator[bytes]:
    """The state of the ingest each time it is another one, for as long as somebody listens."""
    seen, silent = None, 0.0
    while not site.stopping.is_set():
        told = await run_in_threadpool(site.ingesting.told)
        if told != seen:
            seen, silent = told, 0.0
            yield b"data: " + msgspec.json.encode(told) + b"\n\n"
        elif silent >= _ALIVE:
            silent = 0.0
            yield b": still here\n\n"
        await asyncio.sleep(_LOOK)
        silent += _LOOK
