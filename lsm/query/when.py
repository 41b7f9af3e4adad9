"""Dates and versions as people type them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lsm.clock import to_text
from lsm.errors import InvalidError

if TYPE_CHECKING:
    from lsm.clock import Clock

_AGO = re.compile(r"([0-9]{1,5})\s*(h|d|w|mo|y)")
_UNITS = {
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "mo": timedelta(days=30),
    "y": timedelta(days=365),
}


def beginning(text: str, name: str, clock: Clock) -> str:
    """The first instant *text* can mean: of ``2026-03-01`` its midnight, in local time.

    Args:
        text: a date, a date and time (local unless it names an offset), or ``7d``: so long ago.
        name: of the option, for the error.
        clock: what ``7d`` is counted from.

    Raises:
        InvalidError: it is none of these.
    """
    return _instant(text, name, clock, timedelta(0))


def end(text: str, name: str, clock: Clock) -> str:
    """The last instant *text* can mean: of ``2026-03-01`` the end of that day, in local time.

    Raises:
        InvalidError: it is no date.
    """
    return _instant(text, name, clock, timedelta(days=1) - timedelta(microseconds=1))


def _instant(text: str, name: str, clock: Clock, of_day: timedelta) -> str:
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago:
            return to_text(clock() - int(ago[1]) * _UNITS[ago[2]])
        moment = datetime.fromisoformat(text.strip())
        if len(text.strip()) <= len("2026-03-01"):
            moment += of_day
        return to_text(moment.astimezone(UTC))
    except (ValueError, OverflowError) as error:
        raise InvalidError(
            name, f"{text!r} is not a date; write 2026-03-01, 2026-03-01T09:00 or 7d"
        ) from error
