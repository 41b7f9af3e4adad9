"""Bringing the table of schedules in line with what a configuration declares."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lsm.agents.ledger import pending_run, schedule_after
from lsm.agents.rows import ScheduleRow
from lsm.agents.schedules import (
    Once,
    Schedule,
    checked,
    config_hash,
    from_config,
    schedule_id,
    to_config,
)
from lsm.clock import from_text, to_text
from lsm.errors import ConfigError, InvalidError, LsmError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lsm.agents.ledger import Ledger
    from lsm.agents.schedule_store import Known


@dataclass
class Reconciled:
    """Ids by what happened to them, and what could not be used, in words."""

    added: list[str] = field(default_factory=list[str])
    changed: list[str] = field(default_factory=list[str])
    retired: list[str] = field(default_factory=list[str])
    unchanged: int = 0
    problems: list[str] = field(default_factory=list[str])


@dataclass(frozen=True)
class _Entry:
    """A schedule as declared, with all that is computed from it."""

    schedule_id: str
    schedule: Schedule
    config_json: str
    config_hash: str


class Reconciler:
    """Inserts, updates and retires schedules; deletes none, and leaves other sources' alone."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def reconcile(self, source: str, schedules: Iterable[Schedule]) -> Reconciled:
        """Make the active schedules of *source* those in *schedules*, in one transaction.

        What has not changed is not written; if nothing has, not even a lock is taken. An entry
        that cannot be used is reported as a problem, and the schedule it may have been stays.

        Raises:
            ConfigError: two entries are the same schedule.
        """
        result = Reconciled()
        entries = _entries(schedules, result.problems)
        known = self._ledger.schedules.known(source, entries)
        wanted = {each: entry for each, entry in entries.items() if _differs(entry, known, source)}
        # With an entry that cannot be read, what seems gone may be what is meant.
        gone = [] if result.problems else _gone(entries, known, source)
        result.unchanged = len(entries) - len(wanted)
        if wanted or gone:
            with self._ledger.transaction():
                for each in sorted([*wanted, *gone]):  # the order in which all lock rows
                    if each in wanted:
                        self._put(wanted[each], source, result)
                    else:
                        self._retire(each, source, result)
                self._note_renames(result)
                self._ledger.reached("reconcile.before_commit")
        return result

    def put(self, source: str, schedule: Schedule) -> ScheduleRow:
        """Add one schedule, or change the one that it is already.

        Raises:
            InvalidError, CronError: it cannot run.
        """
        entry = _entry(schedule)
        result = Reconciled()
        known = self._ledger.schedules.known(source, [entry.schedule_id])
        if _differs(entry, known, source):
            with self._ledger.transaction():
                self._put(entry, source, result)
        if result.problems:
            raise InvalidError("at", result.problems[0])
        found = self._ledger.schedules.get(entry.schedule_id)
        assert found is not None  # noqa: S101 - written above, and rows are never deleted
        return found

    def retire(self, schedule_id: str) -> None:
        """Let a schedule end: no further slots; its waiting runs are cancelled, history stays."""
        with self._ledger.transaction():
            row = self._ledger.lock(schedule_id)
            self._retire(schedule_id, row.source, Reconciled())

    def _put(self, entry: _Entry, source: str, result: Reconciled) -> None:
        now = self._ledger.now()
        row = self._ledger.schedules.lock(entry.schedule_id)
        try:
            if row is None:
                self._insert(_new_row(entry, source, now), entry.schedule)
                result.added.append(entry.schedule_id)
            elif row.config_hash != entry.config_hash or _is_over(row, source):
                changed = replace(_changed(row, entry, now), source=source)
                self._ledger.schedules.save(replace(changed, updated_at=to_text(now)))
                result.changed.append(entry.schedule_id)
        except InvalidError as error:
            result.problems.append(f"{entry.schedule_id}: {error}")

    def _insert(self, row: ScheduleRow, schedule: Schedule) -> None:
        ledger = self._ledger
        if ledger.schedules.insert(row) and schedule.policy.run_on_create and schedule.enabled:
            now = from_text(row.created_at)
            ledger.runs.add(pending_run(row.schedule_id, now, "manual", now, now))
            ledger.schedules.save(row)

    def _retire(self, schedule_id: str, source: str, result: Reconciled) -> None:
        ledger = self._ledger
        row = ledger.schedules.lock(schedule_id)
        if row is None or row.state == "retired" or row.source != source:
            return
        now = ledger.stamp()
        for run in ledger.runs.busy(schedule_id):
            if run.state == "pending":
                ledger.runs.drop(run.run_id, "retired", now)
        retired = replace(row, state="retired", pause_reason=None, next_run_at=None)
        ledger.schedules.save(replace(retired, updated_at=now))
        result.retired.append(schedule_id)

    def _note_renames(self, result: Reconciled) -> None:
        """An entry whose trigger was edited has a new id: carry over when it ran last."""
        gone = [row for each in result.retired if (row := self._ledger.schedules.get(each))]
        new = [row for each in result.added if (row := self._ledger.schedules.get(each))]
        for agent in {row.agent_name for row in gone}:
            before = [row for row in gone if row.agent_name == agent]
            after = [row for row in new if row.agent_name == agent]
            if len(before) == len(after) == 1 and _same_params(before[0], after[0]):
                self._ledger.schedules.save(
                    replace(
                        after[0],
                        last_run_at=before[0].last_run_at,
                        renamed_from=before[0].schedule_id,
                    )
                )


