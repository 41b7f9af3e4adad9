"""A parsed cron expression and what it says of wall clocks, which know no zone.

A wall minute is ``date.toordinal() * 1440 + minute of the day``: an integer, so that a search
is arithmetic and bisection, and nothing walks minute by minute.
"""

from bisect import bisect_left, bisect_right
from calendar import monthrange
from dataclasses import dataclass, field
from datetime import MAXYEAR, MINYEAR, date
from functools import lru_cache

DAY = 1440
"""Minutes of a wall clock's day."""

LAST_DAY = -1
"""``L`` among `Cron.days`; with a weekday in `Cron.nth`, the last one of the month."""

LAST_WORKDAY = -2
"""``LW`` among `Cron.days`: the last Monday to Friday of the month."""


@dataclass(frozen=True, slots=True)
class Cron:
    """When an expression matches. Two are equal if their canonical spellings are."""

    fields: tuple[str, ...]  # the five, canonical: hash these, joined by one blank
    minutes: tuple[int, ...] = field(compare=False)  # sorted, 0 to 59
    hours: tuple[int, ...] = field(compare=False)  # sorted, 0 to 23
    days: frozenset[int] = field(compare=False)  # 1 to 31, LAST_DAY, LAST_WORKDAY
    months: tuple[int, ...] = field(compare=False)  # sorted, 1 to 12
    weekdays: frozenset[int] = field(compare=False)  # 0 (Sunday) to 6
    nth: frozenset[tuple[int, int]] = field(compare=False)  # (weekday, 1 to 5 or LAST_DAY)

    @property
    def canonical(self) -> str:
        """The spelling that ids are hashed from: numbers, one blank, no leading zeros."""
        return " ".join(self.fields)

    @property
    def wildcard(self) -> bool:
        """Whether it follows the real minutes through a clock change (rule 1)."""
        return self.fields[0][0] == "*" or self.fields[1][0] == "*"

    @property
    def both_days(self) -> bool:
        """Whether a day must match both day fields, not just either (rule 4)."""
        return self.fields[2][0] == "*" or self.fields[4][0] == "*"

    def days_in(self, year: int, month: int) -> tuple[int, ...]:
        """The matching dates of that month as sorted ordinals."""
        return _days_in(self, year, month)

    def day_matches(self, day: int) -> tuple[bool, bool]:
        """Whether the ordinal *day* is one by day of month, and whether by day of week."""
        return day in _by_date(self, _month_of(day)), day in _by_week(self, _month_of(day))

    def day_from(self, day: int) -> int | None:
        """The first matching date on or after *day*, both ordinals; None after 9999."""
        start = date.fromordinal(day)
        year, month = start.year, start.month
        while year <= MAXYEAR:
            for candidate in self.months[bisect_left(self.months, month) :]:
                found = _days_in(self, year, candidate)
                index = bisect_left(found, day)
                if index < len(found):
                    return found[index]
            year, month = year + 1, 1
        return None

    def day_upto(self, day: int) -> int | None:
        """The last matching date on or before *day*, both ordinals; None before year 1."""
        start = date.fromordinal(day)
        year, month = start.year, start.month
        while year >= MINYEAR:
            for candidate in reversed(self.months[: bisect_right(self.months, month)]):
                found = _days_in(self, year, candidate)
                index = bisect_right(found, day)
                if index:
                    return found[index - 1]
            year, month = year - 1, 12
        return None

    def first_from(self, minute: int, stop: int) -> int | None:
        """The first matching wall minute in [*minute*, *stop*), or None."""
        day, time = divmod(minute, DAY)
        found = self.day_from(day)
        if found == day:
            late = self._time_from(time)
            if late is not None:
                return day * DAY + late if day * DAY + late < stop else None
            found = self.day_from(day + 1)
        if found is None:
            return None
        wall = found * DAY + self.hours[0] * 60 + self.minutes[0]
        return wall if wall < stop else None

    def last_upto(self, minute: int, floor: int) -> int | None:
        """The last matching wall minute in [*floor*, *minute*], or None."""
        day, time = divmod(minute, DAY)
        found = self.day_upto(day)
        if found == day:
            early = self._time_upto(time)
            if early is not None:
                return day * DAY + early if day * DAY + early >= floor else None
            found = self.day_upto(day - 1)
        if found is None:
            return None
        wall = found * DAY + self.hours[-1] * 60 + self.minutes[-1]
        return wall if wall >= floor else None

    def count_between(self, start: int, stop: int) -> int:
        """How many wall minutes in [*start*, *stop*) match; costs by the day, not the minute."""
        return sum(
            self._times_before(min(stop - day * DAY, DAY))
            - self._times_before(max(start - day * DAY, 0))
            for day in range(start // DAY, (stop - 1) // DAY + 1)
            if self.day_from(day) == day
        )

    def _time_from(self, time: int) -> int | None:
        hour, minute = divmod(time, 60)
        index = bisect_left(self.hours, hour)
        if index < len(self.hours) and self.hours[index] == hour:
            within = bisect_left(self.minutes, minute)
            if within < len(self.minutes):
                return hour * 60 + self.minutes[within]
            index += 1
        return self.hours[index] * 60 + self.minutes[0] if index < len(self.hours) else None

    def _time_upto(self, time: int) -> int | None:
        hour, minute = divmod(time, 60)
        index = bisect_right(self.hours, hour)
        if index and self.hours[index - 1] == hour:
            within = bisect_right(self.minutes, minute)
            if within:
                return hour * 60 + self.minutes[within - 1]
            index -= 1
        return self.hours[index - 1] * 60 + self.minutes[-1] if index else None

    def _times_before(self, time: int) -> int:
        hour, minute = divmod(time, 60)
        index = bisect_left(self.hours, hour)
        count = index * len(self.minutes)
        if index < len(self.hours) and self.hours[index] == hour:
            count += bisect_left(self.minutes, minute)
        return count


# A month of a schedule is asked for many times before the next one is.
@lru_cache(maxsize=16_384)
def _days_in(cron: Cron, year: int, month: int) -> tuple[int, ...]:
    month_days = _month_of(date(year, month, 1).toordinal())
    by_date = _by_date(cron, month_days)
    by_week = _by_week(cron, month_days)
    return tuple(sorted(by_date & by_week if cron.both_days else by_date | by_week))


def _month_of(day: int) -> range:
    """The ordinals of the month that *day* is in."""
    on = date.fromordinal(day)
    first = day - on.day + 1
    return range(first, first + monthrange(on.year, on.month)[1])


def _by_date(cron: Cron, month_days: range) -> set[int]:
    length = len(month_days)
    matching = {month_days[day - 1] for day in cron.days if 0 < day <= length}
    if LAST_DAY in cron.days:
        matching.add(month_days[-1])
    if LAST_WORKDAY in cron.days:
        # Ordinal 1 is a Monday, so ordinal % 7 is cron's weekday: 0 for Sunday.
        matching.add(next(day for day in reversed(month_days) if day % 7 not in {0, 6}))
    return matching


def _by_week(cron: Cron, month_days: range) -> set[int]:
    matching = {day for day in month_days if day % 7 in cron.weekdays}
    for weekday, nth in cron.nth:
        same = [day for day in month_days if day % 7 == weekday]
        if nth <= len(same):
            matching.add(same[-1] if nth == LAST_DAY else same[nth - 1])
    return matching
