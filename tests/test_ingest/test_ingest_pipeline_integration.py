"""The whole of ingest on real files, real children and both engines."""

from __future__ import annotations

import os
import shutil
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from lsm.embedding import open_embedder
from lsm.errors import EmbeddingError
from lsm.ingest.chunking import ChunkOptions
from lsm.ingest.failures import load_failures
from lsm.ingest.manifest import load_manifest, save_manifest
from lsm.ingest.messages import Limits
from lsm.ingest.pipeline import Hooks
from lsm.vectordb import open_chunk_index
from lsm.vectordb.base import TextQuery
from lsm.vectordb.documents import DocumentReader
from lsm.vectordb.spaces import find_space
from tests.test_ingest.library import (
    InterruptedInTestError,
    Library,
    Model,
    WatchedDatabase,
    age,
    as_ordinary_user,
    counts,
    either_db,
    either_library,
    in_folder,
    let_the_clock_tick,
    library,
    on_sqlite,
    paragraphs,
    problems_of,
    refusing,
    text_of,
    texts_as_of,
    told,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lsm.db import Database
    from lsm.embedding.base import Vectors

__all__ = ["either_db", "either_library", "library", "on_sqlite"]

# --- new, changed, touched, gone ---------------------------------------------------------


def test_new_files_come_in_with_every_chunk_embedded(either_library: Library) -> None:
    either_library.write("a.md", paragraphs("one", "two"))
    either_library.write("sub/b.md", paragraphs("three"))

    report = either_library.ingest()

    assert (report.version, counts(report), report.files.seen) == (1, {"new": 2}, 2)
    assert (report.chunks.added, report.chunks.embedded, report.chunks.reused) == (3, 3, 0)
    assert len(either_library.model.asked) == 3
    assert either_library.text("a.md") == paragraphs("one", "two")
    assert either_library.state("a.md").embedding_model == "hash@1"


def test_a_second_run_does_nothing(either_library: Library) -> None:
    either_library.write("a.md", paragraphs("one", "two"))
    either_library.ingest()
    age(either_library.db)
    statements: list[str] = []
    before = replace_database(either_library, statements)

    report = either_library.ingest()

    either_library.db = before
    assert (report.version, counts(report)) == (None, {"unchanged": 1})
    assert [sql for sql in statements if sql.startswith(WRITING)] == []
    assert len(either_library.model.asked) == 2


def test_only_the_chunks_that_changed_are_embedded(either_library: Library) -> None:
    either_library.write("a.md", paragraphs("one", "two", "three"))
    either_library.ingest()
    kept = either_library.document("a.md").outline
    either_library.model.asked.clear()
    either_library.write("a.md", paragraphs("one", "zero", "changed", "three"))

    report = either_library.ingest()

    assert counts(report) == {"changed": 1}
    assert len(either_library.model.asked) == 2
    chunks = report.chunks
    assert (chunks.added, chunks.retired, chunks.embedded, chunks.reused) == (2, 1, 2, 2)
    places = either_library.document("a.md").outline
    assert [places[0].chunk_id, places[3].chunk_id] == [kept[0].chunk_id, kept[2].chunk_id]
    assert places[3].start_line > kept[2].start_line


def test_a_text_that_stands_twice_is_one_chunk_in_two_places(library: Library) -> None:
    library.write("a.md", "twice the same\n" * 40)

    library.ingest()

    assert library.text("a.md") == "twice the same\n" * 40


def test_a_text_that_another_document_has_is_not_embedded_again(library: Library) -> None:
    library.write("a.md", paragraphs("one", "two"))
    library.ingest()
    library.model.asked.clear()
    library.write("b.md", paragraphs("zero", "two"))

    report = library.ingest()

    assert len(library.model.asked) == 1
    assert (report.chunks.added, report.chunks.reused) == (2, 1)


def test_a_touched_file_is_stamped_anew_and_keeps_its_version(library: Library) -> None:
    path = library.write("a.md", paragraphs("one"))
    library.ingest()
    age(library.db)
    let_the_clock_tick(library.root)
    path.touch()

    report = library.ingest()

    assert (report.version, counts(report)) == (None, {"touched": 1})
    assert library.state("a.md").mtime_ns == path.stat().st_mtime_ns
    assert library.state("a.md").version == 1


def test_a_file_that_is_gone_leaves_and_stays_in_the_past(either_library: Library) -> None:
    either_library.write("a.md", paragraphs("one"))
    either_library.write("b.md", paragraphs("two"))
    either_library.ingest()
    (either_library.root / "a.md").unlink()

    report = either_library.ingest()

    assert (report.version, counts(report)) == (2, {"unchanged": 1, "gone": 1})
    assert report.chunks.retired == 1
    assert either_library.paths() == ["b.md"]
    assert texts_as_of(either_library.db, 1)[either_library.path("a.md")] == paragraphs("one")
    assert load_manifest(either_library.db).keys() == {either_library.path("b.md")}


def test_a_file_that_comes_back_needs_no_model(library: Library) -> None:
    library.write("a.md", paragraphs("one"))
    library.ingest()
    (library.root / "a.md").unlink()
    library.ingest()
    library.model.asked.clear()
    library.write("a.md", paragraphs("one"))

    report = library.ingest()

    assert (counts(report), library.model.asked) == ({"new": 1}, [])


def test_an_empty_file_is_known_and_has_no_chunks(library: Library) -> None:
    library.write("a.md", "")

    report = library.ingest()

    assert (counts(report), report.chunks.added) == ({"new": 1}, 0)
    assert (library.state("a.md").chunk_count, library.text("a.md")) == (0, "")


def test_a_file_whose_state_came_from_elsewhere_is_read(library: Library) -> None:
    library.write("a.md", paragraphs("one"))
    library.ingest()
    state = library.state("a.md")
    foreign = replace(
        state, source_path=library.path("b.md"), document_id=None, schema_version_id=None
    )
    save_manifest(library.db, [replace(foreign, file_hash="no hash that we know")])
    library.write("b.md", paragraphs("two"))

    report = library.ingest()

    assert counts(report) == {"new": 1, "unchanged": 1}


# --- moved -------------------------------------------------------------------------------


def move(root: Path, old: str, new: str) -> None:
    (root / new).parent.mkdir(parents=True, exist_ok=True)
    (root / old).rename(root / new)


MOVES: dict[str, tuple[Callable[[Path], None], dict[str, int], dict[str, str]]] = {
    "renamed": (lambda r: move(r, "a.md", "z.md"), {"moved": 1}, {"a.md": "z.md"}),
    "into a new folder": (lambda r: move(r, "a.md", "n/a.md"), {"moved": 1}, {"a.md": "n/a.md"}),
    "the whole folder": (
        lambda r: move(r, "sub", "other"),
        {"moved": 3},
        {"sub/1.md": "other/1.md", "sub/2.md": "other/2.md", "sub/3.md": "other/3.md"},
    ),
    "copied and deleted": (
        lambda r: (shutil.copy(r / "a.md", r / "z.md"), (r / "a.md").unlink(), None)[2],
        {"moved": 1},
        {"a.md": "z.md"},
    ),
    "one of two copies": (
        lambda r: (shutil.copy(r / "a.md", r / "y.md"), move(r, "a.md", "z.md"), None)[2],
        {"moved": 1, "new": 1},
        {},
    ),
    "onto another": (lambda r: move(r, "a.md", "b.md"), {"changed": 1, "gone": 1}, {}),
    "names swapped": (
        lambda r: (move(r, "a.md", "x"), move(r, "b.md", "a.md"), move(r, "x", "b.md"), None)[3],
        {"changed": 2},
        {},
    ),
    "one place further": (
        lambda r: (move(r, "b.md", "c.md"), move(r, "a.md", "b.md"), None)[2],
        {"changed": 1, "new": 1, "gone": 1},
        {},
    ),
    "another kind": (lambda r: move(r, "a.md", "a.markdown"), {"moved": 1}, {"a.md": "a.markdown"}),
}


@pytest.mark.parametrize(("do", "expected", "same"), MOVES.values(), ids=MOVES.keys())
def test_what_moves_keeps_its_chunks_and_nothing_is_embedded(
    library: Library,
    do: Callable[[Path], None],
    expected: dict[str, int],
    same: dict[str, str],
) -> None:
    for name in ("a.md", "b.md", "sub/1.md", "sub/2.md", "sub/3.md"):
        library.write(name, paragraphs(f"first of {name}", f"second of {name}"))
    library.ingest()
    before = {name: library.document(name) for name in library.paths()}
    library.model.asked.clear()
    do(library.root)
    tried = library.ingest(dry_run=True)

    report = library.ingest()

    moved = {name: count for name, count in counts(report).items() if name != "unchanged"}
    assert (moved, counts(tried)) == (expected, counts(report))
    assert library.model.asked == []
    assert {p: library.text(p) for p in library.paths()} == files_of(library.root)
    for old, new in same.items():
        assert library.document(new).document_id == before[old].document_id
        assert library.document(new).outline == before[old].outline
        assert library.document(new).extension == os.path.splitext(new)[1]


def test_a_move_is_one_version_and_the_past_keeps_the_old_path(either_library: Library) -> None:
    either_library.write("old.md", "no heading, so the name is the title\n")
    either_library.ingest()
    move(either_library.root, "old.md", "new name.md")

    report = either_library.ingest()

    assert (report.version, counts(report)) == (2, {"moved": 1})
    assert either_library.document("new name.md").title == "new name"
    assert set(texts_as_of(either_library.db, 1)) == {either_library.path("old.md")}
    assert set(texts_as_of(either_library.db, 2)) == {either_library.path("new name.md")}


def test_a_file_that_moved_and_was_edited_is_another_with_the_old_vectors(
    library: Library,
) -> None:
    library.write("a.md", paragraphs("one", "two"))
    library.ingest()
    library.model.asked.clear()
    (library.root / "a.md").unlink()
    library.write("b.md", paragraphs("one", "two", "three"))

    report = library.ingest()

    assert counts(report) == {"new": 1, "gone": 1}
    assert len(library.model.asked) == 1


def test_a_file_moves_from_one_root_to_another(library: Library, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    library.write("a.md", paragraphs("one"))
    library.ingest()
    (library.root / "a.md").rename(tmp_path / "other" / "a.md")

    report = library.ingest(tmp_path / "other")  # without even looking at the first

    assert counts(report) == {"moved": 1}
    assert library.paths() == ["../other/a.md"]


def test_of_two_with_equal_bytes_the_one_of_the_same_name_has_moved(library: Library) -> None:
    library.write("x/one.md", paragraphs("same"))
    library.write("x/two.md", paragraphs("same"))
    library.ingest()
    before = library.document("x/two.md").document_id
    move(library.root, "x/two.md", "y/two.md")
    (library.root / "x/one.md").unlink()

    report = library.ingest()

    assert counts(report) == {"moved": 1, "gone": 1}
    assert library.document("y/two.md").document_id == before


def test_empty_files_do_not_move_for_they_are_all_alike(library: Library) -> None:
    library.write("a.md", "")
    library.ingest()
    move(library.root, "a.md", "b.md")

    assert counts(library.ingest()) == {"new": 1, "gone": 1}


def test_a_copy_of_what_cannot_be_looked_at_has_not_moved(library: Library) -> None:
    library.write("closed/a.md", paragraphs("one"))
    library.ingest()
    library.write("b.md", paragraphs("one"))
    (library.root / "closed").chmod(0)

    report = as_ordinary_user(library.ingest)

    (library.root / "closed").chmod(0o700)
    assert counts(report) == {"new": 1, "failed": 1}
    assert library.paths() == ["b.md", "closed/a.md"]


# --- what must not be deleted ------------------------------------------------------------


@pytest.mark.parametrize("loss", ["root missing", "root empty", "more than half"])
def test_what_may_be_a_missing_disk_is_deleted_only_if_confirmed(
    library: Library, loss: str
) -> None:
    for number in range(25):
        library.write(f"{number}.md", f"text {number}\n")
    library.ingest()
    shutil.rmtree(library.root)
    if loss != "root missing":
        library.root.mkdir()
    if loss == "more than half":
        for number in range(4):
            library.write(f"{number}.md", f"text {number}\n")
    left = len(list(library.root.glob("*.md")))

    tried = library.ingest(dry_run=True)
    report = library.ingest()
    kept = len(library.paths())
    confirmed = library.ingest(confirm_delete=True)

    assert (report.files.gone, report.unconfirmed, kept) == (0, 25 - left, 25)
    assert (tried.files.gone, tried.unconfirmed) == (0, 25 - left)
    assert (confirmed.files.gone, confirmed.unconfirmed) == (25 - left, 0)
    assert len(library.paths()) == left


def test_a_root_that_moved_as_a_whole_needs_no_confirmation(library: Library) -> None:
    for number in range(25):
        library.write(f"old/{number}.md", f"text {number}\n")
    library.ingest("old")
    move(library.root, "old", "new")

    report = library.ingest("old", "new")

    assert (counts(report), report.unconfirmed) == ({"moved": 25, "failed": 1}, 0)
    assert told(report.errors) == {("old", "vanished")}


def test_a_folder_that_is_closed_for_now_keeps_its_documents(library: Library) -> None:
    library.write("closed/a.md", paragraphs("one"))
    library.write("b.md", paragraphs("two"))
    library.ingest()
    (library.root / "closed").chmod(0)

    closed = as_ordinary_user(library.ingest)
    (library.root / "closed").chmod(0o700)
    listed = [failure.code for failure in load_failures(library.db)]
    opened = library.ingest()

    assert counts(closed) == {"unchanged": 1, "failed": 1}
    assert listed == ["permission_denied"]
    assert (counts(opened), load_failures(library.db)) == ({"unchanged": 2}, [])
    assert opened.version is None


# --- files that fail ---------------------------------------------------------------------


def test_a_file_that_becomes_unreadable_keeps_its_old_version(either_library: Library) -> None:
    either_library.write("a.json.md", paragraphs("good"))
    either_library.ingest()
    either_library.write("a.json.md", b"\x7fELF" + bytes(range(256)) * 20)

    report = either_library.ingest()
    again = either_library.ingest()

    assert counts(report) == counts(again) == {"failed": 1}
    assert told(report.errors) == told(again.errors)
    assert report.version is None
    assert either_library.text("a.json.md") == paragraphs("good")


def test_a_file_that_becomes_readable_is_no_failure_any_more(library: Library) -> None:
    library.write("a.pdf", "no PDF at all")
    library.ingest()
    (library.root / "a.pdf").unlink()

    report = library.ingest()

    assert (counts(report), load_failures(library.db)) == ({}, [])


def nan(vectors: Vectors) -> Vectors:
    return vectors * np.nan


def zero(vectors: Vectors) -> Vectors:
    return vectors * 0


def too_few(vectors: Vectors) -> Vectors:
    return vectors[:-1]


def too_short(vectors: Vectors) -> Vectors:
    return vectors[:, :-1]


@pytest.mark.parametrize("spoil", [nan, zero, too_few, too_short, refusing])
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "among others"])
def test_a_text_that_the_model_fails_on_stops_its_document_only(
    library: Library, spoil: Callable[[Vectors], Vectors], alone: bool
) -> None:
    library.write("bad.md", paragraphs("good", "fine"))
    library.ingest()
    library.model.poison["poison"] = spoil
    library.write("bad.md", paragraphs("good", "poison"))
    others = [] if alone else [f"{number}.md" for number in range(5)]
    for name in others:
        library.write(name, paragraphs(f"text of {name}"))

    report = library.ingest()
    failed = load_failures(library.db)
    library.model.poison.clear()
    healed = library.ingest()

    assert told(report.errors) == {("bad.md", "embedding")}
    assert [failure.code for failure in failed] == ["embedding"]
    assert report.files.new == len(others)
    assert (healed.files.changed, healed.errors) == (1, [])
    assert texts_as_of(library.db, 1)[library.path("bad.md")] == paragraphs("good", "fine")
    assert library.text("bad.md") == paragraphs("good", "poison")


