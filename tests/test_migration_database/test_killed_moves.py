"""Killed anywhere, a move goes on; two at once are one too many."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lsm.db import open_database
from lsm.errors import BusyError
from lsm.migration.database.moving import Move
from tests.test_migration_database.test_moving import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.test_migration_database.conftest import Lived

ROOT = Path(__file__).parents[2]
# In the order of the move: some batches in, before a commit, at the columns that point back, ...
MOMENTS = ("copying:1", "mark:2", "copying:4", "mark:9", "indexing:1", "verifying:3")


@pytest.mark.parametrize(("before", "after"), [("sqlite", "postgres"), ("postgres", "sqlite")])
def test_a_move_that_is_killed_again_and_again_arrives_whole(
    lived: Lived, move: Callable[[str, str], str], place: Callable[[str], str], before: str,
    after: str,
) -> None:  # fmt: skip
    source = str(lived.database) if before == "sqlite" else move(str(lived.database), before)
    target = place(after)

    *opened, verified, resumed, left, arrived = child("kill", source, target, *MOMENTS)

    assert opened == ["UnfinishedError"] * len(MOMENTS)
    assert (verified, resumed) == ("True", "True")
    assert left == arrived == lived.digest
    assert leftovers(target) == []


@pytest.mark.long
@pytest.mark.parametrize("after", ["sqlite", "postgres"])
@pytest.mark.parametrize("stage", ["copying", "mark"])
def test_a_move_that_is_killed_at_each_of_its_steps_arrives_whole(
    lived: Lived, place: Callable[[str], str], stage: str, after: str
) -> None:
    # Each run dies at its second step, one further than the one before, until none is left.
    *opened, verified, _, left, arrived = child(
        "kill", str(lived.database), place(after), *([f"{stage}:2"] * 40)
    )

    assert opened.count("UnfinishedError") > 15
    assert verified == "True"
    assert left == arrived == lived.digest


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_a_second_mover_is_refused(lived: Lived, place: Callable[[str], str], engine: str) -> None:
    target = place(engine)
    command = [*COMMAND, "hold", str(lived.database), target]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:
        assert first.stdout is not None
        assert json.loads(first.stdout.readline()) == ["in the middle"]

        with open_database(str(lived.database)) as db, pytest.raises(BusyError, match="moving"):
            Move(db, target).apply()

        out, _ = first.communicate(b"", timeout=60)
    assert json.loads(out) == ["True"]
    assert digest_of(target) == lived.digest


COMMAND = (sys.executable, "-m", "tests.test_migration_database.child")


def child(*arguments: str) -> list[str]:
    done = subprocess.run([*COMMAND, *arguments], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def leftovers(target: str) -> list[str]:
    """Files beside a SQLite target that only a move in progress has."""
    return [target + ".moving"] if os.path.exists(target + ".moving") else []
