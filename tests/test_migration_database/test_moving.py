"""A mind arrives whole in the other database, or the reason why not is said beforehand."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psycopg
import pytest

from lsm.db import Database, State, open_database
from lsm.db import tables as seam
from lsm.db.look import look_at
from lsm.errors import (
    AccessError,
    BusyError,
    DamagedError,
    DiskFullError,
    ForeignError,
    InvalidError,
    NewerError,
    RefusedError,
    UnfinishedError,
)
from lsm.migration.database import moving
from lsm.migration.database.contents import CONTENT, LOCAL
from lsm.migration.database.digest import Progress, digest
from lsm.migration.database.moving import Move
from lsm.vectordb import open_chunk_index
from tests.test_migration_database.real import carry_on

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.test_migration_database.conftest import Lived

ENGINES = ["sqlite", "postgres"]
MEMORY = """
INSERT INTO lsm_agent_memories (number, id, memory_type, text, text_hash, value_json, scope,
    tags_json, confidence, status, trust, pinned, author, version, created_at, updated_at)
VALUES (:number, :id, 'fact', 'words', :id, :value, 's', '[]', 0.5, 'active', 'user', FALSE, 'me',
    1, '2026-01-01T12:00:00.000000Z', '2026-01-01T12:00:00.000000Z')
