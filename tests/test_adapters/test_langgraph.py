"""The store for LangGraph behaves as LangGraph's own stores do, on both engines."""

from __future__ import annotations

import asyncio
import importlib
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.store.base import (
    GetOp,
    InvalidNamespaceError,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchOp,
)

from lsm.adapters.langgraph import LangGraphStore
from lsm.agents.memory import MemoryStore
from lsm.errors import EmbeddingError, InvalidError, MissingExtraError, RefusedError
from lsm.vectordb import stored_memories
from tests.test_agents import memories as fixtures
from tests.test_agents.memories import Clock, WordEmbedder, agent, contents, store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lsm.db import Database

database_url = fixtures.database_url
NOTES = ("users", "ann", "notes")


# -- one item ------------------------------------------------------------------------------


def test_what_is_put_is_got_back(db: Database) -> None:
    items = LangGraphStore(store(db))
    value = {"text": "likes tea", "n": 3, "deep": {"list": [1, None, True]}}

    items.put(NOTES, "tea", value)

    item = items.get(NOTES, "tea")
    assert item is not None
    assert (item.namespace, item.key, item.value) == (NOTES, "tea", value)
    assert item.created_at == item.updated_at
    assert item.created_at.tzinfo is not None


def test_a_second_put_changes_the_value_and_not_the_creation(db: Database) -> None:
    clock = Clock()
    items = LangGraphStore(store(db, clock))
    items.put(NOTES, "tea", {"text": "likes tea"})
    before = items.get(NOTES, "tea")
    clock.forward(hours=1)

    items.put(NOTES, "tea", {"text": "likes coffee"})

    after = items.get(NOTES, "tea")
    assert before is not None
    assert after is not None
    assert after.value == {"text": "likes coffee"}
    assert after.created_at == before.created_at
    assert after.updated_at - before.updated_at >= timedelta(hours=1)


def test_a_deleted_item_is_gone_and_can_be_restored(db: Database) -> None:
    memories = store(db)
    items = LangGraphStore(memories)
    items.put(NOTES, "tea", {"text": "likes tea"})

    items.delete(NOTES, "tea")

    assert items.get(NOTES, "tea") is None
    assert items.search(NOTES, query="tea") == []
    deleted = memories.list(status="deleted")
    memories.restore(deleted[0].id)
    assert items.get(NOTES, "tea") is not None


def test_deleting_what_is_not_there_is_no_error(db: Database) -> None:
    LangGraphStore(store(db)).delete(NOTES, "nothing")


def test_equal_values_under_two_keys_are_two_items(db: Database) -> None:
    items = LangGraphStore(store(db))

    for key in ("one", "two"):
        items.put(NOTES, key, {"text": "likes tea"})

    assert {item.key for item in items.search(NOTES)} == {"one", "two"}


def test_an_item_put_again_after_its_deletion_is_a_new_one(db: Database) -> None:
    clock = Clock()
    items = LangGraphStore(store(db, clock))
    items.put(NOTES, "tea", {"text": "likes tea"})
    items.delete(NOTES, "tea")
    clock.forward(hours=1)

    items.put(NOTES, "tea", {"text": "likes tea"})

    item = items.get(NOTES, "tea")
    assert item is not None
    assert item.created_at.hour == 13


def test_a_value_without_any_text_is_kept(db: Database) -> None:
    items = LangGraphStore(store(db))

    items.put(NOTES, "empty", {})

    item = items.get(NOTES, "empty")
    assert item is not None
    assert item.value == {}


@pytest.mark.parametrize("namespace", [(), ("a.b",), ("",), ("langgraph", "x")])
def test_a_namespace_langgraph_refuses_is_refused(
    sqlite_url: str, namespace: tuple[str, ...]
) -> None:
    with fixtures.open_database(sqlite_url) as db, pytest.raises(InvalidNamespaceError):
        LangGraphStore(store(db)).put(namespace, "key", {"a": 1})


