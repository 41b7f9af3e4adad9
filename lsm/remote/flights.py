"""One fetch a question, whatever the number of threads and processes that ask it.

Whoever takes the row of a question fetches; the others wait for the answer. No transaction is
open during the fetch. If the fetcher dies, the next takes over: at once if its process is seen
to be gone, else when its time is up.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any

from lsm.clock import to_text
from lsm.processes import Owner, new_owner
from lsm.remote.errors import RemoteError

if TYPE_CHECKING:
    from collections.abc import Generator

    from lsm.clock import Clock
    from lsm.db import Database

_SEE = """
SELECT owner, since, until, error_code, error
  FROM lsm_remote_fetches
 WHERE cache_key = :cache_key
"""
# Two that saw the same row may both try: only one finds it as it was.
_TAKE = """
INSERT INTO lsm_remote_fetches (cache_key, owner, since, until)
VALUES (:cache_key, :owner, :since, :until)
    ON CONFLICT (cache_key) DO UPDATE
   SET owner = excluded.owner, since = excluded.since, until = excluded.until,
       error_code = NULL, error = NULL
 WHERE lsm_remote_fetches.since = :seen_since
   AND coalesce(lsm_remote_fetches.owner, '') = :seen_owner
"""
_RELEASE = "DELETE FROM lsm_remote_fetches WHERE cache_key = :cache_key AND owner = :owner"
_FAIL = """
UPDATE lsm_remote_fetches
   SET owner = NULL, since = :since, until = :until, error_code = :error_code, error = :error
 WHERE cache_key = :cache_key AND owner = :owner
"""
_SWEEP = "DELETE FROM lsm_remote_fetches WHERE owner IS NULL AND (until < :now OR since > :now)"

LEASE = timedelta(seconds=120)  # longer than any fetch takes, see `fetch.OPERATION_SECONDS`
FAILURE_LASTS = timedelta(seconds=15)  # who asks again within it is told the same


@dataclass(frozen=True)
class Ticket:
    """The right to fetch: `owner` has it."""

    cache_key: str
    owner: str


@dataclass(frozen=True)
class Busy:
    """Somebody else is fetching."""


@dataclass(frozen=True)
class Failed:
    """Somebody tried a moment ago."""

    since: str
    error: RemoteError


class Flights:
    """Who fetches what."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._now = clock

    def claim(self, cache_key: str, failed_before: str) -> Ticket | Busy | Failed:
        """The right to fetch, unless somebody else has it or has just failed.

        Args:
            cache_key: the question's.
            failed_before: failures until this instant are old news.
        """
        rows = self._db.tuples(_SEE, cache_key=cache_key)
        owner, since, until, code, error = rows[0] if rows else (None, "", "", None, None)
        # A row from the future dates from before the clock was set back; its end means nothing.
        in_force = since <= to_text(self._now()) < until
        if in_force and owner is None and since > failed_before:
            return Failed(since, RemoteError(code or "broken", error or "failed"))
        if in_force and owner is not None and not _is_gone(owner):
            return Busy()
        return self._take(cache_key, since, owner or "")

    def release(self, ticket: Ticket) -> None:
        """Give the right back. Joins the caller's transaction."""
        self._db.run(_RELEASE, cache_key=ticket.cache_key, owner=ticket.owner)

    def fail(self, ticket: Ticket, error: RemoteError) -> None:
        """Give the right back and tell those who wait why there is no answer."""
        now = self._now()
        with self._db.transaction():
            self._db.run(
                _FAIL,
                cache_key=ticket.cache_key,
                owner=ticket.owner,
                since=to_text(now),
                until=to_text(now + FAILURE_LASTS),
                error_code=error.code,
                error=error.problem,
            )
            self._db.run(_SWEEP, now=to_text(now))

    def _take(self, cache_key: str, seen_since: str, seen_owner: str) -> Ticket | Busy:
        now = self._now()
        ticket = Ticket(cache_key, str(new_owner()))
        taken = self._db.run(
            _TAKE,
            cache_key=cache_key,
            owner=ticket.owner,
            since=to_text(now),
            until=to_text(now + LEASE),
            seen_since=seen_since,
            seen_owner=seen_owner,
        )
        return ticket if taken else Busy()


class Turns:
    """A lock a key, for the threads of this process: one of them polls, the others sleep."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._locks: dict[str, tuple[Any, int]] = {}

    @contextmanager
    def taking(self, key: str) -> Generator[None]:
        """Alone with *key* inside."""
        with self._guard:
            lock, users = self._locks.get(key, (Lock(), 0))
            self._locks[key] = (lock, users + 1)
        try:
            with lock:
                yield
        finally:
            with self._guard:
                lock, users = self._locks.pop(key)
                if users > 1:
                    self._locks[key] = (lock, users - 1)


def _is_gone(owner: str) -> bool:
    parsed = Owner.parse(owner)
    return parsed is None or parsed.is_gone()
