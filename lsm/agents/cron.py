"""When a cron expression fires in a time zone: a pure function of both and of the zone's rules.

The rules are Debian's, kept in every zone and through every change of the clocks:

1. An expression is *wildcard* if its minute or hour begins with ``*``, otherwise *fixed*.
2. A wildcard one fires at every real minute whose wall clock matches: twice where the clocks
   are set back, not at all where they are set forward.
3. A fixed one fires for the first pass only where the clocks are set back. Times that are left
   out when they are set forward by less than 3 hours are made up, all of them once, at the
   first minute after the gap. A longer jump corrects the clock: nothing is made up.
4. A day must match day of month and day of week if either begins with ``*``, else one of them.

Unlike the daemon, which has to have been running, an instant is over once it is past: asked
within the second pass, the answer is never one that lies in the first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from zoneinfo import ZoneInfo

from lsm.agents.cron_text import CronError, parse
from lsm.agents.cron_wall import Cron
from lsm.agents.cron_zone import DAY, FIRST, LAST, Stretch, find_zone, to_datetime, to_instant
from lsm.agents.cron_zone import stretches as stretches_of

__all__ = [
    "Cron",
    "CronError",
    "Reason",
    "count",
    "explain",
    "find_zone",
    "next_fires",
    "parse",
    "prev_or_equal",
]

_CORRECTION = 3 * 3600
"""Seconds from which on a jump of the clocks is no daylight saving."""

_PATIENCE = 146_097 * DAY
"""400 years, after which the calendar repeats itself: what has not fired by then never will."""

_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an expression fires at an instant, or why it does not although it seems to match."""

    at: datetime  # aware, in the zone asked for
    fires: bool
    why: str  # one line


def next_fires(expr: str | Cron, tz: str | ZoneInfo, after: datetime, n: int) -> list[datetime]:
    """The first *n* instants strictly after *after* (aware), in order, aware in the zone *tz*.

    Fewer only if no more follow: 400 years have none, or the calendar ends with the year 9999.

    Raises:
        CronError: *expr* is wrong or never fires.
        InvalidError: there is no such time zone.
    """
    cron, zone = _read(expr), find_zone(tz)
    if n < 1:
        return []
    instants = islice(_instants(cron, zone, to_instant(after) + 1), n)
    found = [to_datetime(instant, zone) for instant in instants]
    if not found:
        # The clocks of the zone leave its only times out, every time, or the calendar is over.
        problem = f"it never fires in {zone.key} after {after:%Y-%m-%d}"
        raise CronError(cron.canonical, 0, problem, "choose a time that its clocks show")
    return found


def prev_or_equal(expr: str | Cron, tz: str | ZoneInfo, now: datetime) -> datetime | None:
    """The last instant at or before *now* (aware), aware in *tz*; None if 400 years have none.

    Searches backwards from *now*: how long ago the schedule was last looked at costs nothing.

    Raises:
        CronError: *expr* is wrong.
        InvalidError: there is no such time zone.
    """
    cron, zone = _read(expr), find_zone(tz)
    high = to_instant(now)
    for stretch in _stretches_back(cron, zone, high):
        if stretch.end < high - _PATIENCE:
            break
        found = _last(cron, stretch, high)
        if found is not None:
            return to_datetime(found, zone)
    return None


def count(expr: str | Cron, tz: str | ZoneInfo, after: datetime, until: datetime, cap: int) -> int:
    """How many instants lie in (*after*, *until*], at most *cap*. Costs by the day, not by them.

    Raises:
        CronError: *expr* is wrong.
        InvalidError: there is no such time zone.
    """
    cron, zone = _read(expr), find_zone(tz)
    low, high = to_instant(after) + 1, to_instant(until)
    total = 0
    for stretch in _stretches_from(cron, zone, low):
        if stretch.start > high or total >= cap:
            break
        total += _count(cron, stretch, low, high)
    return min(total, cap)


