"""What the clocks of a time zone do, as stretches of constant offset.

Instants are integer seconds, ``date.toordinal() * 86400 + second of the UTC day``: two aware
datetimes of one zone compare by wall time in Python, integers cannot.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from lsm.errors import InvalidError

DAY = 86_400
"""Seconds of a UTC day."""

# The offset of a zone is asked two days back and its wall clock runs up to a day ahead.
FIRST, LAST = 4, date.max.toordinal() - 2
"""The UTC days that `stretches` answers for, as ordinals."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Part of a UTC day, [start, end), in which wall time is ``instant + offset``. All seconds."""

    start: int
    end: int
    offset: int
    came_from: int | None  # if the clocks are set at start: the wall time they would have shown
    shown: int  # wall times before this were shown once already


def find_zone(tz: str | ZoneInfo) -> ZoneInfo:
    """The zone called *tz*.

    Raises:
        InvalidError: there is none of that name; it names the nearest.
    """
    if isinstance(tz, ZoneInfo):
        return tz
    try:
        return ZoneInfo(tz)
    except (ValueError, OSError, KeyError) as error:
        # Not only KeyError: "America" is a directory, "../x" and "\0" are ValueErrors.
        raise InvalidError(f"time zone {tz[:80]!r}", f"not known; {_nearest(tz)}") from error


def _nearest(name: str) -> str:
    zones = sorted(available_timezones())
    if not zones:
        return "no time zone database is installed: pip install tzdata"
    wanted = name[:80].strip().lower().replace(" ", "_")
    for zone in zones:
        if wanted in {zone.lower(), zone.lower().rpartition("/")[2]}:
            return f"did you mean {zone}?"
    by_text = {zone.lower(): zone for zone in zones}
    by_text |= {zone.lower().rpartition("/")[2]: zone for zone in zones if "/" in zone}
    near = get_close_matches(wanted, by_text, 1, 0.5)
    return f"did you mean {by_text[near[0]]}?" if near else "use a name such as Europe/Berlin"


def to_instant(moment: datetime) -> int:
    """*moment*, aware, rounded down to the second."""
    offset = moment.utcoffset()
    if offset is None:
        raise ValueError(f"{moment} has no time zone")
    # Integers, not astimezone(UTC), which overflows in the first and last year.
    seconds = (moment.hour * 60 + moment.minute) * 60 + moment.second
    return moment.toordinal() * DAY + seconds - offset // timedelta(seconds=1)


def to_datetime(instant: int, zone: ZoneInfo) -> datetime:
    """*instant* in *zone*, aware, with the right fold."""
    day, second = divmod(instant, DAY)
    hours, rest = divmod(second, 3600)
    # Half the cost of adding a timedelta, and every instant found goes through here.
    on = date.fromordinal(day)
    utc = datetime(on.year, on.month, on.day, hours, rest // 60, rest % 60, tzinfo=UTC)
    return utc.astimezone(zone)


@lru_cache(maxsize=16_384)
def stretches(zone: ZoneInfo, day: int) -> tuple[Stretch, ...]:
    """The stretches of the UTC day with ordinal *day*, from `FIRST` to `LAST`, in order.

    One, and no search, unless the clocks are set on that day. A change of the day before still
    counts for `Stretch.shown`: its second pass may reach past midnight.
    """
    midnight, end = day * DAY, (day + 1) * DAY
    begin = midnight - DAY
    offset = _final_offset(zone, day - 2)
    came_from, shown = None, begin + offset
    found: list[Stretch] = []
    for change in (*_changes(zone, day - 1), *_changes(zone, day)):
        found.append(Stretch(begin, change, offset, came_from, shown))
        came_from = change + offset
        shown = max(shown, came_from)
        begin, offset = change, _offset(zone, change)
    found.append(Stretch(begin, end, offset, came_from, shown))
    return tuple(
        part
        if part.start >= midnight
        else Stretch(midnight, part.end, part.offset, None, part.shown)
        for part in found
        if part.end > midnight
    )


@lru_cache(maxsize=16_384)
def _final_offset(zone: ZoneInfo, day: int) -> int:
    return _offset(zone, (day + 1) * DAY - 1)


def _changes(zone: ZoneInfo, day: int) -> list[int]:
    """The first instants of another offset within the UTC day."""
    low, high = day * DAY - 1, (day + 1) * DAY - 1
    before, after = _final_offset(zone, day - 1), _final_offset(zone, day)
    found: list[int] = []
    while before != after:
        same, other = low, high
        while other - same > 1:
            middle = (same + other) // 2
            if _offset(zone, middle) == before:
                same = middle
            else:
                other = middle
        found.append(other)
        low, before = other, _offset(zone, other)
    return found


def _offset(zone: ZoneInfo, instant: int) -> int:
    """Seconds east of UTC at *instant*."""
    offset = to_datetime(instant, zone).utcoffset()
    assert offset is not None  # noqa: S101 - a ZoneInfo always has one
    return offset // timedelta(seconds=1)
