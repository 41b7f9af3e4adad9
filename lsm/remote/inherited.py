"""Answers and feeds that a predecessor left: put where `storage` and `feed_state` keep theirs.

As they were then, not as of now: with their own age, and nothing pushed out to make room.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from lsm.clock import from_text, to_text
from lsm.errors import InvalidError
from lsm.remote.providers.base import response_of, size_for, words
from lsm.remote.results import Found
from lsm.remote.storage import cache_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from lsm.db import Database

_ROWS = """
SELECT cache_key, provider, created_at, expires_at, response_json
  FROM lsm_remote_cache WHERE cache_key IN :keys[]
"""
_PUT = """
INSERT INTO lsm_remote_cache (cache_key, provider, created_at, expires_at, last_used_at,
                              size_bytes, question_json, response_json)
VALUES (:cache_key, :provider, :created_at, :expires_at, :created_at, :size_bytes,
        :question_json, :response_json)
    ON CONFLICT (cache_key) DO UPDATE
   SET created_at = excluded.created_at, expires_at = excluded.expires_at,
       last_used_at = excluded.last_used_at, size_bytes = excluded.size_bytes,
       response_json = excluded.response_json
"""
_FEED = """
INSERT INTO lsm_remote_feeds (feed_id, feed_url, title, checked_at)
VALUES (:feed_id, :feed_url, '', :seen_at)
    ON CONFLICT (feed_id) DO NOTHING
"""
_SEEN = """
INSERT INTO lsm_remote_feed_items (feed_id, item_key, seen_at)
VALUES (:feed_id, :item_key, :seen_at)
    ON CONFLICT (feed_id, item_key) DO NOTHING
"""
_ROW_BYTES = 300  # what a row takes besides its texts, about
_HUGE = 10**300  # a whole number of Python's may be larger than any float
_USUAL_RESULTS = 10
_LATEST = "9999-12-31T23:59:59.999999Z"


@dataclass(frozen=True)
class InheritedAnswer:
    """A row of `lsm_remote_cache`. Field names are column names."""

    cache_key: str
    provider: str
    created_at: str
    expires_at: str | None
    response_json: str


def inherited_answer(
    provider: str, query: str, saved_at: str, ttl: timedelta, results: Sequence[Mapping[str, Any]]
) -> InheritedAnswer:
    """The answer to *query* as a search of today would look for it."""
    response = response_of([_found(result) for result in results])
    return InheritedAnswer(
        cache_key=cache_key(provider, question(query)),
        provider=provider,
        created_at=saved_at,
        expires_at=_later(saved_at, ttl),
        response_json=msgspec.json.encode(response).decode(),
    )


def question(query: str) -> dict[str, Any]:
    """What a source is asked today for *query*."""
    try:
        asked = words(query)
    except InvalidError:
        asked = query  # today nobody could ask it; it is kept all the same
    return {"query": asked, "k": size_for(_USUAL_RESULTS)}


def held_answers(db: Database, keys: Sequence[str]) -> dict[str, InheritedAnswer]:
    """The answers that are held under *keys*."""
    return {row[0]: InheritedAnswer(*row) for row in db.tuples(_ROWS, keys=list(keys))}


def keep_answer(db: Database, answer: InheritedAnswer, query: str) -> None:
    """Put *answer* to *query* into the cache, in the place of another."""
    asked = msgspec.json.encode(question(query), order="deterministic").decode()
    size = len(answer.response_json.encode()) + _ROW_BYTES
    db.run(_PUT, **vars(answer), question_json=asked, size_bytes=size)


def keep_seen(db: Database, feed_url: str, item_ids: Sequence[str], seen_at: str) -> None:
    """Note that items of a feed were shown at *seen_at*; what is known of it stays."""
    feed_id = _hashed(feed_url)
    rows = [{"feed_id": feed_id, "item_key": _hashed(i), "seen_at": seen_at} for i in item_ids]
    with db.transaction():
        db.run(_FEED, feed_id=feed_id, feed_url=feed_url, seen_at=seen_at)
        db.many(_SEEN, rows)


def _found(result: Mapping[str, Any]) -> Found:
    metadata, url = result.get("metadata"), _text(result, "url")
    return Found(
        title=_text(result, "title") or "(no title)",
        # What is clicked must not be "javascript:" or a file.
        url=url if url.startswith(("https://", "http://")) and url.isprintable() else "",
        snippet=_text(result, "snippet"),
        score=_number(result, "score"),
        published=None,
        metadata=dict(metadata) if isinstance(metadata, dict) else {},  # pyright: ignore[reportUnknownArgumentType]
    )


def _text(result: Mapping[str, Any], name: str) -> str:
    value = result.get(name)
    return value if isinstance(value, str) else ""


def _number(result: Mapping[str, Any], name: str) -> float:
    value: object = result.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0.0
    return float(value) if abs(value) < _HUGE else 0.0


def _later(saved_at: str, ttl: timedelta) -> str:
    saved, latest = from_text(saved_at), from_text(_LATEST)
    return to_text(saved + min(ttl, latest - saved))


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
