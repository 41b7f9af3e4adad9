"""A full disk: what was committed stays, what was not leaves no trace, and space heals it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lsm.db import open_database
from lsm.errors import DiskFullError

if TYPE_CHECKING:
    from lsm.db import Database

ROOT = Path(__file__).parents[2]
INSERT = "INSERT INTO lsm_meta (key, value) VALUES (:key, :value)"
COUNT = "SELECT count(*) FROM lsm_meta WHERE key LIKE 'k%'"


def test_a_full_database_says_what_to_do_and_keeps_every_commit(sqlite_url: str) -> None:
    with open_database(sqlite_url) as db:
        allow(db, pages=10)
        committed = 0
        with pytest.raises(DiskFullError, match="free some space and run it again"):  # noqa: PT012
            while True:
                with db.transaction():
                    db.run(INSERT, key=f"k{committed}", value="x" * 5000)
                    db.run(INSERT, key=f"k{committed}b", value="y" * 5000)
                committed += 1

        assert committed > 0
        assert db.tuples(COUNT) == [(2 * committed,)]
        assert db.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]

        allow(db, pages=1000)
        db.run(INSERT, key="k after", value="z" * 5000)
        assert db.tuples(COUNT) == [(2 * committed + 1,)]


def test_a_savepoint_that_fills_the_disk_takes_only_itself_back_or_all(sqlite_url: str) -> None:
    with open_database(sqlite_url) as db:
        allow(db, pages=10)
        with pytest.raises(DiskFullError), db.transaction():  # noqa: PT012
            db.run(INSERT, key="k", value="x")
            with db.transaction():
                db.many(INSERT, [{"key": f"k{i}", "value": "x" * 5000} for i in range(100)])

        assert db.tuples(COUNT) == [(0,)]
        assert not db.in_transaction


def test_a_file_that_may_not_grow_is_a_full_disk(sqlite_url: str) -> None:
    """The operating system refuses here, in the middle of a write to the log."""
    limit = 1_000_000
    command = [sys.executable, "-m", "tests.test_db.child", "fill", sqlite_url, str(limit)]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60)

    told, committed, during, after = json.loads(done.stdout)
    assert told.startswith(f"DiskFullError: {sqlite_url}: the disk is full; nothing was changed")
    assert int(committed) > 10
    assert (int(during), int(after)) == (2 * int(committed), 2 * int(committed) + 1)


def allow(db: Database, *, pages: int) -> None:
    """Lets the file grow by so many pages only; SQLite then answers as on a full disk."""
    with db.transaction():
        (count,) = db.tuples("PRAGMA page_count")[0]
        db.tuples(f"PRAGMA max_page_count = {count + pages}")  # pyright: ignore[reportArgumentType]
