"""What remote sources answered, kept in the database until it is stale and a while longer.

A stale answer is still better than none, so it stays until it is purged, replaced or pushed out
by newer ones. What is kept here is disposable; what is not (seen feed items) is elsewhere.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from lsm.clock import to_text, utc_now
from lsm.errors import AccessError, BusyError, DiskFullError, InvalidError

if TYPE_CHECKING:
    from lsm.clock import Clock
    from lsm.db import Database, Row

FORMAT = 1  # of what is stored: another number makes every older answer unknown

# An answer from the future was stored before the clock was set back: nobody knows its age.
_GET = """
SELECT response_json, created_at, last_used_at
  FROM lsm_remote_cache
 WHERE cache_key = :cache_key
   AND created_at <= :now
   AND (expires_at IS NULL OR expires_at > :now)
"""
_LOOK = """
SELECT response_json, created_at,
       CASE WHEN created_at <= :now AND (expires_at IS NULL OR expires_at > :now)
            THEN 1 ELSE 0 END
  FROM lsm_remote_cache
 WHERE cache_key = :cache_key
"""
_PUT = """
INSERT INTO lsm_remote_cache (cache_key, provider, created_at, expires_at, last_used_at,
                              size_bytes, question_json, response_json)
VALUES (:cache_key, :provider, :created_at, :expires_at, :created_at,
        :size_bytes, :question_json, :response_json)
    ON CONFLICT (cache_key) DO UPDATE
   SET provider      = excluded.provider,
       created_at    = excluded.created_at,
       expires_at    = excluded.expires_at,
       last_used_at  = excluded.last_used_at,
       size_bytes    = excluded.size_bytes,
       question_json = excluded.question_json,
       response_json = excluded.response_json
"""
_RENEW = """
UPDATE lsm_remote_cache
   SET created_at = :now, expires_at = :expires_at, last_used_at = :now
 WHERE cache_key = :cache_key
"""
_TOUCH = "UPDATE lsm_remote_cache SET last_used_at = :now WHERE cache_key = :cache_key"
# From the last used on, as many as fit; the others go.
_EVICT = """
DELETE FROM lsm_remote_cache
 WHERE cache_key IN (
       SELECT cache_key
         FROM (SELECT cache_key,
                      sum(size_bytes) OVER (ORDER BY last_used_at DESC, cache_key DESC) AS filled
                 FROM lsm_remote_cache) AS used
        WHERE filled > :limit)
   AND cache_key <> :kept
"""
_FORGET = "DELETE FROM lsm_remote_cache WHERE cache_key = :cache_key"
_PURGE_STALE = "DELETE FROM lsm_remote_cache WHERE expires_at <= :now OR created_at > :now"
_PURGE_PROVIDER = "DELETE FROM lsm_remote_cache WHERE provider = :provider"
_PURGE_ALL = "DELETE FROM lsm_remote_cache"
_STATS = """
SELECT provider, count(*), coalesce(sum(size_bytes), 0),
       sum(CASE WHEN created_at <= :now AND (expires_at IS NULL OR expires_at > :now)
                THEN 1 ELSE 0 END),
       min(created_at), max(created_at)
  FROM lsm_remote_cache
 GROUP BY provider
"""
_LIST = """
SELECT cache_key, provider, question_json, created_at, expires_at, last_used_at, size_bytes,
       CASE WHEN created_at <= :now AND (expires_at IS NULL OR expires_at > :now)
            THEN 0 ELSE 1 END AS stale
  FROM lsm_remote_cache
 ORDER BY created_at DESC, cache_key
 LIMIT :limit
"""
_LIST_OF = """
SELECT cache_key, provider, question_json, created_at, expires_at, last_used_at, size_bytes,
       CASE WHEN created_at <= :now AND (expires_at IS NULL OR expires_at > :now)
            THEN 0 ELSE 1 END AS stale
  FROM lsm_remote_cache
 WHERE provider = :provider
   AND (created_at < :before OR (created_at = :before AND cache_key < :key))
 ORDER BY created_at DESC, cache_key DESC
 LIMIT :limit
"""

DEFAULT_LIMIT_BYTES = 256 * 1024 * 1024
_TO_THE_HOUR = len("2026-03-01T12")
_ROW_BYTES = 300  # what a row takes besides its texts, about
_LATEST = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True)
class Held:
    """An answer in the cache, fresh or not."""

    response: Any
    created_at: str
    fresh: bool


@dataclass(frozen=True)
class CacheEntry:
    """An answer's row, without the answer. Field names are column names."""

    cache_key: str
    provider: str
    question_json: str | None  # what was asked
    created_at: str
    expires_at: str | None
    last_used_at: str  # to the hour; "" if unknown
    size_bytes: int
    stale: bool


@dataclass(frozen=True)
class ProviderStats:
    """What the cache holds of one provider."""

    provider: str
    entries: int
    bytes: int
    fresh: int
    oldest: str
    newest: str


@dataclass(frozen=True)
class CacheStats:
    """What the cache holds."""

    entries: int
    fresh: int
    stale: int
    bytes: int
    limit_bytes: int
    providers: tuple[ProviderStats, ...]  # by name


