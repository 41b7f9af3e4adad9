"""What every transaction on schedules and runs begins with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lsm.agents.rows import RunRow, run_id
from lsm.agents.run_store import RunStore
from lsm.agents.schedule_store import ScheduleStore
from lsm.agents.schedules import CronTime, from_config
from lsm.agents.slots import next_slot, run_time, zone_release
from lsm.clock import from_text, to_text
from lsm.errors import LsmError, NotFoundError
from lsm.failpoints import reach

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from datetime import datetime

    from lsm.agents.rows import Origin, ScheduleRow
    from lsm.agents.schedules import Schedule
    from lsm.clock import Clock
    from lsm.db.database import Database


class Ledger:
    """Both tables, the clock they are written by, and the labelled points.

    Whoever changes a schedule or one of its runs first locks the schedule's row and reads it
    again. So each transaction decides on the newest commit, and all that concerns one schedule
    happens one after the other, whichever process does it.
    """

    def __init__(
        self, db: Database, clock: Clock, reached: Callable[[str], None] | None = None
    ) -> None:
        self.db = db
        self.now = clock
        self.reached = reached or reach  # tests end the process at these points
        self.schedules = ScheduleStore(db)
        self.runs = RunStore(db)

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing."""
        return self.db.transaction()

    def stamp(self) -> str:
        """This instant, as it is written."""
        return to_text(self.now())

    def lock(self, schedule_id: str) -> ScheduleRow:
        """The newest row, locked. Raises NotFoundError."""
        row = self.schedules.lock(schedule_id)
        if row is None:
            raise NotFoundError("schedule", schedule_id)
        return row

    def read(self, row: ScheduleRow) -> Schedule | None:
        """What the row says; one that cannot be read is paused with the reason, and stays."""
        try:
            for instant in (row.anchor_at, row.next_slot_at or row.anchor_at):
                from_text(instant)
            return from_config(row.config_json)
        except (LsmError, ValueError) as error:
            broken = replace(row, state="paused", pause_reason="unreadable", next_run_at=None)
            self.schedules.save(replace(broken, last_error=str(error), updated_at=self.stamp()))
            return None


def schedule_after(row: ScheduleRow, schedule: Schedule, after: datetime) -> ScheduleRow:
    """*row*, active with its first slot after *after*; exhausted if none follows."""
    anchor = from_text(row.anchor_at)
    return schedule_at(row, schedule, next_slot(schedule.trigger, anchor, after))


def schedule_at(row: ScheduleRow, schedule: Schedule, slot: datetime | None) -> ScheduleRow:
    """*row*, active with *slot* as its next; exhausted if that is None."""
    planned = replace(row, pause_reason=None, next_slot_at=None, next_run_at=None)
    if slot is None:
        return replace(planned, state="exhausted")
    trigger, jitter = schedule.trigger, schedule.policy.jitter_s
    following = next_slot(trigger, from_text(row.anchor_at), slot) if jitter else None
    return replace(
        planned,
        state="active",
        next_slot_at=to_text(slot),
        next_run_at=to_text(run_time(row.schedule_id, slot, following, jitter)),
        planned_with=zone_release() if isinstance(trigger, CronTime) else None,
    )


def pending_run(
    schedule_id: str, slot: datetime, origin: Origin, start: datetime, now: datetime
) -> RunRow:
    """The first attempt at *slot*, to start from *start* on."""
    slot_at = to_text(slot)
    return RunRow(
        run_id=run_id(schedule_id, slot_at, origin, 1),
        schedule_id=schedule_id,
        slot_at=slot_at,
        origin=origin,
        attempt=1,
        state="pending",
        not_before=to_text(start),
        created_at=to_text(now),
    )
