"""A web page, or a text file on the web, as a reader sees it: the query is its address."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lsm.errors import InvalidError
from lsm.remote.addresses import check_url
from lsm.remote.answers import Fetched
from lsm.remote.dates import from_iso
from lsm.remote.errors import RemoteError
from lsm.remote.fetch import Ask
from lsm.remote.providers.base import Search, response_of
from lsm.remote.results import found, ranked, with_page

if TYPE_CHECKING:
    from lsm.remote.fetch import Web
    from lsm.remote.results import Found
    from lsm.remote.storage import Held

_HTML = ("text/html", "application/xhtml+xml")
_PLAIN = ("text/plain", "text/markdown")


@dataclass(frozen=True)
class ReadablePage:
    """A page without what surrounds it."""

    title: str
    text: str
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])  # "date" is understood


Readable = Callable[[bytes, str, str], ReadablePage]
"""Makes a page readable: its bytes, its media type, and the charset its server declares or "".

Raises ValueError for what is not readable.
"""


class WebPage(Search):
    """Any public page."""

    def __init__(self, readable: Readable) -> None:
        self._readable = readable

    def questions(self, query: str, k: int, *, newest: bool = False) -> list[Any]:  # noqa: ARG002 - a page is one result
        """The address, checked."""
        address = query.strip()
        if "://" not in address:
            address = f"https://{address}"
        try:
            return [{"url": check_url(address, plain_http=True).url}]
        except RemoteError as error:
            raise InvalidError("query", error.problem) from None

    def ask(self, question: Any, web: Web, held: Held | None) -> Fetched:  # noqa: ARG002
        """The page's text, as the one result."""
        accept = {"Accept": ", ".join((*_HTML, *_PLAIN))}
        reply = web.fetch(Ask(question["url"], headers=accept, plain_http=True, hosts=None))
        if reply.media_type not in (*_HTML, *_PLAIN):
            kind = reply.media_type or "something without a type"
            problem = f"{kind[:80]} is no page; download it and use `lsm ingest`"
            raise RemoteError("not_an_answer", problem)
        try:
            page = self._readable(reply.body, reply.media_type, reply.charset)
        except ValueError as error:
            raise RemoteError("not_an_answer", f"the page cannot be read: {error}") from None
        if not page.text.strip():
            raise RemoteError("not_an_answer", "the page holds no text without its scripts")
        result = found(
            page.title or reply.url,
            reply.url,
            None,
            published=from_iso(page.metadata.get("date")),
            metadata={**page.metadata, "id": reply.url},
        )
        return Fetched(response_of(ranked([with_page(result, page.text)])))

    def choose(self, answers: Sequence[list[Found]], query: str, k: int) -> list[Found]:  # noqa: ARG002
        """The page."""
        return [result for answer in answers for result in answer][:k]
