"""Dates as people type them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from lsm.errors import InvalidError
from lsm.query.when import beginning, end

if TYPE_CHECKING:
    from collections.abc import Iterator


def noon() -> datetime:
    return datetime(2026, 3, 29, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-03-01", "2026-02-28T23:00:00.000000Z", "2026-03-01T22:59:59.999999Z"),
        ("2026-07-01", "2026-06-30T22:00:00.000000Z", "2026-07-01T21:59:59.999999Z"),
        # The clocks go forward that day, which has 23 hours.
        ("2026-03-29", "2026-03-28T23:00:00.000000Z", "2026-03-29T21:59:59.999999Z"),
        ("20260301", "2026-02-28T23:00:00.000000Z", "2026-03-01T22:59:59.999999Z"),
        ("2026-03-01T09:00", *["2026-03-01T08:00:00.000000Z"] * 2),
        (" 2026-03-01T09:00Z ", *["2026-03-01T09:00:00.000000Z"] * 2),
        ("2026-03-01 09:00+05:30", *["2026-03-01T03:30:00.000000Z"] * 2),
        ("12h", *["2026-03-29T00:00:00.000000Z"] * 2),
        ("7d", *["2026-03-22T12:00:00.000000Z"] * 2),
        ("2 w", *["2026-03-15T12:00:00.000000Z"] * 2),
        ("1mo", *["2026-02-27T12:00:00.000000Z"] * 2),
        ("1y", *["2025-03-29T12:00:00.000000Z"] * 2),
    ],
)
def test_a_date_is_a_day_and_all_else_an_instant(text: str, first: str, last: str) -> None:
    assert beginning(text, "since", noon) == first
    assert end(text, "as-of", noon) == last


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-02-30", "2026-13-01", "7", "-7d", "7 days", "1e3d", "99999y",
     "0001-01-01", "9999-12-31T23:59-12:00", "10000-01-01", "2026-03-01T25:00", "\u0967d"],
)  # fmt: skip
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    for read in (beginning, end):
        with pytest.raises(InvalidError, match=r"since: .* is not a date; write 2026-03-01"):
            read(text, "since", noon)
