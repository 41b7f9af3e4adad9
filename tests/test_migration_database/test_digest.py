"""The digest: equal for equal content on either engine, and for nothing else."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsm.db import Database, open_database
from lsm.db import tables as seam
from lsm.db.tables import Values, Walk
from lsm.errors import DamagedError, StorageError
from lsm.migration.database.contents import content_tables
from lsm.migration.database.digest import digest, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

META = "INSERT INTO lsm_meta (key, value) VALUES (:key, :value)"
# Sorted by bytes, whatever the collation of the server says about case, accents and punctuation.
KEYS = [
    "a",
    "B",
    "á",
    "Z",
    "z",
    "_",
    "-",
    "ﬀ",
    "\U0001f600",
    "\ufffd",
    "\ue000",
    "",
    " ",
    "ä",
    "a b",
]
FILE = {
    "source_path": "/a",
    "mtime_ns": 1,
    "file_size": 2,
    "file_hash": "h",
    "version": 1,
    "embedding_model": None,
    "schema_version_id": None,
    "updated_at": "now",
    "ctime_ns": 0,
    "inode": 0,
    "device": 0,
    "checked_ns": 0,
    "document_id": None,
    "chunk_count": 0,
    "folder_tags": "[]",
}

whole = st.integers(-(2**63), 2**63 - 1)
# What both engines hold: no NUL, no half of a character. PostgreSQL indexes keys below 2,700 bytes.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)
files = st.fixed_dictionaries(
    {
        "source_path": texts,
        "mtime_ns": whole,
        "file_size": st.integers(0, 2**63 - 1),
        "version": st.integers(1, 2**63 - 1),
        "embedding_model": st.none() | texts,
        "schema_version_id": st.none() | whole,
        "inode": whole,
        "folder_tags": texts,
    }
)


@pytest.fixture
def pair(place: Callable[[str], str]) -> Iterator[tuple[Database, Database]]:
    """A new database on each engine."""
    with open_database(place("sqlite")) as one, open_database(place("postgres")) as other:
        yield one, other


def test_rows_are_told_in_the_order_of_their_bytes(pair: tuple[Database, Database]) -> None:
    for db in pair:
        db.many(META, [{"key": f"k{key}", "value": key} for key in shuffled(KEYS)])

    one, other = (told(db, "lsm_meta") for db in pair)

    assert one == other
    keys = [row[0] for row in one if str(row[0]).startswith("k")]
    assert keys == [f"k{key}" for key in sorted(KEYS)]
    assert digest(pair[0]) == digest(pair[1])


@given(st.lists(files, max_size=4, unique_by=lambda file: file["source_path"]))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)
def test_whatever_is_loaded_is_told_and_digested_alike(
    pair: tuple[Database, Database], found: list[dict[str, object]]
) -> None:
    one, other = pair
    table = one.tables()["lsm_manifest"]
    rows = [tuple((FILE | file)[name] for name in table.names) for file in found]
    for db in pair:
        db.empty([Walk(table)])

        db.load(db.tables()["lsm_manifest"], list(table.names), rows)

    assert told(one, "lsm_manifest") == told(other, "lsm_manifest")
    assert {row[table.names.index("source_path")] for row in told(one, "lsm_manifest")} == {
        file["source_path"] for file in found
    }
    assert digest(one) == digest(other)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("embedding_model", ""),
        ("embedding_model", "0"),
        ("schema_version_id", 0),
        ("mtime_ns", 2),
        ("file_hash", "H"),
        ("source_path", "/A"),
        ("file_hash", "h "),
        ("file_hash", "h\u0301"),
    ],
)
def test_any_other_value_gives_another_digest(db: Database, column: str, value: object) -> None:
    table = db.tables()["lsm_manifest"]
    digests: list[str] = []
    for row in (FILE, FILE | {column: value}):
        db.empty([Walk(table)])
        db.load(table, list(row), [tuple(row.values())])  # pyright: ignore[reportArgumentType]
        digests.append(digest(db).all)

    assert digests[0] != digests[1]


@pytest.mark.parametrize(
    ("written", "same"), [(0.0, True), (-0.0, True), (5e-324, False), (1.0, False)]
)
def test_numbers_that_are_equal_are_one_content(db: Database, written: float, same: bool) -> None:
    remember(db, confidence=0.0)
    before = digest(db).all

    db.run("UPDATE lsm_agent_memories SET confidence = :written", written=written)

    assert (digest(db).all == before) is same


def test_a_value_in_another_column_or_table_gives_another_digest(db: Database) -> None:
    db.run(META, key="x", value="y")
    one = digest(db)
    db.run("DELETE FROM lsm_meta WHERE key = 'x'")
    db.run(META, key="y", value="x")
    other = digest(db)

    assert one.all != other.all
    assert {name for name in one.tables if one.tables[name] != other.tables[name]} == {"lsm_meta"}


def test_what_is_derived_or_of_one_place_is_no_part_of_it(db: Database) -> None:
    before = digest(db)

    db.run("UPDATE lsm_meta SET value = 'another' WHERE key = 'database_id'")
    db.run("UPDATE lsm_counters SET next_value = 7 WHERE name = 'vector_rewrites'")
    db.run("UPDATE lsm_migrations SET applied_at = 'another time'")
    db.run(
        "INSERT INTO lsm_remote_fetches (cache_key, owner, since, until)"
        " VALUES ('k', 'me', :now, :now)",
        now="2026-01-01T12:00:00.000000Z",
    )

    assert digest(db) == before


def test_it_is_of_one_commit(
    db: Database, open_again: Callable[[], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seam, "BATCH_ROWS", 1)
    db.many(META, [{"key": f"k{i}", "value": ""} for i in range(10)])
    before = digest(db)
    other = open_again()

    def meddle(_: object) -> None:
        other.run("UPDATE lsm_meta SET value = value || 'x' WHERE key LIKE 'k%'")

    assert digest(db, meddle) == before
    assert digest(db) != before


def test_batches_are_limited_by_rows_and_by_bytes(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seam, "BATCH_ROWS", 3)
    monkeypatch.setattr(seam, "BATCH_BYTES", 1000)
    db.many(META, [{"key": f"k{i}", "value": "x" * (900 if i > 5 else 1)} for i in range(10)])
    before = digest(db)

    with db.snapshot():
        sizes = [len(batch) for batch in db.each(Walk(db.tables()["lsm_meta"], "key LIKE 'k%'"))]

    assert sizes == [3, 3, 2, 2]
    monkeypatch.undo()
    assert digest(db) == before


def test_a_table_is_walked_inside_a_snapshot_only(db: Database) -> None:
    with pytest.raises(StorageError, match="inside a snapshot"):
        db.each(Walk(db.tables()["lsm_meta"]))


def test_a_walk_that_is_left_early_leaves_the_connection_usable(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seam, "BATCH_ROWS", 1)
    db.many(META, [{"key": f"k{i}", "value": ""} for i in range(50)])

    with db.snapshot():
        batches = db.each(Walk(db.tables()["lsm_meta"]))
        next(batches)
        batches.close()

        assert db.tuples("SELECT count(*) FROM lsm_meta WHERE key LIKE 'k%'") == [(50,)]


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE lsm_versions SET created_at = x'ff00'", "created_at is not text"),
        ("UPDATE lsm_versions SET created_at = CAST(x'61ff' AS TEXT)", "created_at is not UTF-8"),
        ("INSERT INTO lsm_counters VALUES ('2', 'many')", "next_value is not a whole number"),
        ("INSERT INTO lsm_counters VALUES ('2', 1.5)", "next_value is not a whole number"),
    ],
)
def test_a_value_that_its_column_is_not_made_for_is_named(
    small: Database, statement: str, told: str
) -> None:
    with small.transaction():
        small.script(statement)

    with pytest.raises(DamagedError, match=rf"lsm_\w+ [12]: {told}"):
        digest(small)


def told(db: Database, name: str) -> list[Values]:
    (table,) = [each for each in content_tables(db) if each.name == name]
    with db.snapshot():
        return [row for batch in walk(db, table) for row in batch]


def shuffled(keys: list[str]) -> list[str]:
    return random.Random(1).sample(keys, len(keys))


def remember(db: Database, confidence: float) -> None:
    db.run(
        "INSERT INTO lsm_agent_memories (number, id, memory_type, text, text_hash, value_json,"
        " scope, tags_json, confidence, status, trust, pinned, author, version, created_at,"
        " updated_at) VALUES (1, 'm', 'fact', 'words', 'h', 'null', 's', '[]', :confidence,"
        " 'active', 'user', :pinned, 'me', 1, :now, :now)",
        confidence=confidence,
        pinned=False,
        now="2026-01-01T12:00:00.000000Z",
    )