def _entries(schedules: Iterable[Schedule], problems: list[str]) -> dict[str, _Entry]:
    entries: dict[str, _Entry] = {}
    places: dict[str, int] = {}
    for place, schedule in enumerate(schedules, 1):
        try:
            entry = _entry(schedule)
        except LsmError as error:
            problems.append(f"schedule {place} ({schedule.agent}): {error}")
            continue
        if entry.schedule_id in entries:
            raise ConfigError(
                "agents.schedules",
                f"entries {places[entry.schedule_id]} and {place} are the same schedule of "
                f"{schedule.agent}; remove one, or give each a key",
            )
        entries[entry.schedule_id] = entry
        places[entry.schedule_id] = place
    return entries


def _entry(schedule: Schedule) -> _Entry:
    usable = checked(schedule)
    text = to_config(usable)
    return _Entry(schedule_id(usable), usable, text, config_hash(text))


def _differs(entry: _Entry, known: dict[str, Known], source: str) -> bool:
    row = known.get(entry.schedule_id)
    return (
        row is None
        or row.config_hash != entry.config_hash
        or row.source != source
        or row.state == "retired"
    )


def _gone(entries: dict[str, _Entry], known: dict[str, Known], source: str) -> Sequence[str]:
    return [
        row.schedule_id
        for row in known.values()
        if row.source == source and row.state != "retired" and row.schedule_id not in entries
    ]


def _is_over(row: ScheduleRow, source: str) -> bool:
    return row.state == "retired" or row.source != source


def _new_row(entry: _Entry, source: str, now: datetime) -> ScheduleRow:
    row = ScheduleRow(
        schedule_id=entry.schedule_id,
        agent_name=entry.schedule.agent,
        last_run_at=None,
        next_run_at=None,
        last_status="never",
        last_error=None,
        queued_runs=0,
        updated_at=to_text(now),
        state="paused",
        pause_reason=None,
        next_slot_at=None,
        config_json=entry.config_json,
        config_hash=entry.config_hash,
        source=source,
        fence=0,
        consecutive_failures=0,
        missed_total=0,
        skipped_total=0,
        anchor_at=to_text(now.replace(microsecond=0)),
        created_at=to_text(now),
        renamed_from=None,
        planned_with=None,
    )
    return _planned(row, entry.schedule, _first_after(entry.schedule, now))


def _first_after(schedule: Schedule, now: datetime) -> datetime:
    """From when on slots count: from now, or from a past instant that is to be made up."""
    if not isinstance(schedule.trigger, Once):
        return now
    at = datetime.fromisoformat(schedule.trigger.at)
    if at > now:
        return now
    if schedule.policy.catch_up is None:
        raise InvalidError(
            "at", f"{schedule.trigger.at} is past; choose a later time, or catch-up latest"
        )
    return at - timedelta(microseconds=1)


def _changed(row: ScheduleRow, entry: _Entry, now: datetime) -> ScheduleRow:
    """*row* under the entry's policy. Planned anew only if its slots are others, or it was over."""
    updated = replace(
        row,
        agent_name=entry.schedule.agent,
        config_json=entry.config_json,
        config_hash=entry.config_hash,
    )
    if row.state == "paused" and row.pause_reason in {"user", "auto"}:
        return updated  # until it is resumed
    if row.state == "active" and entry.schedule.enabled and _same_slots(row, entry.schedule):
        return updated
    return _planned(updated, entry.schedule, now)


def _planned(row: ScheduleRow, schedule: Schedule, after: datetime) -> ScheduleRow:
    planned = schedule_after(row, schedule, after)
    if schedule.enabled:
        return planned
    return replace(planned, state="paused", pause_reason="config", next_run_at=None)


def _same_slots(row: ScheduleRow, schedule: Schedule) -> bool:
    try:
        before = from_config(row.config_json)
    except LsmError:
        return False
    return (before.trigger, before.policy.jitter_s) == (schedule.trigger, schedule.policy.jitter_s)


def _same_params(first: ScheduleRow, second: ScheduleRow) -> bool:
    try:
        return from_config(first.config_json).params == from_config(second.config_json).params
    except LsmError:
        return False