@pytest.mark.parametrize("spoil", [nan, refusing])
def test_a_model_that_is_down_stops_the_run_and_blames_no_file(
    library: Library, spoil: Callable[[Vectors], Vectors]
) -> None:
    library.write("a.md", paragraphs("one"))
    library.ingest()
    library.write("b.md", paragraphs("two"))
    library.write("empty.md", "")
    library.model.poison[""] = spoil

    with pytest.raises(EmbeddingError):
        library.ingest()

    assert (load_failures(library.db), problems_of(library.db)) == ([], [])
    library.model.poison.clear()
    assert counts(library.ingest()) == {"new": 2, "unchanged": 1}


# --- another model, other chunks ---------------------------------------------------------


def test_another_model_embeds_what_is_there_and_reads_no_file(either_library: Library) -> None:
    either_library.write("a.md", paragraphs("one", "two"))
    either_library.write("b.md", paragraphs("three"))
    either_library.ingest()
    either_library.write("a.md", paragraphs("one"))
    either_library.ingest()  # "two" is history, and is searched as such
    either_library.model = Model("other@2")

    report = either_library.ingest()

    assert (report.version, counts(report)) == (None, {"unchanged": 2})
    assert len(either_library.model.asked) == report.chunks.embedded == 3
    assert spaces_in_use(either_library.db) == {"other@2"}
    assert {s.embedding_model for s in load_manifest(either_library.db).values()} == {"other@2"}
    assert either_library.ingest().chunks.embedded == 0


