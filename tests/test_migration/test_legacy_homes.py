"""Homes by the dozen: nothing is lost, nothing is altered, nothing is there twice."""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from lsm.app import Mind
from tests.test_migration.moving import bring, counts, instant, stored, table
from tests.test_migration.old_home import fingerprint, generate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lsm.migration.legacy.report import Report
    from tests.test_migration.old_home import OldHome, Truth

_STANDING = {
    "promoted": "active",
    "pending": "pending",
    "rejected": "rejected",
    None: "quarantined",
}


@pytest.mark.parametrize("first", range(0, 36, 6))
def test_a_generated_home_comes_in_whole(first: int, tmp_path: Path, sqlite_template: Path) -> None:
    for seed in range(first, first + 6):
        with fresh(tmp_path / str(seed), sqlite_template) as mind:
            check_home(mind, seed, tmp_path / str(seed))


@pytest.mark.parametrize("seed", range(100, 104))
def test_a_generated_home_comes_into_a_server_whole(
    seed: int, postgres_url: str, tmp_path: Path
) -> None:
    with Mind(str(tmp_path / "home"), postgres_url) as mind:
        check_home(mind, seed, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("first", range(1000, 1500, 50))
def test_500_generated_homes_come_in_whole(
    first: int, tmp_path: Path, sqlite_template: Path
) -> None:
    for seed in range(first, first + 50):
        with fresh(tmp_path / str(seed), sqlite_template) as mind:
            check_home(mind, seed, tmp_path / str(seed))
        shutil.rmtree(tmp_path / str(seed))


def check_home(mind: Mind, seed: int, folder: Path) -> None:
    """Try, apply and apply again the home of *seed*, and compare all with what was written."""
    home, truth = generate(seed, folder / "old" / "Local Second Mind")
    if not any(home.root.glob("*/*")):
        return  # nothing but an empty folder
    before, empty = fingerprint(home.root), stored(mind)

    tried = bring(mind, home, apply=False)
    untouched = stored(mind)
    done = bring(mind, home)
    after = stored(mind)
    again = bring(mind, home)

    assert untouched == empty
    assert (tried.kinds, tried.problems, tried.notes) == (done.kinds, done.problems, done.notes)
    assert done.verified
    assert again.verified
    assert stored(mind) == after
    assert fingerprint(home.root) == before
    assert [kind.imported for kind in again.kinds.values()] == [0] * 7
    check_counts(done, home, truth)
    check_memories(mind, home, truth)
    check_files(mind, truth)
    check_others(mind, truth)
    check_originals(mind, home, truth)
    assert mind.manifest_problems() == []


def check_counts(report: Report, home: OldHome, truth: Truth) -> None:
    found = {kind: counts(each) for kind, each in report.kinds.items()}
    of_typed = sum(row["memory_id"] in truth.typed for row in home.candidates)
    assert found["memories"] == some(imported=len(truth.typed), quarantined=len(truth.untyped))
    assert found["candidates"] == some(
        imported=of_typed, quarantined=len(home.candidates) - of_typed
    )
    assert found["schedules"] == some(imported=truth.schedules, quarantined=truth.bad_schedules)
    assert found["manifest"] == some(imported=len(truth.files), quarantined=truth.bad_files)
    assert found["remote_cache"] == some(imported=truth.answers, quarantined=truth.bad_blobs)
    assert found["feeds"] == some(imported=len(truth.feeds))
    told = {(each.kind, each.key) for each in report.problems}
    assert truth.untyped <= {key for kind, key in told if kind == "memories"}


def check_memories(mind: Mind, home: OldHome, truth: Truth) -> None:
    rows = {row["id"]: row for row in table(mind, "lsm_agent_memories")}
    assert rows.keys() == truth.typed.keys()
    for key, was in truth.typed.items():
        row = rows[key]
        assert repr(json.loads(row["value_json"])) == repr(json.loads(was["value_json"]))
        assert json.loads(row["tags_json"]) == json.loads(was["tags_json"])
        same = ("memory_type", "memory_key", "scope", "confidence", "source_run_id")
        assert {name: row[name] for name in same} == {name: was[name] for name in same}
        times = ("created_at", "last_used_at", "expires_at")
        assert {n: row[n] for n in times} == {n: instant(was[n]) for n in times}
        assert row["status"] == _STANDING[truth.statuses[key]]
        assert bool(row["pinned"]) == (was["memory_type"] == "pinned")
    queued = {row["id"]: row for row in table(mind, "lsm_agent_memory_candidates")}
    expected = [each for each in home.candidates if each["memory_id"] in truth.typed]
    assert queued.keys() == {each["id"] for each in expected}
    for was in expected:
        row = queued[was["id"]]
        same = ("memory_id", "provenance", "rationale", "status")
        assert {name: row[name] for name in same} == {name: was[name] for name in same}
        assert row["created_at"] == instant(was["created_at"])


def check_files(mind: Mind, truth: Truth) -> None:
    rows = {row["source_path"].lower(): row for row in table(mind, "lsm_manifest")}
    assert rows.keys() == truth.files.keys()
    for key, was in truth.files.items():
        row = rows[key]
        assert (row["mtime_ns"], row["file_size"]) == (was["mtime_ns"], was["size"])
        assert (row["file_hash"], row["version"]) == (was["file_hash"], was.get("version", 1))
        assert row["updated_at"] == instant(was["updated_at"])


def check_others(mind: Mind, truth: Truth) -> None:
    schedules = table(mind, "lsm_agent_schedules")
    assert len(schedules) == truth.schedules
    assert {row["state"] for row in schedules} <= {"paused"}
    assert len(table(mind, "lsm_remote_cache")) == truth.answers
    seen = {(row["feed_id"], row["item_key"]) for row in table(mind, "lsm_remote_feed_items")}
    assert seen == {(sha(url), sha(each)) for url, ids in truth.feeds.items() for each in ids}


def check_originals(mind: Mind, home: OldHome, truth: Truth) -> None:
    """Every row of memory can be told to the letter from what is kept beside it."""
    kept = table(mind, "lsm_legacy_originals") + table(mind, "lsm_legacy_quarantine")
    found: dict[str, dict[str, Any]] = {}
    for each in kept:
        row = as_json(bytes(each["original"]))
        if isinstance(row, dict) and "memory_key" in row:
            found[row["id"]] = row
    assert found.keys() == truth.typed.keys() | truth.untyped
    for was in home.memories:
        plain = {n: v for n, v in was.items() if isinstance(v, str) or v is None}
        assert {name: found[was["id"]][name] for name in plain} == plain


def as_json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


def some(**numbers: int) -> dict[str, int]:
    return {name: number for name, number in numbers.items() if number}


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def fresh(folder: Path, template: Path) -> Iterator[Mind]:
    """An empty mind in *folder*."""
    home = folder / "home"
    home.mkdir(mode=0o700, parents=True)
    shutil.copyfile(template, home / "made.db")
    (home / "made.db").rename(home / "lsm.db")
    with Mind(str(home)) as mind:
        yield mind
