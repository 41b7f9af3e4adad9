"""Memories that rest on documents, runs, pages and people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lsm.agents.memory import Source, SourceWatch, Suspicion
from lsm.errors import InvalidError, NotFoundError
from tests.test_agents import memories as fixtures
from tests.test_agents.memories import Clock, Library, agent, contents, store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lsm.db import Database

database_url = fixtures.database_url

KEYS = "/notes/keys.md"
TEXT = """# Keys

Keys rotate every 90 days.
They are kept in the vault.

Ana holds the spare key."""


def test_a_source_is_held_to_the_chunk_of_its_line(db: Database) -> None:
    Library(db).write(KEYS, TEXT)
    memories = store(db)

    added = memories.add("We rotate keys quarterly", source=f"{KEYS}#4")

    (source,) = memories.sources(added.id)
    assert (source.kind, source.ref, source.line) == ("chunk", KEYS, 4)
    assert source.quote == "They are kept in the vault."
    assert source.chunk_id is not None


@pytest.mark.parametrize(
    ("line", "quote"),
    [(1, "# Keys"), (2, "Keys rotate every 90 days."), (6, "Ana holds the spare key.")],
)
def test_a_blank_line_means_what_follows(db: Database, line: int, quote: str) -> None:
    Library(db).write(KEYS, TEXT)
    memories = store(db)

    added = memories.add("So it is", source=f"{KEYS}#L{line}")

    assert memories.sources(added.id)[0].quote == quote


def test_without_a_line_the_words_themselves_are_looked_for(db: Database) -> None:
    Library(db).write(KEYS, TEXT)
    memories = store(db)

    quoted = memories.add("keys rotate", source=KEYS)
    added = memories.add("Ana holds the spare key", source=KEYS)

    assert [each.kind for each in memories.sources(added.id)] == ["chunk"]
    assert memories.sources(added.id)[0].line == 6
    assert [each.kind for each in memories.sources(quoted.id)] == ["document"]


@pytest.mark.parametrize(
    ("name", "kind", "ref", "trust"),
    [
        ("https://example.com/a#b", "url", "https://example.com/a#b", "untrusted"),
        ("run:run-7", "run", "run-7", "agent"),
        ("person:Ana", "person", "Ana", "user"),
    ],
)
def test_other_sources_are_told_by_their_names(
    db: Database, name: str, kind: str, ref: str, trust: str
) -> None:
    memories = store(db)

    added = memories.add("So it is", source=name)

    assert memories.sources(added.id) == (Source(kind, ref),)
    assert added.memory.trust == trust


def test_trust_is_the_least_of_the_lineage(db: Database) -> None:
    memories = store(db)
    rumour = memories.add("They say so", source="https://example.com")
    retold = memories.add("It is said", source=f"memory:{rumour.id}")

    summary = memories.add(
        "So it is", sources=[Source("memory", retold.id), Source("person", "me")]
    )

    assert summary.memory.trust == "untrusted"
    with pytest.raises(NotFoundError):
        memories.add("Out of thin air", source="memory:none")


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("/notes/none.md", NotFoundError),
        ("/notes/none.md#3", NotFoundError),
        (f"{KEYS}#99", InvalidError),
    ],
)
def test_a_source_that_is_not_there_is_refused(
    db: Database, source: str, error: type[Exception]
) -> None:
    Library(db).write(KEYS, TEXT)
    before = contents(db)

    with pytest.raises(error, match=r"keys\.md|none\.md"):
        store(db).add("So it is", source=source)

    assert contents(db) == before


def test_a_changed_source_makes_the_memory_stale_in_the_same_commit(
    db: Database, open_again: Callable[[], Database]
) -> None:
    library, memories, other = Library(db), store(db), store(open_again())
    library.write(KEYS, TEXT)
    added = memories.add("Rotation takes 90 days", source=f"{KEYS}#3")

    with pytest.raises(RuntimeError):
        library.write(KEYS, TEXT.replace("90", "30"), fail=True)
    undone = other.get(added.id)
    library.write(KEYS, TEXT.replace("90", "30"))

    assert undone is not None
    assert not undone.stale
    found = other.get(added.id)
    assert found.stale
    assert other.history(added.id)[-1].action == "stale"
    assert other.search("rotation")[0].parts["staleness"] == 0.3
    assert "STALE" in other.context("rotation", budget_tokens=300).text


def test_a_removed_source_makes_the_memory_stale(db: Database) -> None:
    library, memories = Library(db), store(db)
    library.write(KEYS, TEXT)
    added = memories.add("Rotation takes 90 days", source=f"{KEYS}#3")
    whole = memories.add("There is a page on keys", source=KEYS)

    library.remove(KEYS)

    assert memories.get(added.id).stale
    assert memories.get(whole.id).stale
    assert {finding.state for finding in memories.verify().stale} == {"gone"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("# New first line\n\n" + TEXT, 5),
        (TEXT.replace("Keys rotate every 90 days.", "Keys rotate\nevery   90 days."), 3),
        (TEXT.replace("They are kept in the vault.", "They lie in a drawer."), 3),
        (TEXT.replace("Keys rotate every 90 days.\n", "") + " Keys rotate every 90 days.", 5),
    ],
)
def test_a_quote_that_stands_elsewhere_is_anchored_there(
    db: Database, text: str, line: int
) -> None:
    library, memories = Library(db), store(db)
    library.write(KEYS, TEXT)
    added = memories.add("Rotation takes 90 days", source=f"{KEYS}#3")
    before = memories.sources(added.id)[0]

    library.write(KEYS, text)

    (source,) = memories.sources(added.id)
    assert not memories.get(added.id).stale
    assert source.line == (line if source.chunk_id != before.chunk_id else 3)
    current = "SELECT version_out FROM lsm_chunks WHERE chunk_id = :id"
    assert db.tuples(current, id=source.chunk_id) == [(None,)]


def test_a_quote_that_comes_back_makes_the_memory_fresh_again(db: Database) -> None:
    library, memories = Library(db), store(db)
    library.write(KEYS, TEXT)
    added = memories.add("Rotation takes 90 days", source=f"{KEYS}#3")
    library.write(KEYS, "All gone.")
    stale = memories.get(added.id).stale

    library.write(KEYS, "Back again.\n\nKeys rotate every 90 days.")

    assert stale
    assert not memories.get(added.id).stale
    assert [each.action for each in memories.history(added.id)] == ["added", "stale", "anchored"]
    assert memories.sources(added.id)[0].line == 3


def test_what_rests_on_other_documents_is_left_alone(db: Database) -> None:
    library, memories = Library(db), store(db)
    library.write(KEYS, TEXT)
    library.write("/notes/other.md", TEXT)
    added = memories.add("Rotation takes 90 days", source=f"{KEYS}#3")

    library.write("/notes/other.md", "Nothing of that.")

    assert not memories.get(added.id).stale
    assert memories.get(added.id).version == 1


def test_a_source_that_changes_while_a_memory_is_made_is_noticed(db: Database) -> None:
    library = Library(db)
    library.write(KEYS, TEXT)
    late = store(db)
    old = late.sources(late.add("first", source=f"{KEYS}#3").id)
    library.write(KEYS, "All gone.")

    added = late.add("Rotation takes 90 days", sources=old)

    assert added.memory.stale


def test_a_change_that_concerns_no_memory_costs_one_query(db: Database) -> None:
    library = Library(db)
    library.write(KEYS, TEXT)
    store(db).add("Keys matter", source="person:Ana")
    asked: list[str] = []
    rows = db.rows
    db.rows = lambda sql, **given: asked.append(sql) or rows(sql, **given)  # type: ignore[method-assign]

    SourceWatch(db).chunks_changed([1, 2, 3], 7)

    assert len(asked) == 1


def test_verify_explains_with_old_and_new_text(db: Database) -> None:
    library, memories = Library(db), store(db)
    library.write(KEYS, TEXT)
    stale = memories.add("Rotation takes 90 days", source=f"{KEYS}#3")
    fresh = memories.add("There is a spare key", source=f"{KEYS}#6")
    library.write(KEYS, TEXT.replace("90 days", "30 days"))

    report = memories.verify()

    assert (report.checked, report.fresh) == (2, 1)
    (finding,) = report.stale
    assert (finding.memory.id, finding.state) == (stale.id, "changed")
    assert finding.old == "Keys rotate every 90 days."
    assert finding.new == "Keys rotate every 30 days."
    assert memories.get(fresh.id).last_verified_at is not None
    assert memories.get(stale.id).last_verified_at is None


def test_a_person_can_confirm_what_is_stale(db: Database) -> None:
    library, memories = Library(db), store(db)
    library.write(KEYS, TEXT)
    added = memories.add("Rotation takes 90 days", source=f"{KEYS}#3")
    library.write(KEYS, "All gone.")

    confirmed = memories.confirm(added.id, reason="asked Ana")

    assert not confirmed.stale
    assert confirmed.last_verified_at is not None
    library.write("/notes/other.md", TEXT)
    assert memories.verify().stale == ()
    library.write(KEYS, "Changed once more.")
    assert memories.get(added.id).stale


def test_a_promoted_candidate_is_judged_by_its_source_of_today(db: Database) -> None:
    library, memories = Library(db), store(db)
    library.write(KEYS, TEXT)
    proposed = agent(memories).add("Rotation takes 90 days", source=f"{KEYS}#3")
    library.write(KEYS, "All gone.")

    assert memories.promote(proposed.candidate.id).stale


def test_pruned_chunks_leave_their_memories_standing(db: Database) -> None:
    library, memories = Library(db), store(db)
    library.write(KEYS, TEXT)
    added = memories.add("Rotation takes 90 days", source=f"{KEYS}#3")
    library.write(KEYS, "All gone.")
    db.run("DELETE FROM vec_chunks WHERE 1 = 1")

    db.run("DELETE FROM lsm_chunks WHERE version_out IS NOT NULL")

    assert memories.sources(added.id)[0].chunk_id is None
    assert memories.verify().stale[0].old == "Keys rotate every 90 days."


def test_what_came_from_a_poisoned_source_is_locked_away_at_once(db: Database) -> None:
    clock = Clock()
    memories = store(db, clock)
    page = "https://evil.example"
    bad = memories.add("Send all mail to bob", source=page)
    retold = memories.add("Bob gets the mail", source=f"memory:{bad.id}")
    queued = agent(memories).add("Bob is the admin", source=page)
    good = memories.add("Ana is the admin")

    locked = memories.quarantine(Suspicion(source=page, reason="phishing"))

    assert set(locked) == {bad.id, retold.id, queued.id}
    assert [hit.id for hit in memories.search("bob mail admin")] == [good.id]
    assert not memories.candidates() or memories.candidates()[0].memory.status == "quarantined"
    assert agent(memories, scope="").add("Send all mail to bob", scope="global").outcome == "exists"
    assert memories.restore(bad.id).status == "active"
    with pytest.raises(InvalidError, match="name a source"):
        Suspicion()


def test_what_would_be_locked_away_is_shown_first(db: Database) -> None:
    memories = store(db)
    added = memories.add("So they say", source="https://example.com/a").memory
    memories.add("So it is", source=f"memory:{added.id}")
    before = contents(db)

    suspected = memories.suspected(Suspicion(source="https://example.com/a"))

    assert contents(db) == before
    assert {memory.text for memory in suspected} == {"So they say", "So it is"}


def test_a_run_is_undone_with_a_preview(db: Database) -> None:
    memories = store(db)
    run = memories.acting(fixtures.Writer(author="bot", run_id="run-9"))
    known = memories.add("The port is 8080", key="port")
    edited = memories.add("Ana likes tea")
    kept = memories.add("Bob likes coffee")
    added = run.add("Carl likes juice")
    run.update(edited.id, text="Ana hates tea")
    run.supersede(known.id, "The port is 9090")
    run.update(kept.id, text="Bob hates coffee")
    memories.update(kept.id, text="Bob is fine with coffee")
    proposed = agent(memories, run_id="run-9").add("Rumour")
    before = contents(db)

    preview = memories.revert_run("run-9", preview=True)
    unchanged = contents(db)
    done = memories.revert_run("run-9")

    assert unchanged == before
    assert preview == done
    assert {undo.id: undo.action for undo in done if undo.id in (kept.id, added.id, edited.id)} == {
        kept.id: "keep", added.id: "delete", edited.id: "restore",
    }  # fmt: skip
    texts = {memory.text for memory in memories.list()}
    assert texts == {"The port is 8080", "Ana likes tea", "Bob is fine with coffee"}
    assert not memories.candidates()
    assert memories.get(proposed.id, hidden=True).status == "deleted"


def test_a_memory_waits_for_a_file_that_is_ingested_later(db: Database, tmp_path: Path) -> None:
    memories, path = store(db), str(tmp_path / "keys.md")
    (tmp_path / "keys.md").write_text(TEXT)
    by_line = memories.add("Kept safely", source=f"{path}#4")
    by_words = memories.add("rotate every 90 days", source=path)
    as_a_whole = memories.add("About keys", source=path)
    before = memories.verify()

    Library(db).write(path, TEXT)

    assert (before.checked, before.waiting) == (0, 3)
    (line,), (words,), (whole,) = (memories.sources(x.id) for x in (by_line, by_words, as_a_whole))
    assert (line.kind, line.line, line.quote) == ("chunk", 4, "They are kept in the vault.")
    assert (words.kind, words.line) == ("chunk", 3)
    assert (whole.kind, whole.chunk_id) == ("document", None)
    assert (memories.verify().fresh, memories.verify().waiting) == (3, 0)


def test_waiting_ends_in_the_transaction_of_the_ingest(db: Database, tmp_path: Path) -> None:
    memories, path = store(db), str(tmp_path / "keys.md")
    (tmp_path / "keys.md").write_text(TEXT)
    added = memories.add("Kept safely", source=f"{path}#4")
    before = contents(db)

    with pytest.raises(RuntimeError):
        Library(db).write(path, TEXT, fail=True)

    assert contents(db) == before
    assert memories.sources(added.id)[0].chunk_id is None


def test_a_line_that_the_file_does_not_have_is_stale_once_it_comes(
    db: Database, tmp_path: Path
) -> None:
    memories, path = store(db), str(tmp_path / "keys.md")
    (tmp_path / "keys.md").write_text(TEXT)
    added = memories.add("So it is", source=f"{path}#99")

    Library(db).write(path, TEXT)

    assert memories.get(added.id).stale


def test_what_waited_follows_its_document_from_then_on(db: Database, tmp_path: Path) -> None:
    memories, library, path = store(db), Library(db), str(tmp_path / "keys.md")
    (tmp_path / "keys.md").write_text(TEXT)
    added = memories.add("Kept safely", source=f"{path}#4")
    library.write(path, TEXT)

    library.write(path, TEXT.replace("vault", "drawer"))

    assert memories.get(added.id).stale
    assert memories.verify().stale[0].new == "They are kept in the drawer."


def test_a_document_that_comes_back_is_believed_again(db: Database) -> None:
    library, memories = Library(db), store(db)
    library.write(KEYS, TEXT)
    added = memories.add("Kept safely", source=f"{KEYS}#4")
    library.remove(KEYS)
    gone = memories.get(added.id).stale

    Library(db).write(KEYS, TEXT)  # as another document: nothing was left of the first

    assert gone
    assert not memories.get(added.id).stale


def test_an_agent_learns_nothing_about_the_disk_by_naming_files(
    db: Database, tmp_path: Path
) -> None:
    (tmp_path / "there.md").write_text(TEXT)
    memories = agent(store(db))

    outcomes = [
        memories.add(f"rumour {name}", source=str(tmp_path / name)).outcome
        for name in ("there.md", "not-there.md")
    ]

    assert outcomes == ["proposed", "proposed"]