def test_embedding_again_goes_on_where_it_was_stopped(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lsm.ingest.reembedding._BATCH", 2)
    library.write("a.md", paragraphs("one", "two", "three", "four", "five"))
    library.ingest()
    library.model = Model("other@2")
    library.hooks = Hooks(should_stop=lambda: bool(library.model.asked))
    stopped = library.ingest()
    between = spaces_in_use(library.db)
    library.hooks = Hooks()

    report = library.ingest()

    assert (stopped.chunks.embedded, stopped.interrupted) == (2, True)
    assert between == {"hash@1", "other@2"}
    assert (report.chunks.embedded, report.interrupted) == (3, False)
    assert spaces_in_use(library.db) == {"other@2"}
    assert library.state("a.md").embedding_model == "other@2"


def test_stopped_after_the_last_chunk_the_next_run_still_says_what_made_them(
    library: Library,
) -> None:
    library.write("a.md", paragraphs("one"))
    library.ingest()
    library.model = Model("other@2")
    library.hooks = Hooks(should_stop=lambda: bool(library.model.asked))
    library.ingest()
    library.hooks = Hooks()

    report = library.ingest()

    assert report.chunks.embedded == 0
    assert library.state("a.md").embedding_model == "other@2"


def test_an_edit_together_with_another_model_mixes_nothing(library: Library) -> None:
    library.write("a.md", paragraphs("one", "two"))
    library.write("b.md", paragraphs("three"))
    library.ingest()
    library.write("a.md", paragraphs("one", "changed"))
    library.model = Model("other@2")

    report = library.ingest()

    assert counts(report) == {"changed": 1, "unchanged": 1}
    assert spaces_in_use(library.db) == {"other@2"}


def test_other_sizes_of_chunks_cut_everything_again_and_only_once(library: Library) -> None:
    text = "".join(f"Sentence number {n} stands here for good.\n\n" for n in range(40))
    library.write("a.md", text)
    library.write("b.md", "Short.\n")
    library.ingest()
    library.chunking = ChunkOptions(target=300, maximum=500)

    report = library.ingest()

    assert counts(report) == {"changed": 1, "unchanged": 1}
    assert library.text("a.md") == text
    assert counts(library.ingest()) == {"unchanged": 2}
    assert texts_as_of(library.db, 1)[library.path("a.md")] == text


def test_force_reads_everything_and_changes_nothing_that_is_the_same(library: Library) -> None:
    library.write("a.md", paragraphs("one"))
    library.ingest()
    age(library.db)
    library.model.asked.clear()

    report = library.ingest(force=True)

    assert (report.version, counts(report), library.model.asked) == (None, {"unchanged": 1}, [])


def test_verify_finds_what_the_times_hide(library: Library) -> None:
    path = library.write("a.md", "one\n")
    library.ingest()
    path.write_text("two\n")
    found = path.stat()
    state = library.state("a.md")
    hidden = replace(state, mtime_ns=found.st_mtime_ns, ctime_ns=found.st_ctime_ns)
    save_manifest(library.db, [replace(hidden, checked_ns=found.st_ctime_ns + 10**13)])

    assert counts(library.ingest()) == {"unchanged": 1}
    assert counts(library.ingest(verify=True)) == {"changed": 1}


# --- stopped, and gone on ----------------------------------------------------------------


def test_a_run_that_is_stopped_keeps_what_it_wrote_and_the_next_goes_on(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lsm.ingest.batches.MAX_FILES", 3)
    for number in range(300):
        library.write(f"{number}.md", f"text {number}\n")
    library.write("gone.md", "gone\n")
    library.ingest("gone.md")
    (library.root / "gone.md").unlink()
    library.hooks = Hooks(should_stop=lambda: len(library.model.asked) > 5)

    stopped = library.ingest()
    library.hooks = Hooks()
    resumed = library.ingest()

    assert stopped.interrupted
    assert 0 < stopped.files.new < 300
    assert stopped.files.gone == 0
    assert resumed.files.new == 300 - stopped.files.new
    assert len(library.paths()) == 300


@pytest.mark.parametrize("every", [1, 7])
def test_an_error_at_any_statement_leaves_no_half_document(
    either_db: Database, tmp_path: Path, every: int
) -> None:
    library = in_folder(either_db, tmp_path / "notes")
    for name in ("changed.md", "moved.md", "gone.md", "same.md"):
        library.write(name, paragraphs(f"first of {name}", f"second of {name}"))
    library.write("t/tagged.md", paragraphs("tagged"))
    library.ingest()
    library.write("changed.md", paragraphs("first of changed.md", "other"))
    library.write("new.md", paragraphs("new"))
    library.write("bad.pdf", "no PDF at all")
    library.write("t/.lsm_tags.json", '{"tags": ["new"]}')
    (library.root / "gone.md").unlink()
    move(library.root, "moved.md", "elsewhere.md")
    before = texts_as_of(either_db, 2**40)
    failing = FailingAt(every)
    library.db = WatchedDatabase(either_db, failing)

    while True:
        failing.count = 0
        try:
            library.run()
            break
        except InterruptedInTestError:
            assert problems_of(either_db) == []
            assert seen_as_one(before, texts_as_of(either_db, 2**40), library)
            failing.at += 7

    library.db = either_db
    assert failing.at > 20
    assert {p: library.text(p) for p in library.paths()} == files_of(library.root)
    assert library.document("t/tagged.md").tags == ("new",)
    assert counts(library.ingest()) == {"unchanged": 5, "failed": 1}


# --- dry run -----------------------------------------------------------------------------


def test_a_dry_run_tells_what_a_run_does_and_writes_nothing(either_library: Library) -> None:
    for name in ("same.md", "changed.md", "moved.md", "gone.md", "touched.md"):
        either_library.write(name, paragraphs(name))
    either_library.ingest()
    let_the_clock_tick(either_library.root)
    either_library.write("changed.md", paragraphs("changed"))
    either_library.write("new.md", paragraphs("new"))
    move(either_library.root, "moved.md", "elsewhere.md")
    (either_library.root / "gone.md").unlink()
    (either_library.root / "touched.md").touch()
    os.mkfifo(either_library.root / "pipe.md")
    statements: list[str] = []
    before = replace_database(either_library, statements)

    tried = either_library.ingest(dry_run=True)
    either_library.db = before
    done = either_library.ingest()

    assert [sql for sql in statements if sql.startswith(WRITING)] == []
    assert (tried.files, tried.version) == (done.files, None)
    assert counts(done) == {
        "new": 1,
        "changed": 1,
        "moved": 1,
        "gone": 1,
        "touched": 1,
        "unchanged": 1,
    }


# --- several at once ---------------------------------------------------------------------


def test_two_ingests_at_once_make_no_document_twice(
    either_library: Library, open_again: Callable[[], Database]
) -> None:
    for number in range(60):
        either_library.write(f"{number}.md", paragraphs(f"text {number}"))
    libraries = [either_library, replace(either_library, db=open_again(), model=Model())]

    for change in range(3):
        together(each.ingest for each in libraries)
        for number in range(0, 60, 2):
            either_library.write(f"{number}.md", paragraphs(f"text {number}, {change}"))
        (either_library.root / f"{2 * change + 1}.md").unlink()
        move(either_library.root, f"{2 * change + 41}.md", f"moved {change}.md")
    report = either_library.ingest()

    assert (report.errors, problems_of(either_library.db)) == ([], [])
    assert {p: either_library.text(p) for p in either_library.paths()} == files_of(
        either_library.root
    )


def test_a_slow_run_writes_nothing_below_a_version_that_a_quick_one_has_taken(
    either_library: Library, open_again: Callable[[], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lsm.ingest.batches.MAX_FILES", 1)
    for number in range(4):
        either_library.write(f"{number}.md", paragraphs(f"text {number}"))
    quick = replace(either_library, db=open_again(), model=Model())
    ran: list[int | None] = []

    def meanwhile(*_: object) -> None:
        if not ran:
            ran.append(None)
            quick.write("quick.md", paragraphs("quick"))
            ran[0] = quick.ingest("quick.md").version

    either_library.ingest("0.md")
    either_library.write("0.md", paragraphs("changed"))
    either_library.hooks = Hooks(on_progress=lambda told: meanwhile() if told.done == 3 else None)
    report = either_library.ingest()

    newest = {name: either_library.document(name).version for name in either_library.paths()}
    assert sorted(newest) == ["0.md", "1.md", "2.md", "3.md", "quick.md"]
    assert (newest["quick.md"], ran, report.version) == (3, [3], 4)
    assert set(newest.values()) == {2, 3, 4}


def test_a_file_that_is_back_before_it_was_taken_out_stays(
    either_library: Library, open_again: Callable[[], Database]
) -> None:
    path = either_library.write("a.md", paragraphs("one"))
    either_library.write("b.md", paragraphs("two"))
    either_library.ingest()
    path.unlink()
    other = replace(either_library, db=open_again(), model=Model())

    def come_back(_: object) -> None:
        either_library.hooks = Hooks()
        path.write_text(paragraphs("one"))
        other.ingest("a.md")

    either_library.hooks = Hooks(
        on_progress=lambda told: come_back(told) if told.stage == "reading" else None
    )
    report = either_library.ingest()

    assert report.files.gone == 0
    assert either_library.paths() == ["a.md", "b.md"]


def test_what_another_run_has_written_is_not_stamped_over(
    either_library: Library, open_again: Callable[[], Database]
) -> None:
    path = either_library.write("a.md", paragraphs("one"))
    either_library.ingest()
    other = replace(either_library, db=open_again(), model=Model())
    done: list[str] = []

    def edit(told: object) -> None:
        if getattr(told, "stage", "") == "reading" and not done:
            done.append("")
            path.write_text(paragraphs("other"))
            other.ingest()

    either_library.hooks = Hooks(on_progress=edit)
    either_library.ingest()

    assert done
    assert either_library.text("a.md") == paragraphs("other")
    assert either_library.state("a.md").version == 2


def test_a_reader_sees_the_old_version_or_the_new_one(
    either_library: Library, open_again: Callable[[], Database]
) -> None:
    either_library.write("a.md", edition(0))
    either_library.ingest()
    path, reading = either_library.path("a.md"), open_again()
    seen: list[str] = []
    found: list[int] = []
    stop = threading.Event()

    def read() -> None:
        index, documents = open_chunk_index(reading), DocumentReader(reading)
        while not stop.is_set():
            with reading.snapshot():
                document = documents.at_path(path)
                seen.append("" if document is None else text_of(reading, document))
            found.append(len(index.matching(TextQuery(("sentinel",)), 10)))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 8):
        either_library.write("a.md", edition(number))
        either_library.ingest()
        while reader.is_alive() and len(found) < 4 * number:
            time.sleep(0.001)
    stop.set()
    reader.join()

    assert set(seen) <= {edition(number) for number in range(8)}
    assert len(set(seen)) > 1
    assert set(found) == {3}


# --- any sequence ------------------------------------------------------------------------

WORDS = ("alpha", "beta", "gamma", "delta")
NAMES = st.sampled_from(["a.md", "b.md", "x/a.md", "x/c.md", "y/z/d.md"])
TEXTS = st.lists(st.sampled_from(WORDS), max_size=4).map(lambda words: paragraphs(*words))


class AnySequence(RuleBasedStateMachine):
    """Files change in any order; after each ingest the library is what a dictionary says."""

    library: Library  # set by the test

    def __init__(self) -> None:
        super().__init__()
        shutil.rmtree(self.library.root)
        self.library.root.mkdir()
        self.library.ingest(confirm_delete=True)
        self.past: dict[int, dict[str, str]] = {}

    @rule(name=NAMES, text=TEXTS)
    def write(self, name: str, text: str) -> None:
        self.library.write(name, text)

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        (self.library.root / name).unlink(missing_ok=True)

    @rule(name=NAMES)
    def touch(self, name: str) -> None:
        if (self.library.root / name).exists():
            (self.library.root / name).touch()

    @rule(old=NAMES, new=NAMES)
    def rename(self, old: str, new: str) -> None:
        if (self.library.root / old).exists():
            move(self.library.root, old, new)

    @rule(one=NAMES, other=NAMES)
    def swap(self, one: str, other: str) -> None:
        if one != other and all((self.library.root / name).exists() for name in (one, other)):
            move(self.library.root, one, "spare")
            move(self.library.root, other, one)
            move(self.library.root, "spare", other)

    @rule()
    @precondition(lambda self: (self.library.root / "x").exists())
    def rename_folder(self) -> None:
        shutil.rmtree(self.library.root / "y", ignore_errors=True)
        move(self.library.root, "x", "y")

    @rule(folder=st.sampled_from(["", "x/"]), tag=st.sampled_from(WORDS))
    def tag(self, folder: str, tag: str) -> None:
        self.library.write(f"{folder}.lsm_tags.json", f'{{"tags": ["{tag}"]}}')

    @rule(name=st.sampled_from(["", "x", "a.md"]))
    def ingest_part(self, name: str) -> None:
        if (self.library.root / name).exists():
            self.library.ingest(*[name] if name else [])

    @rule(force=st.booleans())
    def ingest(self, force: bool) -> None:
        tried = self.library.ingest(dry_run=True)
        report = self.library.ingest(force=force)
        files = files_of(self.library.root)
        assert {path: self.library.text(path) for path in self.library.paths()} == files
        assert (report.errors, report.unconfirmed) == ([], 0)
        assert (
            sum(counts(report).values())
            == report.files.seen + report.files.gone
            == (len(files) + report.files.gone)
        )
        if not force:
            assert counts(tried) == counts(report)
        if report.version is not None:
            self.past[report.version] = texts_as_of(self.library.db, report.version)
        assert counts(self.library.ingest()) == ({"unchanged": len(files)} if files else {})

    def teardown(self) -> None:
        for version, texts in self.past.items():
            assert texts_as_of(self.library.db, version) == texts


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_after_any_sequence_of_changes_the_library_is_what_the_files_are(
    either_library: Library,
) -> None:
    AnySequence.library = either_library

    run_state_machine_as_test(
        AnySequence,
        settings=settings(
            max_examples=10,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_after_any_sequence_of_changes_postgres_agrees(either_library: Library) -> None:
    AnySequence.library = either_library

    run_state_machine_as_test(
        AnySequence,
        settings=settings(
            max_examples=3,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_documents_that_changed_are_told_inside_the_transaction(library: Library) -> None:
    told: list[tuple[list[int], int, bool]] = []
    library.hooks = Hooks(
        on_changed=lambda ids, version: told.append((list(ids), version, library.db.in_transaction))
    )
    library.write("a.md", paragraphs("one"))
    library.write("b.md", paragraphs("two"))
    library.ingest()
    a, b = (library.document(name).document_id for name in ("a.md", "b.md"))
    library.write("a.md", paragraphs("other"))
    (library.root / "b.md").unlink()

    library.ingest()

    assert told == [(sorted([a, b]), 1, True), ([a], 2, True), ([b], 2, True)]


def test_with_the_default_model_a_passage_is_found_by_its_meaning(either_library: Library) -> None:
    either_library.model = open_embedder()
    either_library.write("cats.md", "# Cats\n\nA kitten sleeps on the sofa and purrs.\n")
    either_library.write("ships.md", "# Ships\n\nThe captain steered into the harbour.\n")
    either_library.ingest()
    model = either_library.model
    space = find_space(either_library.db, model.model, model.dimension)

    [best] = open_chunk_index(either_library.db).nearest(model.embed_query("sleepy pets"), space, 1)

    assert best.chunk_id == either_library.document("cats.md").outline[0].chunk_id


def test_a_slow_file_is_given_up_after_its_time(library: Library) -> None:
    library.write("slow.md", b"x" * 20_000_000)
    library.write("good.md", paragraphs("one"))
    library.limits = Limits(wall_seconds=0.3)

    report = library.ingest()

    assert told(report.errors) == {("slow.md", "timeout")}
    assert report.files.new == 1


WRITING = ("INSERT", "UPDATE", "DELETE", "BEGIN IMMEDIATE", "BEGIN READ WRITE", "COMMIT")


def replace_database(library: Library, statements: list[str]) -> Database:
    before = library.db
    library.db = WatchedDatabase(before, lambda sql: statements.append(sql.strip()))
    return before


def files_of(root: Path) -> dict[str, str]:
    paths = [p for p in root.rglob("*") if p.suffix in (".md", ".markdown")]
    return {str(p.relative_to(root)): p.read_text() for p in paths if p.is_file()}


def spaces_in_use(db: Database) -> set[str]:
    return {
        name
        for (name,) in db.tuples(
            "SELECT DISTINCT embedding_model FROM lsm_vector_spaces s"
            "  JOIN vec_chunks v ON v.space_id = s.space_id"
        )
    }


def seen_as_one(before: dict[str, str], now: dict[str, str], library: Library) -> bool:
    """Whether each document is as it was, or as its file is."""
    files = {library.path(name): text for name, text in files_of(library.root).items()}
    return all(text in (before.get(path), files.get(path)) for path, text in now.items())


class FailingAt:
    """Raises at one statement of a run: first at an early one, later at later ones."""

    def __init__(self, first: int) -> None:
        self.at = first
        self.count = 0

    def __call__(self, sql: str) -> None:
        if sql.startswith(("ROLLBACK", "RELEASE")):
            return
        self.count += 1
        if self.count == self.at:
            raise InterruptedInTestError(sql)


def together(actions: Iterator[Callable[[], object]]) -> None:
    """Do all at the same time; whatever one of them raises is raised."""
    errors: list[BaseException] = []

    def work(action: Callable[[], object]) -> None:
        try:
            action()
        except BaseException as error:  # noqa: BLE001 - it is raised below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in errors:
        raise error


def edition(number: int) -> str:
    line = f"sentinel of edition {number}, "
    return "".join(f"# Part {part}\n\n{line * 6}\n\n" for part in range(3))
