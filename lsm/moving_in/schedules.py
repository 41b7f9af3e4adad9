"""Schedules of a predecessor: kept with when they ran last, and started by nobody but a person.

An id comes from what a schedule asks for. Those of the predecessor were places in a list, and mean
nothing without the list.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lsm.agents.rows import ScheduleRow
from lsm.agents.schedule_store import ScheduleStore
from lsm.agents.schedules import (
    Manual,
    Policy,
    Schedule,
    at_cron,
    checked,
    config_hash,
    every,
    schedule_id,
    to_config,
)
from lsm.clock import from_text, to_text
from lsm.errors import LsmError
from lsm.moving_in.digests import digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.agents.schedules import Trigger
    from lsm.clock import Clock
    from lsm.db import Database
    from lsm.migration.legacy.records import LegacySchedule

SOURCE = "predecessor"
_WORDS = {"hourly": "1h", "daily": "1d", "weekly": "1w"}
_SECONDS = re.compile(r"\d+s")
_OVERLAPS = {"skip": "skip", "queue": "queue", "cancel": "cancel"}
_STATUSES = {
    "idle": "never",
    "completed": "succeeded",
    "failed": "failed",
    "cancel_requested": "cancelled",
}
_SAID = ("agent_name", "config_json", "last_run_at", "last_status", "last_error", "state")


@dataclass(frozen=True)
class _Plan:
    """A schedule of ours, and what of the predecessor's could not be understood."""

    schedule: Schedule
    problems: tuple[str, ...]


class ScheduleShelf:
    """Keeps `LegacySchedule`, paused."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._now = clock
        self._store = ScheduleStore(db)

    def key(self, item: LegacySchedule) -> str:
        return schedule_id(_planned(item).schedule)

    def digest(self, item: LegacySchedule) -> str:
        return _content(self._row(item))

    def held(self, items: Sequence[LegacySchedule]) -> list[str | None]:
        found = [self._store.get(self.key(item)) for item in items]
        return [None if row is None else _content(row) for row in found]

    def present(self, keys: Sequence[str]) -> set[str]:
        return {key for key in keys if self._store.get(key) is not None}

    def remark(self, item: LegacySchedule) -> str:
        told = [f"paused; start it with: lsm schedule resume {self.key(item)}"]
        if item.queued_runs:
            told.append(f"{item.queued_runs} waiting runs are not started")
        if item.running:
            told.append("the run that was going on is lost")
        return "; ".join(told)

    def flaw(self, item: LegacySchedule) -> str:
        problems = _planned(item).problems
        return f"paused: {'; '.join(problems)}" if problems else ""

    def insert(self, item: LegacySchedule) -> None:
        self._store.insert(self._row(item))

    def replace(self, item: LegacySchedule) -> None:
        new = self._row(item)
        was = self._store.lock(new.schedule_id)
        created = was.created_at if was is not None else new.created_at
        self._store.save(replace(new, created_at=created))

    def absorb(self, item: LegacySchedule) -> str | None:
        new = self._row(item)
        here = self._store.lock(new.schedule_id)
        if here is None or here.source == SOURCE:
            return "another entry asks for the same"
        if here.last_run_at is not None or new.last_run_at is None:
            return "the same schedule is here"
        ran = {name: getattr(new, name) for name in ("last_run_at", "last_status", "last_error")}
        self._store.save(replace(here, **ran, updated_at=new.updated_at))
        return "the same schedule is here; it has taken over when it ran last"

    def _row(self, item: LegacySchedule) -> ScheduleRow:
        plan, now = _planned(item), to_text(self._now())
        config = to_config(plan.schedule)
        reason = "unreadable" if plan.problems else "imported"
        return ScheduleRow(
            schedule_id=schedule_id(plan.schedule),
            agent_name=plan.schedule.agent,
            last_run_at=item.last_run_at,
            next_run_at=None,
            last_status=_status(item),
            last_error="; ".join(plan.problems) or _error(item),
            queued_runs=0,
            updated_at=now,
            state="paused",
            pause_reason=reason,
            next_slot_at=item.next_run_at,
            config_json=config,
            config_hash=config_hash(config),
            source=SOURCE,
            fence=0,
            consecutive_failures=0,
            missed_total=0,
            skipped_total=0,
            anchor_at=_anchor(item, plan.schedule, now),
            created_at=now,
            renamed_from=None,
            planned_with=None,
        )


def _planned(item: LegacySchedule) -> _Plan:
    problems = list(item.problems)
    trigger: Trigger = Manual()
    try:
        if not any(problem.startswith("interval") for problem in problems):
            trigger = _trigger(item.interval)
    except LsmError as error:
        problems.append(f"interval {item.interval!r:.100}: {error}")
    if item.policy not in _OVERLAPS:
        problems.append(f"concurrency_policy {item.policy!r:.100} is none of skip, queue, cancel")
    schedule = _schedule(item, trigger, item.params)
    try:
        return _Plan(checked(schedule), tuple(problems))
    except LsmError as error:
        # The agent's name or its parameters; without them it can be told, but not run.
        plain = Schedule(
            agent=_printable(item.agent), trigger=Manual(), key=f"unreadable-{item.mark}"
        )
        return _Plan(plain, (*problems, str(error)))


def _schedule(item: LegacySchedule, trigger: Trigger, params: dict[str, Any]) -> Schedule:
    said = f"; confirmation_mode was {item.mode}" if item.mode else ""
    readable = not isinstance(trigger, Manual)
    return Schedule(
        agent=item.agent,
        trigger=trigger,
        params=params,
        key=None if readable and item.number == 1 else f"legacy-{item.mark}",
        policy=Policy(overlap=_OVERLAPS.get(item.policy, "skip")),  # pyright: ignore[reportArgumentType]
        enabled=item.enabled,
        description=f"from the predecessor{said}",
    )


def _trigger(interval: str) -> Trigger:
    plain = interval.strip().lower()
    if plain in _WORDS or _SECONDS.fullmatch(plain):
        return every(_WORDS.get(plain, plain))
    parts = plain.split()
    # A sixth field was the second; the full minute is what five fields say.
    return at_cron(" ".join(parts[:5]) if len(parts) == 6 and parts[5] == "0" else plain)


def _status(item: LegacySchedule) -> str:
    if item.running:
        return "lost"
    known = _STATUSES.get(item.last_status)
    if known in (None, "never"):
        return "never" if item.last_run_at is None else "lost"
    return known


def _error(item: LegacySchedule) -> str | None:
    if item.last_error is not None:
        return item.last_error
    if item.running or (item.last_run_at and item.last_status not in _STATUSES):
        return f"the predecessor left it as {item.last_status}"
    return None


def _anchor(item: LegacySchedule, schedule: Schedule, now: str) -> str:
    """Where its intervals are counted from: they keep the phase they had."""
    seconds = getattr(schedule.trigger, "every_s", None)
    if seconds is None or item.next_run_at is None:
        return now[:19] + ".000000Z"
    try:
        return to_text(from_text(item.next_run_at) - timedelta(seconds=seconds))
    except OverflowError:
        return item.next_run_at


def _printable(agent: str) -> str:
    plain = "".join(letter if letter.isprintable() else "_" for letter in agent).strip()
    return plain[:100] or "agent"


def _content(row: ScheduleRow) -> str:
    return digest(row.schedule_id, *(getattr(row, name) for name in _SAID))
