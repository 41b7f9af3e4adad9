"""The table of runs: what was admitted, skipped and missed, who runs it and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsm.agents.rows import RunRow

if TYPE_CHECKING:
    from lsm.agents.rows import RunState
    from lsm.db.database import Database

_ADD = """
INSERT INTO lsm_agent_runs (
       run_id, schedule_id, slot_at, origin, attempt, state, reason, not_before, coalesced,
       exclusive, params_json, beat, created_at, finished_at)
VALUES (:run_id, :schedule_id, :slot_at, :origin, :attempt, :state, :reason, :not_before,
       :coalesced, :exclusive, :params_json, 0, :created_at, :finished_at)
    ON CONFLICT DO NOTHING
"""

_GET = "SELECT * FROM lsm_agent_runs WHERE run_id = :run_id"

_BUSY = """
SELECT *
  FROM lsm_agent_runs
 WHERE schedule_id = :schedule_id AND state = 'running'
 UNION ALL
SELECT *
  FROM lsm_agent_runs
 WHERE schedule_id = :schedule_id AND state = 'pending'
"""

_LIVE = "SELECT * FROM lsm_agent_runs WHERE state = 'running'"

_BEFORE = """
SELECT *
  FROM lsm_agent_runs
 WHERE schedule_id = :schedule_id AND slot_at < :slot_at AND origin = 'slot'
 ORDER BY slot_at DESC, attempt DESC
 LIMIT 1
"""

_HISTORY = """
SELECT *
  FROM lsm_agent_runs
 WHERE schedule_id = :schedule_id
 ORDER BY slot_at DESC, created_at DESC, attempt DESC
 LIMIT :most
"""

# For lists: without reports and results, which may be long.
_BRIEF = """
SELECT run_id, schedule_id, slot_at, origin, attempt, state, not_before, created_at, reason,
       coalesced, started_at, finished_at, error
  FROM lsm_agent_runs
"""
_PAGE = (
    _BRIEF
    + """
 WHERE schedule_id = :schedule_id
   AND (slot_at < :slot_at OR (slot_at = :slot_at AND run_id < :run_id))
 ORDER BY slot_at DESC, run_id DESC
 LIMIT :most
"""
)
_RECENT = _BRIEF + " WHERE created_at >= :since ORDER BY created_at DESC LIMIT :most"

# A paused schedule's slots wait; what the user started by hand does not.
_CLAIMABLE = """
SELECT r.run_id, r.schedule_id
  FROM lsm_agent_runs r
  JOIN lsm_agent_schedules s ON s.schedule_id = r.schedule_id
 WHERE r.state = 'pending'
   AND r.not_before <= :now
   AND (s.state IN ('active', 'exhausted') OR r.origin = 'manual')
   AND (NOT r.exclusive
        OR NOT EXISTS (SELECT 1
                         FROM lsm_agent_runs x
                        WHERE x.schedule_id = r.schedule_id AND x.state = 'running'))
 ORDER BY r.not_before, r.slot_at, r.run_id
 LIMIT :most
"""

_START = """
UPDATE lsm_agent_runs
   SET state       = 'running',
       owner       = :owner,
       fence       = :fence,
       beat        = 0,
       started_at  = :started_at,
       lease_until = :lease_until,
       deadline_at = :deadline_at
 WHERE run_id = :run_id
   AND state = 'pending'
   AND (NOT exclusive
        OR NOT EXISTS (SELECT 1
                         FROM lsm_agent_runs x
                        WHERE x.schedule_id = :schedule_id AND x.state = 'running'))
"""

_HOLDS = """
SELECT 1
  FROM lsm_agent_runs
 WHERE run_id = :run_id AND fence = :fence AND state = 'running'
"""

_END = """
UPDATE lsm_agent_runs
   SET state       = :state,
       reason      = :reason,
       error       = :error,
       result_json = :result_json,
       report      = :report,
       finished_at = :finished_at
 WHERE run_id = :run_id AND fence = :fence AND state = 'running'
