"""arXiv, by its API: https://info.arxiv.org/help/api/user-manual.html"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from lsm.remote.answers import Fetched
from lsm.remote.dates import from_iso
from lsm.remote.fetch import Ask
from lsm.remote.parsing import not_an_answer, refused_by_source, xml_of
from lsm.remote.providers.base import Search, response_of
from lsm.remote.results import found, ranked

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from lsm.remote.fetch import Web
    from lsm.remote.results import Found
    from lsm.remote.storage import Held

_URL = "https://export.arxiv.org/api/query"
_INTERVAL_S = 3.0  # what its terms of use ask for
_ATOM = "{http://www.w3.org/2005/Atom}"
_ARXIV = "{http://arxiv.org/schemas/atom}"
_FIELD = re.compile(r"\b(?:ti|au|abs|co|jr|cat|rn|id|all):")
_WORD = re.compile(r"[\w.-]+")


class ArxivSearch(Search):
    """Preprints by title, abstract and authors."""

    by_date = True

    def ask(self, question: Any, web: Web, held: Held | None) -> Fetched:  # noqa: ARG002
        """One page of an Atom feed."""
        parameters = {
            "search_query": _expression(question["query"]),
            "start": 0,
            "max_results": question["k"],
        }
        if question.get("newest"):
            parameters |= {"sortBy": "submittedDate", "sortOrder": "descending"}
        reply = web.fetch(Ask(f"{_URL}?{urlencode(parameters)}", interval_s=_INTERVAL_S))
        root = xml_of(reply)
        if root.tag != f"{_ATOM}feed":
            raise not_an_answer(reply, "Atom feed")
        entries = root.findall(f"{_ATOM}entry")
        return Fetched(response_of(ranked([_found(entry) for entry in entries])))


def _expression(query: str) -> str:
    """Every word anywhere, unless *query* is written in arXiv's own language."""
    if _FIELD.search(query):
        return query
    return " AND ".join(f"all:{word}" for word in _WORD.findall(query)) or f"all:{query}"


def _found(entry: Element) -> Found:
    address = _text(entry, f"{_ATOM}id")
    title, summary = _text(entry, f"{_ATOM}title"), _text(entry, f"{_ATOM}summary")
    # It reports errors as an entry of a feed like any other.
    if "/api/errors" in address:
        raise refused_by_source(summary or title)
    pdf = next(
        (link.get("href") for link in entry.findall(f"{_ATOM}link") if link.get("title") == "pdf"),
        None,
    )
    return found(
        title,
        address.replace("http://arxiv.org/", "https://arxiv.org/"),
        summary,
        published=from_iso(_text(entry, f"{_ATOM}published")),
        metadata={
            "id": address.rpartition("/abs/")[2],
            "authors": [
                _text(author, f"{_ATOM}name") for author in entry.findall(f"{_ATOM}author")
            ],
            "categories": [
                category.get("term", "") for category in entry.findall(f"{_ATOM}category")
            ],
            "doi": _text(entry, f"{_ARXIV}doi"),
            "pdf": pdf,
        },
    )


def _text(element: Element, tag: str) -> str:
    # Titles and abstracts are broken into lines by hand.
    return " ".join((element.findtext(tag) or "").split())
