"""What remote sources answered a predecessor, and which items of feeds it has shown."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lsm.moving_in.digests import digest
from lsm.remote.feed_state import FeedState
from lsm.remote.inherited import (
    InheritedAnswer,
    held_answers,
    inherited_answer,
    keep_answer,
    keep_seen,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.db import Database
    from lsm.migration.legacy.records import LegacyAnswer, LegacyFeed


class AnswerShelf:
    """Keeps `LegacyAnswer`, with the age it has."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def key(self, item: LegacyAnswer) -> str:
        return _answer(item).cache_key

    def digest(self, item: LegacyAnswer) -> str:
        return digest(vars(_answer(item)))

    def held(self, items: Sequence[LegacyAnswer]) -> list[str | None]:
        keys = [self.key(item) for item in items]
        here = held_answers(self._db, keys)
        return [digest(vars(here[key])) if key in here else None for key in keys]

    def present(self, keys: Sequence[str]) -> set[str]:
        return set(held_answers(self._db, keys))

    def remark(self, item: LegacyAnswer) -> str:  # noqa: ARG002 - it is what it was
        return ""

    def flaw(self, item: LegacyAnswer) -> str:  # noqa: ARG002 - what cannot be used is not typed
        return ""

    def insert(self, item: LegacyAnswer) -> None:
        keep_answer(self._db, _answer(item), item.query)

    def replace(self, item: LegacyAnswer) -> None:
        self.insert(item)

    def absorb(self, item: LegacyAnswer) -> str | None:
        key = self.key(item)
        if held_answers(self._db, [key])[key].created_at >= item.saved_at:
            return "a newer answer is here"
        self.insert(item)
        return "in the place of an older answer"


class FeedShelf:
    """Keeps `LegacyFeed`: what was seen once is never new again."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._feeds = FeedState(db)

    def key(self, item: LegacyFeed) -> str:
        return item.feed_url

    def digest(self, item: LegacyFeed) -> str:
        return digest(item.feed_url, item.seen_ids)

    def held(self, items: Sequence[LegacyFeed]) -> list[str | None]:
        return [self._held(item) for item in items]

    def present(self, keys: Sequence[str]) -> set[str]:
        return {key for key in keys if self._feeds.record(key) is not None}

    def remark(self, item: LegacyFeed) -> str:  # noqa: ARG002 - it is what it was
        return ""

    def flaw(self, item: LegacyFeed) -> str:  # noqa: ARG002 - what cannot be used is not typed
        return ""

    def insert(self, item: LegacyFeed) -> None:
        keep_seen(self._db, item.feed_url, item.seen_ids, item.saved_at)

    def replace(self, item: LegacyFeed) -> None:
        self.insert(item)

    def absorb(self, item: LegacyFeed) -> str | None:
        self.insert(item)
        return "added to what is known of the feed"

    def _held(self, item: LegacyFeed) -> str | None:
        if self._feeds.record(item.feed_url) is None:
            return None
        seen = self._feeds.seen(item.feed_url, item.seen_ids)
        return digest(item.feed_url, sorted(seen))


def _answer(item: LegacyAnswer) -> InheritedAnswer:
    ttl = timedelta(seconds=item.ttl_s)
    return inherited_answer(item.provider, item.query, item.saved_at, ttl, item.results)
