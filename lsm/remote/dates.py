"""Dates as strangers write them, as the instants the rest of lsm knows."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lsm.clock import to_text, utc_now

if TYPE_CHECKING:
    from collections.abc import Sequence

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"
_PARTIAL = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?\Z")
_EARLIEST = 1000
# Journals print next year's dates; anything beyond is an error, and would stay on top for ever.
_AHEAD = timedelta(days=2 * 366)


def from_iso(text: str | None) -> str | None:
    """The instant in an ISO 8601 date or time, or in a bare year or month; None if there is none.

    A time without a zone is taken as UTC.
    """
    text = (text or "").strip()
    if match := _PARTIAL.match(text):
        return from_parts([int(part) for part in match.groups() if part])
    try:
        instant = datetime.fromisoformat(text[:40])
    except ValueError:
        return None
    return _checked(instant)


def from_parts(parts: Sequence[int | None] | None) -> str | None:
    """The first instant of a year, of a month or of a day, as in ``[2026, 3, 1]``."""
    numbers = [part for part in (parts or []) if part is not None]
    if not numbers:
        return None
    year, month, day = (*numbers[:3], 1, 1)[:3]
    try:
        return _checked(datetime(year, month, day, tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def month_number(text: str | None) -> int | None:
    """1 to 12 from ``3``, ``03``, ``Mar`` or ``March``; None if it is none of them."""
    text = (text or "").strip().lower()
    if text.isdecimal() and text.isascii():
        return int(text[:4])
    place = _MONTHS.find(text[:3]) if len(text) >= 3 and text.isalpha() else -1
    return place // 4 + 1 if place >= 0 else None


def _checked(instant: datetime) -> str | None:
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    try:
        instant = instant.astimezone(UTC)
    except OverflowError:  # the last hours of the year 9999, elsewhere
        return None
    known = instant.year >= _EARLIEST and instant <= utc_now() + _AHEAD
    return to_text(instant) if known else None