def explain(expr: str | Cron, tz: str | ZoneInfo, after: datetime, n: int) -> list[Reason]:
    """What `next_fires` gives with a reason each, and between them what the clocks left out.

    Raises:
        CronError: *expr* is wrong or never fires.
        InvalidError: there is no such time zone.
    """
    cron, zone = _read(expr), find_zone(tz)
    fires = next_fires(cron, zone, after, n)
    if not fires:
        return []
    low, high = to_instant(after) + 1, to_instant(fires[-1])
    waiting = [to_instant(fire) for fire in reversed(fires)]
    reasons: list[Reason] = []
    for stretch in _stretches_from(cron, zone, low):
        if stretch.start > high:
            break
        reasons += _left_out(cron, zone, stretch, low, high)
        while waiting and waiting[-1] < stretch.end:
            reasons.append(_reason(cron, zone, stretch, waiting.pop()))
    # By instant, not by datetime: two of one zone compare by wall time.
    return sorted(reasons, key=lambda reason: to_instant(reason.at))


def _read(expr: str | Cron) -> Cron:
    return expr if isinstance(expr, Cron) else parse(expr)


def _instants(cron: Cron, zone: ZoneInfo, low: int) -> Iterator[int]:
    """Every instant from *low* on, in order, until 400 years have none."""
    for stretch in _stretches_from(cron, zone, low):
        if stretch.start > low + _PATIENCE:
            return
        while (found := _first(cron, stretch, low)) is not None:
            yield found
            low = found + 1


