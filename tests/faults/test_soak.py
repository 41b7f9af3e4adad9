"""Normal use by many at once: nobody is ever told that the database is busy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lsm.db import sqlite
from tests.faults.soak import soak

if TYPE_CHECKING:
    from pathlib import Path


def test_everybody_at_once_and_nobody_is_told_to_wait(sqlite_url: str, tmp_path: Path) -> None:
    report = soak(tmp_path, sqlite_url, 7)

    assert report.errors == []
    assert {"search", "memory", "scheduler", "lsm ingest", "mcp search"} <= set(report.done)


def test_a_program_that_does_not_wait_its_turn_is_caught(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_MS", 0)

    report = soak(tmp_path, sqlite_url, 5)

    assert any(error.startswith("memory: BusyError") for error in report.errors)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_everybody_at_once_for_ten_minutes(database_url: str, tmp_path: Path) -> None:
    report = soak(tmp_path, database_url, 600)

    assert report.errors == []
