"""Feeds the user has listed: RSS and Atom by feedparser, JSON Feed (https://jsonfeed.org)."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from lsm.clock import to_text
from lsm.remote.answers import Fetched
from lsm.remote.errors import RemoteError
from lsm.remote.fetch import Ask
from lsm.remote.parsing import not_an_answer
from lsm.remote.providers.base import Setting, response_of
from lsm.remote.providers.feed_formats import Feed, FeedBytes, Item, parsed_feed
from lsm.remote.results import Found, found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.clock import Clock
    from lsm.remote.feed_state import FeedState
    from lsm.remote.fetch import Reply, Web
    from lsm.remote.providers.feed_formats import ReadFeed
    from lsm.remote.storage import Held

_ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, "
    "application/json;q=0.8, */*;q=0.5"
)
_MOST_ITEMS = 1000  # of one feed, the newest
_NOT_MODIFIED = 304


class Feeds:
    """The feeds of one provider, as one list; the query keeps the items with all its words."""

    def __init__(
        self, setting: Setting, state: FeedState, clock: Clock, read: ReadFeed = parsed_feed
    ) -> None:
        self._urls = setting.config.urls
        self._read = read
        self._key = setting.key
        self._state = state
        self._now = clock

    def questions(self, query: str, k: int, *, newest: bool = False) -> list[Any]:  # noqa: ARG002 - a feed is taken whole
        """One a feed."""
        return [{"feed": url} for url in self._urls]

    def ask(self, question: Any, web: Web, held: Held | None) -> Fetched:
        """The feed's items, or nothing if it has not changed since *held*."""
        url = question["feed"]
        reply = self._reply(url, web, conditional=held is not None)
        if reply.status == _NOT_MODIFIED and held is None:
            raise RemoteError("not_an_answer", "says nothing has changed, but was not asked that")
        if reply.status == _NOT_MODIFIED:
            return Fetched(None, lambda: self._note(url, None, reply))
        raw = FeedBytes(reply.body, reply.url, reply.headers.get("content-type", ""))
        feed = parsed_feed(raw) if raw.is_json else self._read(raw)
        if feed is None:
            raise not_an_answer(reply, "feed", "neither RSS, Atom nor JSON Feed")
        results = [_found(item, feed, url) for item in _identified(_newest(feed.items))]
        return Fetched(response_of(results), lambda: self._note(url, feed.title, reply))

    def choose(self, answers: Sequence[list[Found]], query: str, k: int) -> list[Found]:
        """The newest with all words of *query*; those nobody has seen are marked as new."""
        wanted = query.casefold().split()
        results = [
            result
            for answer in answers
            for result in answer
            if all(word in f"{result.title}\n{result.text}".casefold() for word in wanted)
        ]
        now = to_text(self._now())
        # Without a date: where its feed has it, behind those with one. From the future: as of now.
        results.sort(key=lambda result: min(result.published or "", now), reverse=True)
        chosen = self._with_news(results[:k])
        return [
            msgspec.structs.replace(result, score=round(1 / (place + 1), 6))
            for place, result in enumerate(chosen)
        ]

    def mark_seen(self, results: Sequence[Found]) -> None:
        """From now on *results* are not new."""
        for url, ids in _by_feed(results).items():
            self._state.mark_seen(url, ids)

    def _with_news(self, results: list[Found]) -> list[Found]:
        seen = {url: self._state.seen(url, ids) for url, ids in _by_feed(results).items()}
        return [
            msgspec.structs.replace(
                result,
                metadata=result.metadata
                | {"new": result.metadata["id"] not in seen[result.metadata["feed_url"]]},
            )
            for result in results
        ]

    def _reply(self, url: str, web: Web, *, conditional: bool) -> Reply:
        headers = {"Accept": _ACCEPT}
        # Only with the items in hand: "nothing has changed" would otherwise leave us with nothing.
        record = self._state.record(url) if conditional else None
        if record is not None and record.etag:
            headers["If-None-Match"] = record.etag
        if record is not None and record.last_modified:
            headers["If-Modified-Since"] = record.last_modified
        plain_http = url.startswith("http:")  # somebody has typed it
        return web.fetch(
            Ask(url, headers=headers, key=self._key, plain_http=plain_http, hosts=None)
        )

    def _note(self, url: str, title: str | None, reply: Reply) -> None:
        before = self._state.record(url)
        etag, modified = reply.headers.get("etag"), reply.headers.get("last-modified")
        if title is None and before is not None:  # unchanged: what it said before still holds
            title, etag = before.title, etag or before.etag
            modified = modified or before.last_modified
        self._state.save(url, title or "", _header(etag), _header(modified))


def _newest(items: Sequence[Item]) -> list[Item]:
    return sorted(items, key=lambda item: item.published or "", reverse=True)[:_MOST_ITEMS]


def _header(value: str | None) -> str | None:
    # It is sent back some day: only what may stand in a header.
    return (
        value if value and len(value) <= 500 and value.isascii() and value.isprintable() else None
    )


def _identified(items: Sequence[Item]) -> list[Item]:
    """*items*, each once, each with an id of its own.

    Some feeds give none, some give all of theirs the same, some repeat an item.
    """
    identity = {item: item.id or item.url or _digest(item) for item in items}
    unique = dict.fromkeys(items)
    shared = Counter(identity[item] for item in unique)
    return [
        msgspec.structs.replace(
            item,
            id=identity[item]
            if shared[identity[item]] == 1
            else f"{identity[item]}#{_digest(item)}",
        )
        for item in unique
    ]


def _digest(item: Item) -> str:
    return sha256(repr((item.url, item.title, item.text)).encode("utf-8", "replace")).hexdigest()[
        :16
    ]


def _found(item: Item, feed: Feed, url: str) -> Found:
    published = item.published
    return found(
        item.title or item.text[:80],
        item.url,
        item.text,
        published=published,
        metadata={
            "id": item.id,
            "feed": feed.title,
            "feed_url": url,
            "authors": list(item.authors),
            "categories": list(item.categories),
        },
    )


def _by_feed(results: Sequence[Found]) -> dict[str, list[str]]:
    ids: dict[str, list[str]] = {}
    for result in results:
        ids.setdefault(result.metadata["feed_url"], []).append(result.metadata["id"])
    return ids
