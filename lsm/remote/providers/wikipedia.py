"""Wikipedia in any language, by the MediaWiki Action API: https://www.mediawiki.org/wiki/API"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from lsm.config.models.remote import ProviderConfig
from lsm.remote.answers import Fetched
from lsm.remote.dates import from_iso
from lsm.remote.fetch import Ask
from lsm.remote.parsing import json_as, not_an_answer, refused_by_source
from lsm.remote.providers.base import Search, Setting, response_of
from lsm.remote.results import found, ranked

if TYPE_CHECKING:
    from lsm.remote.fetch import Web
    from lsm.remote.results import Found
    from lsm.remote.storage import Held

_PAGE = 20  # of the extracts, the API gives no more at once
_MOST = 100


class _Article(msgspec.Struct):
    title: str
    index: int = 0  # its place among the results
    pageid: int = 0
    extract: str = ""
    fullurl: str = ""
    touched: str | None = None
    missing: bool = False
    pageprops: dict[str, Any] = {}


class _Query(msgspec.Struct):
    pages: list[_Article] = []


class _Problem(msgspec.Struct):
    code: str
    info: str = ""


class _Answer(msgspec.Struct):
    query: _Query | None = None
    error: _Problem | None = None
    batchcomplete: bool = False


class WikipediaSearch(Search):
    """Articles, with their first section."""

    by_date = True

    def __init__(self, setting: Setting) -> None:
        self._url = f"https://{setting.config.language}.wikipedia.org/w/api.php"
        self._language = setting.config.language

    def questions(self, query: str, k: int, *, newest: bool = False) -> list[Any]:
        """The words, how many, and in which language, which the configuration may change."""
        asked = super().questions(query, k, newest=newest)
        if self._language == ProviderConfig().language:
            return asked
        return [question | {"language": self._language} for question in asked]

    def ask(self, question: Any, web: Web, held: Held | None) -> Fetched:  # noqa: ARG002
        """Pages of articles until there are enough."""
        wanted = min(question["k"], _MOST)
        articles: list[_Article] = []
        while len(articles) < wanted:
            size = min(_PAGE, wanted - len(articles))
            page = self._page(question, len(articles), size, web)
            articles += page
            if len(page) < size:
                break
        results = [self._found(article) for article in articles if not article.missing]
        return Fetched(response_of(ranked(results)))

    def _page(self, question: Any, offset: int, size: int, web: Web) -> list[_Article]:
        parameters = {
            "action": "query",
            "format": "json",
            "formatversion": 2,
            "generator": "search",
            "gsrsearch": question["query"],
            "gsrlimit": size,
            "gsroffset": offset,
            "prop": "extracts|info|pageprops",
            "exintro": 1,
            "explaintext": 1,
            "exlimit": "max",
            "inprop": "url",
            "ppprop": "disambiguation",
        }
        if question.get("newest"):
            parameters["gsrsort"] = "create_timestamp_desc"
        reply = web.fetch(Ask(f"{self._url}?{urlencode(parameters)}"))
        answer = json_as(reply, _Answer)
        if answer.error is not None:
            raise refused_by_source(answer.error.info or answer.error.code)
        if answer.query is None and not answer.batchcomplete:
            raise not_an_answer(reply, "answer of a wiki")
        pages = answer.query.pages if answer.query else []
        return sorted(pages, key=lambda article: article.index)

    def _found(self, article: _Article) -> Found:
        return found(
            article.title,
            article.fullurl,
            article.extract,
            published=from_iso(article.touched),
            metadata={
                "id": article.pageid,
                "language": self._language,
                "disambiguation": "disambiguation" in article.pageprops,
            },
        )
