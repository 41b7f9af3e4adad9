"""Statistics are computed once, and never of a library that is no longer there."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from lsm.errors import AccessError
from lsm.ingest.stats_cache import LibraryStats, StatsCache
from tests.test_ingest.library import (
    Library,
    WatchedDatabase,
    let_the_clock_tick,
    library,
    paragraphs,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.db import Database

__all__ = ["library"]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_an_empty_library_has_empty_statistics(db: Database) -> None:
    stats = StatsCache(db).get()

    assert (stats.version, stats.documents, stats.chunks, stats.bytes) == (0, 0, 0, 0)
    assert (stats.by_type, stats.by_folder, stats.growth, stats.errors) == ((), (), (), 0)


def test_everything_is_counted(library: Library) -> None:
    library.write("a.md", paragraphs("one", "two"))
    library.write("sub/b.md", paragraphs("three"))
    library.write("sub/c.txt", "short")
    library.write("sub/.lsm_tags.json", '{"tags": ["work"]}')
    library.write("bad.pdf", b"%PDF-1.7 not really")
    library.ingest()
    library.write("a.md", paragraphs("one", "two", "four"))
    library.ingest()

    stats = StatsCache(library.db).get()

    size = {
        name: os.path.getsize(library.root / name) for name in ("a.md", "sub/b.md", "sub/c.txt")
    }
    assert (stats.version, stats.documents, stats.bytes) == (2, 3, sum(size.values()))
    assert [(group.name, group.documents, group.bytes) for group in stats.by_type] == [
        (".md", 2, size["a.md"] + size["sub/b.md"]),
        (".txt", 1, size["sub/c.txt"]),
    ]
    assert [(os.path.basename(group.name), group.documents) for group in stats.by_folder] == [
        ("sub", 2),
        ("notes", 1),
    ]
    assert [(group.name, group.documents) for group in stats.by_tag] == [("work", 2)]
    assert stats.chunks == sum(group.chunks for group in stats.by_type) == chunks(library.db)
    assert [(growth.version, growth.documents) for growth in stats.growth] == [(1, 3), (2, 3)]
    assert stats.growth[1].chunks == stats.chunks > stats.growth[0].chunks
    assert [os.path.basename(listed.path) for listed in stats.largest] == ["a.md", "b.md", "c.txt"]
    assert os.path.basename(stats.newest[0].path) == "a.md"
    assert (stats.errors, sum(stats.errors_by_code.values())) == (1, 1)


def test_statistics_are_computed_once(library: Library) -> None:
    library.write("a.md", paragraphs("one"))
    library.ingest()
    statements: list[str] = []
    watched = StatsCache(WatchedDatabase(library.db, statements.append), lambda: NOW)
    first = watched.get()
    statements.clear()

    again = watched.get()

    assert again == first == watched.held()
    assert not any("file_size" in statement or "INSERT" in statement for statement in statements)


def test_a_run_that_finds_nothing_new_keeps_them(library: Library) -> None:
    library.write("a.md", paragraphs("one"))
    library.ingest()
    cache = StatsCache(library.db)
    cache.get()

    library.ingest()

    assert cache.held() is not None


def edit(library: Library) -> None:
    library.write("a.md", paragraphs("one", "five"))
    library.ingest()


def edit_without_another_count(library: Library) -> None:
    let_the_clock_tick(library.root)
    library.write("a.md", paragraphs("one", "owt"))
    library.ingest()


def add(library: Library) -> None:
    library.write("new.md", paragraphs("new"))
    library.ingest()


def remove(library: Library) -> None:
    (library.root / "b.txt").unlink()
    library.ingest(confirm_delete=True)


def move(library: Library) -> None:
    (library.root / "b.txt").rename(library.root / "moved.rst")
    library.ingest()


def retag(library: Library) -> None:
    library.write(".lsm_tags.json", '{"tags": ["other"]}')
    library.ingest()


def swap(library: Library) -> None:
    (library.root / "b.txt").unlink()
    library.write("c.txt", "other")
    library.ingest(confirm_delete=True)


def fail(library: Library) -> None:
    library.write("bad.pdf", b"%PDF-1.7 not really")
    library.ingest()


def mend(library: Library) -> None:
    (library.root / "worse.pdf").unlink()
    library.ingest()


def prune(library: Library) -> None:
    db = library.db
    newest = db.tuples("SELECT max(version) FROM lsm_versions")[0][0]
    with db.transaction():
        db.run("DELETE FROM lsm_documents WHERE version_out <= :newest", newest=newest)
        db.run("DELETE FROM lsm_versions WHERE version < :newest", newest=newest)


def prune_and_keep_the_versions(library: Library) -> None:
    library.db.run("DELETE FROM lsm_documents WHERE version_out IS NOT NULL")
    library.db.run("DELETE FROM lsm_chunks WHERE version_out IS NOT NULL")


def wipe(library: Library) -> None:
    with library.db.transaction():
        library.db.run("DELETE FROM lsm_documents")
        library.db.run("DELETE FROM lsm_chunks")
        library.db.run("DELETE FROM lsm_manifest")
        library.db.run("DELETE FROM lsm_versions")
        library.db.run("DELETE FROM lsm_ingest_errors")


CHANGES = [
    edit,
    edit_without_another_count,
    add,
    remove,
    move,
    retag,
    swap,
    fail,
    mend,
    prune,
    wipe,
    prune_and_keep_the_versions,
]


@pytest.mark.parametrize("change", CHANGES)
def test_after_any_change_they_are_those_of_the_library_as_it_is(
    library: Library, change: Callable[[Library], None]
) -> None:
    clock = lambda: NOW  # noqa: E731 - a clock that stands still gives nothing away
    library.write("a.md", paragraphs("one"))
    library.write("worse.pdf", b"%PDF-1.7 not really")
    library.ingest()
    library.write("a.md", paragraphs("one", "two"))
    library.write("b.txt", "short")
    library.ingest()
    cache = StatsCache(library.db, clock)
    before = cache.get()

    change(library)

    after = cache.get()
    cache.invalidate()
    assert after == cache.get()
    assert content(after) != content(before)


def test_a_library_wiped_and_filled_again_to_the_same_counts_is_another(library: Library) -> None:
    library.write("a.md", paragraphs("one"))
    library.ingest()
    cache = StatsCache(library.db, lambda: NOW)
    before = cache.get()
    wipe(library)
    library.db.run("DELETE FROM lsm_ingest_errors")
    (library.root / "a.md").unlink()
    library.write("b.md", paragraphs("eno"))

    library.run()

    after = cache.get()
    assert (after.version, after.documents, after.chunks) == (1, 1, before.chunks)
    assert os.path.basename(after.largest[0].path) == "b.md"


@pytest.mark.parametrize(
    ("later", "held"),
    [
        (timedelta(), True),
        (timedelta(hours=1) - timedelta(microseconds=1), True),
        (timedelta(hours=1), False),
        (timedelta(microseconds=-1), False),  # the clock was set back
    ],
)
def test_they_are_held_for_an_hour(db: Database, later: timedelta, held: bool) -> None:
    now = [NOW]
    cache = StatsCache(db, lambda: now[0])
    cache.get()

    now[0] += later

    assert (cache.held() is not None) == held


@pytest.mark.parametrize("text", ["", "{", "[]", '{"documents": "many"}'])
def test_a_row_that_is_not_ours_is_computed_again(db: Database, text: str) -> None:
    cache = StatsCache(db)
    stats = cache.get()
    db.run("UPDATE lsm_stats_cache SET stats_json = :text", text=text)

    assert content(cache.get()) == content(stats)


def test_growth_after_a_prune_tells_of_no_version_that_is_gone(library: Library) -> None:
    for words in (["one"], ["one", "two"], ["two"]):
        library.write("a.md", paragraphs(*words))
        library.ingest()

    prune(library)

    (only,) = StatsCache(library.db).get().growth
    assert (only.version, only.documents, only.chunks) == (3, 1, chunks(library.db))


def test_what_an_open_transaction_has_changed_is_seen_in_it_and_forgotten_with_it(
    library: Library,
) -> None:
    library.write("a.md", paragraphs("one"))
    library.ingest()
    cache = StatsCache(library.db)
    before = cache.get()
    inside: list[LibraryStats] = []

    with pytest.raises(InterruptedError), library.db.transaction():  # noqa: PT012
        wipe(library)
        inside.append(cache.get())
        raise InterruptedError

    assert inside[0].documents == 0
    assert cache.get() == before


def test_statistics_that_cannot_be_kept_are_told_all_the_same(db: Database) -> None:
    def full(statement: str) -> None:
        if "INSERT" in statement:
            raise AccessError("read-only")

    assert StatsCache(WatchedDatabase(db, full)).get().documents == 0
    assert StatsCache(db).held() is None


def test_what_is_kept_lies_in_the_table_and_nowhere_else(
    db: Database, tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(os.listdir(tmp_path))

    StatsCache(db).get()

    ((stored,),) = db.tuples("SELECT stats_json FROM lsm_stats_cache")
    assert json.loads(stored)["documents"] == 0
    assert sorted(os.listdir(tmp_path)) == before


def content(stats: LibraryStats) -> LibraryStats:
    return msgspec.structs.replace(stats, computed_at="")


def chunks(db: Database) -> int:
    return db.tuples("SELECT count(*) FROM lsm_chunks WHERE version_out IS NULL")[0][0]
