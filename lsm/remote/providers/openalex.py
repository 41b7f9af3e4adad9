"""OpenAlex, by its API: https://developers.openalex.org"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from lsm.remote.answers import Fetched
from lsm.remote.dates import from_iso
from lsm.remote.fetch import Ask
from lsm.remote.parsing import json_as
from lsm.remote.providers.base import Search, Setting, response_of
from lsm.remote.results import found, ranked, scored

if TYPE_CHECKING:
    from lsm.clock import Clock
    from lsm.remote.fetch import Web
    from lsm.remote.results import Found
    from lsm.remote.storage import Held

_URL = "https://api.openalex.org/works"
_PAGE = 100
_LONGEST_ABSTRACT = 20_000  # words


class _Name(msgspec.Struct):
    display_name: str | None = None


class _Authorship(msgspec.Struct):
    author: _Name = msgspec.field(default_factory=_Name)


class _Place(msgspec.Struct):
    landing_page_url: str | None = None
    pdf_url: str | None = None
    source: _Name | None = None


class _Work(msgspec.Struct):
    id: str
    display_name: str | None = None
    doi: str | None = None
    relevance_score: float | None = None
    publication_date: str | None = None
    abstract_inverted_index: dict[str, list[int]] | None = None
    authorships: list[_Authorship] = []
    primary_location: _Place | None = None
    cited_by_count: int = 0


class _Answer(msgspec.Struct):
    results: list[_Work]


class OpenAlexSearch(Search):
    """Scholarly works of every field."""

    by_date = True

    def __init__(self, setting: Setting, clock: Clock) -> None:
        self._now = clock
        self._key = setting.key
        self._contact = setting.contact

    def ask(self, question: Any, web: Web, held: Held | None) -> Fetched:  # noqa: ARG002
        """Pages of works until there are enough."""
        works: list[_Work] = []
        size = min(_PAGE, question["k"])
        while len(works) < question["k"]:
            page = self._page(question, len(works) // size + 1, size, web)
            works += page
            if len(page) < size:
                break
        results = [_found(work) for work in works]
        if question.get("newest"):
            results = [scored(result, 0.0) for result in results]  # by place
        return Fetched(response_of(ranked(results)))

    def _page(self, question: Any, number: int, size: int, web: Web) -> list[_Work]:
        parameters = {"search": question["query"], "per-page": size, "page": number}
        if question.get("newest"):
            # Some bear next year's date, and would stand on top until then.
            parameters["sort"] = "publication_date:desc"
            parameters["filter"] = f"to_publication_date:{self._now().date()}"
        if self._contact:
            parameters["mailto"] = self._contact
        reply = web.fetch(Ask(f"{_URL}?{urlencode(parameters)}", key=self._key, interval_s=0.1))
        return json_as(reply, _Answer).results


def _found(work: _Work) -> Found:
    place = work.primary_location or _Place()
    result = found(
        work.display_name,
        work.doi or place.landing_page_url or work.id,
        _abstract(work.abstract_inverted_index or {}),
        published=from_iso(work.publication_date),
        metadata={
            "id": work.id.rpartition("/")[2],
            "doi": (work.doi or "").removeprefix("https://doi.org/"),
            "authors": [
                authorship.author.display_name
                for authorship in work.authorships
                if authorship.author.display_name
            ],
            "venue": place.source.display_name if place.source else None,
            "pdf": place.pdf_url,
            "cited_by": work.cited_by_count,
        },
    )
    return scored(result, work.relevance_score or 0.0)


def _abstract(index: dict[str, list[int]]) -> str:
    """The text whose words, by their places, are *index*: that is how abstracts are given."""
    words = [(place, word) for word, places in index.items() for place in places]
    return " ".join(word for _, word in sorted(words)[:_LONGEST_ABSTRACT])
