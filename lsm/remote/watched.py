"""What has been taken up of feeds and saved searches, so that nobody is shown it twice.

State, not cache. Apart from what `feed_state` knows: what a person has looked at in a terminal has
not become a document or a candidate by it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsm.clock import to_text, utc_now

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lsm.clock import Clock
    from lsm.db import Database
    from lsm.remote.results import Found

_SEEN = """
SELECT item_key FROM lsm_watched_items WHERE watch_key = :watch_key AND item_key IN :keys[]
"""
_MARK = """
INSERT INTO lsm_watched_items (watch_key, item_key, seen_at)
VALUES (:watch_key, :item_key, :seen_at)
    ON CONFLICT (watch_key, item_key) DO UPDATE SET seen_at = excluded.seen_at
"""
_SHORTEN = """
DELETE FROM lsm_watched_items
 WHERE watch_key = :watch_key
   AND item_key IN (SELECT item_key FROM lsm_watched_items
                     WHERE watch_key = :watch_key
                     ORDER BY seen_at DESC, item_key
                     LIMIT 1000000 OFFSET :kept)
"""
# Ten times what is read of one feed: an item still in it is never forgotten.
_KEPT_ITEMS = 10_000


@dataclass(frozen=True)
class News:
    """What one source has that was not taken up yet, newest first."""

    name: str  # for people
    provider: str
    items: tuple[Found, ...]
    waiting: int  # not taken up either, and left for another time
    retrieved_at: str
    watch_key: str
    problem: str | None = None  # why some of it is missing or old


class WatchedItems:
    """Items by watch: a purpose and a source. Joins the caller's transaction."""

    def __init__(self, db: Database, clock: Clock = utc_now) -> None:
        self._db = db
        self._now = clock

    def unseen(self, watch_key: str, items: Sequence[Found]) -> list[Found]:
        """Those of *items* that were not taken up, each once, in their order."""
        by_key = {item_key(item): item for item in reversed(items)}
        rows = self._db.tuples(_SEEN, watch_key=watch_key, keys=list(by_key))
        seen = {key for (key,) in rows}
        return [item for key, item in reversed(by_key.items()) if key not in seen]

    def mark(self, watch_key: str, items: Iterable[Found]) -> None:
        """Note that *items* have been taken up; together with what became of them."""
        now = to_text(self._now())
        keys = sorted({item_key(item) for item in items})
        with self._db.transaction():
            self._db.many(
                _MARK, [{"watch_key": watch_key, "item_key": k, "seen_at": now} for k in keys]
            )
            self._db.run(_SHORTEN, watch_key=watch_key, kept=_KEPT_ITEMS)


def watch_key(purpose: str, provider: str, question: str) -> str:
    """Of a source that is watched for a *purpose*; one is not news for another."""
    return _hashed(purpose, provider, question)


def item_key(item: Found) -> str:
    """Of an item, by what tells it from others of its source."""
    number = item.metadata.get("id", "")
    if feed := item.metadata.get("feed_url", ""):
        return _hashed(str(feed), str(number))
    return _hashed(item.url or str(number) or item.title)


def _hashed(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
