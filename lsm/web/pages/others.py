"""Sources elsewhere, and the health of this place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from lsm.doctor import diagnose
from lsm.web.render import query
from lsm.web.site import PAGE, text_in

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from lsm.web.site import Site


def routes(site: Site) -> list[BaseRoute]:
    """Of sources and health."""
    mind = site.mind

    def sources(request: Request) -> Response:
        values = {
            "sources": mind.remote.sources(),
            "cache": mind.cache.stats(),
            "feeds": mind.remote.feeds.records(),
        }
        return site.renderer.page(request, "sources.html", values)

    def source(request: Request) -> Response:
        name: str = request.path_params["name"]
        before = (text_in(request, "at") or "9999", text_in(request, "key"))
        found = mind.cache.entries_of(name, before, PAGE + 1)
        last = found[PAGE - 1] if len(found) > PAGE else None
        address = f"/sources/{name}"
        values = {
            "name": name,
            "entries": found[:PAGE],
            "next": query(address, at=last.created_at, key=last.cache_key) if last else "",
        }
        return site.renderer.page(request, "source.html", values)

    def health(request: Request) -> Response:
        values = {"diagnosis": diagnose(mind.home, site.database), "status": mind.status()}
        return site.renderer.page(request, "health.html", values)

    return [
        Route("/sources", sources),
        Route("/sources/{name}", source),
        Route("/health", health),
    ]
