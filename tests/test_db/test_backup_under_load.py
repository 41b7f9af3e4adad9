"""Backups taken while others write: each is one moment, and restores to a sound database."""

from __future__ import annotations

import os
import queue
import random
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from lsm.db import open_as_it_is, open_database
from lsm.db.backup import back_up
from lsm.db.restore import restore
from lsm.doctor import diagnose_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCOPES = ("one", "two")


class Writer:
    """A process that remembers numbered facts, and how many it says are on the disk."""

    def __init__(self, path: str, scope: str) -> None:
        self._process = subprocess.Popen(
            (sys.executable, "-m", "tests.test_db.restoring", "remember", path, scope),
            stdout=subprocess.PIPE,
            text=True,
        )
        self.scope = scope
        self.acknowledged = 0
        self._first: queue.Queue[int] = queue.Queue()
        self._reader = threading.Thread(target=self._listen)
        self._reader.start()
        self._first.get(timeout=60)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.acknowledged = int(line)
            self._first.put(1)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture
def writers(sqlite_url: str) -> Iterator[list[Writer]]:
    started = [Writer(sqlite_url, scope) for scope in SCOPES]
    yield started
    for writer in started:
        writer.end()


def test_backups_under_load_are_each_one_moment(
    sqlite_url: str, tmp_path: Path, writers: list[Writer]
) -> None:
    take(8, sqlite_url, tmp_path, writers)


@pytest.mark.long
def test_two_hundred_backups_under_load_are_each_one_moment(
    sqlite_url: str, tmp_path: Path, writers: list[Writer]
) -> None:
    take(200, sqlite_url, tmp_path, writers)


def take(count: int, url: str, folder: Path, writers: list[Writer]) -> None:
    dice = random.Random(7)
    seen: list[tuple[int, ...]] = []
    for turn in range(count):
        before = [writer.acknowledged for writer in writers]
        with open_database(url) as db:
            made = back_up(db, str(folder / f"{turn}.db"))
        time.sleep(0.05)  # for what is on the disk to be told
        after = [writer.acknowledged for writer in writers]
        home = folder / f"home-{turn}"
        restore(str(home / "lsm.db"), made.file)
        numbers = [facts(str(home / "lsm.db"), writer.scope) for writer in writers]
        # One more than was told may be on the disk already.
        for least, number, most in zip(before, numbers, after, strict=True):
            assert least <= number <= most + 1
        diagnosis = diagnose_database(str(home))
        assert diagnosis.ok, diagnosis
        seen.append(tuple(numbers))
        os.unlink(made.file)
        time.sleep(dice.uniform(0, 0.05))
    assert len(set(seen)) > count // 2  # they did write meanwhile


def facts(path: str, scope: str) -> int:
    """How many facts there are; they must be the first ones, each with all that belongs to it."""
    with open_as_it_is(path) as db:
        found = db.tuples(
            "SELECT text FROM lsm_agent_memories WHERE scope = :scope ORDER BY number", scope=scope
        )
        markers = db.tuples(
            "SELECT count(*) FROM lsm_meta WHERE substr(key, 1, :n) = :scope",
            scope=f"{scope}-",
            n=len(scope) + 1,
        )
    assert found == [(f"fact {n} of {scope}",) for n in range(1, len(found) + 1)]
    assert markers == [(len(found),)]
    return len(found)
