"""From a question to its answer: from the cache if fresh, else fetched once, else stale."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from lsm.clock import to_text
from lsm.errors import StorageError
from lsm.failpoints import reach
from lsm.remote.errors import RemoteError
from lsm.remote.flights import LEASE, Busy, Failed, Flights, Ticket, Turns
from lsm.remote.storage import Held, cache_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from lsm.clock import Clock
    from lsm.db import Database
    from lsm.remote.storage import RemoteCache

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 0.25


def _nothing() -> None:
    return


@dataclass(frozen=True)
class Fetched:
    """What a source said."""

    response: Any  # None: what is held is still right
    # Run in the transaction that stores the response.
    note: Callable[[], None] = field(default=_nothing)


class Fetch(Protocol):
    """Asks a source.

    Called with the answer held, fresh or not, or None; raises RemoteError.
    """

    def __call__(self, held: Held | None, /) -> Fetched: ...


@dataclass(frozen=True)
class Question:
    """What is asked of whom, how long an answer counts, and how hard to try."""

    provider: str
    parameters: object  # anything JSON holds; without a secret
    ttl: timedelta
    refresh: bool = False  # a fresh answer does not count, unless it came since
    offline: bool = False  # whatever is held must do


@dataclass(frozen=True)
class Served:
    """An answer."""

    response: Any
    created_at: str
    cached: bool  # nobody was asked for it
    stale: bool  # it is past its time, or its source could not be asked
    problem: str | None = None  # why it is stale


class Answers:
    """Gets answers, each fetched by one of those who ask.

    Args:
        pause: called with seconds between two looks at what another process fetches.
    """

    def __init__(
        self,
        db: Database,
        cache: RemoteCache,
        clock: Clock,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._db = db
        self._cache = cache
        self._now = clock
        self._pause = pause
        self._flights = Flights(db, clock)
        self._turns = Turns()

    def get(self, question: Question, fetch: Fetch) -> Served:
        """The answer to *question*, from the cache or by *fetch*; stale if there is no other.

        Raises:
            RemoteError: there is none at all.
            StorageError: called inside a transaction, and nothing fresh is held.
        """
        asked_at = to_text(self._now())
        if not question.refresh and (held := self._fresh(question)) is not None:
            return held
        if question.offline:
            return self._without(question, RemoteError("offline", "not asked, for --offline"))
        if self._db.in_transaction:
            # It would stay open, and others would wait, for as long as a server likes.
            raise StorageError("a remote source is never asked inside a transaction")
        key = cache_key(question.provider, question.parameters)
        try:
            with self._turns.taking(key):
                return self._wait_or_fetch(question, key, asked_at, fetch)
        except RemoteError as error:
            return self._without(question, error)

    def _fresh(self, question: Question) -> Served | None:
        held = self._cache.fresh(question.provider, question.parameters)
        if held is None:
            return None
        return Served(held.response, held.created_at, cached=True, stale=False)

    def _wait_or_fetch(self, question: Question, key: str, asked_at: str, fetch: Fetch) -> Served:
        patience = LEASE.total_seconds() + 5
        pause = _FIRST_PAUSE_S
        while patience > 0:
            if (served := self._answered(question, asked_at)) is not None:
                return served
            claim = self._flights.claim(key, asked_at if question.refresh else "")
            match claim:
                case Ticket():
                    reach("cache.after_lease")
                    return self._fetch(question, claim, asked_at, fetch)
                case Failed():
                    raise claim.error
                case Busy():
                    self._pause(pause)
                    patience -= pause
                    pause = min(pause * 1.5, _LONGEST_PAUSE_S)
        raise RemoteError("timeout", "another process has been fetching it for too long")

    def _answered(self, question: Question, asked_at: str) -> Served | None:
        held = self._cache.look(question.provider, question.parameters)
        if held is None or not held.fresh or (question.refresh and held.created_at <= asked_at):
            return None
        return Served(held.response, held.created_at, cached=True, stale=False)

    def _fetch(self, question: Question, ticket: Ticket, asked_at: str, fetch: Fetch) -> Served:
        try:
            # Between our look and our claim, the one before us may have finished.
            served = self._answered(question, asked_at)
            if served is None:
                held = self._cache.look(question.provider, question.parameters)
                return self._store(question, ticket, fetch(held))
        except RemoteError as error:
            self._flights.fail(ticket, error)
            raise
        except BaseException:
            self._flights.release(ticket)
            raise
        self._flights.release(ticket)
        return served

    def _store(self, question: Question, ticket: Ticket, fetched: Fetched) -> Served:
        provider, parameters, ttl = question.provider, question.parameters, question.ttl
        with self._db.transaction():
            if fetched.response is None:
                self._renew(question)
            else:
                self._cache.put(provider, parameters, fetched.response, ttl)
            reach("cache.before_release")
            fetched.note()
            self._flights.release(ticket)
            held = self._cache.look(provider, parameters)
        assert held is not None  # noqa: S101 - just put, in the same transaction
        return Served(held.response, held.created_at, cached=False, stale=False)

    def _renew(self, question: Question) -> None:
        if not self._cache.renew(question.provider, question.parameters, question.ttl):
            raise RemoteError("not_an_answer", "unchanged since an answer that is not held")

    def _without(self, question: Question, error: RemoteError) -> Served:
        held = self._cache.look(question.provider, question.parameters)
        if held is None:
            raise error
        return Served(
            held.response, held.created_at, cached=True, stale=True, problem=error.problem
        )
