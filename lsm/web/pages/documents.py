"""A document: its text, its states, what rests on it, and the file itself."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import StreamingResponse
from starlette.routing import Route

from lsm.web.prose import prose
from lsm.web.site import PAGE, number_in, text_in
from lsm.web.texts import MARKDOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markupsafe import Markup
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from lsm.query.parts import Part
    from lsm.web.site import Site

_AS_LINES = {
    ".py", ".js", ".ts", ".tsx", ".jsx", ".java", ".c", ".h", ".cpp", ".hpp", ".cs", ".go", ".rs",
    ".rb", ".php", ".swift", ".kt", ".scala", ".sh", ".bash", ".zsh", ".ps1", ".sql", ".r", ".jl",
    ".lua", ".pl", ".css", ".scss", ".json", ".jsonl", ".yaml", ".yml", ".toml", ".ini", ".cfg",
    ".csv", ".tsv", ".xml", ".log", ".tf", ".proto",
}  # fmt: skip
_STEP = 2**18  # bytes of a file that are sent at once


@dataclass(frozen=True)
class Line:
    """A line of a document."""

    number: int
    text: str
    page: int | None  # the page that begins with it
    heading: str  # the chunk's that begins with it
    has_memory: bool


def routes(site: Site) -> list[BaseRoute]:
    """Of documents."""
    catalogue = site.mind.catalogue

    def show(request: Request) -> Response:
        document_id: int = request.path_params["document_id"]
        version, line = number_in(request, "v"), number_in(request, "line")
        number = number_in(request, "part")
        part = catalogue.part(document_id, version, number=number, line=line or 1)
        memories = catalogue.memories_on(document_id)
        view = text_in(request, "view") or _usual_view(part.document.extension)
        rendered = _rendered(part, line) if view == "read" else None
        values = {
            "part": part,
            "document": part.document,
            "v": version,
            "line": line,
            "view": view,
            "prose": rendered,
            "lines": () if rendered else _lines(part, {memory.line for memory in memories}),
            "memories": memories,
            "versions": catalogue.versions_of(document_id, most=PAGE),
        }
        return site.renderer.page(request, "document.html", values)

    def compare(request: Request) -> Response:
        document_id: int = request.path_params["document_id"]
        versions = catalogue.versions_of(document_id, most=PAGE)
        newest = versions[0].version if versions else 1
        new = number_in(request, "new") or newest
        old = number_in(request, "old")
        if old is None:
            earlier = catalogue.versions_of(document_id, before=new, most=1)
            old = earlier[0].version if earlier else new
        values = {
            "document": catalogue.part(document_id, new).document,
            "versions": versions,
            "old": old,
            "new": new,
            "lines": catalogue.compare(document_id, old, new),
        }
        return site.renderer.page(request, "compare.html", values)

    def file(request: Request) -> Response:
        handle, path = catalogue.open_original(request.path_params["document_id"])
        name = quote(os.path.basename(path).encode("utf-8", "replace"))
        headers = {
            "content-disposition": f"attachment; filename*=UTF-8''{name}",
            "content-security-policy": "sandbox; default-src 'none'",
        }
        return StreamingResponse(
            _read(handle), headers=headers, media_type="application/octet-stream"
        )

    return [
        Route("/document/{document_id:int}", show),
        Route("/document/{document_id:int}/compare", compare),
        Route("/document/{document_id:int}/file", file),
    ]


def _usual_view(extension: str) -> str:
    return "lines" if extension in _AS_LINES else "read"


def _rendered(part: Part, here: int | None) -> Markup | None:
    if part.document.extension not in MARKDOWN:
        return None
    return prose(part.text, part.first_line, here, part.document.title)


def _lines(part: Part, remembered: set[int | None]) -> Iterator[Line]:
    page: int | None = None
    heading = ""
    for chunk in part.chunks:
        for offset, text in enumerate(chunk.text.splitlines()):
            number = chunk.start_line + offset
            first = offset == 0
            yield Line(
                number,
                text,
                chunk.page if first and chunk.page != page else None,
                chunk.heading if first and chunk.heading != heading else "",
                number in remembered,
            )
        page, heading = chunk.page, chunk.heading


def _read(handle: int) -> Iterator[bytes]:
    with os.fdopen(handle, "rb") as file:
        yield from iter(partial(file.read, _STEP), b"")