def test_a_label_with_a_period_in_a_batch_is_refused_before_anything_is_written(
    db: Database,
) -> None:
    items = LangGraphStore(store(db))

    with pytest.raises(InvalidNamespaceError):
        items.batch([PutOp(NOTES, "a", {"n": 1}), PutOp(("users.ann",), "b", {"n": 1})])

    assert items.get(NOTES, "a") is None


LETTER = st.characters(exclude_characters=".\0", exclude_categories=["Cs"])
WORD = st.text(LETTER, min_size=1, max_size=8)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(namespace=st.lists(WORD, min_size=1, max_size=4).map(tuple), key=WORD)
def test_every_namespace_and_key_comes_back_as_it_was(
    sqlite_url: str, namespace: tuple[str, ...], key: str
) -> None:
    with fixtures.open_database(sqlite_url) as db:
        items = LangGraphStore(store(db, embedded=False))

        items.batch([PutOp(namespace, key, {"n": 1})])

        found = items.batch([GetOp(namespace, key)])[0]
        assert (found.namespace, found.key) == (namespace, key)  # pyright: ignore
        assert namespace in items.list_namespaces(limit=10_000)
        every = [(item.namespace, item.key) for item in items.search(namespace, limit=10_000)]
        assert every.count((namespace, key)) == 1


# -- batches -------------------------------------------------------------------------------


def test_results_of_a_batch_are_in_the_order_of_its_operations(db: Database) -> None:
    items = LangGraphStore(store(db))
    items.put(NOTES, "old", {"n": 1})

    got, put, found, namespaces, missing = items.batch(
        [
            GetOp(NOTES, "old"),
            PutOp(NOTES, "new", {"n": 2}),
            SearchOp(("users",)),
            ListNamespacesOp(),
            GetOp(NOTES, "new"),
        ]
    )

    assert got is not None
    assert put is None
    assert [item.key for item in found] == ["old"]  # pyright: ignore
    assert namespaces == [NOTES]
    assert missing is None  # reads see what was there before the puts
    assert items.get(NOTES, "new") is not None


def test_the_last_put_to_a_key_counts(db: Database) -> None:
    items = LangGraphStore(store(db))

    items.batch([PutOp(NOTES, "a", {"n": n}) for n in (1, 2)])
    items.batch([PutOp(NOTES, "b", {"n": 1}), PutOp(NOTES, "b", None)])

    assert [(item.key, item.value) for item in items.search(NOTES)] == [("a", {"n": 2})]


def test_a_failed_batch_changes_nothing(db: Database) -> None:
    items = LangGraphStore(store(db))
    items.put(NOTES, "old", {"n": 1})
    before = contents(db)

    with pytest.raises(InvalidError):
        items.batch(
            [
                PutOp(NOTES, "old", None),
                PutOp(NOTES, "new", {"n": 2}),
                PutOp(NOTES, "bad", {"n": float("nan")}),
            ]
        )

    assert contents(db) == before


def test_a_batch_whose_embedding_fails_changes_nothing(db: Database) -> None:
    items = LangGraphStore(MemoryStore(db, Clock(), Failing()))

    with pytest.raises(EmbeddingError):
        items.put(NOTES, "a", {"n": 1})

    assert items.get(NOTES, "a") is None


def test_concurrent_puts_to_one_key_leave_one_item(db: Database) -> None:
    items = LangGraphStore(store(db))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: items.put(NOTES, "same", {"n": n}), range(20)))

    found = items.search(NOTES)
    assert [item.key for item in found] == ["same"]
    assert found[0].value["n"] in range(20)


def test_concurrent_puts_to_many_keys_are_all_there(db: Database) -> None:
    items = LangGraphStore(store(db))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: items.put(NOTES, f"key-{n}", {"n": n}), range(20)))

    assert {item.value["n"] for item in items.search(NOTES, limit=100)} == set(range(20))


