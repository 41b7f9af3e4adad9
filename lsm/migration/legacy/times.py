"""The predecessor's ways of writing an instant, as `lsm.clock` writes it."""

from __future__ import annotations

from datetime import UTC, datetime

from lsm.clock import to_text


def instant(text: object) -> str:
    """ISO 8601 with or without fraction, with an offset, ``Z``, or nothing, which was UTC.

    Raises:
        ValueError: it is none, or lies outside of the years 1 to 9999.
    """
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is not a time")  # noqa: TRY004 - told as a wrong value
    try:
        found = datetime.fromisoformat(text.strip())
        aware = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
        return to_text(aware)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is not a time") from error


def instant_or_none(text: object) -> str | None:
    """As `instant`; None is none.

    Raises:
        ValueError: as `instant`.
    """
    return None if text is None else instant(text)


def of_seconds(seconds: object) -> str:
    """Whole seconds since 1970.

    Raises:
        ValueError: not a whole number, or too far away.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        raise ValueError(f"{seconds!r} is not a whole number of seconds")  # noqa: TRY004
    try:
        return to_text(datetime.fromtimestamp(seconds, UTC))
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"{seconds} seconds is not a time") from error
