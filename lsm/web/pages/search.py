"""Search, and the way from a passage to its place in the document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.responses import RedirectResponse
from starlette.routing import Route

from lsm.errors import LsmError
from lsm.query.search import MODES
from lsm.web.problems import status_of
from lsm.web.render import query
from lsm.web.site import MAX_K, number_in, text_in
from lsm.web.texts import MARKDOWN, Snippet, snippet

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from lsm.query.search import Hit
    from lsm.web.site import Site

_FILTERS = ("path", "ext", "tag", "since", "as_of")


@dataclass(frozen=True)
class Found:
    """A hit as it is shown."""

    hit: Hit
    snippet: Snippet
    address: str


def routes(site: Site) -> list[BaseRoute]:
    """Of search."""

    def show(request: Request) -> Response:
        wanted = text_in(request, "q")
        given = {name: text_in(request, name).strip() for name in _FILTERS}
        mode = text_in(request, "mode") or "hybrid"
        k = number_in(request, "k", most=MAX_K) or 20
        found, problem = _search(site, wanted, k, given, mode)
        values = {
            "q": wanted,
            "mode": mode,
            "modes": MODES,
            "given": given,
            "k": k,
            "more": min(2 * k, MAX_K) if found and len(found) == k < MAX_K else None,
            "found": found,
            "problem": str(problem) if problem else "",
            "overview": None if wanted else site.mind.overview(),
            "newest": () if wanted else site.mind.catalogue.newest(),
        }
        status = status_of(problem) if problem else 200
        return site.renderer.page(request, "search.html", values, status)

    def passage(request: Request) -> Response:
        chunk_id: int = request.path_params["chunk_id"]
        version, as_of = number_in(request, "v"), text_in(request, "as_of")
        if as_of:
            version = site.mind.show(f"#{chunk_id}", as_of).version
        document_id, version, first = site.mind.catalogue.place_of(chunk_id, version)
        line = number_in(request, "line") or first
        address = query(f"/document/{document_id}", v=version, line=line)
        return RedirectResponse(f"{address}#here", 302)

    return [Route("/", show), Route("/passage/{chunk_id:int}", passage)]


def _search(
    site: Site, wanted: str, k: int, given: dict[str, str], mode: str
) -> tuple[list[Found], LsmError | None]:
    """What is found; or what is wrong with the question, which is shown beside it."""
    choices: dict[str, Any] = {name: text or None for name, text in given.items()}
    for name in ("ext", "tag"):
        choices[name] = tuple(given[name].replace(",", " ").split())
    try:
        hits = site.mind.search(wanted, k, mode=mode, **choices) if wanted.strip() else []
    except LsmError as error:
        if status_of(error) >= 500:
            raise
        return [], error
    return [_found(hit, wanted, given["as_of"]) for hit in hits], None


def _found(hit: Hit, wanted: str, as_of: str) -> Found:
    shown = snippet(hit.text, wanted, markdown=hit.path.endswith(MARKDOWN))
    line = min(hit.start_line + shown.line, hit.end_line)
    return Found(hit, shown, query(f"/passage/{hit.chunk_id}", line=line, as_of=as_of))
