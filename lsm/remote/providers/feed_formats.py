"""RSS, Atom and JSON Feed as one shape.

feedparser needs seconds for what was made to hurt it, so XML is read in a confined child: `answer`
is called there, `feed_in` takes its answer apart.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from lsm.remote.dates import from_iso, from_parts
from lsm.remote.errors import RemoteError
from lsm.remote.parsing import json_as, not_an_answer
from lsm.remote.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLOSED = re.compile(rb"</(?:rss|feed|(?:\w{1,20}:)?RDF|channel)\s{0,20}>\s*\Z")
_MOST_AUTHORS = 50

# feedparser takes a fraction of a millisecond an item, and more than that a level.
_MOST_BYTES, _MOST_BROKEN_BYTES = 10_000_000, 2_000_000
_MOST_ITEMS, _MOST_LEVELS = 20_000, 10_000
_START = re.compile(rb"<(?:item|entry)\b")
_TAG = re.compile(rb"<(/?)([A-Za-z][\w:.-]{0,100}+)[^<>]*+>")
_NEVER_CLOSED = frozenset({b"br", b"hr", b"img", b"input", b"li", b"p", b"td", b"tr"})


class Item(msgspec.Struct, frozen=True):
    """One entry of a feed."""

    id: str  # "" if it has none
    title: str
    url: str
    text: str  # may hold markup
    published: str | None
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


class Feed(msgspec.Struct, frozen=True):
    """A feed, its items in its own order."""

    title: str
    items: tuple[Item, ...]


class FeedBytes(msgspec.Struct, frozen=True):
    """A feed as it came."""

    body: bytes
    url: str
    media_type: str = ""  # the whole header, with its charset

    @property
    def is_json(self) -> bool:
        """Whether it can only be JSON Feed."""
        return _bare(self.body)[:1] == b"{"


ReadFeed = Callable[[FeedBytes], Feed | None]
"""The feed in the bytes; None if there is none. Raises RemoteError, as `parsed_feed`."""


class _Answer(msgspec.Struct, frozen=True):
    feed: Feed | None = None
    code: str = ""
    problem: str = ""


class _JsonAuthor(msgspec.Struct):
    name: str = ""


class _JsonItem(msgspec.Struct):
    id: str | int | float = ""
    url: str = ""
    external_url: str = ""
    title: str = ""
    content_html: str = ""
    content_text: str = ""
    summary: str = ""
    date_published: str | None = None
    date_modified: str | None = None
    authors: list[_JsonAuthor] = []
    author: _JsonAuthor | None = None  # version 1.0
    tags: list[str] = []


class _JsonFeed(msgspec.Struct):
    version: str
    title: str = ""
    items: list[_JsonItem] = []


def answer(payload: bytes) -> bytes:
    """`parsed_feed` for a confined child: `FeedBytes` in, for `feed_in` out."""
    try:
        found = _Answer(parsed_feed(msgspec.msgpack.decode(payload, type=FeedBytes)))
    except RemoteError as error:
        found = _Answer(code=error.code, problem=error.problem)
    return msgspec.msgpack.encode(found)


def feed_in(payload: bytes) -> Feed | None:
    """What `answer` found. Raises RemoteError if that was an error."""
    found = msgspec.msgpack.decode(payload, type=_Answer)
    if found.code:
        raise RemoteError(found.code, found.problem)
    return found.feed


def parsed_feed(reply: FeedBytes) -> Feed | None:
    """The feed in *reply*; None if there is none in it.

    Raises:
        RemoteError: it ends in the middle, defines entities, or would take minutes to read.
    """
    if reply.is_json:
        return _json_feed(reply)
    import feedparser

    body = _bare(reply.body)
    _refuse_heavy(body)
    _refuse_unsafe(reply, body)
    # Never a str: feedparser opens what looks like a file name. Links are resolved against the
    # address, markup is taken out by us.
    parsed = feedparser.parse(
        io.BytesIO(body),
        response_headers={
            "content-location": reply.url,
            "content-type": reply.media_type,
        },
        resolve_relative_uris=False,
        sanitize_html=False,
    )
    if not parsed.version:
        return None
    items = tuple(_item(entry) for entry in parsed.entries)
    return Feed(plain(_string(parsed.feed.get("title"))), items)


def _bare(body: bytes) -> bytes:
    return body.removeprefix(b"\xef\xbb\xbf").lstrip()


def _refuse_heavy(body: bytes) -> None:
    if len(body) > _MOST_BYTES or sum(1 for _ in _START.finditer(body)) > _MOST_ITEMS:
        raise RemoteError("too_large", f"a feed of over {_MOST_ITEMS} items, or of over 10 MB")
    depth = 0
    for closing in _tags(body):
        depth = max(0, depth - 1) if closing else depth + 1
        if depth > _MOST_LEVELS:
            raise RemoteError("too_large", f"nested deeper than {_MOST_LEVELS} levels")


def _tags(body: bytes) -> Iterator[bool]:
    """Whether it closes one, of each tag that has a counterpart."""
    for tag in _TAG.finditer(body):
        if not tag[0].endswith(b"/>") and tag[2].lower() not in _NEVER_CLOSED:
            yield bool(tag[1])


def _refuse_unsafe(reply: FeedBytes, body: bytes) -> None:
    """Well-formed feeds may pass; of the others those that are whole: many feeds are a bit off."""
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        fromstring(body)
    except ParseError as error:
        if len(body) > _MOST_BROKEN_BYTES or not _CLOSED.search(body[-200:].rstrip()):
            raise not_an_answer(reply, "feed", f"{error}, and no end") from None
    except (DefusedXmlException, ValueError, LookupError) as error:
        raise not_an_answer(reply, "feed", str(error)) from None


def _item(entry: Any) -> Item:
    contents = [_string(part.get("value")) for part in entry.get("content") or []]
    authors = [_string(author.get("name")) for author in entry.get("authors") or []]
    tags = [_string(tag.get("term")) for tag in entry.get("tags") or []]
    return Item(
        id=_string(entry.get("id")),
        title=_string(entry.get("title")),
        url=_string(entry.get("link")),
        text=max([*contents, _string(entry.get("summary"))], key=len),
        # Its own `get` warns of dates it makes up from one another.
        published=_instant(
            dict.get(entry, "published_parsed") or dict.get(entry, "updated_parsed")
        ),
        authors=tuple(plain(name) for name in authors[:_MOST_AUTHORS] if name),
        categories=tuple(plain(tag) for tag in tags[:_MOST_AUTHORS] if tag),
    )


def _instant(parsed: Any) -> str | None:
    if parsed is None:
        return None
    try:
        moment = datetime(*parsed[:6], tzinfo=UTC)
    except (ValueError, OverflowError, TypeError):
        return from_parts(parsed[:3])
    return from_iso(moment.isoformat())


def _string(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _json_feed(reply: FeedBytes) -> Feed | None:
    feed = json_as(reply, _JsonFeed)
    if "jsonfeed.org" not in feed.version:
        return None
    return Feed(plain(feed.title), tuple(_json_item(item) for item in feed.items))


def _json_item(item: _JsonItem) -> Item:
    authors = item.authors or ([item.author] if item.author else [])
    return Item(
        id=str(item.id),
        title=item.title,
        url=item.url or item.external_url,
        text=item.content_text or item.content_html or item.summary,
        published=from_iso(item.date_published) or from_iso(item.date_modified),
        authors=tuple(author.name for author in authors[:_MOST_AUTHORS] if author.name),
        categories=tuple(item.tags[:_MOST_AUTHORS]),
    )
