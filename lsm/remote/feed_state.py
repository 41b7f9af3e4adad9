"""What is known of feeds and cannot be asked for again: which items somebody has been shown."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsm.clock import to_text, utc_now

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lsm.clock import Clock
    from lsm.db import Database

_SAVE = """
INSERT INTO lsm_remote_feeds (feed_id, feed_url, title, etag, last_modified, checked_at)
VALUES (:feed_id, :feed_url, :title, :etag, :last_modified, :checked_at)
    ON CONFLICT (feed_id) DO UPDATE
   SET title = excluded.title, etag = excluded.etag, last_modified = excluded.last_modified,
       checked_at = excluded.checked_at
"""
_ENSURE = """
INSERT INTO lsm_remote_feeds (feed_id, feed_url, title, checked_at)
VALUES (:feed_id, :feed_url, '', :checked_at)
    ON CONFLICT (feed_id) DO NOTHING
"""
_COLUMNS = """
SELECT feed_url, title, etag, last_modified, checked_at,
       (SELECT count(*) FROM lsm_remote_feed_items
         WHERE lsm_remote_feed_items.feed_id = lsm_remote_feeds.feed_id) AS seen
  FROM lsm_remote_feeds
"""
_ONE = _COLUMNS + " WHERE feed_id = :feed_id"
_ALL = _COLUMNS + " ORDER BY feed_url"
_SEEN = """
SELECT item_key FROM lsm_remote_feed_items WHERE feed_id = :feed_id AND item_key IN :keys[]
"""
_MARK = """
INSERT INTO lsm_remote_feed_items (feed_id, item_key, seen_at)
VALUES (:feed_id, :item_key, :seen_at)
    ON CONFLICT (feed_id, item_key) DO UPDATE SET seen_at = excluded.seen_at
"""
_SHORTEN = """
DELETE FROM lsm_remote_feed_items
 WHERE feed_id = :feed_id
   AND item_key IN (SELECT item_key FROM lsm_remote_feed_items
                     WHERE feed_id = :feed_id
                     ORDER BY seen_at DESC, item_key
                     LIMIT 1000000 OFFSET :kept)
"""

# Ten times what is read of one feed: an item still in it is never forgotten.
KEPT_ITEMS = 10_000


@dataclass(frozen=True)
class FeedRecord:
    """A feed as last asked. Field names are column names."""

    feed_url: str
    title: str
    etag: str | None
    last_modified: str | None
    checked_at: str
    seen: int  # items that were shown or put into the library


class FeedState:
    """Feeds by address, and their items by the items' own ids. Joins the caller's transaction."""

    def __init__(self, db: Database, clock: Clock = utc_now) -> None:
        self._db = db
        self._now = clock

    def record(self, feed_url: str) -> FeedRecord | None:
        """What is known of the feed at *feed_url*."""
        rows = self._db.rows(_ONE, feed_id=_hashed(feed_url))
        return FeedRecord(**rows[0]) if rows else None

    def records(self) -> list[FeedRecord]:
        """All feeds, by address."""
        return [FeedRecord(**row) for row in self._db.rows(_ALL)]

    def save(self, feed_url: str, title: str, etag: str | None, last_modified: str | None) -> None:
        """Note that the feed was asked just now, and how to ask for what is newer."""
        self._db.run(
            _SAVE,
            feed_id=_hashed(feed_url),
            feed_url=feed_url,
            title=title,
            etag=etag,
            last_modified=last_modified,
            checked_at=to_text(self._now()),
        )

    def seen(self, feed_url: str, item_ids: Iterable[str]) -> set[str]:
        """Those of *item_ids* that have been shown or put into the library."""
        by_key = {_hashed(item_id): item_id for item_id in item_ids}
        rows = self._db.tuples(_SEEN, feed_id=_hashed(feed_url), keys=list(by_key))
        return {by_key[key] for (key,) in rows}

    def mark_seen(self, feed_url: str, item_ids: Iterable[str]) -> None:
        """Note that items have been shown or put into the library. Only then."""
        feed_id, now = _hashed(feed_url), to_text(self._now())
        keys = sorted({_hashed(item_id) for item_id in item_ids})
        rows = [{"feed_id": feed_id, "item_key": key, "seen_at": now} for key in keys]
        with self._db.transaction():
            self._db.run(_ENSURE, feed_id=feed_id, feed_url=feed_url, checked_at=now)
            self._db.many(_MARK, rows)
            self._db.run(_SHORTEN, feed_id=feed_id, kept=KEPT_ITEMS)


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
