"""What a person says of a schedule: by which name it goes, and what of it is to change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from lsm.agents.schedules import (
    CatchUp,
    CronTime,
    Manual,
    Overlap,
    Policy,
    Schedule,
    Trigger,
    at_cron,
    from_config,
)
from lsm.errors import InvalidError, LsmError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lsm.agents.rows import ScheduleRow

_SHORTEST = 4  # characters of an id without its agent's name
_NAMED = 5  # schedules that an error lists
_CHOICES: dict[str, tuple[str, ...]] = {
    "overlap": get_args(Overlap),
    "catch_up": get_args(CatchUp),
}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A schedule as somebody asks for it; what is not said stays as it is, or is the default."""

    agent: str
    key: str | None = None
    trigger: Trigger | None = None
    tz: str | None = None  # without a trigger: the zone that the times have from now on
    params: dict[str, Any] | None = None
    policy: Mapping[str, Any] = field(default_factory=dict[str, Any])  # the fields that are said

    def identified(self) -> Schedule:
        """Whatever else it says: a schedule with the id of the one that is meant.

        Raises:
            InvalidError: without a key, its times are part of what it is.
        """
        if self.trigger is None and self.key is None:
            raise InvalidError("trigger", "name exactly one of every, cron and at")
        return Schedule(
            agent=self.agent,
            key=self.key,
            trigger=self.trigger or Manual(),
            params=self.params or {},
        )

    def over(self, before: Schedule | None) -> Schedule:
        """*before* with what is said put over it.

        Raises:
            InvalidError: there is nothing before, and no times are said; or a policy cannot be.
        """
        trigger = self.trigger or self._moved(before)
        if trigger is None:
            raise InvalidError("trigger", "name exactly one of every, cron and at")
        base = before or Schedule(agent=self.agent, key=self.key, trigger=trigger)
        policy = msgspec.structs.asdict(base.policy) | dict(self.policy)
        for name, wanted in policy.items():
            _check_choice(name, wanted)
        try:
            checked = msgspec.convert(policy, Policy)
        except msgspec.ValidationError as error:
            raise InvalidError("schedule", str(error)) from error
        params = base.params if self.params is None else self.params
        return msgspec.structs.replace(base, trigger=trigger, params=params, policy=checked)

    def _moved(self, before: Schedule | None) -> Trigger | None:
        """The times of *before*, in the zone that is said."""
        if before is None or self.tz is None:
            return None if before is None else before.trigger
        if not isinstance(before.trigger, CronTime):
            raise InvalidError("tz", "only cron times have a zone; name the times, too")
        return at_cron(before.trigger.expr, self.tz)


def standing(row: ScheduleRow | None) -> Schedule | None:
    """What *row* says, if it is still in force and can be read."""
    if row is None or row.state == "retired":
        return None
    try:
        return from_config(row.config_json)
    except LsmError:
        return None


def named(name: str, rows: Sequence[ScheduleRow]) -> ScheduleRow:
    """The row that *name* means: its id, its key, or the beginning of its id and of no other's.

    Raises:
        NotFoundError: none.
        InvalidError: several; names them.
    """
    living = [row for row in rows if row.state != "retired" and row.source != "manual"]
    for choice in (living, rows):
        for meant in (
            [row for row in choice if row.schedule_id == name],
            [row for row in choice if _key(row) == name],
            [row for row in choice if _begins(row.schedule_id, name)],
        ):
            if len(meant) == 1:
                return meant[0]
            if meant:
                ids = ", ".join(row.schedule_id for row in meant[:_NAMED])
                more = " ..." if len(meant) > _NAMED else ""
                raise InvalidError(name, f"may be {ids}{more}; write more of it")
    raise NotFoundError("schedule", name)


def _check_choice(name: str, wanted: object) -> None:
    choices = _CHOICES.get(name, ())
    if choices and wanted is not None and wanted not in choices:
        listed = f"{', '.join(choices[:-1])} and {choices[-1]}"
        raise InvalidError(name.replace("_", "-"), f"{wanted!r} is none of {listed}")


def _key(row: ScheduleRow) -> str | None:
    """Also of one that has ended: its history is looked for by the name it had."""
    try:
        return from_config(row.config_json).key
    except LsmError:
        return None


def _begins(schedule_id: str, name: str) -> bool:
    if not name:
        return False
    digits = schedule_id.rpartition(":")[2]
    return schedule_id.startswith(name) or (len(name) >= _SHORTEST and digits.startswith(name))
