"""Claiming, finishing and reaping runs: the transactions that a lease and its fence guard."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from lsm.agents.planning import backoff, may_retry
from lsm.agents.rows import FAILURES, RunRow, run_id
from lsm.agents.run_store import Ending
from lsm.agents.schedules import Policy, from_config
from lsm.clock import to_text
from lsm.errors import LsmError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from lsm.agents.ledger import Ledger
    from lsm.agents.rows import ScheduleRow
    from lsm.agents.runtime import Apply
    from lsm.agents.schedules import Schedule


class LeaseLostError(LsmError):
    """The run is no longer this owner's: nothing of it was written."""

    def __init__(self, run: str) -> None:
        super().__init__(f"run {run}: another process has taken it over")


@dataclass(frozen=True)
class Claimed:
    """A run that is now this owner's, and what its schedule says."""

    run: RunRow
    schedule: Schedule


@dataclass(frozen=True)
class Closed:
    """A run that has ended, and what followed from it."""

    run: RunRow
    retry: RunRow | None = None  # pending, or cancelled because the next slot comes first
    paused: bool = False  # after too many failures in a row


class Claims:
    """Takes runs for one owner. Its fence, given out at the claim, guards every later write."""

    def __init__(self, ledger: Ledger, owner: str, ttl: float) -> None:
        self._ledger = ledger
        self._owner = owner
        self._ttl = timedelta(seconds=ttl)

    def claim(self, most: int) -> tuple[list[Claimed], bool]:
        """Take up to *most* runs that may start; takes no lock if there is none.

        Returns:
            What was taken, in the order it should start, and whether others were faster with
            some of it, so that looking again at once makes sense.
        """
        ledger = self._ledger
        if not ledger.runs.claimable(ledger.stamp(), 1):
            return [], False
        claimed: dict[str, Claimed] = {}
        with ledger.transaction():
            wanted = ledger.runs.claimable(ledger.stamp(), most)
            for run, schedule_id in sorted(wanted, key=lambda pair: pair[1]):
                taken = self._claim_one(run, schedule_id)
                if taken is not None:
                    claimed[run] = taken
            ledger.reached("claim.before_commit")
        ledger.reached("claim.after_commit")
        ordered = [claimed[run] for run, _ in wanted if run in claimed]
        return ordered, len(ordered) < len(wanted)

    def claim_run(self, run: RunRow) -> Claimed | None:
        """Take this very run; None if it may not start now."""
        with self._ledger.transaction():
            return self._claim_one(run.run_id, run.schedule_id)

    def finish(self, run: RunRow, ending: Ending, apply: Sequence[Apply] = ()) -> Closed:
        """Write a run's outputs, its end and its schedule's new state: all of it, or nothing.

        Raises:
            LeaseLostError: the run has been taken from its owner meanwhile.
        """
        ledger = self._ledger
        with ledger.transaction():
            row = self._guard(run)
            ledger.reached("finish.before_outputs")
            remarks = [said for each in apply if isinstance(said := each(ledger.db), str)]
            ending = with_remarks(ending, remarks)
            ledger.reached("finish.after_outputs")
            closed = self._close(row, run, ending)
            ledger.reached("finish.before_commit")
        ledger.reached("finish.after_commit")
        return closed

    def step(self, run: RunRow, apply: Apply) -> None:
        """Write part of a run's outputs. Raises LeaseLostError if the run is not its owner's."""
        with self._ledger.transaction():
            self._guard(run)
            apply(self._ledger.db)

    def beat(self, run: RunRow) -> bool:
        """Renew the lease; False if the run is no longer its owner's."""
        until = to_text(self._ledger.now() + self._ttl)
        return self._ledger.runs.beat(run.run_id, _fence(run), until)

    def reap(self, run: RunRow, reason: str) -> Closed | None:
        """Close a run whose owner is gone; None if it has shown itself since *run* was read."""
        ledger = self._ledger
        with ledger.transaction():
            row = ledger.schedules.lock(run.schedule_id)
            seen = ledger.runs.get(run.run_id)
            if row is None or seen is None or seen.state != "running":
                return None
            if (seen.fence, seen.beat) != (run.fence, run.beat):
                return None
            state = "lost" if seen.cancel_requested_at is None else "cancelled"
            closed = self._close(row, seen, Ending(state, reason))
            ledger.reached("reap.before_commit")
        ledger.reached("reap.after_commit")
        return closed

    def _claim_one(self, wanted: str, schedule_id: str) -> Claimed | None:
        ledger = self._ledger
        row = ledger.schedules.lock(schedule_id)
        run = ledger.runs.get(wanted)
        if row is None or run is None:
            return None
        if row.state not in {"active", "exhausted"} and run.origin != "manual":
            return None
        schedule = ledger.read(row)
        if schedule is None:
            return None
        now = ledger.now()
        started = replace(
            run,
            state="running",
            owner=self._owner,
            fence=row.fence + 1,
            beat=0,
            started_at=to_text(now),
            lease_until=to_text(now + self._ttl),
            deadline_at=to_text(now + timedelta(seconds=schedule.policy.timeout_s)),
        )
        if not ledger.runs.start(started):
            return None
        begun = replace(row, fence=row.fence + 1, last_run_at=to_text(now), last_status="running")
        ledger.schedules.save(replace(begun, updated_at=to_text(now)))
        return Claimed(started, schedule)

    def _guard(self, run: RunRow) -> ScheduleRow:
        row = self._ledger.schedules.lock(run.schedule_id)
        if row is None or not self._ledger.runs.holds(run.run_id, _fence(run)):
            raise LeaseLostError(run.run_id)
        return row

    def _close(self, row: ScheduleRow, run: RunRow, ending: Ending) -> Closed:
        now = self._ledger.now()
        if not self._ledger.runs.end(run.run_id, _fence(run), ending, to_text(now)):
            raise LeaseLostError(run.run_id)
        policy = _policy(row)
        retry = self._retry(row, run, ending, now) if row.state != "retired" else None
        closed = _after(row, run, ending, retried=retry is not None and retry.state == "pending")
        paused = row.state == "active" and 0 < policy.pause_after <= closed.consecutive_failures
        if paused:
            closed = replace(closed, state="paused", pause_reason="auto", next_run_at=None)
        self._ledger.schedules.save(replace(closed, updated_at=to_text(now)))
        ended = replace(
            run,
            state=ending.state,
            reason=ending.reason,
            error=ending.error,
            result_json=ending.result_json,
            report=ending.report,
            finished_at=to_text(now),
        )
        return Closed(ended, retry, paused)

    def _retry(self, row: ScheduleRow, run: RunRow, ending: Ending, now: datetime) -> RunRow | None:
        """The row of the next attempt, added; None if there is to be none."""
        policy = _policy(row)
        lost = self._ledger.runs.count_lost(run) if ending.state == "lost" else 0
        if not may_retry(policy, run, ending.state, retryable=ending.retryable, lost_before=lost):
            return None
        name = run_id(run.schedule_id, run.slot_at, run.origin, run.attempt + 1)
        start = to_text(now + backoff(policy, name, run.attempt))
        retry = RunRow(
            run_id=name,
            schedule_id=run.schedule_id,
            slot_at=run.slot_at,
            origin=run.origin,
            attempt=run.attempt + 1,
            state="pending",
            not_before=start,
            created_at=to_text(now),
            coalesced=run.coalesced,
            exclusive=run.exclusive,
            params_json=run.params_json,
        )
        if run.origin == "slot" and row.next_run_at is not None and row.next_run_at <= start:
            gone = replace(retry, state="cancelled", reason="superseded")
            retry = replace(gone, finished_at=to_text(now))
        self._ledger.runs.add(retry)
        return retry


def _after(row: ScheduleRow, run: RunRow, ending: Ending, *, retried: bool) -> ScheduleRow:
    """The schedule's row after one of its runs has ended."""
    if row.fence == run.fence:  # otherwise another run has started since
        row = replace(row, last_status=ending.state)
    if ending.state == "succeeded":
        return replace(row, last_error=None, consecutive_failures=0)
    row = replace(row, last_error=ending.error or ending.reason or ending.state)
    if ending.state in FAILURES and not retried:
        return replace(row, consecutive_failures=row.consecutive_failures + 1)
    return row


def with_remarks(ending: Ending, remarks: Sequence[str]) -> Ending:
    """*ending* with what the outputs had to say at the end of its report."""
    if not remarks:
        return ending
    lines = [f"- {line}" for said in remarks for line in said.splitlines()]
    return replace(ending, report="\n".join([ending.report or "", *lines]) + "\n")


def _policy(row: ScheduleRow) -> Policy:
    try:
        return from_config(row.config_json).policy
    except LsmError:
        # Of a schedule that can no longer be read, a run may still come to its end.
        return Policy()


def _fence(run: RunRow) -> int:
    if run.fence is None:
        raise ValueError(f"run {run.run_id} has not been claimed")
    return run.fence
