"""The table of schedules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsm.agents.rows import ScheduleRow
from lsm.clock import to_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from lsm.db.database import Database

_INSERT = """
INSERT INTO lsm_agent_schedules (
       schedule_id, agent_name, last_run_at, next_run_at, last_status, last_error, queued_runs,
       updated_at, state, pause_reason, next_slot_at, config_json, config_hash, source, fence,
       consecutive_failures, missed_total, skipped_total, anchor_at, created_at, renamed_from,
       planned_with)
VALUES (:schedule_id, :agent_name, :last_run_at, :next_run_at, :last_status, :last_error, 0,
       :updated_at, :state, :pause_reason, :next_slot_at, :config_json, :config_hash, :source,
       :fence, :consecutive_failures, :missed_total, :skipped_total, :anchor_at, :created_at,
       :renamed_from, :planned_with)
    ON CONFLICT (schedule_id) DO NOTHING
"""

# queued_runs is counted, never added to: it cannot drift from what it counts.
_SAVE = """
UPDATE lsm_agent_schedules
   SET last_run_at          = :last_run_at,
       next_run_at          = :next_run_at,
       last_status          = :last_status,
       last_error           = :last_error,
       queued_runs          = (SELECT COUNT(*)
                                 FROM lsm_agent_runs
                                WHERE lsm_agent_runs.schedule_id = :schedule_id
                                  AND lsm_agent_runs.state = 'pending'),
       updated_at           = :updated_at,
       state                = :state,
       pause_reason         = :pause_reason,
       next_slot_at         = :next_slot_at,
       config_json          = :config_json,
       config_hash          = :config_hash,
       source               = :source,
       fence                = :fence,
       consecutive_failures = :consecutive_failures,
       missed_total         = :missed_total,
       skipped_total        = :skipped_total,
       renamed_from         = :renamed_from,
       planned_with         = :planned_with
 WHERE schedule_id = :schedule_id
"""

# Changes nothing, and so holds the row until commit on an engine with row locks; where there is
# one writer, the transaction holds it already. What comes back is the newest commit.
_LOCK = """
   UPDATE lsm_agent_schedules
      SET fence = fence
    WHERE schedule_id = :schedule_id
RETURNING *
"""

_GET = "SELECT * FROM lsm_agent_schedules WHERE schedule_id = :schedule_id"

_ALL = """
SELECT *
  FROM lsm_agent_schedules
 ORDER BY agent_name, schedule_id
"""

_KNOWN = """
SELECT schedule_id, config_hash, state, pause_reason, source
  FROM lsm_agent_schedules
 WHERE source = :source OR schedule_id IN :ids[]
"""

_DUE = """
SELECT schedule_id, next_run_at
  FROM lsm_agent_schedules
 WHERE state = 'active' AND next_run_at <= :now
 ORDER BY next_run_at, schedule_id
 LIMIT :most
"""

# One round trip says whether there is anything to do; each part reads one end of one index.
_PULSE = """
SELECT (SELECT MIN(next_run_at) FROM lsm_agent_schedules WHERE state = 'active') AS next_due,
       (SELECT MIN(not_before) FROM lsm_agent_runs WHERE state = 'pending') AS next_start,
       (SELECT COUNT(*) FROM lsm_agent_runs WHERE state = 'running') AS running
"""

_MISPLANNED = """
SELECT schedule_id
  FROM lsm_agent_schedules
 WHERE state = 'active' AND (planned_with <> :release OR updated_at > :now)
"""

_ACTIVE = "SELECT schedule_id FROM lsm_agent_schedules WHERE state = 'active'"


@dataclass(frozen=True)
class Pulse:
    """The earliest instants at which there is something to do, and how many runs are live."""

    next_due: str | None
    next_start: str | None
    running: int

    def is_quiet(self, now: datetime) -> bool:
        """Whether nothing runs and nothing is to be planned or started."""
        coming = [instant for instant in (self.next_due, self.next_start) if instant is not None]
        return not self.running and all(instant > to_text(now) for instant in coming)


@dataclass(frozen=True)
class Known:
    """What reconciling must know of a schedule."""

    schedule_id: str
    config_hash: str
    state: str
    pause_reason: str | None
    source: str


class ScheduleStore:
    """The state of every schedule. Call the writing methods inside a transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, schedule_id: str) -> ScheduleRow | None:
        """The row as committed."""
        return _first(self._db.rows(_GET, schedule_id=schedule_id))

    def all(self) -> list[ScheduleRow]:
        """Every row, retired ones too."""
        return [ScheduleRow(**row) for row in self._db.rows(_ALL)]

    def known(self, source: str, ids: Iterable[str]) -> dict[str, Known]:
        """By id, the rows of *source* and those called *ids*."""
        found = self._db.tuples(_KNOWN, source=source, ids=list(ids))
        return {row[0]: Known(*row) for row in found}

    def pulse(self) -> Pulse:
        """Whether there is anything to do; takes no write lock."""
        return Pulse(**self._db.rows(_PULSE)[0])

    def due(self, now: str, most: int) -> list[tuple[str, str]]:
        """(schedule_id, next_run_at) of what is due, the longest overdue first."""
        return [(row[0], row[1]) for row in self._db.tuples(_DUE, now=now, most=most)]

    def misplanned(self, now: str, release: str) -> list[str]:
        """Active schedules planned with other zone rules, or while the clock was ahead of *now*."""
        return [row[0] for row in self._db.tuples(_MISPLANNED, now=now, release=release)]

    def active(self) -> list[str]:
        """Ids of every active schedule."""
        return [row[0] for row in self._db.tuples(_ACTIVE)]

    def lock(self, schedule_id: str) -> ScheduleRow | None:
        """The newest row, which nobody else changes until this transaction ends.

        Every change of a schedule or of its runs begins here. A transaction that locks several
        takes them in the order of their ids, so that two of them cannot wait for each other.
        """
        return _first(self._db.rows(_LOCK, schedule_id=schedule_id))

    def insert(self, row: ScheduleRow) -> bool:
        """Whether *row* is new; an existing one is left alone."""
        return self._db.run(_INSERT, **vars(row)) == 1

    def save(self, row: ScheduleRow) -> None:
        """Write *row*, which was locked in this transaction; `queued_runs` is counted anew."""
        self._db.run(_SAVE, **vars(row))


def _first(rows: list[dict[str, object]]) -> ScheduleRow | None:
    return ScheduleRow(**rows[0]) if rows else None  # pyright: ignore[reportArgumentType]
