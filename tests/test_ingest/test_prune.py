"""Old versions go for good, in small steps; what is current, and what memories rest on, stays."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from lsm.agents.memory import MemoryStore, SourceWatch
from lsm.agents.memory.values import NewMemory, Source
from lsm.clock import utc_now
from lsm.errors import InvalidError
from lsm.ingest.audit import document_problems, manifest_problems, version_problems
from lsm.ingest.pipeline import Hooks
from lsm.ingest.prune import Keep, PruneReport, Pruning
from lsm.ingest.stats_cache import StatsCache
from lsm.query.search import Searcher, SearchOptions
from lsm.vectordb import open_chunk_index
from lsm.vectordb.documents import DocumentReader
from lsm.vectordb.pruning import pruned_before
from tests.test_ingest.library import (
    Library,
    either_db,
    in_folder,
    library,
    on_sqlite,
    texts_as_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from lsm.db import Database

__all__ = ["either_db", "library", "on_sqlite"]

LATER = timedelta(days=100)


@pytest.fixture
def grown(library: Library) -> Library:
    """A library of five versions: one file edited four times, one gone, one never touched."""
    return grow(library)


@pytest.fixture
def grown_either(either_db: Database, tmp_path: Path) -> Library:
    """The same on each engine."""
    return grow(in_folder(either_db, tmp_path / "either"))


def grow(library: Library) -> Library:
    library.write("still.md", "# Still\n\nNothing changes here.\n")
    library.write("gone.md", "# Gone\n\nIt was here for two versions.\n")
    for turn in range(1, 6):
        library.write("edited.md", f"# Edited\n\nThe lantern burns for the {word(turn)} time.\n")
        if turn == 3:
            (library.root / "gone.md").unlink()
        library.ingest(confirm_delete=True)
    return library


@pytest.mark.parametrize("keep", [1, 2, 4, 5, 9])
def test_the_newest_versions_stay_as_they_were(grown: Library, keep: int) -> None:
    kept = range(max(6 - keep, 1), 6)
    before = {version: texts_as_of(grown.db, version) for version in kept}

    report = prune(grown.db, Keep(versions=keep))

    assert report.oldest == kept[0]
    assert {version: texts_as_of(grown.db, version) for version in kept} == before
    assert sound(grown.db)


def test_everything_older_is_gone(grown_either: Library) -> None:
    grown = grown_either
    chunks = count(grown.db, "lsm_chunks")

    report = prune(grown.db, Keep(versions=1))

    assert (report.versions, report.documents) == (4, 5)
    assert count(grown.db, "lsm_chunks") == chunks - report.chunks == 2
    assert count(grown.db, "lsm_documents") == 2
    assert count(grown.db, "vec_chunks") == 2
    assert count(grown.db, "lsm_versions") == 1
    assert searched(grown.db, "first") == []


def test_a_dry_run_says_the_same_and_does_nothing(grown: Library) -> None:
    would = prune(grown.db, Keep(versions=2), dry_run=True)

    assert pruned_before(grown.db) == 0
    assert count(grown.db, "lsm_versions") == 5
    did = prune(grown.db, Keep(versions=2))
    assert (would.oldest, would.versions, would.documents, would.chunks) == (
        did.oldest, did.versions, did.documents, did.chunks,
    )  # fmt: skip


def test_by_age_what_was_the_library_since_then_stays(grown: Library) -> None:
    grown.db.run(
        "UPDATE lsm_versions SET created_at = '2020' || substr(created_at, 5) WHERE version <= 3"
    )

    report = prune(grown.db, Keep(younger_than=timedelta(days=365)))

    assert report.oldest == 3  # what it was a year ago, and at every moment since
    assert sound(grown.db)


def test_nothing_is_old_enough(grown: Library) -> None:
    report = prune(grown.db, Keep(younger_than=LATER))

    assert (report.versions, report.documents, report.chunks) == (0, 0, 0)
    assert pruned_before(grown.db) == 0


def test_an_empty_library_can_be_pruned(library: Library) -> None:
    assert prune(library.db, Keep(versions=1)).oldest == 0


@pytest.mark.parametrize(
    "keep",
    [Keep(), Keep(versions=0), Keep(versions=-1), Keep(versions=1, younger_than=LATER)],
)
def test_what_is_to_stay_must_be_said_clearly(grown: Library, keep: Keep) -> None:
    with pytest.raises(InvalidError):
        prune(grown.db, keep)

    assert count(grown.db, "lsm_versions") == 5


@pytest.mark.parametrize("as_of", [1, "2", 3, "2020-01-01"])
def test_what_was_pruned_is_refused_and_not_answered_wrongly(
    grown: Library, as_of: str | int
) -> None:
    prune(grown.db, Keep(versions=2))

    with pytest.raises(InvalidError, match="before version 4"):
        searched(grown.db, "lantern", as_of)


@pytest.mark.parametrize("as_of", [4, "5", "2100-01-01"])
def test_what_was_kept_is_answered(grown: Library, as_of: str | int) -> None:
    prune(grown.db, Keep(versions=2))

    [hit] = searched(grown.db, "lantern", as_of)
    assert ("fourth" in hit) == (as_of == 4)


def test_stopped_it_goes_on_where_it_was(
    either_db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = in_folder(either_db, tmp_path / "either")
    monkeypatch.setattr("lsm.vectordb.pruning._BATCH", 1)
    for turn in range(1, 6):
        library.write("edited.md", f"# Edited\n\nThe lantern burns for the {word(turn)} time.\n")
        library.ingest()
    hooks = Hooks(should_stop=lambda: True)
    steps = 0
    while (report := prune(library.db, Keep(versions=1), hooks=hooks)).interrupted:
        assert sound(library.db)
        with pytest.raises(InvalidError, match="before version 5"):
            searched(library.db, "lantern", 2)
        steps += 1

    assert steps > 2
    assert not report.interrupted
    assert (count(library.db, "lsm_documents"), count(library.db, "lsm_chunks")) == (1, 1)


def test_the_horizon_never_moves_back(grown: Library) -> None:
    prune(grown.db, Keep(versions=2))

    report = prune(grown.db, Keep(versions=5))

    assert (report.oldest, pruned_before(grown.db)) == (4, 4)


def test_the_next_version_is_the_next_one(grown: Library) -> None:
    prune(grown.db, Keep(versions=1))

    grown.write("edited.md", "# Edited\n\nThe lantern is out.\n")

    assert grown.ingest().version == 6
    assert [hit for hit in searched(grown.db, "lantern", 5) if "fifth" in hit]


def test_growth_is_told_of_the_versions_that_are_left(grown: Library) -> None:
    before = StatsCache(grown.db).get().growth[-2:]

    prune(grown.db, Keep(versions=2))

    after = StatsCache(grown.db).get().growth
    assert [(g.version, g.documents, g.chunks) for g in after] == [
        (g.version, g.documents, g.chunks) for g in before
    ]


@pytest.mark.parametrize("quote", ["The lantern burns for the first time.", ""])
def test_a_memory_can_still_say_what_it_rested_on(library: Library, quote: str) -> None:
    library.hooks = Hooks(on_changed=SourceWatch(library.db).chunks_changed)
    library.write("edited.md", "# Edited\n\nThe lantern burns for the first time.\n")
    library.ingest()
    memories = MemoryStore(library.db)
    memories.add_many([NewMemory(text="It burns once", sources=(anchored(library, quote),))])
    library.write("edited.md", "# Edited\n\nNobody has lit anything.\n")
    library.ingest()

    report = prune(library.db, Keep(versions=1))

    [finding] = memories.verify().stale
    assert "burns for the first time" in finding.old
    assert report.kept_for_memories == (0 if quote else 1)
    assert sound(library.db)


def anchored(library: Library, quote: str) -> Source:
    document = library.document("edited.md")
    chunk = DocumentReader(library.db).chunks([document.outline[0].chunk_id])
    [(chunk_id, stored)] = chunk.items()
    return Source(
        "chunk",
        document.source_path,
        quote=quote,
        content_hash=stored.text_hash,
        document_id=document.document_id,
        chunk_id=chunk_id,
    )


def prune(
    db: Database, keep: Keep, *, dry_run: bool = False, hooks: Hooks | None = None
) -> PruneReport:
    return Pruning(db, open_chunk_index(db), hooks).run(keep, dry_run=dry_run)


def searched(db: Database, words: str, as_of: str | int | None = None) -> list[str]:
    searcher = Searcher(db, open_chunk_index(db), refusing, utc_now)
    return [hit.text for hit in searcher.search(words, 5, SearchOptions(mode="text", as_of=as_of))]


def refusing() -> object:
    raise AssertionError("words alone were asked for")


def sound(db: Database) -> bool:
    problems = [
        *open_chunk_index(db).disagreements(),
        *document_problems(db),
        *manifest_problems(db),
        *version_problems(db),
    ]
    return problems == []


def count(db: Database, table: str) -> int:
    return db.tuples(f"SELECT count(*) FROM {table}")[0][0]  # type: ignore[arg-type]


def word(turn: int) -> str:
    return ("first", "second", "third", "fourth", "fifth")[turn - 1]
