"""Semantic Scholar, by its Graph API: https://api.semanticscholar.org/api-docs/graph"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from lsm.remote.answers import Fetched
from lsm.remote.dates import from_iso
from lsm.remote.fetch import Ask
from lsm.remote.parsing import json_as
from lsm.remote.providers.base import Search, Setting, response_of
from lsm.remote.results import found, ranked

if TYPE_CHECKING:
    from lsm.remote.fetch import Web
    from lsm.remote.results import Found
    from lsm.remote.storage import Held

_URL = "https://api.semanticscholar.org/graph/v1/paper/search"
_FIELDS = (
    "title,abstract,url,year,publicationDate,authors,venue,externalIds,openAccessPdf,citationCount"
)
_PAGE = 100
_WORDS_BEFORE_HYPHEN = str.maketrans("-", " ")  # a hyphen finds nothing, its manual says


class _Author(msgspec.Struct):
    name: str | None = None


class _Pdf(msgspec.Struct):
    url: str | None = None


class _Paper(msgspec.Struct, rename="camel"):
    paper_id: str
    title: str | None = None
    abstract: str | None = None
    url: str | None = None
    year: int | None = None
    publication_date: str | None = None
    authors: list[_Author] = []
    venue: str | None = None
    external_ids: dict[str, Any] | None = None
    open_access_pdf: _Pdf | None = None
    citation_count: int | None = None


class _Answer(msgspec.Struct):
    total: int
    data: list[_Paper] = []
    next: int | None = None


class SemanticScholarSearch(Search):
    """Papers, by relevance."""

    def __init__(self, setting: Setting) -> None:
        self._key = setting.key

    def ask(self, question: Any, web: Web, held: Held | None) -> Fetched:  # noqa: ARG002
        """Pages of papers until there are enough, or no next one is named."""
        papers: list[_Paper] = []
        offset: int | None = 0
        while offset is not None and len(papers) < question["k"]:
            answer = self._page(question, offset, web)
            papers += answer.data
            offset = answer.next if answer.data else None
        return Fetched(response_of(ranked([_found(paper) for paper in papers])))

    def _page(self, question: Any, offset: int, web: Web) -> _Answer:
        parameters = {
            "query": question["query"].translate(_WORDS_BEFORE_HYPHEN),
            "offset": offset,
            "limit": min(_PAGE, question["k"] - offset),
            "fields": _FIELDS,
        }
        reply = web.fetch(Ask(f"{_URL}?{urlencode(parameters)}", key=self._key))
        return json_as(reply, _Answer)


def _found(paper: _Paper) -> Found:
    ids = paper.external_ids or {}
    year = None if paper.year is None else f"{paper.year:04d}"
    return found(
        paper.title,
        paper.url or f"https://www.semanticscholar.org/paper/{paper.paper_id}",
        paper.abstract,
        published=from_iso(paper.publication_date) or from_iso(year),
        metadata={
            "id": paper.paper_id,
            "doi": ids.get("DOI"),
            "arxiv": ids.get("ArXiv"),
            "authors": [author.name for author in paper.authors if author.name],
            "venue": paper.venue,
            "pdf": paper.open_access_pdf.url if paper.open_access_pdf else None,
            "cited_by": paper.citation_count,
        },
    )
