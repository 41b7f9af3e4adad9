"""Crossref, by its REST API: https://api.crossref.org/swagger-ui/index.html"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from lsm.remote.answers import Fetched
from lsm.remote.dates import from_parts
from lsm.remote.fetch import Ask
from lsm.remote.parsing import json_as, not_an_answer
from lsm.remote.providers.base import Search, Setting, response_of
from lsm.remote.results import found, ranked, scored

if TYPE_CHECKING:
    from lsm.remote.fetch import Web
    from lsm.remote.results import Found
    from lsm.remote.storage import Held

_URL = "https://api.crossref.org/works"


class _Date(msgspec.Struct, rename={"date_parts": "date-parts"}):
    date_parts: list[list[int | None]] = []


class _Person(msgspec.Struct):
    given: str = ""
    family: str = ""
    name: str = ""  # of a group


class _Item(msgspec.Struct, rename={"doi": "DOI", "address": "URL", "venue": "container-title"}):
    doi: str
    address: str = ""
    title: list[str] = []
    abstract: str = ""  # in JATS markup
    score: float = 0.0
    issued: _Date | None = None
    author: list[_Person] = []
    venue: list[str] = []
    type: str = ""


class _Message(msgspec.Struct):
    items: list[_Item]


class _Answer(msgspec.Struct):
    status: str
    message: _Message


class CrossrefSearch(Search):
    """Everything that has a DOI of Crossref's."""

    def __init__(self, setting: Setting) -> None:
        self._key = setting.key
        self._contact = setting.contact

    def ask(self, question: Any, web: Web, held: Held | None) -> Fetched:  # noqa: ARG002
        """One page: it gives up to 1000 rows at once."""
        parameters = {"query": question["query"], "rows": question["k"]}
        if self._contact:
            parameters["mailto"] = self._contact
        reply = web.fetch(Ask(f"{_URL}?{urlencode(parameters)}", key=self._key))
        answer = json_as(reply, _Answer)
        if answer.status != "ok":
            raise not_an_answer(reply, "answer of Crossref", answer.status)
        return Fetched(response_of(ranked([_found(item) for item in answer.message.items])))


def _found(item: _Item) -> Found:
    dates = item.issued.date_parts if item.issued else []
    result = found(
        " ".join(item.title),
        f"https://doi.org/{item.doi}",
        item.abstract,
        published=from_parts(dates[0] if dates else None),
        metadata={
            "id": item.doi,
            "doi": item.doi,
            "authors": [
                name
                for person in item.author
                if (name := person.name or f"{person.given} {person.family}".strip())
            ],
            "venue": " ".join(item.venue),
            "type": item.type,
        },
    )
    return scored(result, item.score)
