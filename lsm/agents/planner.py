"""Planning: the transaction that turns due slots into rows and moves the schedule on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from lsm.agents.ledger import pending_run, schedule_after
from lsm.agents.planning import Due, admit, catch_up
from lsm.agents.slots import zone_release
from lsm.clock import from_text, to_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from lsm.agents.ledger import Ledger
    from lsm.agents.planning import Admission, Draft, Spread
    from lsm.agents.rows import RunRow, ScheduleRow
    from lsm.agents.schedules import Schedule

_BATCH = 100  # schedules planned in one transaction


@dataclass(frozen=True)
class Planned:
    """What a batch of due schedules has become."""

    rows: list[RunRow]
    unreadable: list[str]  # ids of schedules that were paused because of it
    more: bool  # whether there may be further schedules to plan


class Planner:
    """Any number of processes may plan: what one has planned, the others find done."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def plan(self, spread: Spread | None = None) -> Planned:
        """Turn the slots of up to 100 due schedules into rows; takes no lock if none is due.

        Args:
            spread: says how much later each make-up run begins; None: all at once.
        """
        ledger = self._ledger
        rows: list[RunRow] = []
        unreadable: list[str] = []
        due = ledger.schedules.due(ledger.stamp(), _BATCH)
        if not due:
            return Planned(rows, unreadable, more=False)
        with ledger.transaction():
            now = ledger.now()
            for schedule_id, next_run_at in sorted(due):
                row = ledger.schedules.lock(schedule_id)
                if row is None or row.next_run_at != next_run_at:
                    continue  # another process was faster
                schedule = ledger.read(row)
                if schedule is None:
                    unreadable.append(schedule_id)
                else:
                    rows += self._plan_one(row, schedule, now, spread)
            ledger.reached("plan.before_commit")
        ledger.reached("plan.after_commit")
        return Planned(rows, unreadable, more=len(due) == _BATCH)

    def replan(self, ids: Sequence[str]) -> int:
        """Compute the next slot of these schedules anew, as of now; how many of them moved.

        What has a row already does not run again: its slot, origin and attempt are unique.
        """
        moved = 0
        for start in range(0, len(ids), _BATCH):
            with self._ledger.transaction():
                batch = sorted(ids[start : start + _BATCH])
                moved += sum(self._replan_one(schedule_id) for schedule_id in batch)
        return moved

    def recover(self, *, clock_set_back: bool = False) -> int:
        """Mend what was planned by other rules: a clock that was ahead, another zone release.

        Reads one table and takes no lock if nothing is amiss; returns how many schedules moved.
        """
        ledger = self._ledger
        if clock_set_back:
            ids = ledger.schedules.active()
        else:
            ids = ledger.schedules.misplanned(ledger.stamp(), zone_release())
        if ledger.runs.any_blocked(ledger.stamp()):
            with ledger.transaction():
                ledger.runs.unblock(ledger.stamp())
        return self.replan(ids)

    def _plan_one(
        self, row: ScheduleRow, schedule: Schedule, now: datetime, spread: Spread | None
    ) -> list[RunRow]:
        runs, policy = self._ledger.runs, schedule.policy
        drafts = catch_up(
            Due(
                schedule_id=row.schedule_id,
                trigger=schedule.trigger,
                policy=policy,
                anchor=from_text(row.anchor_at),
                first=from_text(row.next_slot_at or row.updated_at),
                now=now,
                carried=self._carried(row),
            )
        )
        admission = admit(policy, runs.busy(row.schedule_id), drafts, now)
        self._make_room(admission, to_text(now))
        added: list[RunRow] = []
        for draft in admission.drafts:
            wait = spread.wait() if spread is not None and draft.make_up else timedelta()
            run = _to_row(row.schedule_id, draft, now, now + wait)
            run = replace(run, exclusive=policy.overlap != "allow")
            # Not every draft is new: the clock may have been set back since.
            if runs.add(run):
                added.append(run)
        missed = sum(1 + run.coalesced for run in added if run.state == "missed")
        skipped = sum(run.state == "skipped" for run in added)
        self._ledger.schedules.save(
            replace(
                schedule_after(row, schedule, now),
                missed_total=row.missed_total + missed,
                skipped_total=row.skipped_total + skipped,
                updated_at=to_text(now),
            )
        )
        return added

    def _make_room(self, admission: Admission, now: str) -> None:
        runs = self._ledger.runs
        for waiting in admission.supersede:
            runs.drop(waiting, "superseded", now)
        for running in admission.stop:
            runs.request_cancel(running, now)
        for waiting, more in admission.coalesce:
            runs.coalesce(waiting, more)

    def _carried(self, row: ScheduleRow) -> int:
        """Slots whose make-up was put off until the one that is due now."""
        if not row.skipped_total:
            return 0  # nothing has ever been folded
        before = self._ledger.runs.before(row.schedule_id, row.next_slot_at or "")
        return before.coalesced + 1 if before is not None and before.reason == "folded" else 0

    def _replan_one(self, schedule_id: str) -> bool:
        ledger = self._ledger
        row = ledger.schedules.lock(schedule_id)
        if row is None or row.state != "active" or row.next_slot_at is None:
            return False
        schedule = ledger.read(row)
        if schedule is None:
            return False
        now = ledger.now()
        planned = schedule_after(row, schedule, now)
        if from_text(row.next_slot_at) <= now:
            # It is due: planning deals with it, by today's rules.
            planned = replace(row, planned_with=planned.planned_with)
        ledger.schedules.save(replace(planned, updated_at=to_text(now)))
        return planned.next_slot_at != row.next_slot_at


def _to_row(schedule_id: str, draft: Draft, now: datetime, start: datetime) -> RunRow:
    return replace(
        pending_run(schedule_id, draft.slot, "slot", start, now),
        state=draft.state,
        reason=draft.reason,
        coalesced=draft.coalesced,
        finished_at=None if draft.state == "pending" else to_text(now),
    )
