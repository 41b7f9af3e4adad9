"""Adding, reading and changing memories, on both engines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lsm.agents.memory import MemoryStore, NewMemory, Writer, as_row
from lsm.agents.memory.fence import HEAD
from lsm.config.models.agents import MemoryConfig
from lsm.errors import ConfigError, ConflictError, InvalidError, NotFoundError, RefusedError
from tests.test_agents import memories as fixtures
from tests.test_agents.memories import Clock, agent, contents, store

if TYPE_CHECKING:
    from lsm.db import Database

database_url = fixtures.database_url

# Neither engine keeps NUL in a text.
characters = st.characters(codec="utf-8", exclude_characters="\0")
texts = st.text(characters, min_size=1, max_size=200).filter(str.strip)
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(characters, max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(characters, max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def test_what_a_person_says_is_a_memory_at_once(db: Database) -> None:
    memories = store(db)

    result = memories.add("Keys rotate every 90 days", scope="team", tags=["ops"], key="rotation")

    assert result.outcome == "added"
    assert result.candidate is None
    assert memories.get(result.id) == result.memory
    assert as_row(memories.get(result.id))["tags"] == ["ops"]


def test_a_row_has_the_fields_of_the_contract(db: Database) -> None:
    memories = store(db)

    memories.add("Keys rotate every 90 days", scope="team")

    row = as_row(memories.search("keys")[0])
    assert {
        "id", "text", "type", "scope", "key", "value", "tags", "confidence", "status", "trust",
        "created_at", "expires_at", "stale", "score", "parts",
    } <= row.keys()  # fmt: skip


@given(text=texts, value=values, tags=st.lists(st.sampled_from(["a", "ä b", "ops", "x/y"])))
@example(text="a path", value={"C:\\u0000": "\\u0000"}, tags=[])  # a backslash and no NUL
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)
def test_what_is_remembered_is_what_is_read(
    db: Database, text: str, value: Any, tags: list[str]
) -> None:
    memories = store(db, embedded=False)

    result = memories.add(text, value=value, tags=tags)

    found = memories.get(result.id)
    assert found is not None
    if result.outcome == "added":
        assert (found.text, found.value) == (text.strip(), value)
        assert found.tags == tuple(dict.fromkeys(tags))


@pytest.mark.parametrize("again", ["keys  rotate\nevery 90 days ", "KEYS ROTATE EVERY 90 DAYS"])
def test_the_same_words_are_kept_once(db: Database, again: str) -> None:
    memories = store(db)
    first = memories.add("Keys rotate every 90 days")

    second = memories.add(again)

    assert (second.outcome, second.id) == ("exists", first.id)
    assert memories.stats().memories == 1


@pytest.mark.parametrize("other", [{"scope": "elsewhere"}, {"type": "note"}, {"key": "named"}])
def test_the_same_words_elsewhere_are_another_memory(db: Database, other: dict[str, str]) -> None:
    memories = store(db)
    memories.add("Keys rotate every 90 days")

    assert memories.add("Keys rotate every 90 days", **other).outcome == "added"


def test_a_loop_that_repeats_itself_writes_nothing(db: Database) -> None:
    memories = store(db)
    memories.add("Keys rotate every 90 days")
    before = contents(db)

    for _ in range(50):
        memories.add("keys rotate every 90 days")

    assert contents(db) == before


def test_near_duplicates_are_shown_and_not_merged(db: Database) -> None:
    memories = store(db)
    first = memories.add("Keys of the vault rotate every 90 days")
    memories.add("Lunch is at noon")

    second = memories.add("Keys of the vault rotate every 30 days")

    assert second.outcome == "added"
    assert [hit.id for hit in second.similar] == [first.id]


def test_a_taken_key_is_refused_and_nothing_is_overwritten(db: Database) -> None:
    memories = store(db)
    first = memories.add("The port is 8080", key="port")

    with pytest.raises(RefusedError, match=first.id):
        memories.add("The port is 9090", key="port")

    found = memories.get_by_key("global", "port")
    assert found is not None
    assert found.text == "The port is 8080"


def test_one_bad_memory_and_none_is_added(db: Database) -> None:
    memories = store(db)
    before = contents(db)

    with pytest.raises(RefusedError):
        memories.add_many(
            [
                NewMemory(text="one", key="k"),
                NewMemory(text="two"),
                NewMemory(text="three", key="k"),
            ]
        )

    assert {**contents(db)} == before


def test_created_at_survives_an_update(db: Database) -> None:
    clock = Clock()
    memories = store(db, clock)
    added = memories.add("The port is 8080").memory
    clock.forward(days=3)

    changed = memories.update(added.id, text="The port is 9090", reason="moved")

    assert changed.created_at == added.created_at
    assert changed.updated_at > added.updated_at
    assert changed.version == 2
    assert memories.get(added.id) == changed


def test_an_update_of_another_version_is_refused(db: Database) -> None:
    memories = store(db)
    added = memories.add("The port is 8080")
    memories.update(added.id, text="The port is 9090")

    with pytest.raises(ConflictError, match="version 2, not 1"):
        memories.update(added.id, text="The port is 7070", expect_version=1)

    assert memories.get(added.id).text == "The port is 9090"


def test_an_update_leaves_no_old_words_in_the_index(db: Database) -> None:
    memories = store(db)
    added = memories.add("The zebra is striped")

    memories.update(added.id, text="The horse is brown")

    assert not memories.search("zebra", mode="text")
    assert memories.search("horse", mode="text")[0].id == added.id
    assert memories.search("horse", mode="vector")[0].parts["vector"] == 1.0


def test_an_update_that_says_what_another_says_is_refused(db: Database) -> None:
    memories = store(db)
    one, other = memories.add("The port is 8080"), memories.add("The port is 9090")

    with pytest.raises(RefusedError, match=one.id):
        memories.update(other.id, text="the port is 8080")


def test_superseding_keeps_both_and_can_be_taken_back(db: Database) -> None:
    memories = store(db)
    old = memories.add("The port is 8080", key="port", tags=["net"])

    new = memories.supersede(old.id, "The port is 9090", reason="moved")

    assert (new.key, new.tags) == ("port", ("net",))
    assert memories.get(old.id) is None
    hidden = memories.get(old.id, hidden=True)
    assert (hidden.status, hidden.superseded_by) == ("superseded", new.id)
    memories.delete(new.id)
    assert memories.restore(old.id).status == "active"
    assert memories.search("port")[0].text == "The port is 8080"


def test_a_deleted_memory_leaves_no_vector_and_no_words(db: Database) -> None:
    memories = store(db)
    added = memories.add("The zebra is striped")

    memories.delete(added.id)

    found = contents(db)
    assert (found["vec_memories"], found["memories_fts"]) == ([], [])
    assert not memories.search("zebra")
    assert memories.get(added.id) is None


def test_a_restored_memory_is_found_by_words_and_meaning(db: Database) -> None:
    memories = store(db)
    added = memories.add("The zebra is striped")
    memories.delete(added.id)

    memories.restore(added.id)

    for mode in ("text", "vector"):
        assert [hit.id for hit in memories.search("zebra", mode=mode)] == [added.id]


def test_a_new_memory_does_not_inherit_the_vector_of_a_deleted_one(db: Database) -> None:
    memories = store(db)
    old = memories.add("The zebra is striped", key="animal")
    memories.delete(old.id)

    new = memories.add("A bicycle has wheels", key="animal")

    hit = memories.search("zebra striped", mode="vector")[0]
    assert hit.id == new.id
    assert memories.search("A bicycle has wheels", mode="vector")[0].parts["vector"] == 1.0


def test_every_change_is_in_the_history(db: Database) -> None:
    memories = store(db).acting(Writer(author="ana"))
    added = memories.add("The port is 8080")
    memories.update(added.id, text="The port is 9090", reason="moved")
    memories.delete(added.id, reason="gone")
    memories.restore(added.id)

    history = memories.history(added.id)

    assert [each.action for each in history] == ["added", "updated", "deleted", "restored"]
    assert [each.reason for each in history] == ["", "moved", "gone", ""]
    assert {each.author for each in history} == {"ana"}
    assert history[0].before is None
    assert history[1].before["text"] == "The port is 8080"
    assert history[1].after["text"] == "The port is 9090"


def test_any_version_can_be_restored(db: Database) -> None:
    memories = store(db)
    added = memories.add("The port is 8080", value={"port": 8080}, tags=["net"])
    memories.update(added.id, text="The port is 9090", value={"port": 9090}, tags=[])

    restored = memories.restore(added.id, version=1)

    assert (restored.text, restored.value) == ("The port is 8080", {"port": 8080})
    assert restored.tags == ("net",)
    assert restored.version == 3
    assert memories.search("8080", mode="text")


@pytest.mark.parametrize(
    ("memory_type", "days"),
    [
        ("project_fact", 90),
        ("task_state", 7),
        ("cache", 1),
        ("fact", None),
        ("whatever", None),
        ("pinned", None),
    ],
)
def test_a_type_has_its_lifetime(db: Database, memory_type: str, days: int | None) -> None:
    clock = Clock()
    memories = store(db, clock)
    added = memories.add("It is so", type=memory_type)
    clock.forward(days=(days or 10_000) - 0.01)
    before = memories.get(added.id)
    clock.forward(days=0.02)

    assert before is not None
    assert (memories.get(added.id) is None) == (days is not None)


@pytest.mark.parametrize(("ttl", "hours"), [(timedelta(hours=2), 2), (timedelta(days=30), 24)])
def test_a_lifetime_caps_and_does_not_shorten_what_is_shorter(
    db: Database, ttl: timedelta, hours: int
) -> None:
    clock = Clock()
    memories = store(db, clock)

    memory = memories.add("It is so", type="cache", ttl=ttl).memory

    lasted = datetime.fromisoformat(memory.expires_at) - datetime.fromisoformat(memory.created_at)
    assert abs(lasted - timedelta(hours=hours)) < timedelta(seconds=1)


def test_what_has_expired_is_never_returned_sweep_or_no_sweep(db: Database) -> None:
    clock = Clock()
    memories = store(db, clock)
    added = memories.add("The zebra is striped", ttl=timedelta(hours=1), key="z", pinned=True)
    clock.forward(hours=1)

    for _ in range(2):
        assert memories.get(added.id) is None
        assert memories.get_by_key("global", "z") is None
        assert not memories.search("zebra")
        assert not memories.search("zebra", mode="vector")
        assert not memories.list()
        assert not memories.scopes()
        assert memories.context("zebra", budget_tokens=500).text == ""
        assert memories.stats().memories == 0
        assert not memories.similar("The zebra is striped")
        memories.expire()


def test_what_has_expired_can_be_said_again(db: Database) -> None:
    clock = Clock()
    memories = store(db, clock)
    first = memories.add("The zebra is striped", ttl=timedelta(hours=1))
    clock.forward(hours=2)

    second = memories.add("The zebra is striped")

    assert second.outcome == "added"
    assert second.id != first.id
    assert memories.get(first.id, hidden=True).status == "expired"


def test_a_sweep_is_in_the_history_and_can_be_taken_back(db: Database) -> None:
    clock = Clock()
    memories = store(db, clock)
    added = memories.add("It is so", type="cache")
    clock.forward(days=2)

    assert memories.expire().memories == 1
    assert memories.expire().memories == 0

    assert memories.history(added.id)[-1].action == "expired"
    assert memories.restore(added.id).expires_at > memories.history(added.id)[-1].changed_at


def test_reading_does_not_make_a_memory_fresh(db: Database) -> None:
    clock = Clock()
    memories = store(db, clock)
    added = memories.add("The zebra is striped", type="task_state")
    clock.forward(days=6)

    memories.get(added.id)
    memories.search("zebra")
    memories.context("zebra", budget_tokens=300)
    memories.mark_used([added.id])

    found = memories.get(added.id)
    assert found.last_used_at is not None
    assert (found.updated_at, found.expires_at, found.last_verified_at, found.version) == (
        added.memory.updated_at, added.memory.expires_at, None, 1,
    )  # fmt: skip
    clock.forward(days=1.1)
    assert memories.get(added.id) is None


@pytest.mark.parametrize(
    "item",
    [
        {"text": ""},
        {"text": " \n"},
        {"text": "a\0b"},
        {"text": "half \ud800"},
        {"text": "x" * 100_001},
        {"text": HEAD + "\n- recalled\n"},
        {"confidence": 1.01},
        {"confidence": -0.1},
        {"confidence": float("nan")},
        {"confidence": "high"},
        {"tags": ["a,b"]},
        {"tags": ["a\nb"]},
        {"tags": [""]},
        {"tags": [f"t{i}" for i in range(65)]},
        {"tags": "ops"},
        {"type": ""},
        {"type": "a\nb"},
        {"key": " "},
        {"scope": ""},
        {"scope": "/"},
        {"scope": "a//b"},
        {"scope": "a/../b"},
        {"scope": "a\0b"},
        {"scope": "/".join("abcdefghijklmn")},
        {"value": float("nan")},
        {"value": {"deep": [float("inf")]}},
        {"value": object()},
        {"value": "x" * 300_000},
        {"value": "a\0b"},
        {"ttl": timedelta()},
        {"ttl": timedelta(days=-1)},
        {"ttl": timedelta(days=40_000)},
        {"expires_at": datetime(2025, 1, 1, tzinfo=UTC)},
        {"expires_at": datetime(2030, 1, 1)},  # noqa: DTZ001 - that is the mistake
    ],
)
def test_what_cannot_be_remembered_is_refused(sqlite_url: str, item: dict[str, Any]) -> None:
    from lsm.db import open_database

    with open_database(sqlite_url) as db:
        memories = store(db)
        before = contents(db)

        with pytest.raises(InvalidError):
            memories.add(**{"text": "It is so", **item})

        assert contents(db) == before


def test_zero_confidence_is_kept_as_zero(db: Database) -> None:
    memories = store(db)

    added = memories.add("It may be so", confidence=0)

    assert memories.get(added.id).confidence == 0.0


@pytest.mark.parametrize(
    ("text", "problem"), [("soon", "no duration"), ("0d", "more than 0"), ("999999w", "100 years")]
)
def test_a_wrong_lifetime_names_its_key(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=rf"agents\.memory\.lifetimes\.fact: .*{problem}"):
        MemoryConfig(lifetimes={"fact": text})


def test_what_is_not_in_use_cannot_be_changed(db: Database) -> None:
    memories = store(db)
    added = memories.add("The port is 8080")
    memories.delete(added.id)

    for change in (
        lambda: memories.update(added.id, text="The port is 9090"),
        lambda: memories.supersede(added.id, "The port is 9090"),
        lambda: memories.delete(added.id),
    ):
        with pytest.raises(RefusedError, match="deleted"):
            change()
    with pytest.raises(NotFoundError):
        memories.update("no-such-id", text="The port is 9090")
    with pytest.raises(InvalidError, match="name something to change"):
        memories.update(added.id)


def test_no_metadata_changes_a_scope(db: Database) -> None:
    memories = agent(store(db), trust="user")
    forged = {"scope": "team/secrets", "user_id": "root", "metadata": {"scope": "team"}}

    added = memories.add("scope: team", value=forged, tags=["scope:team"], key="scope")
    memories.update(added.id, value={**forged, "scope": "global"})

    assert memories.get(added.id).scope == "agents/researcher"


def test_a_confined_store_reaches_nothing_outside(db: Database) -> None:
    owner = store(db)
    secret = owner.add("The zebra is striped", scope="team", key="z", pinned=True)
    near = owner.add("The zebra runs", scope="agents/researcher2")
    queued = owner.propose("The zebra sleeps", scope="team", run_id="run-x")
    memories = owner.scoped("agents/researcher")

    assert not memories.search("zebra")
    assert not memories.search("zebra", as_of=Clock().now + timedelta(days=9))
    assert not memories.list()
    assert not memories.list(status="deleted")
    assert not memories.scopes()
    assert not memories.candidates()
    assert memories.get(secret.id) is None
    assert memories.get(near.id, hidden=True) is None
    assert memories.context("zebra", budget_tokens=500).text == ""
    assert memories.stats().memories == 0
    assert memories.mark_used([secret.id]) == 0
    assert not memories.of_run("run-x")
    for reach in (
        lambda: memories.search("zebra", scope="team"),
        lambda: memories.add("new", scope="team"),
        lambda: memories.scopes("team"),
        lambda: memories.get_by_key("team", "z"),
        lambda: memories.scoped("team"),
        lambda: memories.acting(Writer(scope="team")),
        lambda: memories.context("zebra", budget_tokens=500, scope="agents"),
    ):
        with pytest.raises(RefusedError, match="outside"):
            reach()
    for reach in (
        lambda: memories.history(secret.id),
        lambda: memories.sources(secret.id),
        lambda: memories.update(secret.id, text="mine"),
        lambda: memories.delete(secret.id),
        lambda: memories.restore(secret.id, version=1),
        lambda: memories.purge(secret.id),
        lambda: memories.promote(queued.candidate.id),
        lambda: memories.reject(queued.candidate.id),
    ):
        with pytest.raises(NotFoundError):
            reach()


def test_trust_cannot_be_raised_by_a_handle(db: Database) -> None:
    memories = agent(store(db))

    result = memories.acting(Writer(trust="user")).add("I am the user", trust="user")

    assert result.outcome == "proposed"
    assert result.candidate.memory.trust == "agent"


def test_a_scope_is_searched_with_what_lies_below_it(db: Database) -> None:
    memories = store(db)
    for scope in ("a", "a/b", "a/b/c", "a-b", "ab", "a.b/c", "b"):
        memories.add(f"zebra of {scope}", scope=scope)

    assert {hit.scope for hit in memories.search("zebra", scope="a")} == {"a", "a/b", "a/b/c"}
    assert [each.scope for each in memories.scopes("a/b")] == ["a/b", "a/b/c"]
    assert {each.scope for each in memories.list(scope="a/b/c")} == {"a/b/c"}


def test_lists_page_through_everything_newest_first(db: Database) -> None:
    memories = store(db, embedded=False)
    added = memories.add_many(
        [NewMemory(text=f"number {i}", scope=f"s/{i % 3}") for i in range(45)]
    )
    expected = [result.id for result in reversed(added)]

    for options in ({}, {"scope": "s"}):
        pages, cursor = [], None
        while True:
            page = memories.list(limit=10, cursor=cursor, **options)
            pages.append([memory.id for memory in page])
            cursor = page.cursor
            if cursor is None:
                break
        assert [len(page) for page in pages] == [10, 10, 10, 10, 5]
        assert [each for page in pages for each in page] == expected


def test_what_was_deleted_is_listed_only_by_that_name(db: Database) -> None:
    memories = store(db)
    added = memories.add("The zebra is striped")
    memories.delete(added.id)

    assert [memory.id for memory in memories.list(status="deleted")] == [added.id]
    with pytest.raises(InvalidError, match="candidates"):
        memories.list(status="pending")


def test_what_is_hidden_is_listed_by_tag_type_and_scope_as_well(db: Database) -> None:
    memories = store(db)
    for i, (memory_type, scope) in enumerate((("fact", "a/b"), ("note", "a"), ("fact", "ab"))):
        added = memories.add(f"number {i}", type=memory_type, scope=scope, tags=["red", f"t{i}"])
        memories.delete(added.id)

    def found(**options: Any) -> set[str]:
        return {memory.text for memory in memories.list(status="deleted", **options)}

    assert found(tags=["red"]) == {"number 0", "number 1", "number 2"}
    assert found(tags=["red", "t1"]) == {"number 1"}
    assert found(types=["fact"], scope="a") == {"number 0"}
    assert found(tags=["blue"]) == set()
    with pytest.raises(InvalidError, match="only active"):
        found(value={"kind": "x"})


def test_without_an_embedder_everything_works_by_words(db: Database) -> None:
    memories = MemoryStore(db)
    memories.add("Keys of the vault rotate every 90 days")

    result = memories.add("Keys of the vault rotate every 30 days")

    assert len(result.similar) == 1
    assert len(memories.search("rotating key")) == 2
    with pytest.raises(InvalidError, match="embedder"):
        memories.search("key", mode="vector")


def test_vectors_come_later_for_what_was_added_without_a_model(db: Database) -> None:
    MemoryStore(db).add("The zebra is striped")
    memories = store(db)
    before = memories.stats().unembedded

    assert memories.embed_missing() == 1

    assert (before, memories.stats().unembedded) == (1, 0)
    assert memories.search("zebra", mode="vector")
    assert memories.embed_missing() == 0
