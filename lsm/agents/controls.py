"""What a person does to schedules: pause, resume, run now, backfill, cancel."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from lsm.agents.ledger import pending_run, schedule_after, schedule_at
from lsm.agents.reconcile import Reconciler
from lsm.agents.schedules import Manual, Policy, Schedule, checked, from_config
from lsm.agents.slots import TICK, count_slots, newest_slots, next_slot
from lsm.clock import from_text, to_text
from lsm.errors import InvalidError, NotFoundError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from lsm.agents.ledger import Ledger
    from lsm.agents.rows import RunRow, ScheduleRow

_BACKFILL_UNASKED = 1000
# Whoever started it by hand sees how it ended, and starts it again or not.
_BY_HAND = Policy(overlap="allow", max_attempts=1, on_lost="record", pause_after=0)


class Controls:
    """Each takes effect at once; a scheduler in another process notices within seconds."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def pause(self, schedule_id: str) -> ScheduleRow:
        """No further slots, and those that wait are held; what runs goes on."""
        with self._ledger.transaction():
            row = self._ledger.lock(schedule_id)
            if row.state not in {"active", "paused"}:
                raise InvalidError(schedule_id, f"it is {row.state}, there is nothing to pause")
            return self._save(replace(row, state="paused", pause_reason="user", next_run_at=None))

    def resume(self, schedule_id: str, *, catch_up: bool = False) -> ScheduleRow:
        """Active again, from now on; with *catch_up* also for what it has missed meanwhile.

        Raises:
            NotFoundError, InvalidError: there is none, it is over, or it cannot be read.
        """
        ledger = self._ledger
        with ledger.transaction():
            row = ledger.lock(schedule_id)
            if row.state in {"retired", "exhausted"}:
                raise InvalidError(schedule_id, f"it is {row.state}; add it anew")
            if row.state == "active":
                return row
            schedule = from_config(row.config_json)
            row = replace(row, consecutive_failures=0)
            if catch_up and row.next_slot_at is not None:
                return self._save(schedule_at(row, schedule, from_text(row.next_slot_at)))
            return self._save(schedule_after(row, schedule, ledger.now()))

    def run_now(self, schedule_id: str, *, force: bool = False) -> RunRow:
        """A run to start as soon as possible; the plan stays as it is. Also while paused.

        Args:
            schedule_id: whose.
            force: even beside a run that is going on.

        Raises:
            NotFoundError: there is no such schedule.
            RefusedError: it is running or waiting already, and its overlap says not twice.
        """
        ledger = self._ledger
        with ledger.transaction():
            row = ledger.lock(schedule_id)
            if row.state == "retired":
                raise InvalidError(schedule_id, "it is retired; add it anew")
            policy = from_config(row.config_json).policy
            busy = ledger.runs.busy(schedule_id)
            if not force:
                self._obey(row, busy)
            run = self._add_manual(row, exclusive=not force and policy.overlap != "allow")
            self._save(row)
            return run

    def book(self, agent: str, params: Mapping[str, Any]) -> RunRow:
        """A pending run of *agent* that no schedule asked for, with parameters of its own."""
        ledger = self._ledger
        schedule = Schedule(agent=agent, trigger=Manual(), key="manual", policy=_BY_HAND)
        plain = checked(msgspec.structs.replace(schedule, params=dict(params))).params
        row = Reconciler(ledger).put("manual", schedule)
        with ledger.transaction():
            row = ledger.lock(row.schedule_id)
            text = msgspec.json.encode(plain, order="sorted").decode()
            run = self._add_manual(row, exclusive=False, params_json=text)
            self._save(row)
            return run

    def cancel(self, run_id: str) -> RunRow:
        """Cancel a waiting run; ask a running one to stop. The run as it is afterwards.

        Raises:
            NotFoundError, InvalidError: there is no such run, or it has ended.
        """
        ledger = self._ledger
        with ledger.transaction():
            run = ledger.runs.get(run_id)
            if run is None:
                raise NotFoundError("run", run_id)
            row = ledger.lock(run.schedule_id)
            now = ledger.stamp()
            if not (
                ledger.runs.drop(run_id, "user", now) or ledger.runs.request_cancel(run_id, now)
            ):
                seen = ledger.runs.get(run_id) or run
                if seen.state != "running":
                    raise InvalidError(run_id, f"it is {seen.state} already")
            self._save(row)
            return ledger.runs.get(run_id) or run

    def backfill(
        self, schedule_id: str, first: datetime, end: datetime, *, confirmed: bool = False
    ) -> list[RunRow]:
        """Runs for the slots in [*first*, *end*) that have not succeeded, one after the other.

        Raises:
            NotFoundError, InvalidError: there is no such schedule, or nothing to fill.
            RefusedError: more than 1,000 runs, and nobody has confirmed it.
        """
        ledger = self._ledger
        with ledger.transaction():
            row = ledger.lock(schedule_id)
            schedule, anchor = from_config(row.config_json), from_text(row.anchor_at)
            count = count_slots(schedule.trigger, anchor, first, end - TICK)
            if count > _BACKFILL_UNASKED and not confirmed:
                raise RefusedError(f"{schedule_id}: {count} runs to backfill; confirm with --yes")
            done = ledger.runs.succeeded(schedule_id, to_text(first), to_text(end))
            slots = newest_slots(schedule.trigger, anchor, first, end - TICK, count)
            now = ledger.now()
            runs = [
                pending_run(schedule_id, slot, "backfill", now, now)
                for slot in slots
                if to_text(slot) not in done
            ]
            added = [run for run in runs if ledger.runs.add(run)]
            self._save(row)
            return added

    def _obey(self, row: ScheduleRow, busy: list[RunRow]) -> None:
        """Make room for a manual run as the schedule's overlap says, or refuse it."""
        ledger = self._ledger
        policy = from_config(row.config_json).policy
        waiting = [run for run in busy if run.state == "pending"]
        if not busy:
            return
        if policy.overlap == "cancel":
            for run in busy:
                ledger.runs.drop(run.run_id, "superseded", ledger.stamp())
                ledger.runs.request_cancel(run.run_id, ledger.stamp())
            return
        room = {
            "skip": 0,
            "queue": policy.max_queued - len(waiting),
            "allow": policy.max_parallel - len(busy),
        }
        if room[policy.overlap] < 1:
            state = "running" if len(waiting) < len(busy) else "waiting to run"
            raise RefusedError(f"{row.schedule_id}: it is {state} already; --force runs it anyway")

    def _add_manual(
        self, row: ScheduleRow, *, exclusive: bool, params_json: str | None = None
    ) -> RunRow:
        slot = now = self._ledger.now()
        while True:
            run = pending_run(row.schedule_id, slot, "manual", now, now)
            run = replace(run, exclusive=exclusive, params_json=params_json)
            if self._ledger.runs.add(run):
                return run
            slot += TICK  # another one was started at this very instant

    def _save(self, row: ScheduleRow) -> ScheduleRow:
        saved = replace(row, updated_at=self._ledger.stamp())
        self._ledger.schedules.save(saved)
        return saved


def upcoming(row: ScheduleRow, now: datetime, most: int) -> list[datetime]:
    """The next *most* slots of a schedule after *now*, in UTC."""
    schedule, anchor = from_config(row.config_json), from_text(row.anchor_at)
    found: list[datetime] = []
    slot = next_slot(schedule.trigger, anchor, now)
    while slot is not None and len(found) < most:
        found.append(slot)
        slot = next_slot(schedule.trigger, anchor, slot)
    return found
