"""Every table is content, derived or local, on both engines; a new one has to be told which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsm.db import open_database
from lsm.db.limits import VECTORS
from lsm.migration.database.contents import CONTENT, DERIVED, LOCAL, SEEDED, content_tables
from lsm.migration.database.digest import count_rows, digest

if TYPE_CHECKING:
    from lsm.db import Database
    from lsm.db.tables import Table


def test_every_table_is_classified(db: Database) -> None:
    unknown = db.tables().keys() - CONTENT - DERIVED.keys() - LOCAL.keys()

    assert unknown == set(), "say in lsm/migration/database/contents.py what these tables are"


def test_every_table_that_is_named_exists(db: Database) -> None:
    # Tables of FTS5 are not its own to the engine; the server compares vectors by its own graph.
    on_sqlite = db.engine == "sqlite"
    others = {"chunks_fts", "memories_fts"} if on_sqlite else {"lsm_vector_blocks"}

    assert (CONTENT | DERIVED.keys() | LOCAL.keys()) - db.tables().keys() == others


def test_no_table_is_two_things() -> None:
    assert len(CONTENT | DERIVED.keys() | LOCAL.keys()) == len(CONTENT) + len(DERIVED) + len(LOCAL)


def test_both_engines_have_the_same_columns_and_keys(sqlite_url: str, postgres_url: str) -> None:
    with open_database(sqlite_url) as one, open_database(postgres_url) as other:
        ours, theirs = ([shape(each) for each in content_tables(db)] for db in (one, other))

    assert ours == theirs


def test_every_content_table_has_a_primary_key(db: Database) -> None:
    assert [table.name for table in content_tables(db) if len(table.key) == len(table.names)] == []


def test_a_table_comes_after_those_it_refers_to(db: Database) -> None:
    names = [table.name for table in content_tables(db)]

    late = [
        (table.name, each.table)
        for table in content_tables(db)
        for each in table.references
        if each.table != table.name and names.index(each.table) > names.index(table.name)
    ]

    assert late == []


def test_a_database_nobody_has_used_has_rows_in_the_seeded_tables_only(db: Database) -> None:
    counts = count_rows(db, content_tables(db))

    assert {name for name, count in counts.items() if count} <= SEEDED


def test_databases_nobody_has_used_are_equal(sqlite_url: str, postgres_url: str) -> None:
    with open_database(sqlite_url) as one, open_database(postgres_url) as other:
        assert digest(one) == digest(other)


def test_vectors_are_where_the_limits_look_for_them(postgres_url: str) -> None:
    with open_database(postgres_url) as db:
        found = {
            (table.name, column.name)
            for table in db.tables().values()
            for column in table.columns
            if column.declared == "halfvec"
        }

    assert found == VECTORS


def shape(table: Table) -> tuple[object, ...]:
    columns = tuple((column.name, column.kind) for column in table.columns)
    return table.name, columns, table.key, set(table.references)
