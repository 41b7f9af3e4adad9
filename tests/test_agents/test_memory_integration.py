"""Memory in the one database, beside everything else that is there."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from lsm.agents.memory import MemoryStore, NewMemory
from lsm.config.models.agents import MemoryConfig
from lsm.db import open_database
from lsm.embedding import open_embedder
from tests.test_agents import memories as fixtures
from tests.test_agents.memories import Clock, Library, contents, store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lsm.db import Database

database_url = fixtures.database_url


def test_memories_live_in_the_one_database_file(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with open_database(str(home / "lsm.db")) as db:
        memories = MemoryStore(db)
        memories.promote(memories.propose("The zebra is striped").candidate.id)
        names = sorted(os.listdir(home))

    assert set(names) <= {"lsm.db", "lsm.db-wal", "lsm.db-shm"}
    assert not [name for name in MemoryConfig.__struct_fields__ if "path" in name]


def test_a_reopened_database_remembers(database_url: str) -> None:
    with open_database(database_url) as db:
        added = store(db).add("The zebra is striped", tags=["zoo"])
    with open_database(database_url) as db:
        found = store(db).search("zebra")

    assert [hit.id for hit in found] == [added.id]


def test_the_columns_users_know_are_there(db: Database) -> None:
    db.rows(
        "SELECT id, memory_type, memory_key, value_json, scope, tags_json, confidence, created_at,"
        " last_used_at, expires_at, source_run_id FROM lsm_agent_memories"
    )
    db.rows(
        "SELECT id, memory_id, provenance, rationale, status, created_at, updated_at"
        " FROM lsm_agent_memory_candidates"
    )


def test_memories_and_documents_land_together_or_not_at_all(db: Database) -> None:
    memories, library = store(db), Library(db)
    before = contents(db)

    with suppress(ZeroDivisionError), db.transaction():
        memories.add("The zebra is striped")
        library.write("/notes/a.md", "A note.")
        _ = 1 / 0

    assert contents(db) == before
    assert db.rows("SELECT * FROM lsm_documents") == []


def test_a_failed_step_inside_a_transaction_undoes_only_itself(db: Database) -> None:
    memories = store(db)

    with db.transaction():
        memories.add("The port is 8080", key="port")
        with pytest.raises(Exception, match="port"):
            memories.add_many([NewMemory(text="lost"), NewMemory(text="The port is 1", key="port")])
        memories.add("The zebra is striped")

    assert {memory.text for memory in memories.list()} == {
        "The port is 8080",
        "The zebra is striped",
    }


def test_a_store_commits_nothing_by_itself_inside_a_transaction(db: Database) -> None:
    memories = store(db)
    deeds = (
        lambda: memories.add("one"),
        lambda: memories.add_many([NewMemory(text="two")]),
        lambda: memories.propose("three"),
        lambda: memories.promote(memories.candidates()[0].id),
        lambda: memories.update(memories.list()[0].id, text="four"),
        lambda: memories.supersede(memories.list()[0].id, "five"),
        lambda: memories.delete(memories.list()[0].id),
        memories.expire,
        memories.verify,
        lambda: memories.context("one", budget_tokens=300),
        memories.embed_missing,
        memories.stats,
    )
    before = contents(db)

    with suppress(ZeroDivisionError), db.transaction():
        for deed in deeds:
            deed()
            assert db.in_transaction
        _ = 1 / 0

    assert contents(db) == before


def test_the_default_embedder_finds_what_is_meant(db: Database) -> None:
    memories = MemoryStore(db, Clock(), open_embedder())
    memories.add("The car is parked in the garage")
    memories.add("Bread rises overnight in the fridge")

    assert memories.search("automobile parking", mode="vector")[0].text.startswith("The car")


def test_no_socket_is_opened(database_url: str, sockets: list[str]) -> None:
    """But for the server's own, which its driver opens below Python."""
    with open_database(database_url) as db:
        memories = MemoryStore(db, embedder=open_embedder())
        added = memories.add("See https://example.com/zebra", source="https://example.com/zebra")
        memories.search("zebra")
        memories.context("zebra", budget_tokens=300)
        memories.verify()
        memories.purge(added.id)

    assert sockets == []


def test_both_indexes_agree_with_the_rows_after_everything(db: Database) -> None:
    memories = store(db)
    added = [memories.add(f"number {i}", tags=[f"t{i}"]) for i in range(12)]
    memories.update(added[0].id, text="changed")
    memories.update(added[1].id, tags=["other"])
    memories.delete(added[2].id)
    memories.restore(added[2].id)
    memories.supersede(added[3].id, "number three")
    memories.purge(added[4].id)
    memories.propose("pending")
    memories.expire()

    assert memories._desk.index.disagreements() == []
    if db.engine == "sqlite":
        check = "INSERT INTO memories_fts (memories_fts, rank) VALUES ('integrity-check', 1)"
        db.run(check)


def test_an_index_that_lost_something_says_so(db: Database) -> None:
    memories = store(db)
    memories.add("The zebra is striped")
    db.run("DELETE FROM vec_memories WHERE 1 = 1")
    db.run(
        "INSERT INTO vec_memories (number, model, changed, embedding)"
        " SELECT number, 'm', 1, CAST('[1]' AS halfvec) FROM lsm_agent_memories"
        if db.engine == "postgres"
        else "INSERT INTO vec_memories (number, model, changed, embedding)"
        " SELECT number, 'm', 1, x'003c' FROM lsm_agent_memories"
    )
    healthy = memories._desk.index.disagreements()
    fts = "memories_fts" if db.engine == "postgres" else "memories_fts_data"
    if db.engine == "postgres":
        db.run(f"DELETE FROM {fts} WHERE 1 = 1")
    else:
        db.run("INSERT INTO memories_fts (memories_fts) VALUES ('delete-all')")

    assert healthy == []
    assert memories._desk.index.disagreements() == [
        "1 active memories are not in the full-text index"
    ]


def test_a_memory_whose_vector_is_damaged_is_found_by_its_words(db: Database) -> None:
    memories = store(db)
    memories.add("The zebra is striped")
    memories.add("The kiln is hot")
    cut = "subvector(embedding, 1, 3)" if db.engine == "postgres" else "substr(embedding, 1, 6)"
    db.run(f"UPDATE vec_memories SET embedding = {cut} WHERE number = 1")  # pyright: ignore[reportArgumentType]

    found = [hit.text for hit in store(db).search("zebra")]
    with db.transaction():
        inside = [hit.text for hit in store(db).search("zebra")]

    assert found[0] == inside[0] == "The zebra is striped"
    assert memories._desk.index.disagreements() == [
        "1 vectors of memories are not as long as their model's"
    ]


_watched: list[str] = []
_watching: list[bool] = []


@pytest.fixture
def sockets() -> Iterator[list[str]]:
    """Every socket that is made while the test runs."""
    if not _watching:
        sys.addaudithook(
            lambda event, _: _watched.append(event) if event.startswith("socket.") else None
        )
        _watching.append(True)
    _watched.clear()
    yield _watched
    _watched.clear()