"""

_DROP = """
UPDATE lsm_agent_runs
   SET state = 'cancelled', reason = :reason, finished_at = :now
 WHERE run_id = :run_id AND state = 'pending'
"""

_COALESCE = """
UPDATE lsm_agent_runs
   SET coalesced = coalesced + :more
 WHERE run_id = :run_id AND state = 'pending'
"""

_REQUEST_CANCEL = """
UPDATE lsm_agent_runs
   SET cancel_requested_at = :now
 WHERE run_id = :run_id AND state = 'running' AND cancel_requested_at IS NULL
"""

_BEAT = """
   UPDATE lsm_agent_runs
      SET beat = beat + 1, lease_until = :lease_until
    WHERE run_id = :run_id AND fence = :fence AND state = 'running'
"""

_SIGNALS = """
SELECT run_id, fence, cancel_requested_at
  FROM lsm_agent_runs
 WHERE run_id IN :ids[] AND state = 'running'
"""

_COUNT_LOST = """
SELECT COUNT(*)
  FROM lsm_agent_runs
 WHERE schedule_id = :schedule_id
   AND slot_at = :slot_at
   AND origin = :origin
   AND attempt < :attempt
   AND state = 'lost'
   AND reason <> 'stopped'
"""

_SUCCEEDED = """
SELECT slot_at
  FROM lsm_agent_runs
 WHERE schedule_id = :schedule_id AND state = 'succeeded' AND slot_at >= :first AND slot_at <= :last
"""

# Admitted while the clock was ahead: would otherwise wait until the clock is there again.
_UNBLOCK = """
UPDATE lsm_agent_runs
   SET not_before = :now
 WHERE state = 'pending' AND not_before > :now AND created_at > :now
"""

_BLOCKED = """
SELECT 1
  FROM lsm_agent_runs
 WHERE state = 'pending' AND not_before > :now AND created_at > :now
 LIMIT 1
"""

_PRUNE = """
DELETE FROM lsm_agent_runs
 WHERE created_at < :before
   AND state NOT IN ('pending', 'running')
   AND EXISTS (SELECT 1
                 FROM lsm_agent_runs newer
                WHERE newer.schedule_id = lsm_agent_runs.schedule_id
                  AND newer.slot_at > lsm_agent_runs.slot_at
                  AND newer.origin = lsm_agent_runs.origin)
