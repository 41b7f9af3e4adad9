"""Any endpoint that answers a search in JSON: SearXNG and its like, or OpenSearch suggestions.

The address is a template as OpenSearch 1.1 describes it: ``{searchTerms}``, ``{count}``,
``{startIndex}`` and ``{startPage}``, the last three with or without a ``?``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import msgspec

from lsm.config.models.remote import JsonFields
from lsm.remote.answers import Fetched
from lsm.remote.dates import from_iso
from lsm.remote.errors import RemoteError
from lsm.remote.fetch import Ask
from lsm.remote.parsing import json_as
from lsm.remote.providers.base import Search, Setting, response_of
from lsm.remote.results import found, ranked, scored

if TYPE_CHECKING:
    from lsm.remote.fetch import Web
    from lsm.remote.results import Found
    from lsm.remote.storage import Held

_PLACE = re.compile(r"\{(\w+)\??\}")
_MOST_PAGES = 10


class JsonSearch(Search):
    """An endpoint named in the configuration."""

    def __init__(self, setting: Setting) -> None:
        self._template = setting.config.url
        self._fields = setting.config.fields
        self._key = setting.key
        # A page can be asked for only if the template says where its number goes.
        self._paged = "{start" in self._template

    def questions(self, query: str, k: int, *, newest: bool = False) -> list[Any]:
        """The words, how many, and of which endpoint: a name may be given another address."""
        asked = super().questions(query, k, newest=newest)
        endpoint: dict[str, Any] = {"url": self._template}
        if self._fields != JsonFields():
            # Mended in the configuration, they mean another answer than the one held.
            endpoint["fields"] = msgspec.to_builtins(self._fields)
        return [question | endpoint for question in asked]

    def ask(self, question: Any, web: Web, held: Held | None) -> Fetched:  # noqa: ARG002
        """Pages until there are enough results, or no new ones come."""
        results: dict[tuple[str, str], Found] = {}
        for page in range(1, (_MOST_PAGES if self._paged else 1) + 1):
            before = len(results)
            for result in self._page(question, page, before, web):
                results.setdefault((result.url, result.title), result)
            if len(results) == before or len(results) >= question["k"]:
                break
        best = sorted(results.values(), key=lambda result: -result.score)
        return Fetched(response_of(ranked(best[: question["k"]])))

    def _page(self, question: Any, page: int, so_far: int, web: Web) -> list[Found]:
        values = {
            "searchTerms": question["query"],
            "count": question["k"],
            "startIndex": so_far + 1,
            "startPage": page,
        }
        url = _PLACE.sub(
            lambda place: quote(str(values.get(place[1], "")), safe=""), self._template
        )
        plain_http = urlsplit(self._template).scheme == "http"  # somebody has typed it
        reply = web.fetch(Ask(url, key=self._key, plain_http=plain_http))
        answer: Any = json_as(reply, object)
        if isinstance(answer, list):
            return _suggestions(answer)
        if not isinstance(answer, dict):
            raise RemoteError("not_an_answer", "its JSON is neither an object nor a list")
        hits = _at(answer, self._fields.results)
        if not isinstance(hits, list):
            raise RemoteError("not_an_answer", f"its JSON has no list at {self._fields.results}")
        return [self._found(hit) for hit in hits if isinstance(hit, dict)]

    def _found(self, hit: dict[str, Any]) -> Found:
        score = _at(hit, self._fields.score)
        result = found(
            _text(hit, self._fields.title),
            _text(hit, self._fields.url),
            _text(hit, self._fields.snippet),
            published=from_iso(_text(hit, self._fields.published)),
        )
        return scored(result, float(score) if isinstance(score, (int, float)) else 0.0)


def _suggestions(answer: list[Any]) -> list[Found]:
    """``[query, [title, ...], [text, ...], [url, ...]]``: the OpenSearch suggestions extension."""
    columns = [column for column in answer[1:4] if isinstance(column, list)]
    if len(answer) < 2 or len(columns) != len(answer[1:4]):
        raise RemoteError("not_an_answer", "its JSON is a list, but not of suggestions")
    columns += [[]] * (3 - len(columns))
    titles, texts, urls = ([str(each) for each in column] for column in columns)
    rest = [""] * len(titles)
    return [
        found(title, url, text)
        for title, text, url in zip(titles, texts + rest, urls + rest, strict=False)
    ]


def _at(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(value: Any, path: str) -> str:
    there = _at(value, path)
    return str(there) if isinstance(there, (str, int, float)) else ""
