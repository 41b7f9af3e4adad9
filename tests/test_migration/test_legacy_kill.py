"""Killed anywhere and run again, an import is complete, and nothing is there twice."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lsm.app import Mind
from tests.test_migration.moving import bring, stored, table
from tests.test_migration.old_home import OldHome, entry, fingerprint, memory, schedule
from tests.test_migration.test_legacy_homes import fresh

if TYPE_CHECKING:
    from lsm.migration.legacy.report import Report

ROOT = Path(__file__).parents[2]
CHILD = Path(__file__).parent / "killed.py"
MEMORIES = 600  # two batches
# What differs from run to run, and says nothing of what was taken over.
_ANY = {
    "imported_at", "verified_at", "changed_at", "updated_at", "quarantined_at", "created_at",
    "anchor_at", "database_id", "value",
}  # fmt: skip


@pytest.mark.parametrize(
    ("point", "number"),
    [
        ("migrate.record", 1),
        ("migrate.record", 501),
        ("migrate.batch", 1),
        ("migrate.batch", 2),
        ("migrate.batch_done", 3),
        ("migrate.before_verify", 1),
        ("migrate.before_finish", 1),
    ],
)
def test_an_import_that_was_killed_is_completed_by_the_next(
    tmp_path: Path, sqlite_template: Path, point: str, number: int
) -> None:
    old = home_at(tmp_path)
    with fresh(tmp_path, sqlite_template) as mind:
        database = mind.db.url
    before = fingerprint(old.root)

    assert kill(database, old, point, number) == -9
    with Mind(str(tmp_path / "home"), database) as mind:
        report = bring(mind, old)
        check_complete(mind, report)

    assert fingerprint(old.root) == before


def test_an_import_into_a_server_that_was_killed_is_completed_by_the_next(
    tmp_path: Path, postgres_url: str
) -> None:
    old = home_at(tmp_path)

    assert kill(postgres_url, old, "migrate.batch_done", 1) == -9
    with Mind(str(tmp_path / "home"), postgres_url) as mind:
        report = bring(mind, old)
        check_complete(mind, report)
        assert report.kinds["memories"].identical == 500


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_an_import_that_is_killed_time_and_again_is_completed_in_the_end(
    tmp_path: Path, sqlite_template: Path, seed: int
) -> None:
    choice = random.Random(seed)
    old = home_at(tmp_path)
    with fresh(tmp_path / "whole", sqlite_template) as mind:
        bring(mind, old)
        whole = plain(mind)
    with fresh(tmp_path, sqlite_template) as mind:
        database = mind.db.url

    kills = [kill(database, old, "any", choice.randrange(1, 1000)) for _ in range(10)]
    with Mind(str(tmp_path / "home"), database) as mind:
        report = bring(mind, old)
        check_complete(mind, report)
        assert plain(mind) == whole

    assert -9 in kills


def home_at(folder: Path) -> OldHome:
    old = OldHome(folder / "Local Second Mind")
    old.root.mkdir()
    old.remember(*(memory(number) for number in range(MEMORIES)))
    old.write_manifest({f"/no such/{number}": entry() for number in range(200)})
    old.write_schedules(schedule(0), schedule(1), schedule(2, "research"))
    old.write_answer("arxiv", "a")
    return old


def kill(database: str, old: OldHome, point: str, number: int) -> int:
    """The exit status of an import that kills itself; 0 if it did not get that far."""
    command = [sys.executable, CHILD, database, old.root, point, str(number)]
    done = subprocess.run(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, check=False)
    return done.returncode


def check_complete(mind: Mind, report: Report) -> None:
    kinds = report.kinds
    assert report.verified
    assert kinds["memories"].imported + kinds["memories"].identical == MEMORIES
    assert len(table(mind, "lsm_agent_memories")) == MEMORIES
    assert len(table(mind, "lsm_agent_memory_candidates")) == MEMORIES
    assert len(table(mind, "lsm_memory_revisions")) == MEMORIES
    assert len(table(mind, "lsm_manifest")) == 200
    assert len(table(mind, "lsm_agent_schedules")) == 3
    assert mind.engine_problems() == []


def plain(mind: Mind) -> dict[str, list[dict[str, object]]]:
    """All tables, without what time and chance have put there."""
    return {
        name: [{n: v for n, v in row.items() if n not in _ANY} for row in rows]
        for name, rows in stored(mind).items()
        if name != "lsm_meta"
    }
