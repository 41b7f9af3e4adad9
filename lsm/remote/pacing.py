"""How often a server may be asked, agreed between all processes that share the database."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lsm.clock import from_text, to_text
from lsm.remote.errors import RemoteError

if TYPE_CHECKING:
    from lsm.clock import Clock
    from lsm.db import Database

_SEE = "SELECT next_at, blocked_until FROM lsm_remote_hosts WHERE host = :host"
_FIRST = """
INSERT INTO lsm_remote_hosts (host, next_at) VALUES (:host, :next_at)
    ON CONFLICT (host) DO NOTHING
"""
_NEXT = "UPDATE lsm_remote_hosts SET next_at = :next_at WHERE host = :host AND next_at = :seen"
_BLOCK = """
INSERT INTO lsm_remote_hosts (host, next_at, blocked_until) VALUES (:host, :now, :until)
    ON CONFLICT (host) DO UPDATE SET blocked_until = excluded.blocked_until
"""

LONGEST_BLOCK = timedelta(hours=1)  # a server that asks for more is asked again after that
LONGEST_QUEUE = timedelta(seconds=30)


class Pacing:
    """When a host may be asked next."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._now = clock

    def turn(self, host: str, interval: timedelta) -> float:
        """Take the next turn at *host*; seconds to wait for it.

        Raises:
            RemoteError: ``rate_limited``: the host does not want to be asked yet, or too many
                wait already.
        """
        while True:
            now = self._now()
            rows = self._db.tuples(_SEE, host=host)
            if not rows:
                self._db.run(_FIRST, host=host, next_at=to_text(now))
                continue
            next_at, blocked_until = rows[0]
            self._refuse_blocked(host, blocked_until, now)
            mine = self._place(host, from_text(next_at), now)
            taken = self._db.run(
                _NEXT, host=host, seen=next_at, next_at=to_text(mine + max(interval, _TICK))
            )
            if taken:
                return (mine - now).total_seconds()

    def block(self, host: str, until: datetime) -> datetime:
        """Leave *host* alone until then, or for an hour; the instant that holds."""
        now = self._now()
        until = min(until, now + LONGEST_BLOCK)
        self._db.run(_BLOCK, host=host, now=to_text(now), until=to_text(until))
        return until

    def _refuse_blocked(self, host: str, blocked_until: str | None, now: datetime) -> None:
        if blocked_until is None:
            return
        until = from_text(blocked_until)
        # Further ahead than any block is made: the clock has been set back since.
        if now < until <= now + LONGEST_BLOCK:
            wait_s = (until - now).total_seconds()
            raise RemoteError("rate_limited", f"{host} asks to wait {wait_s:.0f} s", until)

    def _place(self, host: str, next_at: datetime, now: datetime) -> datetime:
        if next_at <= now or next_at > now + LONGEST_QUEUE * 4:  # the latter: clock set back
            return now
        if next_at > now + LONGEST_QUEUE:
            raise RemoteError("rate_limited", f"too many requests wait for {host}", next_at)
        return next_at


# Two turns are never the same instant: it is by the instant that a turn is taken.
_TICK = timedelta(microseconds=1)
