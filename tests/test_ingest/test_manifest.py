"""The manifest: what it keeps, how it counts versions, and that a save only adds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsm.clock import to_text
from lsm.errors import ConflictError
from lsm.ingest.manifest import (
    FileState,
    forget_files,
    get_next_version,
    load_manifest,
    open_version,
    save_manifest,
    states_with_hash,
)
from tests.test_ingest.library import WatchedDatabase

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.db import Database

MANY = 100_000
counts = st.integers(0, 2**63 - 1)
# Neither a path nor PostgreSQL text can hold NUL.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30)
times = st.datetimes().map(to_text)
files = st.builds(
    FileState,
    source_path=texts,
    mtime_ns=st.integers(-(2**63), 2**63 - 1),
    file_size=counts,
    file_hash=texts,
    version=st.integers(1, 2**63 - 1),
    embedding_model=st.none() | texts,
    schema_version_id=st.none() | counts,
    updated_at=texts,
    ctime_ns=st.integers(-(2**63), 2**63 - 1),
    inode=counts,
    device=counts,
    checked_ns=counts,
    document_id=st.none() | counts,
    chunk_count=counts,
    folder_tags=texts,
)


@given(st.lists(files, unique_by=lambda file: file.source_path, max_size=8))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
def test_what_is_saved_is_what_is_loaded(db: Database, saved: list[FileState]) -> None:
    forget_files(db, list(load_manifest(db)))

    save_manifest(db, saved)

    assert load_manifest(db) == {file.source_path: file for file in saved}


def test_a_mapping_by_path_is_saved_as_well(db: Database) -> None:
    state = file("/a")

    save_manifest(db, {"/a": state})

    assert load_manifest(db) == {"/a": state}


def test_state_survives_to_the_next_connection(
    db: Database, open_again: Callable[[], Database]
) -> None:
    state = replace(file("/a", version=7), mtime_ns=5, file_hash="ab" * 32)

    save_manifest(db, [state])

    assert load_manifest(open_again()) == {"/a": state}
    assert get_next_version(open_again()) == 8


def test_a_save_replaces_what_it_holds_and_leaves_the_rest(db: Database) -> None:
    save_manifest(db, [file("/a"), file("/b")])

    save_manifest(db, [file("/b", version=2), file("/c")])

    assert {path: state.version for path, state in load_manifest(db).items()} == {
        "/a": 1,
        "/b": 2,
        "/c": 1,
    }


def test_a_save_of_nothing_deletes_nothing(db: Database) -> None:
    save_manifest(db, [file("/a")])

    save_manifest(db, {})

    assert set(load_manifest(db)) == {"/a"}


@pytest.mark.parametrize("bad", [{"version": 0}, {"version": -1}, {"file_size": -1}])
def test_one_bad_file_and_none_is_saved(db: Database, bad: dict[str, int]) -> None:
    save_manifest(db, [file("/old")])

    with pytest.raises(ConflictError):
        save_manifest(db, [file("/a"), replace(file("/b"), **bad), file("/c")])

    assert set(load_manifest(db)) == {"/old"}


def test_only_the_files_asked_for_are_loaded(db: Database) -> None:
    save_manifest(db, [file("/a"), file("/b"), file("/c")])

    assert set(load_manifest(db, ["/a", "/c", "/unknown"])) == {"/a", "/c"}


def test_files_are_found_by_what_is_in_them(db: Database) -> None:
    twins = [replace(file(path), file_hash="1" * 64) for path in ("/a", "/b")]
    save_manifest(db, [*twins, file("/c")])

    found = states_with_hash(db, ["1" * 64, "2" * 64])

    assert {state.source_path for state in found} == {"/a", "/b"}


def test_forgotten_files_are_counted(db: Database) -> None:
    save_manifest(db, [file("/a"), file("/b")])

    assert forget_files(db, ["/a", "/unknown"]) == 1
    assert set(load_manifest(db)) == {"/b"}


def test_the_first_version_is_one(db: Database) -> None:
    assert get_next_version(db) == 1


def test_asking_for_a_version_does_not_take_it(db: Database) -> None:
    assert [get_next_version(db), get_next_version(db)] == [1, 1]


def test_the_next_version_is_one_more_than_any(db: Database) -> None:
    save_manifest(db, [file("/a", version=3), file("/b", version=41), file("/c", version=5)])

    assert get_next_version(db) == 42


def test_a_version_is_never_given_again_though_its_files_are_gone(db: Database) -> None:
    taken = [open_version(db) for _ in range(3)]
    save_manifest(db, [file("/a", version=taken[-1])])

    forget_files(db, ["/a"])

    assert taken == [1, 2, 3]
    assert get_next_version(db) == 4


def test_a_version_taken_by_nobody_is_given_again(db: Database) -> None:
    with pytest.raises(ConflictError), db.transaction():
        save_manifest(db, [file("/a", version=open_version(db) - 1)])

    assert get_next_version(db) == 1


def test_a_hundred_thousand_files_are_saved_and_loaded_in_one_go(db: Database) -> None:
    statements: list[str] = []
    watched = WatchedDatabase(db, statements.append)
    states = {f"/notes/{n}.md": file(f"/notes/{n}.md", version=1 + n % 9) for n in range(MANY)}

    save_manifest(watched, states)
    loaded = load_manifest(watched)

    assert loaded == states
    assert len(statements) == 4  # BEGIN, INSERT, COMMIT, SELECT
    assert get_next_version(watched) == 10


@pytest.mark.parametrize(
    ("look_up", "index"),
    [
        (lambda db: load_manifest(db, ["/a"]), "sqlite_autoindex_lsm_manifest_1"),
        (lambda db: states_with_hash(db, ["1"]), "lsm_manifest_hash"),
        (lambda db: forget_files(db, ["/a"]), "sqlite_autoindex_lsm_manifest_1"),
        (get_next_version, "lsm_manifest_version"),
    ],
    ids=["by path", "by hash", "forget", "next version"],
)
def test_no_look_up_reads_the_whole_table(
    sqlite_url: str, look_up: Callable[[Database], object], index: str
) -> None:
    from lsm.db import open_database

    with open_database(sqlite_url) as db:
        statements: list[str] = []
        look_up(WatchedDatabase(db, statements.append))

        plans = [
            step["detail"]
            for sql in statements
            if "lsm_manifest" in sql
            for step in db.rows("EXPLAIN QUERY PLAN " + sql, paths=["/a"], hashes=["1"])
        ]

    assert any(index in plan for plan in plans), plans
    assert [plan for plan in plans if plan == "SCAN lsm_manifest"] == []


def file(path: str, version: int = 1) -> FileState:
    return FileState(
        path,
        mtime_ns=1,
        file_size=1,
        file_hash="0" * 64,
        version=version,
        updated_at="2026-01-01T12:00:00.000000Z",
    )