def test_the_async_methods_do_the_same(db: Database) -> None:
    items = LangGraphStore(store(db))

    async def use() -> Any:
        await items.aput(NOTES, "a", {"n": 1})
        await items.aput(NOTES, "b", {"n": 2})
        await items.adelete(NOTES, "b")
        spaces = await items.alist_namespaces()
        return await items.aget(NOTES, "a"), await items.asearch(NOTES, filter={"n": 1}), spaces

    got, found, spaces = asyncio.run(use())

    assert got.value == {"n": 1}
    assert [item.key for item in found] == ["a"]
    assert spaces == [NOTES]


# -- search --------------------------------------------------------------------------------


ITEMS = {
    "a": {"topic": "food", "score": 1, "day": "2026-01-01", "done": True},
    "b": {"topic": "food", "score": 2.5, "day": "2026-02-01", "done": False, "note": None},
    "c": {"topic": "work", "score": 4, "day": "2026-03-01", "tags": ["x", "y"]},
    "d": {"topic": "work", "score": "4", "deep": {"x": 1, "y": 2}},
}


@pytest.mark.parametrize(
    ("wanted", "keys"),
    [
        ({}, "abcd"),
        ({"topic": "food"}, "ab"),
        ({"topic": "food", "score": 1}, "a"),
        ({"topic": {"$eq": "work"}}, "cd"),
        ({"topic": {"$ne": "work"}}, "ab"),
        ({"note": {"$ne": "x"}}, "abcd"),
        ({"score": {"$gt": 1}}, "bc"),
        ({"score": {"$gte": 1, "$lt": 4}}, "ab"),
        ({"score": {"$lte": 2.5}}, "ab"),
        ({"score": 2.5}, "b"),
        ({"score": 4.0}, "c"),
        ({"score": "4"}, "d"),
        ({"day": {"$gt": "2026-01-15"}}, "bc"),
        ({"done": True}, "a"),
        ({"done": 1}, ""),
        ({"done": {"$eq": False}}, "b"),
        ({"note": None}, "abcd"),
        ({"tags": ["x", "y"]}, "c"),
        ({"tags": ["x"]}, ""),
        ({"deep": {"x": 1}}, "d"),
        ({"deep": {"x": {"$gt": 1}}}, ""),
        ({"nothing": {"$gt": 1}}, ""),
        ({"topic": "x' OR 1=1 --"}, ""),
    ],
)
def test_a_filter_keeps_what_meets_all_of_it(
    db: Database, wanted: dict[str, Any], keys: str
) -> None:
    items = LangGraphStore(store(db, embedded=False))
    items.batch([PutOp(NOTES, key, value) for key, value in ITEMS.items()])

    found = items.search(NOTES, filter=wanted)

    assert sorted(item.key for item in found) == list(keys)
    assert {item.key: item.value for item in found} == {key: ITEMS[key] for key in keys}


@pytest.mark.parametrize("wanted", [{"n": {"$regex": "x"}}, {"n": {"$gt": 1, "plain": 2}}])
def test_an_operator_nobody_knows_is_refused(sqlite_url: str, wanted: dict[str, Any]) -> None:
    with fixtures.open_database(sqlite_url) as db:
        items = LangGraphStore(store(db))

        with pytest.raises(InvalidError, match="filter: n: "):
            items.search(NOTES, filter=wanted)


@pytest.mark.parametrize("query", [None, "number"])
@pytest.mark.parametrize("wanted", [None, {"even": True}, {"n": {"$gte": 0}}])
def test_pages_reach_every_item_once(
    db: Database, query: str | None, wanted: dict[str, Any] | None
) -> None:
    items = LangGraphStore(store(db))
    items.batch(
        [PutOp(NOTES, str(n), {"n": n, "even": n % 2 == 0, "t": "number"}) for n in range(50)]
    )

    pages = [
        items.search(NOTES, query=query, filter=wanted, limit=10, offset=offset)
        for offset in range(0, 60, 10)
    ]

    found = [item.key for page in pages for item in page]
    assert len(found) == len(set(found)) == (25 if wanted and "even" in wanted else 50)


