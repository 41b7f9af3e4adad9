"""Whether schedules and runs are as every commit must leave them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsm.agents.schedules import from_config
from lsm.clock import from_text, to_text
from lsm.errors import LsmError
from lsm.processes import Owner

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lsm.clock import Clock
    from lsm.db import Database

_MISCOUNTED = """
SELECT schedule_id FROM lsm_agent_schedules
 WHERE queued_runs <> (SELECT count(*) FROM lsm_agent_runs r
                        WHERE r.schedule_id = lsm_agent_schedules.schedule_id
                          AND r.state = 'pending')
 ORDER BY schedule_id
"""
_RECOUNT = """
UPDATE lsm_agent_schedules
   SET queued_runs = (SELECT count(*) FROM lsm_agent_runs r
                       WHERE r.schedule_id = lsm_agent_schedules.schedule_id
                         AND r.state = 'pending')
 WHERE schedule_id IN :ids[]
"""
_SCHEDULES = """
SELECT schedule_id, agent_name, state, next_run_at, next_slot_at, anchor_at, config_json, source
  FROM lsm_agent_schedules ORDER BY schedule_id
"""
_LATE = """
SELECT run_id, schedule_id, owner FROM lsm_agent_runs
 WHERE state = 'running' AND (lease_until IS NULL OR lease_until < :now)
 ORDER BY run_id
"""
_STRAY_RUNS = """
SELECT run_id FROM lsm_agent_runs
 WHERE schedule_id NOT IN (SELECT schedule_id FROM lsm_agent_schedules)
 ORDER BY run_id
"""


def miscounted(db: Database) -> list[str]:
    """Schedules whose number of waiting runs is another one than they have."""
    return [row[0] for row in db.tuples(_MISCOUNTED)]


def recount(db: Database) -> int:
    """Count the waiting runs of such schedules anew; how many there were."""
    with db.transaction():
        ids: list[object] = list(miscounted(db))
        return db.run(_RECOUNT, ids=ids) if ids else 0


def schedule_problems(
    db: Database, check_agent: Callable[[str, Mapping[str, Any]], None]
) -> list[str]:
    """Schedules and runs that need a person, as sentences; empty when none do.

    Args:
        db: where they are.
        check_agent: raises LsmError for an agent that there is not, or that takes no such
            parameters.
    """
    found: list[str] = []
    with db.snapshot():
        for row in db.rows(_SCHEDULES):
            # What runs by hand is told its parameters each time.
            if row["state"] != "retired" and row["source"] != "manual":
                wrong = _wrong(row, check_agent)
                found += [f"schedule {row['schedule_id']}: {wrong}"] if wrong else []
        found += [f"run {row[0]} has no schedule" for row in db.tuples(_STRAY_RUNS)]
    return found


def abandoned_runs(db: Database, clock: Clock) -> list[str]:
    """Runs that are not done and whose process has ended, as sentences."""
    return [
        f"run {run} of {schedule} was left by a process that has ended"
        for run, schedule, owner in db.tuples(_LATE, now=to_text(clock()))
        if (parsed := Owner.parse(owner)) is None or parsed.is_gone()
    ]


def _wrong(
    row: dict[str, str | None], check_agent: Callable[[str, Mapping[str, Any]], None]
) -> str | None:
    try:
        schedule = from_config(row["config_json"] or "")
        for name in ("next_run_at", "next_slot_at", "anchor_at"):
            from_text(row[name] or row["anchor_at"] or "")
        # One of a predecessor's agents is no fault while nobody has asked for it to run here.
        if (row["state"], row["source"]) != ("paused", "predecessor"):
            check_agent(schedule.agent, schedule.params)
    except (LsmError, ValueError) as error:
        return str(error)
    if (row["state"] == "active") != (row["next_run_at"] is not None):
        return "it is active and has no next run, or the reverse"
    return None
