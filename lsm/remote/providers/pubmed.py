"""PubMed, by NCBI's E-utilities: https://www.ncbi.nlm.nih.gov/books/NBK25499/"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lsm.remote.answers import Fetched
from lsm.remote.dates import from_parts, month_number
from lsm.remote.fetch import Ask
from lsm.remote.parsing import json_as, not_an_answer, refused_by_source, xml_of
from lsm.remote.providers.base import Search, Setting, response_of
from lsm.remote.results import found, ranked

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from lsm.remote.fetch import Reply, Web
    from lsm.remote.results import Found
    from lsm.remote.storage import Held

_URL = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils/"
_INTERVAL_S = 0.34  # three requests a second without a key
_INTERVAL_WITH_KEY_S = 0.1


class _Ids(msgspec.Struct):
    idlist: list[str] = []
    error: str | None = msgspec.field(default=None, name="ERROR")


class _Answer(msgspec.Struct):
    esearchresult: _Ids | None = None
    error: str | None = None


class PubmedSearch(Search):
    """Biomedical literature, with abstracts."""

    by_date = True

    def __init__(self, setting: Setting) -> None:
        self._key = setting.key
        self._common = {"db": "pubmed", "tool": "local-second-mind"}
        if setting.contact:
            self._common["email"] = setting.contact

    def ask(self, question: Any, web: Web, held: Held | None) -> Fetched:  # noqa: ARG002
        """First which articles, then what they are."""
        reply = self._post(
            "esearch.fcgi",
            {
                "term": question["query"],
                "retmax": str(question["k"]),
                "sort": "pub_date" if question.get("newest") else "relevance",
                "retmode": "json",
            },
            web,
        )
        answer = json_as(reply, _Answer)
        problem = answer.error or (answer.esearchresult and answer.esearchresult.error)
        if problem:
            raise refused_by_source(problem)
        if answer.esearchresult is None:
            raise not_an_answer(reply, "answer of PubMed")
        ids = answer.esearchresult.idlist
        return Fetched(response_of(ranked(self._articles(ids, web) if ids else [])))

    def _articles(self, ids: list[str], web: Web) -> list[Found]:
        reply = self._post("efetch.fcgi", {"id": ",".join(ids), "retmode": "xml"}, web)
        root = xml_of(reply)
        if root.tag != "PubmedArticleSet":
            raise not_an_answer(reply, "PubMed article set", root.tag)
        articles = {
            article.findtext("MedlineCitation/PMID", ""): article
            for article in root.findall("PubmedArticle")
        }
        return [_found(articles[number], number) for number in ids if number in articles]

    def _post(self, tool: str, parameters: dict[str, str], web: Web) -> Reply:
        form = self._common | parameters
        if self._key is not None:
            form["api_key"] = self._key.value  # in the body of a POST, where no log looks
        interval = _INTERVAL_S if self._key is None else _INTERVAL_WITH_KEY_S
        # Reading again changes nothing there: this POST is a question.
        return web.fetch(Ask(_URL + tool, form=form, interval_s=interval))


def _found(article: Element, number: str) -> Found:
    citation = article.find("MedlineCitation/Article")
    if citation is None:
        return found(None, _address(number), None, metadata={"id": number})
    parts = citation.findall("Abstract/AbstractText")
    return found(
        _text(citation.find("ArticleTitle")),
        _address(number),
        "\n\n".join(": ".join(filter(None, (part.get("Label"), _text(part)))) for part in parts),
        published=_date(citation),
        metadata={
            "id": number,
            "doi": next(
                (
                    _text(each)
                    for each in article.findall("PubmedData/ArticleIdList/ArticleId")
                    if each.get("IdType") == "doi"
                ),
                None,
            ),
            "authors": [_name(author) for author in citation.findall("AuthorList/Author")],
            "venue": citation.findtext("Journal/Title"),
        },
    )


def _address(number: str) -> str:
    return f"https://pubmed.ncbi.nlm.nih.gov/{number}/"


def _name(author: Element) -> str:
    names = (author.findtext("ForeName"), author.findtext("LastName"))
    return author.findtext("CollectiveName") or " ".join(filter(None, names))


def _date(citation: Element) -> str | None:
    for path in ("ArticleDate", "Journal/JournalIssue/PubDate"):
        date = citation.find(path)
        if date is not None:
            year, day = date.findtext("Year", ""), date.findtext("Day", "")
            year = year or date.findtext("MedlineDate", "")[:4]
            parts = [
                int(year) if year.isdecimal() else None,
                month_number(date.findtext("Month")),
                int(day) if day.isdecimal() else None,
            ]
            return from_parts(parts) if parts[0] else None
    return None


def _text(element: Element | None) -> str:
    # Titles hold <i> and <sub>: their text is spread over the children.
    return "" if element is None else "".join(element.itertext())
