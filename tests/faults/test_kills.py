"""Processes die while four of them write: what they had acknowledged is there, whole, and once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from lsm.selftest import kills
from lsm.selftest.kills import ANYWHERE, POINTS, kill_again_and_again

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")


def test_sudden_deaths_lose_nothing_that_was_acknowledged(
    database_url: str, tmp_path: Path
) -> None:
    tally = kill_again_and_again(str(tmp_path), database_url, 6, 1, nothing)

    assert tally.problems == []
    assert tally.acknowledged > 20
    assert tally.reads > 0
    assert sum(tally.deaths.values()) == 6


def test_a_program_that_says_it_is_done_before_it_is_is_caught(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kills, "WORKER", "tests.faults.boasting")

    tally = kill_again_and_again(str(tmp_path), sqlite_url, 6, 1, nothing)

    assert any(problem.startswith("lost:") for problem in tally.problems)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_thousand_sudden_deaths_lose_nothing(database_url: str, tmp_path: Path) -> None:
    tally = kill_again_and_again(str(tmp_path), database_url, 1000, 2, nothing)

    assert tally.problems == []
    assert set(tally.deaths) == {ANYWHERE, *(point for each in POINTS.values() for point in each)}


def nothing() -> None: ...
