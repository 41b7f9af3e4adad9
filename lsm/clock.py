"""The only module that asks the machine what time it is."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns an aware datetime in UTC."""

_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
_WITHOUT_OFFSET = len("2026-01-01T12:00:00.000000")


def utc_now() -> datetime:
    """The current instant, aware, in UTC."""
    return datetime.now(UTC)


def to_text(instant: datetime) -> str:
    """*instant* (aware) as 27 characters, ``2026-01-01T12:00:00.000000Z``.

    The width is fixed, so the order of texts is the order of instants on both engines.
    """
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no time zone")
    utc = instant if instant.tzinfo is UTC else instant.astimezone(UTC)
    # Not strftime: its %Y does not pad years below 1000 on every platform.
    return utc.isoformat(timespec="microseconds")[:_WITHOUT_OFFSET] + "Z"


def from_text(text: str) -> datetime:
    """The instant that `to_text` wrote."""
    return datetime.strptime(text, _FORMAT).replace(tzinfo=UTC)
