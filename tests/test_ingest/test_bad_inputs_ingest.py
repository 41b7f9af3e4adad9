"""The whole corpus of bad inputs among good files, through walk, children, model and database."""

from __future__ import annotations

import os
import sys
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lsm.ingest.chunking import ChunkOptions
from lsm.ingest.failures import load_failures
from lsm.ingest.manifest import load_manifest
from lsm.ingest.messages import Limits
from lsm.paths import to_os, to_text
from tests.bad_inputs.corpus import INGESTED, SKIPPED, Case, make_all, unmake
from tests.test_ingest.library import Library, on_sqlite, paragraphs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lsm.db import Database
    from lsm.ingest.report import IngestReport

__all__ = ["on_sqlite"]

GOOD = 200
_MOST_GROWTH = 50  # MB


def test_two_hundred_good_files_come_in_and_every_bad_one_is_listed(
    library: Library, corpus: dict[Path, Case]
) -> None:
    """One ingest for several rules: it takes seconds, and workers share no fixture."""
    peak_memory()
    before = peak_memory()

    report = library.ingest()

    grown = peak_memory() - before
    good = [path for path in load_manifest(library.db) if Path(path).name.startswith("good")]
    assert len(good) == GOOD
    assert library.text("000/good0.md") == paragraphs("good text 0")
    assert wrong_outcomes(library, corpus) == {}
    assert_listed(library, report)
    assert grown < _MOST_GROWTH
    assert_nothing_hopeless_is_tried_again(library, report)
    assert files_beside(library) == expected_files(corpus)


@pytest.fixture
def corpus(tmp_path: Path) -> Iterator[dict[Path, Case]]:
    """Every bad input, and good files among them."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    made = make_all(folder)
    for number, own in zip(range(GOOD), cycle(sorted(folder.iterdir())), strict=False):
        (own / f"good{number}.md").write_text(paragraphs(f"good text {number}"))
    yield made
    unmake(folder)


@pytest.fixture
def library(db: Database, corpus: dict[Path, Case], tmp_path: Path) -> Library:
    library = Library(db, tmp_path / "mixed", chunking=ChunkOptions(), workers=2)
    library.limits = Limits(wall_seconds=20.0)
    return library


def wrong_outcomes(library: Library, corpus: dict[Path, Case]) -> dict[str, tuple[str, list[str]]]:
    known = set(load_manifest(library.db))
    failed = {failure.source_path: failure.code for failure in load_failures(library.db)}
    return {
        case.name: (outcome, sorted(case.outcomes))
        for path, case in corpus.items()
        if (outcome := outcome_of(to_text(os.fsencode(path)), known, failed)) not in case.outcomes
    }


def assert_listed(library: Library, report: IngestReport) -> None:
    failures = load_failures(library.db)
    assert {(e.path, e.code, e.reason) for e in report.errors} == {
        (f.source_path, f.code, f.reason) for f in failures
    }
    assert report.files.failed == len(report.errors) == len(failures) > 40
    assert all(failure.reason.isprintable() and failure.reason for failure in failures)
    assert not any("Traceback" in failure.reason for failure in failures)


def assert_nothing_hopeless_is_tried_again(library: Library, first: IngestReport) -> None:
    before = {f.source_path: f.attempts for f in load_failures(library.db)}

    second = library.ingest()

    after = {f.source_path: (f.attempts, f.code) for f in load_failures(library.db)}
    tried = {code for path, (attempts, code) in after.items() if attempts > before[path]}
    # A folder is walked every time; a child that had bad luck gets another two.
    assert tried <= {"too_deep", "timeout", "oom", "parser_crash", "protocol"}
    assert after.keys() == before.keys()
    assert (second.version, second.files.failed) == (None, first.files.failed)
    assert second.files.unchanged == first.files.new


def files_beside(library: Library) -> set[str]:
    return {entry.name for own in library.root.iterdir() for entry in os.scandir(own)}


def expected_files(corpus: dict[Path, Case]) -> set[str]:
    good = {f"good{number}.md" for number in range(GOOD)}
    return {path.name for path in corpus} | {"twin.md"} | good


def outcome_of(path: str, known: set[str], failed: dict[str, str]) -> str:
    if path in failed:
        return failed[path]
    below = [code for other, code in failed.items() if other.startswith(path + "/")]
    if below:
        return below[0]
    if path in known:
        assert os.path.lexists(to_os(path))
        return INGESTED
    return SKIPPED


def peak_memory() -> int:
    """MB that this process has had at most since it was last asked; 0 where nobody knows."""
    if sys.platform != "linux":
        return 0
    status = Path("/proc/self/status").read_text()
    Path("/proc/self/clear_refs").write_text("5")
    return int(status.split("VmHWM:")[1].split()[0]) // 1024