"""
VECTOR = """
INSERT INTO vec_memories (number, model, changed, embedding) VALUES (:number, 'm', 1, :embedding)
"""


class StoppedError(Exception):
    """What a test stops a move with."""


def test_there_and_back_is_the_same(lived: Lived, move: Callable[[str, str], str]) -> None:
    there = move(str(lived.database), "postgres")
    across = move(there, "postgres")
    back = move(across, "sqlite")
    beside = move(back, "sqlite")

    assert {digest_of(place) for place in (there, across, back, beside)} == {lived.digest}
    for place in (there, back):
        with open_database(place) as db:
            assert open_chunk_index(db).disagreements() == []


@pytest.mark.parametrize("engine", ENGINES)
def test_life_goes_on_in_the_other_database(
    lived: Lived, move: Callable[[str, str], str], engine: str
) -> None:
    target = move(str(lived.database), engine)

    try:
        carry_on(lived.home, lived.documents, target)
    finally:
        (lived.documents / "later.md").unlink()


def test_the_source_is_only_read(lived_copy: str, place: Callable[[str], str]) -> None:
    before = os.stat(lived_copy)
    with open_database(lived_copy) as db:
        found = digest(db)

        Move(db, place("postgres")).apply()

        assert digest(db) == found
    after = os.stat(lived_copy)
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_plan_changes_nothing_and_says_what_would_be_done(
    lived: Lived, place: Callable[[str], str], engine: str, server: str
) -> None:
    target = place(engine)
    with open_database(str(lived.database)) as db:
        planned = Move(db, target).plan()

        assert not os.path.exists(target)
        assert ours_in(server, target) == []
        done = Move(db, target).apply()

    assert planned.kinds == done.kinds
    assert (planned.dry_run, planned.verified, planned.digest.target) == (True, False, None)
    assert (done.dry_run, done.verified, done.digest.target) == (False, True, lived.digest)
    assert planned.digest.source == lived.digest


def test_every_table_of_content_is_told_and_what_stays_behind(
    lived: Lived, place: Callable[[str], str]
) -> None:
    with open_database(str(lived.database)) as db:
        kinds = Move(db, place("sqlite")).plan().kinds

    assert kinds.keys() == CONTENT | LOCAL.keys()
    assert all(kind.imported == kind.source for name, kind in kinds.items() if name in CONTENT)
    assert all(kind.skipped == kind.source for name, kind in kinds.items() if name in LOCAL)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_second_run_finds_everything_there(
    small: Database, place: Callable[[str], str], engine: str
) -> None:
    target = place(engine)
    Move(small, target).apply()

    again = Move(small, target).apply()

    assert again.verified
    assert again.kinds["lsm_versions"].identical == 2
    assert again.rows == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_target_that_holds_something_else_is_left_alone(
    small: Database, place: Callable[[str], str], engine: str
) -> None:
    target = place(engine)
    with open_database(target) as db:
        db.run("INSERT INTO lsm_versions (version, created_at) VALUES (1, 'theirs')")
    before = digest_of(target)

    for attempt in (Move(small, target).plan, Move(small, target).apply):
        with pytest.raises(RefusedError, match=r"holds something else already \(1 rows of lsm_ver"):
            attempt()

    assert digest_of(target) == before


def test_another_programs_file_is_left_alone(small: Database, tmp_path: Path) -> None:
    (tmp_path / "theirs").write_bytes(b"not a database")

    with pytest.raises(ForeignError):
        Move(small, str(tmp_path / "theirs")).apply()

    assert (tmp_path / "theirs").read_bytes() == b"not a database"


def test_a_database_is_not_moved_into_itself(small: Database) -> None:
    with pytest.raises(InvalidError, match="is the database that is to be moved"):
        Move(small, f"sqlite://{small.url}").plan()


def test_a_file_is_not_made_where_there_is_no_room(
    small: Database, place: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "_ROOM", 2.0**60)
    target = place("sqlite")

    with pytest.raises(DiskFullError, match=r"a copy needs about .* are free; nothing was changed"):
        Move(small, target).apply()

    assert not os.path.exists(target)


@pytest.mark.parametrize(
    ("column", "value"),
    [("key", "a\0b"), ("value", "\0"), ("value", "words\0")],
)
def test_nul_in_a_text_is_told_before_anything_is_written(
    small: Database, place: Callable[[str], str], server: str, column: str, value: str
) -> None:
    row = {"key": "k", "value": "v"} | {column: value}
    small.run("INSERT INTO lsm_meta (key, value) VALUES (:key, :value)", **row)
    target = place("postgres")

    report = Move(small, target).apply()

    (problem,) = report.problems
    assert (problem.kind, problem.key) == ("lsm_meta", row["key"])
    assert "has the character NUL in it" in problem.reason
    assert not report.verified
    assert ours_in(server, target) == []
    assert Move(small, place("sqlite")).apply().verified


def test_json_that_postgresql_cannot_read_is_told(
    small: Database, place: Callable[[str], str]
) -> None:
    kept = ['{"a":"b"}', '{"a":"\\u00e9"}', '{"a":"\\\\u0000"}', '"\\ud83d\\ude00"']
    refused = ['{"a":"\\u0000"}', '["\\ud800"]', '{"\\u0000":1}', '[[{"a":["\\udc00"]}]]']
    for number, value in enumerate(kept + refused):
        small.run(MEMORY, number=number, id=str(number), value=value)

    report = Move(small, place("postgres")).apply()
    small.run("DELETE FROM lsm_agent_memories WHERE number >= :first", first=len(kept))

    assert [problem.key for problem in report.problems] == ["4", "5", "6", "7"]
    assert Move(small, place("postgres")).apply().verified


@pytest.mark.parametrize(
    "embedding", [b"", b"\0", b"\x00\x7c", b"\x00\x7e", b"\0\0" * 16_001], ids=len
)
def test_a_vector_that_pgvector_refuses_is_told(
    small: Database, place: Callable[[str], str], embedding: bytes
) -> None:
    small.run(MEMORY, number=7, id="seven", value="null")
    small.run(VECTOR, number=7, embedding=embedding)

    (problem,) = Move(small, place("postgres")).apply().problems

    assert (problem.kind, problem.key) == ("vec_memories", "7")


def test_a_vector_keeps_every_bit(small: Database, place: Callable[[str], str]) -> None:
    halves = bytes(range(1, 121)) + b"\x00\x80\x01\x00\xff\x7b"  # -0.0, tiny, largest
    small.run(MEMORY, number=7, id="seven", value="null")
    small.run(VECTOR, number=7, embedding=halves)
    there, back = place("postgres"), place("sqlite")

    Move(small, there).apply()
    with open_database(there) as db:
        Move(db, back).apply()

    with open_database(back) as db:
        assert db.tuples("SELECT embedding FROM vec_memories") == [(halves,)]


def test_a_row_the_target_does_not_take_is_named(
    lived_copy: str, place: Callable[[str], str]
) -> None:
    with open_database(lived_copy) as db:
        with db.transaction():
            db.script("PRAGMA ignore_check_constraints = ON")
            db.script("UPDATE lsm_agent_runs SET attempt = 0 WHERE reason IS NULL")
            db.script("PRAGMA ignore_check_constraints = OFF")
        (run_id, *_) = sorted(
            row[0] for row in db.tuples("SELECT run_id FROM lsm_agent_runs WHERE attempt = 0")
        )

        with pytest.raises(RefusedError, match=rf"lsm_agent_runs {run_id}: the target .*--restart"):
            Move(db, place("postgres")).apply()


def test_a_vector_that_is_not_as_long_as_its_models_is_told(
    lived_copy: str, place: Callable[[str], str]
) -> None:
    with open_database(lived_copy) as db:
        db.run("UPDATE vec_chunks SET embedding = :short WHERE chunk_id = 3", short=b"\0\0")

        (problem,) = Move(db, place("postgres")).apply().problems

    assert (problem.kind, problem.key) == ("vec_chunks", "3")
    assert problem.reason == "embedding is not as long as its model's"


def test_what_the_source_lacks_itself_does_not_stand_against_it(
    lived_copy: str, place: Callable[[str], str]
) -> None:
    target = place("sqlite")
    with open_database(lived_copy) as db:
        db.run("DELETE FROM vec_chunks WHERE chunk_id = 3")

        assert Move(db, target).apply().verified

    with open_database(target) as db:
        assert open_chunk_index(db).disagreements() == ["1 chunks have no vector"]


def test_a_damaged_source_is_told_before_anything_is_written(
    small: Database, place: Callable[[str], str]
) -> None:
    with small.transaction():
        small.script("UPDATE lsm_versions SET created_at = x'ff' WHERE version = 2")
    target = place("sqlite")

    with pytest.raises(DamagedError, match="lsm_versions 2: created_at is not text"):
        Move(small, target).apply()

    assert not os.path.exists(target)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_unfinished_target_opens_for_nothing_but_its_own_move(
    small: Database, place: Callable[[str], str], engine: str
) -> None:
    target = place(engine)
    stop(small, target)

    with pytest.raises(
        UnfinishedError, match=r"not all of it has arrived; finish with: lsm migrate"
    ):
        open_database(target)
    assert Move(small, target).plan().resumed > 0
    with open_database(place("sqlite")) as other:
        other.run("INSERT INTO lsm_roots (root_path, origin, added_at) VALUES ('/', 'config', '')")
        for attempt in (Move(other, target).plan, Move(other, target).apply):
            with pytest.raises(RefusedError, match="was being moved there; finish that"):
                attempt()

    assert Move(small, target).apply().verified
    assert digest_of(target) == digest(small).all


@pytest.mark.parametrize("engine", ENGINES)
def test_a_source_that_has_changed_is_moved_from_the_beginning_only(
    small: Database, place: Callable[[str], str], engine: str
) -> None:
    target = place(engine)
    stop(small, target)
    small.run("UPDATE lsm_versions SET created_at = 'changed' WHERE version = 1")

    with pytest.raises(RefusedError, match=r"has changed since the move began .*--restart"):
        Move(small, target).apply()
    report = Move(small, target).apply(restart=True)

    assert report.verified
    assert digest_of(target) == digest(small).all


def test_what_is_written_to_the_source_meanwhile_is_told(
    small: Database, place: Callable[[str], str]
) -> None:
    before = digest(small).all
    target = place("sqlite")

    def meddle(step: Progress) -> None:
        if step.stage == "verifying":
            with open_database(small.url) as other:
                other.run("UPDATE lsm_versions SET created_at = 'later still'")

    report = Move(small, target, on_progress=meddle).apply()

    assert [problem.kind for problem in report.problems] == ["lsm_versions"]
    assert "changed in the source after it was read" in report.problems[0].reason
    assert report.verified
    assert digest_of(target) == before


def test_what_is_written_to_the_target_meanwhile_fails_the_verification(
    small: Database, place: Callable[[str], str]
) -> None:
    target = place("postgres")
    with open_database(target) as other:

        def meddle(step: Progress) -> None:
            if step.stage == "indexing":
                other.run("UPDATE lsm_versions SET created_at = 'by somebody else'")

        report = Move(small, target, on_progress=meddle).apply()

    assert not report.verified
    assert [problem.kind for problem in report.problems] == ["lsm_versions"]
    with pytest.raises(UnfinishedError):
        open_database(target)
    assert Move(small, target).apply(restart=True).verified


@pytest.mark.parametrize("engine", ENGINES)
def test_a_whole_mind_is_thrown_away_by_a_restart(
    lived: Lived, place: Callable[[str], str], engine: str
) -> None:
    target = place(engine)
    with open_database(str(lived.database)) as db:
        stop(db, target, "indexing")

        assert Move(db, target).apply(restart=True).verified

    with open_database(target) as db:
        assert open_chunk_index(db).disagreements() == []


def test_a_patient_transaction_has_no_limits_and_the_next_one_has(
    place: Callable[[str], str],
) -> None:
    names = ["statement_timeout", "idle_in_transaction_session_timeout"]
    ask = "SELECT setting FROM pg_settings WHERE name IN :names[] ORDER BY name"
    with open_database(place("postgres")) as db:
        with db.snapshot():
            db.be_patient()
            inside = db.tuples(ask, names=names)

        assert inside == [("0",), ("0",)]
        assert db.tuples(ask, names=names) == [("60000",), ("600000",)]


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_held_is_held_by_one_only(place: Callable[[str], str], engine: str) -> None:
    url = place(engine)
    with open_database(url) as one, open_database(url) as other:
        with (
            one.hold("moving"),
            other.hold("something else"),
            pytest.raises(BusyError, match=r"busy with it \(moving\)"),
            other.hold("moving"),
        ):
            pass
        with other.hold("moving"):
            pass

    assert not os.path.exists(f"{url}.moving")


def test_a_server_is_looked_at_before_anything_is_made_there(
    small: Database, place: Callable[[str], str], server: str
) -> None:
    url = place("postgres")
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute("CREATE ROLE visitor LOGIN")
        with pytest.raises(AccessError, match="may not create tables"):
            Move(small, url.replace("//postgres@", "//visitor@")).plan()

        assert look_at(url).state is State.NEW
        open_database(url).close()
        assert look_at(url).state is State.CURRENT
        schema = url.rpartition("=")[2]
        admin.execute(f"DELETE FROM {schema}.lsm_migrations WHERE name LIKE '0001%'")
        assert look_at(url).state is State.OLDER
        admin.execute(f"INSERT INTO {schema}.lsm_migrations VALUES ('9999_later', 'now')")
        with pytest.raises(NewerError, match="9999_later"):
            Move(small, url).plan()
        admin.execute(f"DROP TABLE {schema}.lsm_migrations")
        with pytest.raises(ForeignError, match="another program's tables"):
            Move(small, url).plan()


def stop(source: Database, target: str, stage: str = "copying", rows: int = 7) -> None:
    """Begin a move and leave it unfinished."""

    def on_progress(step: Progress) -> None:
        if step.stage == stage and (step.done >= rows or step.total == 1):
            raise StoppedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seam, "BATCH_ROWS", 20)
        with pytest.raises(StoppedError):
            Move(source, target, on_progress=on_progress).apply()


def digest_of(url: str) -> str:
    with open_database(url) as db:
        return digest(db).all


def ours_in(server: str, url: str) -> list[str]:
    """Tables in the schema of *url*."""
    with psycopg.connect(server) as connection:
        schema = url.rpartition("schema=")[2]
        rows = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s", (schema,)
        ).fetchall()
    return [name for (name,) in rows]
