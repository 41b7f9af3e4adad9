"""Export and import: nothing lost, nothing twice, all or nothing."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lsm.agents.memory import NewMemory, Record, Source
from lsm.db import open_database
from lsm.errors import AccessError, InvalidError, RefusedError
from tests.test_agents import memories as fixtures
from tests.test_agents.memories import Clock, Library, agent, contents, store

if TYPE_CHECKING:
    from pathlib import Path

    from lsm.agents.memory import MemoryStore
    from lsm.db import Database

database_url = fixtures.database_url


def test_an_export_is_imported_without_loss(db: Database, tmp_path: Path) -> None:
    memories = lived(db)
    first = exported(memories)
    file = tmp_path / "memories.jsonl"
    file.write_bytes(first)

    with open_database(str(tmp_path / "other" / "lsm.db")) as other:
        copy = store(other)
        report = copy.load(file)

        assert report.added == first.count(b"\n") - 1
        assert exported(copy) == first
        assert {hit.id for hit in copy.search("port zebra", limit=50)} == {
            hit.id for hit in memories.search("port zebra", limit=50)
        }
        assert copy.stats() == memories.stats()


def test_importing_twice_changes_nothing(db: Database, tmp_path: Path) -> None:
    memories = lived(db)
    file = tmp_path / "memories.jsonl"
    file.write_bytes(exported(memories))
    before = contents(db)

    report = memories.load(file)

    assert (report.added, report.updated, report.conflicts) == (0, 0, 0)
    assert report.identical > 0
    assert contents(db) == before


def test_a_later_version_takes_the_place_of_an_earlier_one(db: Database, tmp_path: Path) -> None:
    memories = lived(db)
    file = tmp_path / "memories.jsonl"
    with open_database(str(tmp_path / "other" / "lsm.db")) as other:
        copy = store(other)
        file.write_bytes(exported(memories))
        copy.load(file)
        changed = memories.list()[0]
        memories.update(changed.id, text="Changed since the first export")
        file.write_bytes(exported(memories))

        report = copy.load(file)
        back = exported(copy)

    assert (report.updated, report.added) == (1, 0)
    assert back == exported(memories)


def test_what_was_changed_on_both_sides_stays_ours(db: Database, tmp_path: Path) -> None:
    memories = lived(db)
    file = tmp_path / "memories.jsonl"
    with open_database(str(tmp_path / "other" / "lsm.db")) as other:
        copy = store(other)
        file.write_bytes(exported(memories))
        copy.load(file)
        changed = memories.list()[0]
        memories.update(changed.id, text="Theirs")
        file.write_bytes(exported(memories))
        copy.update(changed.id, text="Ours")

        report = copy.load(file)

        assert (report.conflicts, len(report.problems)) == (1, 1)
        assert copy.get(changed.id).text == "Ours"


def test_a_file_with_one_bad_line_brings_in_nothing(db: Database, tmp_path: Path) -> None:
    memories = store(db)
    memories.add_many([NewMemory(text=f"number {i}") for i in range(3)])
    lines = exported(memories).splitlines()
    file = tmp_path / "memories.jsonl"
    with open_database(str(tmp_path / "other" / "lsm.db")) as other:
        copy = store(other)
        before = contents(other)
        for bad in (
            b"{",
            b"[]",
            lines[2].replace(b'"confidence":1.0', b'"confidence":7'),
            lines[2].replace(b'"trust":"user"', b'"trust":"god"'),
            lines[2].replace(b'"scope":"global"', b'"scope":"a/../b"'),
            lines[2].replace(b"number", b"nu\\u0000mber"),
            lines[2].replace(b'"created_at":"2026', b'"created_at":"soon'),
        ):
            file.write_bytes(b"\n".join([*lines[:2], bad, *lines[3:]]))

            with pytest.raises(InvalidError):
                copy.load(file)

            assert contents(other) == before


@pytest.mark.parametrize(
    "forged",
    [
        {"scope": "a/../b"},
        {"scope": "a/\x07"},
        {"type": " "},
        {"key": "k" * 1501},
        {"tags": ["a\0b"]},
        {"value": {"a\0": 1}},
        {"text": "\t"},
        {"text": "a\0b"},
    ],
)
@pytest.mark.parametrize("where", ["now", "then"])
def test_what_no_database_of_ours_held_is_not_restored(
    db: Database, tmp_path: Path, forged: dict[str, Any], where: str
) -> None:
    memories = store(db)
    memories.add("Ports are blue")
    header, line = exported(memories).splitlines()
    record = json.loads(line) | {"id": "forged"}
    (record if where == "now" else record["revisions"][0]["state"]).update(forged)
    file = tmp_path / "memories.jsonl"
    file.write_bytes(header + b"\n" + json.dumps(record).encode())
    before = contents(db)

    with pytest.raises(InvalidError):
        memories.load(file)

    assert contents(db) == before


def test_the_same_words_learned_on_both_sides_are_merged(db: Database, tmp_path: Path) -> None:
    memories = store(db)
    memories.add("Ports are blue")
    file = tmp_path / "memories.jsonl"
    file.write_bytes(exported(memories))

    with open_database(str(tmp_path / "other" / "lsm.db")) as other:
        copy = store(other)
        ours = copy.add("ports are  BLUE").id

        assert copy.load(file).merged == 1
        assert [memory.id for memory in copy.list()] == [ours]


def test_an_import_stays_inside_the_scope_of_its_store(db: Database) -> None:
    memories = store(db).scoped("team")
    record = {"id": "x", "text": "hello", "created_at": NOW, "updated_at": NOW}

    with pytest.raises(RefusedError, match="outside"):
        memories.load_records([Record(**record, scope="elsewhere")])

    assert memories.load_records([Record(**record, scope="team/a")]).added == 1


def test_sources_are_held_to_the_library_they_come_to(db: Database, tmp_path: Path) -> None:
    Library(db).write("/notes/keys.md", "Keys rotate every 90 days.")
    memories = store(db)
    added = memories.add("Rotation takes 90 days", source="/notes/keys.md#1")
    file = tmp_path / "memories.jsonl"
    file.write_bytes(exported(memories))

    with open_database(str(tmp_path / "other" / "lsm.db")) as other:
        library, copy = Library(other), store(other)
        library.write("/notes/other.md", "Padding.")
        library.write("/notes/keys.md", "Keys rotate every 90 days.")
        copy.load(file)
        library.write("/notes/keys.md", "All gone.")

        assert copy.get(added.id).stale


def test_the_mcp_memory_server_is_imported(db: Database, tmp_path: Path) -> None:
    file = tmp_path / "memory.jsonl"
    write_lines(
        file,
        ANA,
        {"type": "entity", "name": "Oslo", "entityType": "city, town", "observations": []},
        {"type": "relation", "from": "Ana", "to": "Oslo", "relationType": "lives_in"},
    )  # fmt: skip
    memories = store(db)

    report = memories.load(file, scope="imported/mcp")
    again = memories.load(file, scope="imported/mcp")

    assert (report.format, report.added) == ("mcp-memory", 4)
    assert (again.added, again.identical) == (0, 4)
    found = {memory.text: memory for memory in memories.list()}
    assert found.keys() == {
        "Ana: likes tea", "Ana: lives in Oslo", "Oslo: is a city, town", "Ana lives_in Oslo",
    }  # fmt: skip
    ana = found["Ana: likes tea"]
    assert (ana.scope, ana.trust, ana.tags) == ("imported/mcp", "agent", ("person",))
    assert ana.value == {"entity": "Ana", "entityType": "person"}


@pytest.mark.parametrize("wrapped", [True, False])
def test_mem0_is_imported(db: Database, tmp_path: Path, wrapped: bool) -> None:
    rows = [
        {
            "id": "0190a5f3-0000-7000-8000-000000000001", "memory": "Ana likes tea", "hash": "x",
            "metadata": {"source": "chat", "scope": "root"}, "score": None, "user_id": "ana",
            "created_at": "2025-03-01T10:00:00.123456-08:00", "updated_at": None,
            "categories": ["food"], "run_id": "r1",
        },
        {"id": "2", "memory": "Bob likes coffee"},
    ]  # fmt: skip
    file = tmp_path / "all.json"
    file.write_text(json.dumps({"results": rows} if wrapped else rows, indent=1))
    memories = store(db)

    report = memories.load(file)
    again = memories.load(file)

    assert (report.format, report.added, again.identical) == ("mem0", 2, 2)
    ana = memories.get("0190a5f3-0000-7000-8000-000000000001")
    assert (ana.text, ana.scope, ana.tags) == ("Ana likes tea", "global", ("user:ana", "food"))
    assert ana.created_at == ana.updated_at == "2025-03-01T18:00:00.123456Z"
    assert (ana.source_run_id, ana.value) == ("r1", {"source": "chat", "scope": "root"})


def test_basic_memory_is_imported(db: Database, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    (notes / "sub").mkdir(parents=True)
    (notes / "sub" / "keys.md").write_text(
        "---\ntitle: Keys\npermalink: sub/keys\ntags: [ops, security]\n---\n# Keys\n\n"
        "How we keep them.\n\n## Observations\n"
        "- [decision] Rotate every 90 days #rotation (agreed)\n"
        "- [x] a task that is done\n\n## Relations\n- part_of [[Security]]\n- [[Vault]]\n",
        encoding="utf-8",
    )
    (notes / ".hidden.md").write_text("no")
    memories = store(db)

    report = memories.load(notes)
    again = memories.load(notes)

    assert (report.format, report.added, again.identical) == ("basic-memory", 4, 4)
    found = {memory.text: memory for memory in memories.list()}
    decision = found["Keys: Rotate every 90 days #rotation (agreed)"]
    assert (decision.type, decision.tags) == (
        "decision",
        ("ops", "security", "decision", "rotation"),
    )
    assert "Keys part of Security" in found
    assert "Keys relates to Vault" in found
    note = next(memory for memory in found.values() if memory.type == "note")
    assert "How we keep them." in note.text
    assert "a task that is done" in note.text


def test_what_was_deleted_here_does_not_come_back_by_import(db: Database, tmp_path: Path) -> None:
    file = tmp_path / "memory.jsonl"
    write_lines(file, {"type": "entity", "name": "Ana", "entityType": "p", "observations": ["a"]})
    memories = store(db)
    memories.load(file)
    memories.delete(memories.list()[0].id)

    memories.load(file)

    assert not memories.list()


@pytest.mark.parametrize(
    "text",
    ["", "hello", "{}", "[1]", '{"results": 3}', '{"format":"lsm-memory","version":9}'],
)
def test_a_file_of_no_known_kind_is_refused(db: Database, tmp_path: Path, text: str) -> None:
    file = tmp_path / "file.json"
    file.write_text(text)

    with pytest.raises(InvalidError, match=r"file\.json"):
        store(db).load(file)
    with pytest.raises(AccessError):
        store(db).load(tmp_path / "none.jsonl")


NOW = "2026-01-01T12:00:00.000000Z"
ANA = {
    "type": "entity",
    "name": "Ana",
    "entityType": "person",
    "observations": ["likes tea", "lives in Oslo"],
}


def exported(memories: MemoryStore) -> bytes:
    file = io.BytesIO()
    memories.export(file)
    return file.getvalue()


def write_lines(file: Path, *lines: dict[str, Any]) -> None:
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))


def lived(db: Database) -> MemoryStore:
    """A store in which everything has happened that can happen to a memory."""
    clock = Clock()
    memories = store(db, clock)
    port = memories.add("The port is 8080", key="port", tags=["net"], value={"port": [1, "ä\n"]})
    memories.supersede(port.id, "The port is 9090", reason="moved")
    zebra = memories.add("The zebra is striped", confidence=0.0, pinned=True, type="pinned")
    memories.update(zebra.id, text="The zebra is black and white")
    gone = memories.add("Gone")
    memories.delete(gone.id, reason="wrong")
    memories.add("Rests on them", sources=[Source("memory", zebra.id), Source("person", "Ana")])
    memories.add("Short-lived", ttl=timedelta(minutes=1))
    bot = agent(memories, scope="")
    bot.add("Pending", rationale="because", supersedes=zebra.id)
    memories.reject(bot.add("Rejected").candidate.id, reason="no")
    memories.promote(bot.add("Promoted").candidate.id, tags=["read"])
    memories.mark_used([zebra.id])
    clock.forward(hours=1)
    memories.expire()
    return memories
