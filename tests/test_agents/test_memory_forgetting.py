"""Purging to the last byte, and what is said when that is not possible."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from lsm.agents.memory import MemoryStore, NewMemory
from lsm.agents.memory.traces import UNINDEXED
from lsm.db import open_database
from lsm.errors import NotFoundError, RefusedError
from tests.test_agents import memories as fixtures
from tests.test_agents.memories import Library, WordEmbedder, contents, store

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.db import Database

database_url = fixtures.database_url


def test_a_purged_memory_is_in_no_table(db: Database) -> None:
    memories = store(db)
    before = contents(db)
    added = memories.add("The zebra of Zanzibar is striped", value={"secret": "zebra crossing 77"})
    memories.update(added.id, text="The zebra of Zanzibar is spotted")
    memories.context("zebra", budget_tokens=300)
    derived = memories.add("Something else entirely", source=f"memory:{added.id}")
    memories.purge(derived.id)

    receipt = memories.purge(added.id)

    assert (receipt.id, receipt.bytes_found) == (added.id, 0)
    assert receipt.rows >= 6
    assert contents(db) == before
    with pytest.raises(NotFoundError):
        memories.history(added.id)


def test_a_purged_memory_is_forgotten_by_every_process(
    db: Database, open_again: Callable[[], Database]
) -> None:
    memories, other = store(db), store(open_again())
    added = memories.add("The zebra is striped")
    memories.add("A horse")
    other.search("zebra", mode="vector")

    memories.purge(added.id)

    assert len(other.search("zebra", mode="vector")) == 1


def test_no_byte_of_what_was_purged_is_left_in_the_file(sqlite_url: str) -> None:
    with open_database(sqlite_url) as db:
        memories = store(db)
        dice = random.Random(7)
        canaries = [f"canary{i}x " * dice.choice([1, 3, 40, 900]) for i in range(60)]
        added = memories.add_many(
            [NewMemory(text=text, tags=[f"tag{i}"]) for i, text in enumerate(canaries)]
        )
        for i, result in enumerate(added[:20]):
            memories.update(result.id, text=f"changed {canaries[i]}")
        dice.shuffle(added)

        receipts = [memories.purge(result.id) for result in added]

        assert [receipt.bytes_found for receipt in receipts] == [0] * len(added)
        assert db.count_bytes([f"canary{i}x".encode() for i in range(60)]) == 0
        vectors = WordEmbedder().embed_documents(canaries).astype("<f2")
        assert db.count_bytes([vector.tobytes() for vector in vectors]) == 0


def test_the_byte_scan_finds_what_is_there(sqlite_url: str) -> None:
    with open_database(sqlite_url) as db:
        memories = store(db)
        text = "a long story about zebras " * 2000
        memories.add(text)

        assert db.count_bytes([b"story about zebras"]) >= 2000
        assert db.count_bytes([b"never written anywhere"]) == 0
        db.reclaim(["lsm_agent_memories"])
        assert db.count_bytes([b"story about zebras"]) >= 2000


def test_words_that_stand_elsewhere_for_their_own_reasons_are_named(db: Database) -> None:
    library = Library(db)
    library.write("/notes/keys.md", "# Keys\n\nKeys rotate every 90 days.")
    library.write("/notes/old.md", "Note: keys rotate every 90 days, he said.")
    library.write("/notes/old.md", "Nothing of it is left.")
    memories = store(db)
    other = memories.add("Note: keys rotate every 90 days, says Ana", scope="team")
    gone = memories.add("once more: keys rotate every 90 days")
    memories.update(gone.id, text="something else")
    added = memories.add("eys rotate every 90 days")

    receipt = memories.purge(added.id)

    assert receipt.bytes_found == 0
    found = {(each.kind, each.path or each.id, each.line, each.current) for each in receipt.also_in}
    assert found >= {
        ("document", "/notes/keys.md", 3, True),
        ("document", "/notes/old.md", None, False),
        ("memory", other.id, None, True),
        ("history", gone.id, None, True),
    }
    assert not [each for each in receipt.also_in if added.id in (each.id, each.path)]


def test_what_is_taken_for_unindexed_is_in_no_index(sqlite_url: str) -> None:
    with open_database(sqlite_url) as db:
        indexed = db.tuples(
            "SELECT DISTINCT i.name FROM sqlite_schema s, pragma_index_list(s.name) l,"
            " pragma_index_info(l.name) i WHERE s.type = 'table'"
        )

    assert {name for (name,) in indexed} & UNINDEXED == set()


def test_bytes_that_no_row_explains_are_counted(sqlite_url: str) -> None:
    with open_database(sqlite_url) as db:
        Library(db).write("/notes/keys.md", "Keys rotate every 90 days.")
        memories = store(db)
        added = memories.add("eys rotate every 90 days")
        memories.add("Something else")
        # Where no text is, so that no row says why they are there.
        db.run("UPDATE vec_memories SET embedding = CAST('xx eys rotate every 90 days' AS BLOB)")

        receipt = memories.purge(added.id)

    assert receipt.bytes_found > 0
    assert "lsm db vacuum" in receipt.note
    assert [each.path for each in receipt.also_in] == ["/notes/keys.md"]


def test_purging_inside_a_transaction_is_refused(db: Database) -> None:
    memories = store(db)
    added = memories.add("The zebra is striped")

    with pytest.raises(RefusedError, match="inside a transaction"), db.transaction():
        memories.purge(added.id)

    assert memories.get(added.id) is not None


@pytest.mark.long
def test_hundreds_of_canaries_are_gone(sqlite_url: str) -> None:
    with open_database(sqlite_url) as db:
        memories = store(db)
        dice = random.Random(1)
        kept = [NewMemory(text=f"kept {i} " * dice.randint(1, 200)) for i in range(400)]
        gone = [NewMemory(text=f"canary{i}x " * dice.randint(1, 1500)) for i in range(400)]
        everything = [*kept, *gone]
        dice.shuffle(everything)
        ids = [
            result.id for result in memories.add_many(everything) if "canary" in result.memory.text
        ]

        receipts = [memories.purge(memory_id) for memory_id in ids]

        assert sum(receipt.bytes_found for receipt in receipts) == 0
        assert db.count_bytes([b"canary"]) == 0
        assert memories.stats().memories == 400


def test_words_too_short_to_be_searched_for_are_named_as_such(sqlite_url: str) -> None:
    with open_database(sqlite_url) as db:
        memories = MemoryStore(db)
        added = memories.add("tea")

        receipt = memories.purge(added.id)

    assert (receipt.bytes_found, "too short" in receipt.note) == (0, True)
