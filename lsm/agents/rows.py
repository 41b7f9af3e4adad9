"""The rows of the two tables. Field names are column names; instants are `lsm.clock` texts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

ScheduleState = Literal["active", "paused", "retired", "exhausted"]
RunState = Literal[
    "pending",
    "running",
    "succeeded",
    "failed",
    "timed_out",
    "cancelled",
    "lost",
    "skipped",
    "missed",
]
Origin = Literal["slot", "manual", "backfill"]
FAILURES: frozenset[RunState] = frozenset({"failed", "timed_out", "lost"})


@dataclass(frozen=True)
class ScheduleRow:
    """The state of a schedule."""

    schedule_id: str
    agent_name: str
    last_run_at: str | None  # start of the run that started last, whatever its origin
    next_run_at: str | None  # when the next slot becomes due, jitter included
    last_status: str  # of the run that started last; "never" before
    last_error: str | None  # of the latest run that did not succeed; None after a success
    queued_runs: int  # runs in state pending
    updated_at: str
    state: ScheduleState
    pause_reason: str | None  # "user", "config", "auto", "unreadable", "imported"
    next_slot_at: str | None  # the slot behind next_run_at
    config_json: str
    config_hash: str
    source: str  # who declared it: a configuration file, "command", "manual"
    fence: int  # grows by one with each run that starts
    consecutive_failures: int  # slots in a row that failed for good
    missed_total: int
    skipped_total: int
    anchor_at: str  # where intervals are counted from
    created_at: str
    renamed_from: str | None
    planned_with: str | None  # release of the time zone database; None: needs none


@dataclass(frozen=True)
class RunRow:
    """A run, a skip or a miss."""

    run_id: str
    schedule_id: str
    slot_at: str
    origin: Origin
    attempt: int  # from 1
    state: RunState
    not_before: str
    created_at: str
    reason: str | None = None  # why it was skipped, missed, cancelled or lost
    coalesced: int = 0  # further slots that this row stands for
    exclusive: bool = True
    params_json: str | None = None  # None: the schedule's
    owner: str | None = None
    fence: int | None = None
    beat: int = 0
    lease_until: str | None = None  # for display; liveness is judged by `beat`
    cancel_requested_at: str | None = None
    deadline_at: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    error: str | None = None
    result_json: str | None = None
    report: str | None = None


def run_id(schedule_id: str, slot_at: str, origin: Origin, attempt: int) -> str:
    """24 hex digits, the same in every process that plans the run."""
    text = "\0".join(("lsm-run", schedule_id, slot_at, origin, str(attempt)))
    return hashlib.sha256(text.encode()).hexdigest()[:24]