class RemoteCache:
    """Remote answers by provider and question.

    A question is a text, or anything else JSON holds: mappings are equal whatever the order of
    their keys. It never contains a secret. An answer is fresh while
    ``created <= now < created + ttl``; without a ttl it stays fresh. A stale one is not
    returned by `get`, and leaves the table at the next `purge`.

    Args:
        db: the shared database; every method joins the caller's transaction.
        clock: what now is.
        limit_bytes: beyond that, answers that were not used for longest make room.
    """

    def __init__(
        self, db: Database, clock: Clock = utc_now, limit_bytes: int = DEFAULT_LIMIT_BYTES
    ) -> None:
        self._db = db
        self._now = clock
        self._limit = limit_bytes

    def get(self, provider: str, question: object) -> Any | None:
        """The fresh answer, or None."""
        held = self.fresh(provider, question)
        return None if held is None else held.response

    def fresh(self, provider: str, question: object) -> Held | None:
        """The fresh answer and when it came, or None."""
        key = cache_key(provider, question)
        now = to_text(self._now())
        rows = self._db.tuples(_GET, cache_key=key, now=now)
        if not rows:
            return None
        response_json, created_at, last_used_at = rows[0]
        if last_used_at[:_TO_THE_HOUR] < now[:_TO_THE_HOUR]:
            self._touch(key, now)
        response = _decoded(response_json)
        return None if response is None else Held(response, created_at, fresh=True)

    def look(self, provider: str, question: object) -> Held | None:
        """The answer, fresh or stale, or None. Does not count as a use."""
        rows = self._db.tuples(
            _LOOK, cache_key=cache_key(provider, question), now=to_text(self._now())
        )
        if not rows:
            return None
        response_json, created_at, fresh = rows[0]
        response = _decoded(response_json)
        return None if response is None else Held(response, created_at, bool(fresh))

    def put(self, provider: str, question: object, response: Any, ttl: timedelta | None) -> None:
        """Keep *response* (anything JSON holds but None), replacing an earlier one.

        Raises:
            InvalidError: it is larger than a quarter of what the whole cache may take.
        """
        text = msgspec.json.encode(response).decode()
        size = len(text.encode()) + _ROW_BYTES
        if response is None or size > self._limit // 4:
            raise InvalidError("response", f"{size} bytes do not fit the cache of {self._limit}")
        now, key = self._now(), cache_key(provider, question)
        with self._db.transaction():
            self._db.run(
                _PUT,
                cache_key=key,
                provider=provider,
                created_at=to_text(now),
                expires_at=_end(now, ttl),
                size_bytes=size,
                question_json=msgspec.json.encode(question, order="deterministic").decode(),
                response_json=text,
            )
            self._db.run(_EVICT, limit=self._limit, kept=key)

    def renew(self, provider: str, question: object, ttl: timedelta | None) -> bool:
        """Make the answer fresh again, its source having said it is; False if there is none."""
        now = self._now()
        key = cache_key(provider, question)
        renewed = self._db.run(_RENEW, cache_key=key, now=to_text(now), expires_at=_end(now, ttl))
        return renewed > 0

    def forget(self, provider: str, question: object) -> bool:
        """Delete one answer; whether it was there."""
        return self._db.run(_FORGET, cache_key=cache_key(provider, question)) > 0

    def purge(self, *, provider: str | None = None, everything: bool = False) -> int:
        """Delete answers; how many.

        Args:
            provider: all of this one's.
            everything: all. Without either, those that are stale.
        """
        if everything:
            return self._db.run(_PURGE_ALL)
        if provider is not None:
            return self._db.run(_PURGE_PROVIDER, provider=provider)
        return self._db.run(_PURGE_STALE, now=to_text(self._now()))

    def entries(self, limit: int = 1000) -> list[CacheEntry]:
        """The rows, newest first."""
        rows = self._db.rows(_LIST, now=to_text(self._now()), limit=limit)
        return [_entry(row) for row in rows]

    def entries_of(
        self, provider: str, before: tuple[str, str] = ("9999", ""), limit: int = 50
    ) -> list[CacheEntry]:
        """One provider's rows, newest first, behind (created_at, cache_key) *before*."""
        rows = self._db.rows(
            _LIST_OF,
            now=to_text(self._now()),
            provider=provider,
            before=before[0],
            key=before[1],
            limit=limit,
        )
        return [_entry(row) for row in rows]

    def stats(self) -> CacheStats:
        """How much is kept, and of whom."""
        rows = self._db.tuples(_STATS, now=to_text(self._now()))
        found = sorted(
            (
                ProviderStats(name, count, int(size), int(fresh), oldest, newest)
                for name, count, size, fresh, oldest, newest in rows
            ),
            key=lambda provider: provider.provider,
        )
        entries, fresh = sum(p.entries for p in found), sum(p.fresh for p in found)
        size = sum(p.bytes for p in found)
        return CacheStats(entries, fresh, entries - fresh, size, self._limit, tuple(found))

    def _touch(self, key: str, now: str) -> None:
        try:
            self._db.run(_TOUCH, cache_key=key, now=now)
        except (AccessError, BusyError, DiskFullError):
            # The answer is there all the same; only its place in the queue is a little wrong.
            return


def cache_key(provider: str, question: object) -> str:
    """The key of an answer: 64 hex digits."""
    # JSON, not "a:b": ("x", "y:z") and ("x:y", "z") must not share an answer.
    whole = msgspec.json.encode([FORMAT, provider, question], order="deterministic")
    return hashlib.sha256(whole).hexdigest()


def _entry(row: Row) -> CacheEntry:
    row["stale"] = bool(row["stale"])
    return CacheEntry(**row)


def _decoded(response_json: str) -> Any | None:
    try:
        return msgspec.json.decode(response_json)
    except (msgspec.DecodeError, RecursionError):
        # Not written by us: as good as no answer, and the next one takes its place.
        return None


def _end(now: datetime, ttl: timedelta | None) -> str | None:
    return None if ttl is None else to_text(now + min(ttl, _LATEST - now))
