"""One PostgreSQL database for the whole folder, emptied before each test: cloning costs 0.3 s."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

from lsm.db import open_database
from tests.test_vectordb.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lsm.db import Database

_EMPTY = """
DELETE FROM lsm.lsm_chunks;  -- and with them their vectors and words
DELETE FROM lsm.lsm_documents;
DELETE FROM lsm.lsm_vector_spaces;
DELETE FROM lsm.lsm_agent_memories;
-- Not those of spaces: a graph over one of the same number would be made of rows just deleted, too.
UPDATE lsm.lsm_counters SET next_value = 1 WHERE name <> 'vector_space';
"""
_GRAPHS = "SELECT indexname FROM pg_indexes WHERE indexname LIKE 'vec_chunks_hnsw_%'"


@pytest.fixture(scope="package")
def shared_postgres(
    postgres_server: str, postgres_template: str
) -> Iterator[tuple[str, psycopg.Connection]]:
    name = f"index_{uuid4().hex[:12]}"
    url = postgres_server.format(name)
    with psycopg.connect(postgres_server.format("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
        with psycopg.connect(url, autocommit=True) as cleaner:
            yield url, cleaner
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_url(shared_postgres: tuple[str, psycopg.Connection]) -> str:
    url, cleaner = shared_postgres
    cleaner.execute(_EMPTY)
    for (name,) in cleaner.execute(_GRAPHS).fetchall():
        cleaner.execute(f"DROP INDEX lsm.{name}")
    return url


@pytest.fixture
def shelf(db: Database) -> Shelf:
    """An empty library of each engine, with a space of eight dimensions."""
    return Shelf(db)


@pytest.fixture
def sqlite_shelf(sqlite_url: str) -> Iterator[Shelf]:
    with open_database(sqlite_url) as db:
        yield Shelf(db)