@pytest.mark.parametrize("every", [1, 2, 7])
def test_a_wide_scope_is_listed_like_a_narrow_one(
    db: Database, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    items = LangGraphStore(store(db, embedded=False))
    items.batch([PutOp(NOTES, str(n), {"n": n, "kept": n % every == 0}) for n in range(40)])
    items.batch([PutOp(("others",), str(n), {"kept": True}) for n in range(15)])
    narrow = items.search(("users",), filter={"kept": True}, limit=30)

    monkeypatch.setattr(stored_memories, "_WIDE", 5)
    monkeypatch.setattr(stored_memories, "_LATEST", 20)
    offsets = range(0, 30, 5)
    pages = [items.search(("users",), filter={"kept": True}, limit=5, offset=o) for o in offsets]

    assert [item for page in pages for item in page] == narrow
    assert len(narrow) == min(30, len(range(0, 40, every)))


def test_ten_are_found_where_ten_qualify_among_many_better_answers(db: Database) -> None:
    items = LangGraphStore(store(db))
    items.batch([PutOp(NOTES, f"near-{n}", {"text": "tea tea", "n": 0}) for n in range(120)])
    items.batch(
        [PutOp(NOTES, f"far-{n}", {"text": f"tea and cake {n}", "n": 1}) for n in range(10)]
    )

    for wanted in ({"n": 1}, {"n": {"$gt": 0}}):
        assert len(items.search(NOTES, query="tea", filter=wanted, limit=10)) == 10


def test_a_prefix_is_whole_labels(db: Database) -> None:
    items = LangGraphStore(store(db))
    for namespace in (("foo",), ("foo", "bar"), ("foobar",), ("FOO",), ("foo/bar",)):
        items.put(namespace, "key", {"n": 1})

    assert {item.namespace for item in items.search(("foo",))} == {("foo",), ("foo", "bar")}
    assert len(items.search(())) == 5


@pytest.mark.parametrize("limit", [0, 3])
def test_no_more_than_the_limit_comes_back(db: Database, limit: int) -> None:
    items = LangGraphStore(store(db))
    items.batch([PutOp(NOTES, str(n), {"n": n}) for n in range(5)])

    assert len(items.search(NOTES, limit=limit)) == limit


# -- by meaning ----------------------------------------------------------------------------


def test_what_is_nearest_comes_first_with_falling_scores(db: Database) -> None:
    items = LangGraphStore(store(db))
    for key, text in (("tea", "green tea leaves"), ("cake", "sweet cake"), ("both", "tea cake")):
        items.put(NOTES, key, {"text": text})

    found = items.search(NOTES, query="green tea")

    scores = [item.score for item in found if item.score is not None]
    assert found[0].key == "tea"
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)


def test_an_updated_item_is_found_by_its_new_words_alone(db: Database) -> None:
    items = LangGraphStore(store(db))
    items.put(NOTES, "a", {"text": "elephants"})
    items.put(NOTES, "b", {"text": "elephants too"})

    items.put(NOTES, "a", {"text": "motorway"})

    assert items.search(NOTES, query="motorway")[0].key == "a"
    assert items.search(NOTES, query="elephants")[0].key == "b"


@pytest.mark.parametrize("embedded", [True, False])
def test_an_item_that_is_not_indexed_is_listed_and_not_found(db: Database, embedded: bool) -> None:
    embedder = WordEmbedder()
    items = LangGraphStore(MemoryStore(db, Clock(), embedder if embedded else None))
    items.put(NOTES, "secret", {"text": "tea"}, index=False)
    items.put(NOTES, "open", {"text": "tea"})

    assert [item.key for item in items.search(NOTES, query="tea secret")] == ["open"]
    assert {item.key for item in items.search(NOTES)} == {"open", "secret"}
    assert not any("tea" in text for text in embedder.texts[:1])


