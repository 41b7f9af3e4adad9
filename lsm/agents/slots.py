"""The instants at which a trigger is due: arithmetic, never a list of what was missed.

A slot is the nominal instant, a pure function of trigger, anchor and the time zone database.
Jitter moves when the slot's run may start, never the slot.
"""

from __future__ import annotations

import hashlib
import os
import sys
import zoneinfo
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from lsm.agents.cron import CronError, count, next_fires, prev_or_equal
from lsm.agents.schedules import CronTime, Every, Once
from lsm.clock import to_text

if TYPE_CHECKING:
    from lsm.agents.schedules import Trigger

TICK = timedelta(microseconds=1)


def next_slot(trigger: Trigger, anchor: datetime, after: datetime) -> datetime | None:
    """The first slot strictly after *after*, in UTC; None if none follows.

    Args:
        trigger: what to compute.
        anchor: where an interval is counted from; its first slot is one interval later.
        after: aware.
    """
    match trigger:
        case Every(every_s=seconds):
            step = timedelta(seconds=seconds)
            return anchor + max((after - anchor) // step + 1, 1) * step
        case CronTime(expr=expr, tz=tz):
            try:
                fires = next_fires(expr, tz, after, 1)
            except CronError:
                return None  # the calendar of its zone is over
            return fires[0].astimezone(UTC)
        case Once(at=at):
            instant = datetime.fromisoformat(at)
            return instant if instant > after else None
        case _:
            return None


def last_slot(trigger: Trigger, anchor: datetime, upto: datetime) -> datetime | None:
    """The last slot at or before *upto*, in UTC; None if there was none."""
    match trigger:
        case Every(every_s=seconds):
            step = timedelta(seconds=seconds)
            passed = (upto - anchor) // step
            return anchor + passed * step if passed >= 1 else None
        case CronTime(expr=expr, tz=tz):
            fired = prev_or_equal(expr, tz, upto)
            return None if fired is None else fired.astimezone(UTC)
        case Once(at=at):
            instant = datetime.fromisoformat(at)
            return instant if instant <= upto else None
        case _:
            return None


def count_slots(trigger: Trigger, anchor: datetime, first: datetime, last: datetime) -> int:
    """How many slots lie in [*first*, *last*]."""
    match trigger:
        case Every(every_s=seconds):
            step = timedelta(seconds=seconds)
            before = max((first - TICK - anchor) // step, 0)
            return max((last - anchor) // step - before, 0)
        case CronTime(expr=expr, tz=tz):
            return count(expr, tz, first - TICK, last, sys.maxsize)
        case _:
            only = last_slot(trigger, anchor, last)
            return int(only is not None and only >= first)


def newest_slots(
    trigger: Trigger, anchor: datetime, first: datetime, last: datetime, most: int
) -> list[datetime]:
    """The newest slots in [*first*, *last*], at most *most*, oldest first."""
    found: list[datetime] = []
    slot = last_slot(trigger, anchor, last)
    while slot is not None and slot >= first and len(found) < most:
        found.append(slot)
        slot = last_slot(trigger, anchor, slot - TICK)
    return found[::-1]


def run_time(
    schedule_id: str, slot: datetime, following: datetime | None, jitter_s: int
) -> datetime:
    """When the run of *slot* becomes due: jitter later, at most half way to *following*.

    The same in every process, in a preview and after a restart.
    """
    if not jitter_s:
        return slot
    span = timedelta(seconds=jitter_s)
    if following is not None:
        span = min(span, (following - slot) / 2)
    return slot + part_of(span, f"{schedule_id}\0{to_text(slot)}")


def part_of(span: timedelta, seed: str) -> timedelta:
    """A part of *span* in [0, 1), always the same for *seed*; in whole microseconds."""
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big")
    return TICK * ((span // TICK * number) >> 64)


@cache
def zone_release() -> str:
    """Which release of the time zone database this process reads, ``2026b``; "" if unknown."""
    for folder in zoneinfo.TZPATH:
        if not os.path.isdir(folder):
            continue
        for name in ("+VERSION", "tzdata.zi"):
            try:
                with open(os.path.join(folder, name), encoding="ascii") as file:
                    return file.readline().removeprefix("# version").strip()
            except OSError:
                continue
        return ""  # zones come from here, and it does not say which they are
    import tzdata

    return tzdata.IANA_VERSION
