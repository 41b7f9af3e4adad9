"""A file that cannot be read is never an empty one."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lsm.ingest.caution import deletions_on_hold
from tests.test_migration.moving import bring, counts, table
from tests.test_migration.old_home import entry, fingerprint, memory, schedule

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lsm.app import Mind
    from tests.test_migration.old_home import OldHome

# Changes many rows, far beyond what its cache holds, and is killed before it commits.
_KILLED = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("PRAGMA cache_spill = 1")
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE memories SET value_json = hex(randomblob(2000))")
connection.execute("DELETE FROM memories WHERE memory_key = 'key 3'")
os.kill(os.getpid(), 9)
"""
# Commits into the log and is killed before anything reaches the file.
_LOGGED = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("PRAGMA journal_mode=WAL")
connection.execute("PRAGMA wal_autocheckpoint=0")
connection.execute("UPDATE memories SET value_json = '\\"committed\\"'")
connection.commit()
os.kill(os.getpid(), 9)
"""


def test_what_a_killed_writer_had_not_committed_is_not_taken_over(mind: Mind, old: OldHome) -> None:
    old.remember(*(memory(number) for number in range(200)))
    subprocess.run([sys.executable, "-c", _KILLED, old.database], check=False)
    assert os.path.getsize(f"{old.database}-journal") > 0
    before = fingerprint(old.root)

    report = bring(mind, old)

    values = {json.loads(row["value_json"])["number"] for row in table(mind, "lsm_agent_memories")}
    assert counts(report.kinds["memories"]) == {"imported": 200}
    assert values == set(range(200))
    assert fingerprint(old.root) == before


def test_what_stands_in_a_log_is_taken_over(mind: Mind, old: OldHome) -> None:
    old.remember(*(memory(number) for number in range(20)))
    subprocess.run([sys.executable, "-c", _LOGGED, old.database], check=False)
    assert os.path.getsize(f"{old.database}-wal") > 0
    before = fingerprint(old.root)

    report = bring(mind, old)

    assert counts(report.kinds["memories"]) == {"imported": 20}
    assert {r["value_json"] for r in table(mind, "lsm_agent_memories")} == {'"committed"'}
    assert fingerprint(old.root) == before


@pytest.mark.parametrize("encoding", ["UTF-16le", "UTF-16be"])
def test_a_database_of_another_encoding_says_the_same(
    sqlite_mind: Mind, old: OldHome, encoding: str
) -> None:
    old.remember(memory(memory_key="naïve 😀"))
    whole = sqlite3.connect(old.database)
    other = sqlite3.connect(old.root / "other.db")
    other.execute(f"PRAGMA encoding = '{encoding}'")
    other.executescript("\n".join(whole.iterdump()))
    whole.close()
    other.close()
    (old.root / "other.db").replace(old.database)

    bring(sqlite_mind, old)

    [row] = table(sqlite_mind, "lsm_agent_memories")
    assert (row["memory_key"], row["value_json"]) == ("naïve 😀", '{"number":1}')


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:0],
        lambda data: b"not a database at all" + data[21:],
        lambda data: data[: len(data) // 2],
        lambda data: data[:50],
        lambda data: data[:4096] + b"\xff" * 4096 + data[8192:],
    ],
    ids=["empty", "foreign", "half", "header", "page"],
)
def test_a_damaged_memory_is_unreadable_and_everything_else_comes_in(
    sqlite_mind: Mind, old: OldHome, damage: Callable[[bytes], bytes]
) -> None:
    old.remember(*(memory(number) for number in range(50)))
    old.write_schedules(schedule())
    old.database.write_bytes(damage(old.database.read_bytes()))
    before = fingerprint(old.root)

    report = bring(sqlite_mind, old)

    assert report.kinds["memories"].state == report.kinds["candidates"].state == "unreadable"
    assert [problem.kind for problem in report.problems] == ["memories"]
    assert counts(report.kinds["schedules"]) == {"imported": 1}
    assert (report.unreadable, report.verified) == (True, False)
    assert fingerprint(old.root) == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) * 2 // 3],
        lambda data: data[:40960] + b"\xff" * 8192 + data[49152:],
    ],
    ids=["end", "middle"],
)
def test_salvage_takes_the_rows_that_can_be_read(
    sqlite_mind: Mind, old: OldHome, damage: Callable[[bytes], bytes]
) -> None:
    old.remember(*(memory(number, value_json=f'"{"x" * 900}"') for number in range(200)))
    data = old.database.read_bytes()
    old.database.write_bytes(damage(data))

    report = bring(sqlite_mind, old, salvage=True)
    again = bring(sqlite_mind, old, salvage=True)

    assert report.kinds["memories"].state == "partly"
    assert 100 < report.kinds["memories"].imported < 200
    assert again.kinds["memories"].imported == 0
    assert not report.verified


@pytest.mark.parametrize("lost", ["memories", "memory_candidates"])
def test_a_missing_table_is_no_empty_table(sqlite_mind: Mind, old: OldHome, lost: str) -> None:
    old.remember(memory())
    with old.connected() as connection:
        connection.execute(f"DROP TABLE {lost}")

    report = bring(sqlite_mind, old)

    rows = table(sqlite_mind, "lsm_agent_memories")
    assert report.kinds["candidates"].state == "unreadable"
    assert f"no table {lost}" in report.problems[0].reason
    # Without its queue a memory was invisible; it still is, and can be brought back.
    assert [row["status"] for row in rows] == ([] if lost == "memories" else ["quarantined"])


def test_memories_come_into_use_once_their_queue_is_found_again(
    sqlite_mind: Mind, old: OldHome, tmp_path: Path
) -> None:
    old.remember(memory())
    shutil.copyfile(old.database, tmp_path / "whole.db")
    with old.connected() as connection:
        connection.execute("DROP TABLE memory_candidates")
    bring(sqlite_mind, old)
    shutil.copyfile(tmp_path / "whole.db", old.database)

    report = bring(sqlite_mind, old)

    assert table(sqlite_mind, "lsm_agent_memories")[0]["status"] == "active"
    assert report.verified


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"])
def test_a_byte_order_mark_is_no_damage(sqlite_mind: Mind, old: OldHome, mark: bytes) -> None:
    old.write_manifest({"/naïve": entry()})
    names = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
    text = old.manifest.read_text("utf-8")
    old.manifest.write_bytes(mark + text.encode(names[mark]))

    report = bring(sqlite_mind, old)

    assert counts(report.kinds["manifest"]) == {"imported": 1}
    assert report.verified


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" \n",
        b"[]",
        b"null",
        b'"text"',
        b"{} {}",
        b'{"/a": {"size": 1',
        b'{"/a": \xff}',
        b"\x00" * 100,
        b'{"/a": ' + b"[" * 100_000,
    ],
    ids=repr,
)
@pytest.mark.parametrize("kind", ["manifest", "schedules"])
def test_a_broken_file_is_unreadable(
    sqlite_mind: Mind, old: OldHome, kind: str, data: bytes
) -> None:
    old.write_manifest({})
    old.write_schedules()
    getattr(old, kind).write_bytes(data)

    report = bring(sqlite_mind, old)

    assert {k for k, found in report.kinds.items() if found.state == "unreadable"} == {kind}
    assert [problem.kind for problem in report.problems] == [kind]
    assert not report.verified


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_unreadable(sqlite_mind: Mind, old: OldHome) -> None:
    old.write_manifest({})
    old.manifest.chmod(0)

    report = bring(sqlite_mind, old)

    assert report.kinds["manifest"].state == "unreadable"


def test_a_folder_in_the_place_of_a_file_is_unreadable(sqlite_mind: Mind, old: OldHome) -> None:
    old.manifest.mkdir(parents=True)

    report = bring(sqlite_mind, old)

    assert report.kinds["manifest"].state == "unreadable"


def test_salvage_takes_what_stands_before_the_break_and_keeps_what_follows(
    mind: Mind, old: OldHome
) -> None:
    old.write_manifest({f"/{number}": entry() for number in range(10)})
    text = old.manifest.read_text("utf-8")
    cut = text[: text.index('"/7"') + 40]
    old.manifest.write_text(cut, "utf-8")

    without = bring(mind, old)
    report = bring(mind, old, salvage=True)

    [aside] = table(mind, "lsm_legacy_quarantine")
    assert without.kinds["manifest"].source == 0
    assert counts(report.kinds["manifest"]) == {"imported": 7, "quarantined": 1}
    assert cut.endswith(aside["original"].decode())
    assert report.kinds["manifest"].state == "partly"


def test_salvage_of_schedules_takes_the_whole_ones(sqlite_mind: Mind, old: OldHome) -> None:
    old.write_schedules(schedule(0), schedule(1, "research"), schedule(2, "writer"))
    text = old.schedules.read_text("utf-8")
    old.schedules.write_text(text[: text.index("writer")], "utf-8")

    report = bring(sqlite_mind, old, salvage=True)

    assert counts(report.kinds["schedules"]) == {"imported": 2, "quarantined": 1}


def test_a_broken_answer_is_kept_and_told(sqlite_mind: Mind, old: OldHome) -> None:
    path = old.write_answer("arxiv", "a")
    path.write_bytes(path.read_bytes()[:-20])
    old.write_answer("arxiv", "b")

    report = bring(sqlite_mind, old)

    assert counts(report.kinds["remote_cache"]) == {"imported": 1, "quarantined": 1}
    assert report.unreadable


def test_without_a_manifest_nothing_is_deleted_until_a_person_confirms(
    sqlite_mind: Mind, old: OldHome, tmp_path: Path
) -> None:
    for name in ("keep.md", "gone.md"):
        (tmp_path / "docs").mkdir(exist_ok=True)
        (tmp_path / "docs" / name).write_text(f"# {name}\n", "utf-8")
    sqlite_mind.ingest(str(tmp_path / "docs"))
    old.write_manifest({})
    old.manifest.write_text("{", "utf-8")
    bring(sqlite_mind, old)
    (tmp_path / "docs" / "gone.md").unlink()

    held = sqlite_mind.ingest()
    confirmed = sqlite_mind.ingest(confirm_delete=True)

    assert (held.files.gone, held.unconfirmed) == (0, 1)
    assert (confirmed.files.gone, confirmed.unconfirmed) == (1, 0)
    assert deletions_on_hold(sqlite_mind.db) is None


def test_a_manifest_that_is_readable_again_ends_the_caution(mind: Mind, old: OldHome) -> None:
    old.write_manifest({})
    whole = old.manifest.read_bytes()
    old.manifest.write_bytes(b"")
    bring(mind, old, apply=False)
    tried = deletions_on_hold(mind.db)
    bring(mind, old)
    held = deletions_on_hold(mind.db)
    old.manifest.write_bytes(whole)

    bring(mind, old)

    assert (tried, held) == (None, "the predecessor's manifest could not be read")
    assert deletions_on_hold(mind.db) is None


def test_a_broken_configuration_in_the_home_is_told_and_the_default_places_are_used(
    sqlite_mind: Mind, old: OldHome
) -> None:
    (old.root / "config.json").write_text("{", "utf-8")
    old.write_manifest({"/a": entry()})

    report = bring(sqlite_mind, old)

    assert report.problems[0].kind == "config"
    assert report.unreadable
    assert counts(report.kinds["manifest"]) == {"imported": 1}
