"""A writer that waits for another process looks often, and not for ever."""

from __future__ import annotations

import pytest

from lsm.db import sqlite_waiting
from lsm.db.sqlite_waiting import Waiting


class Clock:
    """Passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(sqlite_waiting, "time", clock)
    return clock


def test_it_looks_again_within_milliseconds_however_long_it_has_waited(clock: Clock) -> None:
    waiting = Waiting(10_000)
    looks = 0

    while waiting(looks):
        looks += 1

    assert max(clock.pauses) <= 0.003
    assert sum(clock.pauses) == pytest.approx(10, abs=0.01)


def test_each_wait_has_its_own_end(clock: Clock) -> None:
    waiting = Waiting(50)
    clock.now += 3600

    first, later = waiting(0), waiting(1)
    clock.now += 3600
    given_up, anew = waiting(2), waiting(0)

    assert (first, later, given_up, anew) == (True, True, False, True)
