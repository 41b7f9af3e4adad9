"""Processes die while four of them write: what they had acknowledged is there, whole, and once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from lsm.selftest.kills import kill_again_and_again

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")


def test_sudden_deaths_lose_nothing_that_was_acknowledged(
    database_url: str, tmp_path: Path
) -> None:
    tally = kill_again_and_again(str(tmp_path), database_url, 6, 1, nothing)

    assert tally.problems == []
    assert tally.acknowledged > 20


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_thousand_sudden_deaths_lose_nothing(database_url: str, tmp_path: Path) -> None:
    tally = kill_again_and_again(str(tmp_path), database_url, 1000, 2, nothing)

    assert tally.problems == []


def nothing() -> None: ...