def test_an_item_can_be_indexed_later(db: Database) -> None:
    items = LangGraphStore(store(db))
    items.put(NOTES, "a", {"text": "tea"}, index=False)

    items.put(NOTES, "a", {"text": "tea"})

    assert [item.key for item in items.search(NOTES, query="tea")] == ["a"]


def test_only_the_named_fields_are_searched(db: Database) -> None:
    items = LangGraphStore(store(db, embedded=False), fields=["title"])
    items.put(NOTES, "a", {"title": "tea", "body": "cake"})
    value = {"title": "cake", "body": "tea", "list": [{"x": "milk"}]}
    items.put(NOTES, "b", value, index=["list[*].x"])

    assert [item.key for item in items.search(NOTES, query="tea")] == ["a"]
    assert [item.key for item in items.search(NOTES, query="milk")] == ["b"]
    assert items.search(NOTES, query="cake") == []


# -- namespaces ----------------------------------------------------------------------------

SPACES = [
    ("a", "b", "c"),
    ("a", "b", "d", "e"),
    ("a", "b", "d", "i"),
    ("a", "b", "f"),
    ("a", "c", "f"),
    ("b", "a", "f"),
    ("users", "123"),
    ("users", "456", "settings"),
]


@pytest.mark.parametrize(
    ("asked", "spaces"),
    [
        ({}, sorted(SPACES)),
        ({"prefix": ("a", "b")}, SPACES[:4]),
        ({"suffix": ("f",)}, SPACES[3:6]),
        ({"prefix": ("a",), "suffix": ("f",)}, SPACES[3:5]),
        ({"prefix": ("a", "*", "f")}, SPACES[3:5]),
        ({"suffix": ("*", "f")}, SPACES[3:6]),
        ({"prefix": ("a", "b"), "max_depth": 3}, [("a", "b", c) for c in "cdf"]),
        ({"prefix": ("users",), "max_depth": 1}, [("users",)]),
        ({"limit": 2, "offset": 1}, sorted(SPACES)[1:3]),
        ({"prefix": ("nobody",)}, []),
    ],
)
def test_namespaces_are_listed(
    db: Database, asked: dict[str, Any], spaces: list[tuple[str, ...]]
) -> None:
    items = LangGraphStore(store(db, embedded=False))
    items.batch([PutOp(space, "key", {"n": 1}) for space in SPACES])

    assert items.list_namespaces(**asked) == spaces


def test_conditions_of_a_raw_operation_all_hold(db: Database) -> None:
    items = LangGraphStore(store(db, embedded=False))
    items.batch([PutOp(space, "key", {"n": 1}) for space in SPACES])
    conditions = (MatchCondition("prefix", ("a", "b")), MatchCondition("suffix", ("i",)))

    assert items.batch([ListNamespacesOp(conditions)]) == [[("a", "b", "d", "i")]]


def test_a_namespace_without_items_is_not_listed(db: Database) -> None:
    items = LangGraphStore(store(db))
    items.put(NOTES, "a", {"n": 1})
    items.delete(NOTES, "a")

    assert items.list_namespaces() == []


# -- lifetimes -----------------------------------------------------------------------------


def test_an_item_is_gone_when_its_minutes_are_over(db: Database) -> None:
    clock = Clock()
    items = LangGraphStore(store(db, clock))
    items.put(NOTES, "short", {"text": "tea"}, ttl=2)
    items.put(NOTES, "long", {"text": "tea"})
    clock.forward(minutes=1)
    before = items.get(NOTES, "short")

    clock.forward(minutes=1)

    assert before is not None
    assert items.get(NOTES, "short") is None
    assert [item.key for item in items.search(NOTES)] == ["long"]
    assert [item.key for item in items.search(NOTES, query="tea")] == ["long"]