"""


@dataclass(frozen=True)
class Ending:
    """How a run ended."""

    state: RunState
    reason: str | None = None
    error: str | None = None
    result_json: str | None = None
    report: str | None = None
    retryable: bool = False  # not a column: whether another attempt may follow


class RunStore:
    """Every run of every schedule. Write only while the schedule's row is locked."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, run_id: str) -> RunRow | None:
        """The run, or None."""
        found = self._db.rows(_GET, run_id=run_id)
        return _row(found[0]) if found else None

    def busy(self, schedule_id: str) -> list[RunRow]:
        """The schedule's running and pending runs."""
        return [_row(row) for row in self._db.rows(_BUSY, schedule_id=schedule_id)]

    def live(self) -> list[RunRow]:
        """Every running run."""
        return [_row(row) for row in self._db.rows(_LIVE)]

    def before(self, schedule_id: str, slot_at: str) -> RunRow | None:
        """The latest row of a slot earlier than *slot_at*."""
        found = self._db.rows(_BEFORE, schedule_id=schedule_id, slot_at=slot_at)
        return _row(found[0]) if found else None

    def history(self, schedule_id: str, most: int) -> list[RunRow]:
        """The latest *most* rows, newest slot first."""
        return [_row(r) for r in self._db.rows(_HISTORY, schedule_id=schedule_id, most=most)]

    def page(self, schedule_id: str, before: tuple[str, str], most: int) -> list[RunRow]:
        """Runs without their reports, newest slot first, behind (slot, run id) *before*."""
        slot_at, run_id = before
        found = self._db.rows(
            _PAGE, schedule_id=schedule_id, slot_at=slot_at, run_id=run_id, most=most
        )
        return [RunRow(**row) for row in found]

    def recent(self, since: str, most: int) -> list[RunRow]:
        """Runs of all schedules admitted since then, without their reports, newest first."""
        return [RunRow(**row) for row in self._db.rows(_RECENT, since=since, most=most)]

    def claimable(self, now: str, most: int) -> list[tuple[str, str]]:
        """(run_id, schedule_id) of what may start, in the order it should; takes no lock."""
        return [(r[0], r[1]) for r in self._db.tuples(_CLAIMABLE, now=now, most=most)]

    def add(self, row: RunRow) -> bool:
        """Whether *row* is new: its slot, origin and attempt had no row."""
        return self._db.run(_ADD, **vars(row)) == 1

    def start(self, row: RunRow) -> bool:
        """Make the pending run running as *row* says; False if it may not start (any more)."""
        return self._db.run(_START, **vars(row)) == 1

    def holds(self, run_id: str, fence: int) -> bool:
        """Whether the run is still that of the owner who was given *fence*."""
        return bool(self._db.tuples(_HOLDS, run_id=run_id, fence=fence))

    def end(self, run_id: str, fence: int, ending: Ending, now: str) -> bool:
        """Close the run; False if its owner has lost it."""
        values = vars(ending)
        return self._db.run(_END, run_id=run_id, fence=fence, finished_at=now, **values) == 1

    def drop(self, run_id: str, reason: str, now: str) -> bool:
        """Cancel a pending run."""
        return self._db.run(_DROP, run_id=run_id, reason=reason, now=now) == 1

    def coalesce(self, run_id: str, more: int) -> None:
        """Let a pending run stand for *more* further slots."""
        self._db.run(_COALESCE, run_id=run_id, more=more)

    def request_cancel(self, run_id: str, now: str) -> bool:
        """Ask a running run's owner to stop it."""
        return self._db.run(_REQUEST_CANCEL, run_id=run_id, now=now) == 1

    def beat(self, run_id: str, fence: int, lease_until: str) -> bool:
        """Say that the owner is alive; False if it has lost the run."""
        return self._db.run(_BEAT, run_id=run_id, fence=fence, lease_until=lease_until) == 1

    def signals(self, ids: list[str]) -> dict[str, tuple[int, str | None]]:
        """(fence, cancel_requested_at) of those of *ids* that are running; takes no lock."""
        return {row[0]: (row[1], row[2]) for row in self._db.tuples(_SIGNALS, ids=ids)}

    def count_lost(self, run: RunRow) -> int:
        """How many earlier attempts at the run's slot were lost, but for orderly stops."""
        found = self._db.tuples(
            _COUNT_LOST,
            schedule_id=run.schedule_id,
            slot_at=run.slot_at,
            origin=run.origin,
            attempt=run.attempt,
        )
        return found[0][0]

    def succeeded(self, schedule_id: str, first: str, last: str) -> set[str]:
        """The slots in [*first*, *last*] that have succeeded, whatever the run's origin."""
        found = self._db.tuples(_SUCCEEDED, schedule_id=schedule_id, first=first, last=last)
        return {row[0] for row in found}

    def any_blocked(self, now: str) -> bool:
        """Whether a pending run was admitted later than *now*; takes no lock."""
        return bool(self._db.tuples(_BLOCKED, now=now))

    def unblock(self, now: str) -> None:
        """Let start what was admitted later than *now*, before the clock was set back."""
        self._db.run(_UNBLOCK, now=now)

    def prune(self, before: str) -> int:
        """Forget ended runs admitted before *before*, but each schedule's newest; how many."""
        return self._db.run(_PRUNE, before=before)


def _row(row: dict[str, Any]) -> RunRow:
    row["exclusive"] = bool(row["exclusive"])  # SQLite has no booleans
    return RunRow(**row)
