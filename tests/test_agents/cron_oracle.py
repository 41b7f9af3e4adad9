"""The cron rules, applied to every minute in turn: slow, plain, and nothing of `lsm.agents.cron`.

A walk is what the wall clock of a zone shows at every UTC minute. Each expression is then read
afresh from its text for every date and time that the clock shows. Months and weekdays are numbers.
"""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

_WARM_UP = timedelta(hours=27)  # longer than any clock was ever set back


class Minute(NamedTuple):
    """One real minute."""

    at: datetime  # UTC
    wall: datetime  # naive, what the clock shows
    time: int  # the same, in minutes of the day
    again: bool  # the clock has shown it before
    left_out: tuple[datetime, ...]  # naive, what the clock jumped over on its way here


def walk(zone: str, start: datetime, length: timedelta) -> list[Minute]:
    """Every minute from *start* (UTC, a full minute) for *length*, in *zone*."""
    minute, here = timedelta(minutes=1), ZoneInfo(zone)
    at, end = start - _WARM_UP, start + length
    latest = at.astimezone(here).replace(tzinfo=None, fold=0)
    before = latest - minute
    minutes: list[Minute] = []
    while at < end:
        wall = at.astimezone(here).replace(tzinfo=None, fold=0)
        left_out: tuple[datetime, ...] = ()
        if wall - before > minute:
            skipped = (wall - before) // minute - 1
            left_out = tuple(before + minute * (number + 1) for number in range(skipped))
        minutes.append(Minute(at, wall, wall.hour * 60 + wall.minute, wall < latest, left_out))
        latest = max(latest, wall + minute)
        before = wall
        at += minute
    return [each for each in minutes if each.at >= start]


def fires(expr: str, minutes: list[Minute]) -> list[datetime]:
    """The instants of the walk at which *expr* fires."""
    minute, hour, *days = expr.split()
    hours = [h for h in range(24) if _holds(hour, h, 0, 23)]
    times = {h * 60 + m for m in range(60) if _holds(minute, m, 0, 59) for h in hours}
    wildcard = minute.startswith("*") or hour.startswith("*")

    def matches(wall: datetime) -> bool:
        return wall.hour * 60 + wall.minute in times and _is_day(*days, wall.date())

    found: list[datetime] = []
    for each in minutes:
        due = each.time in times and _is_day(*days, each.wall.date())
        if not wildcard:
            made_up = len(each.left_out) < 180 and any(matches(wall) for wall in each.left_out)
            due = made_up or (due and not each.again)
        if due:
            found.append(each.at)
    return found


@cache
def _is_day(day_of_month: str, month: str, day_of_week: str, on: date) -> bool:
    if not _holds(month, on.month, 1, 12):
        return False
    by_date = any(_is_day_of_month(item, on) for item in day_of_month.split(","))
    by_week = any(_is_day_of_week(item, on) for item in day_of_week.split(","))
    if day_of_month.startswith("*") or day_of_week.startswith("*"):
        return by_date and by_week
    return by_date or by_week


def _is_day_of_month(item: str, on: date) -> bool:
    rest = [on + timedelta(days=ahead) for ahead in range(1, 32)]
    rest = [day for day in rest if day.month == on.month and day > on]
    if item == "L":
        return not rest
    if item == "LW":
        return on.isoweekday() <= 5 and all(day.isoweekday() > 5 for day in rest)
    return _holds(item, on.day, 1, 31)


def _is_day_of_week(item: str, on: date) -> bool:
    if item.endswith("L"):
        last = (on + timedelta(days=7)).month != on.month
        return last and on.isoweekday() % 7 == int(item[:-1]) % 7
    if "#" in item:
        weekday, nth = item.split("#")
        return on.isoweekday() % 7 == int(weekday) % 7 and (on.day + 6) // 7 == int(nth)
    # Sunday is both 0 and 7; a step of the whole week counts from 0.
    numbers = {on.isoweekday() % 7}
    if not item.startswith("*"):
        numbers.add(on.isoweekday())
    return any(_holds(item, number, 0, 7) for number in numbers)


def _holds(field: str, value: int, low: int, high: int) -> bool:
    for item in field.split(","):
        span, _, step = item.partition("/")
        first, _, last = span.partition("-")
        begin = low if first == "*" else int(first)
        end = int(last) if last else (high if first == "*" or step else begin)
        if begin <= value <= end and (value - begin) % int(step or 1) == 0:
            return True
    return False


def utc(text: str) -> datetime:
    """An ISO date or time without zone, as that UTC instant."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
