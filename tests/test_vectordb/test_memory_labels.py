"""Filters by tag and by value: from an index, exact, and true after every change."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsm.agents.memory import NewMemory
from lsm.vectordb.memory_index import MemoryWhere, open_memory_index
from lsm.vectordb.stored_memories import NUMBERS
from tests.test_agents import memories as fixtures
from tests.test_agents.memories import store

if TYPE_CHECKING:
    from pathlib import Path

    from lsm.agents.memory import MemoryStore
    from lsm.db import Database

database_url = fixtures.database_url
NOW = "2026-02-01T00:00:00.000000Z"

names = st.sampled_from(["a", "b", "a=b", "c'", 'd"', "\u00e9", "x" * 101])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, 1.0, 2.5, 10**6]),
    st.sampled_from(["", "b", "b=b", "true", "false", "null", "1", "\u00e9", "y" * 100, "y" * 101]),
)
values = st.dictionaries(names, st.one_of(scalars, st.lists(scalars, max_size=2)), max_size=4)
tags = st.lists(st.sampled_from(["red", "blue", "a=b", "t:red", "\u00e9"]), max_size=3, unique=True)


@given(
    st.lists(st.tuples(tags, st.one_of(values, st.just([1]), st.just("b"))), max_size=6),
    tags,
    st.dictionaries(names, scalars, max_size=2),
)
@settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_what_a_filter_finds_is_what_fits(
    db: Database, kept: list[tuple[list[str], Any]], wanted: list[str], value: dict[str, Any]
) -> None:
    db.run("DELETE FROM lsm_agent_memories")
    memories = store(db, embedded=False)
    memories.add_many(
        [NewMemory(text=f"note {i}", tags=t, value=v) for i, (t, v) in enumerate(kept)]
    )

    found = memories.list(tags=wanted, value=value or None, limit=100)

    fitting = [f"note {i}" for i, (t, v) in enumerate(kept) if fits(t, v, wanted, value)]
    assert sorted(memory.text for memory in found) == sorted(fitting)
    assert open_memory_index(db).disagreements() == []


def test_labels_follow_every_change(db: Database, tmp_path: Path) -> None:
    memories = store(db)
    first = memories.add("one", tags=["red", "blue"], value={"kind": "x", "ok": True}).memory
    second = memories.add("two", tags=["red"]).memory
    candidate = memories.propose("three", tags=["red"]).candidate

    assert tagged(memories, "red") == {"one", "two"}
    memories.update(first.id, tags=["green"], value={"kind": "y"})
    assert (tagged(memories, "red"), tagged(memories, "green")) == ({"two"}, {"one"})
    assert [m.id for m in memories.list(value={"kind": "y"})] == [first.id]
    assert memories.list(value={"kind": "x"}).items == ()
    memories.delete(second.id)
    assert tagged(memories, "red") == set()
    memories.restore(second.id)
    memories.promote(candidate.id)
    assert tagged(memories, "red") == {"two", "three"}
    memories.restore(first.id, version=1)
    assert tagged(memories, "red", "blue") == {"one"}
    file = BytesIO()
    memories.export(file)
    (tmp_path / "all.jsonl").write_bytes(file.getvalue())
    memories.purge(first.id)
    assert (tagged(memories, "blue"), labels(db)) == (set(), [(2, "t:red"), (3, "t:red")])
    memories.load(tmp_path / "all.jsonl")
    assert tagged(memories, "blue") == {"one"}
    assert memories._desk.index.disagreements() == []


def test_labels_that_were_lost_are_noticed_and_written_anew(db: Database) -> None:
    memories = store(db)
    memories.add("one", tags=["red"])
    index = open_memory_index(db)
    db.run("UPDATE memory_labels SET label = 't:blue'")

    noticed = index.disagreements()
    index.mend()

    assert noticed == ["2 labels of memories are missing, or too many"]
    assert (index.disagreements(), tagged(memories, "red")) == ([], {"one"})


@pytest.mark.parametrize(
    "where",
    [
        MemoryWhere(NOW, tags=("t7",)),
        MemoryWhere(NOW, tags=("t7", "all")),
        MemoryWhere(NOW, value={"kind": "k7"}),
        MemoryWhere(NOW, scope="team", tags=("t7",), types=("fact",)),
    ],
)
def test_a_filter_by_label_reads_no_other_memory(db: Database, where: MemoryWhere) -> None:
    memories = store(db, embedded=False)
    memories.add_many(
        [
            NewMemory(text=f"note {i}", scope="team", tags=[f"t{i % 40}", "all"],
                      value={"kind": f"k{i % 40}"})
            for i in range(240)
        ]
    )  # fmt: skip
    index: Any = open_memory_index(db)
    allowed = index._filter(where)
    sql = (
        f"{NUMBERS}{allowed.sql} AND {allowed.number} < 9999 ORDER BY {allowed.number} DESC LIMIT 5"
    )

    plan = explained(db, sql, allowed.params)

    assert "memory_labels_label" in plan
    assert "SCAN lsm_agent_memories" not in plan
    assert "Seq Scan on lsm_agent_memories" not in plan
    assert len(index.listed(where, 5)) == 5


def explained(db: Database, sql: Any, params: dict[str, Any]) -> str:
    with db.transaction():
        if db.engine == "sqlite":
            rows = db.tuples("EXPLAIN QUERY PLAN " + sql, **params)
        else:
            # Whether it can; whether it does so for so few rows is the server's business.
            db.run("ANALYZE lsm_agent_memories, memory_labels")
            db.run("SET LOCAL enable_seqscan = off")
            rows = db.tuples("EXPLAIN " + sql, **params)
    return "\n".join(str(row[-1]) for row in rows)


def labels(db: Database) -> list[tuple[Any, ...]]:
    return db.tuples("SELECT number, label FROM memory_labels ORDER BY number, label")


def tagged(memories: MemoryStore, *wanted: str) -> set[str]:
    return {memory.text for memory in memories.list(tags=wanted)}


def fits(t: list[str], v: Any, wanted: list[str], value: dict[str, Any]) -> bool:
    members = v if isinstance(v, dict) else {}
    return set(wanted) <= set(t) and all(
        name in members
        and isinstance(members[name], bool) == isinstance(each, bool)
        and members[name] == each
        for name, each in value.items()
    )