def _stretches_from(cron: Cron, zone: ZoneInfo, low: int) -> Iterator[Stretch]:
    """In order, the stretches that end after *low* and may hold a matching wall time."""
    day = max(low // DAY, FIRST)
    while day <= LAST:
        for stretch in stretches_of(zone, day):
            if stretch.end > low:
                yield stretch
        # A UTC day shows wall times of its own date and of both neighbours.
        matching = cron.day_from(day)
        if matching is None:
            return
        day = max(day, matching - 2) + 1


def _stretches_back(cron: Cron, zone: ZoneInfo, high: int) -> Iterator[Stretch]:
    """Backwards, the stretches that begin by *high* and may hold a matching wall time."""
    day = min(high // DAY, LAST)
    while day >= FIRST:
        for stretch in reversed(stretches_of(zone, day)):
            if stretch.start <= high:
                yield stretch
        matching = cron.day_upto(day)
        if matching is None:
            return
        day = min(day, matching + 2) - 1


def _walls(cron: Cron, stretch: Stretch, start: int, end: int) -> tuple[int, int]:
    """The wall minutes that can fire within [*start*, *end*) of the stretch, as [first, stop)."""
    first = max(start, stretch.start) + stretch.offset
    if not cron.wildcard:
        first = max(first, stretch.shown)
    return _minute(first), _minute(min(end, stretch.end) + stretch.offset)


def _first(cron: Cron, stretch: Stretch, low: int) -> int | None:
    """The first instant of the stretch that is at *low* or later."""
    made_up = _made_up(cron, stretch)
    if made_up is not None and made_up >= low:
        return made_up
    first, stop = _walls(cron, stretch, low, stretch.end)
    wall = cron.first_from(first, stop) if first < stop else None
    return None if wall is None else wall * 60 - stretch.offset


def _last(cron: Cron, stretch: Stretch, high: int) -> int | None:
    """The last instant of the stretch that is at *high* or earlier."""
    first, stop = _walls(cron, stretch, stretch.start, high + 1)
    wall = cron.last_upto(stop - 1, first) if first < stop else None
    if wall is not None:
        return wall * 60 - stretch.offset
    made_up = _made_up(cron, stretch)
    return made_up if made_up is not None and made_up <= high else None


def _count(cron: Cron, stretch: Stretch, low: int, high: int) -> int:
    """How many instants of the stretch lie in [*low*, *high*]."""
    first, stop = _walls(cron, stretch, low, high + 1)
    total = cron.count_between(first, stop) if first < stop else 0
    made_up = _made_up(cron, stretch)
    if made_up is not None and low <= made_up <= high:
        wall = (made_up + stretch.offset) // 60
        # One run, if the first minute after the gap matches by itself as well.
        total += cron.first_from(wall, wall + 1) is None
    return total


def _made_up(cron: Cron, stretch: Stretch) -> int | None:
    """The first minute after the gap that the stretch begins with, if times are made up there."""
    if cron.wildcard or stretch.came_from is None:
        return None
    shows = stretch.start + stretch.offset
    if not 0 < shows - stretch.came_from < _CORRECTION:
        return None
    if cron.first_from(_minute(stretch.came_from), _minute(shows)) is None:
        return None
    return _minute(shows) * 60 - stretch.offset


def _minute(second: int) -> int:
    """The first full minute at or after the wall time *second*."""
    return -(-second // 60)


def _reason(cron: Cron, zone: ZoneInfo, stretch: Stretch, instant: int) -> Reason:
    at = to_datetime(instant, zone)
    wall = (instant + stretch.offset) // 60
    if instant == _made_up(cron, stretch) and stretch.came_from is not None:
        left_out = _times(cron, _minute(stretch.came_from), wall)
        why = f"made up at the first minute after the gap: the clocks left out {left_out}"
        if cron.first_from(wall, wall + 1) is not None:
            why += f"; one run with the regular {at:%H:%M}"
        return Reason(at, fires=True, why=why)
    return Reason(at, fires=True, why=_match(cron, wall) + _pass(cron, at))


def _match(cron: Cron, wall: int) -> str:
    """Which fields the wall minute satisfies; a field of ``*`` says nothing and is left out."""
    minute, hour, day, month, weekday = cron.fields
    time = f"{_clock(wall)} matches minute {minute} and hour {hour}"
    by_date, by_week = cron.day_matches(wall // 1440)
    fields = [
        f"{name} {text}"
        for name, text, matches in (
            ("month", month, True),
            ("day of month", day, by_date),
            ("day of week", weekday, by_week),
        )
        if matches and text != "*"
    ]
    on = f"{_WEEKDAYS[wall // 1440 % 7]} {date.fromordinal(wall // 1440)}"
    either = "" if by_date and by_week else " (one of the two day fields is enough)"
    return f"{time}; {on} matches {' and '.join(fields) or 'as every day does'}{either}"


def _pass(cron: Cron, at: datetime) -> str:
    """What to add where the clocks are set back and *at*'s wall time comes twice."""
    if at.replace(fold=0).utcoffset() == at.replace(fold=1).utcoffset():
        return ""
    if not cron.wildcard:
        return "; first pass, the second one is left out because minute and hour are fixed"
    which = "second" if at.fold else "first"
    return f"; {which} pass, both count because minute or hour begins with *"


def _left_out(
    cron: Cron, zone: ZoneInfo, stretch: Stretch, low: int, high: int
) -> Iterator[Reason]:
    """Matching times of the wall clock at which nothing fires, by change of the clocks."""
    shows = stretch.start + stretch.offset
    gone = shows if stretch.came_from is None else stretch.came_from
    if gone < shows and stretch.start >= low and _made_up(cron, stretch) is None:
        times = _times(cron, _minute(gone), _minute(shows))
        if times:
            rule = "it follows the real minutes (minute or hour begins with *)"
            if not cron.wildcard:
                rule = f"a jump of {(shows - gone) // 3600} h corrects the clock"
            why = f"the clocks left out {times}; nothing is made up: {rule}"
            yield Reason(to_datetime(stretch.start, zone), fires=False, why=why)
    again = _minute(max(stretch.start, low) + stretch.offset)
    stop = _minute(min(stretch.shown, min(stretch.end, high + 1) + stretch.offset))
    if not cron.wildcard and again < stop:
        first = cron.first_from(again, stop)
        if first is not None:
            why = f"second pass of {_times(cron, again, stop)}: minute and hour are fixed"
            at = to_datetime(first * 60 - stretch.offset, zone)
            yield Reason(at, fires=False, why=f"{why}, the first pass was it")


def _times(cron: Cron, start: int, stop: int) -> str:
    """The matching wall minutes in [*start*, *stop*) in words; empty if there are none."""
    first, last = cron.first_from(start, stop), cron.last_upto(stop - 1, start)
    if first is None or last is None:
        return ""
    shown = f"{date.fromordinal(first // 1440)} {_clock(first)}"
    if first == last:
        return shown
    return f"{shown} to {_clock(last)} ({cron.count_between(start, stop)} times)"


def _clock(wall: int) -> str:
    return f"{wall // 60 % 24:02}:{wall % 60:02}"