def test_a_put_begins_the_lifetime_anew_and_without_minutes_ends_it(db: Database) -> None:
    clock = Clock()
    items = LangGraphStore(store(db, clock))
    for key in ("again", "kept"):
        items.put(NOTES, key, {"n": 1}, ttl=2)
    clock.forward(minutes=1)

    items.put(NOTES, "again", {"n": 2}, ttl=2)
    items.put(NOTES, "kept", {"n": 2}, ttl=None)

    clock.forward(minutes=1.5)
    assert items.get(NOTES, "again") is not None
    clock.forward(minutes=1)
    assert items.get(NOTES, "again") is None
    assert items.get(NOTES, "kept") is not None


def test_an_item_takes_the_place_of_one_that_has_run_out(db: Database) -> None:
    clock = Clock()
    items = LangGraphStore(store(db, clock))
    items.put(NOTES, "a", {"n": 1}, ttl=1)
    clock.forward(minutes=2)

    items.put(NOTES, "a", {"n": 1})

    item = items.get(NOTES, "a")
    assert item is not None
    assert item.value == {"n": 1}


def test_the_default_lifetime_holds_where_a_put_names_none(db: Database) -> None:
    clock = Clock()
    items = LangGraphStore(store(db, clock), default_ttl=1)
    items.put(NOTES, "a", {"n": 1})
    items.put(NOTES, "b", {"n": 1}, ttl=None)

    clock.forward(minutes=2)

    assert [item.key for item in items.search(NOTES)] == ["b"]


# -- beside other memories -----------------------------------------------------------------


def test_other_memories_are_neither_seen_nor_changed(db: Database) -> None:
    memories = store(db)
    fact = memories.add("tea is good", scope="users/ann/notes", key="tea").memory
    memories.add("a fact elsewhere", scope="elsewhere")
    items = LangGraphStore(memories)

    items.put(NOTES, "tea", {"text": "tea"})
    items.delete(NOTES, "tea")

    assert items.search((), query="tea") == items.search(()) == []
    assert items.list_namespaces() == []
    assert fact is not None
    assert memories.get(fact.id) == fact


def test_a_confined_store_keeps_everything_below_its_scope(db: Database) -> None:
    memories = store(db)
    items = LangGraphStore(memories.scoped("chat"))
    outside = LangGraphStore(memories)
    outside.put(("secrets",), "a", {"text": "tea"})

    items.put(("users",), "b", {"text": "tea"})

    assert [item.key for item in items.search((), query="tea")] == ["b"]
    assert items.list_namespaces() == [("users",)]
    assert outside.list_namespaces() == [("chat", "users"), ("secrets",)]


def test_every_put_is_in_the_history(db: Database) -> None:
    memories = store(db)
    items = LangGraphStore(memories)
    for n in range(3):
        items.put(NOTES, "a", {"n": n})

    revisions = memories.history(memories.list()[0].id)

    assert [(each.version, each.author) for each in revisions] == [
        (1, "langgraph"),
        (2, "langgraph"),
        (3, "langgraph"),
    ]


def test_a_store_of_an_agent_is_refused(db: Database) -> None:
    with pytest.raises(RefusedError, match="waits for a review"):
        LangGraphStore(agent(store(db)))


def test_no_fields_at_all_are_refused(sqlite_url: str) -> None:
    with fixtures.open_database(sqlite_url) as db, pytest.raises(InvalidError, match="fields"):
        LangGraphStore(store(db), fields=[])


def test_without_langgraph_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "langgraph.store.base", None)
    monkeypatch.delitem(sys.modules, "lsm.adapters.langgraph")

    with pytest.raises(MissingExtraError, match=r"local-second-mind\[langgraph\]"):
        importlib.import_module("lsm.adapters.langgraph")


class Failing(WordEmbedder):
    """A model that is not there."""

    def embed_documents(self, texts: Sequence[str]) -> NDArray[Any]:
        raise EmbeddingError(f"{len(texts)} texts, and no model")
