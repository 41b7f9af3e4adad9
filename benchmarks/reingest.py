"""What it costs to find out that nothing has changed."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING

import lsm
from benchmarks.findings import Finding, Table, interleaved, median, milliseconds, ratio

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.library import Libraries
    from lsm.app import Mind

_ROUNDS = 15
_ABOUT = (
    "`mind.ingest()` of 10,000 files none of which has changed, in an open process, beside the "
    "least any program could do: `os.scandir` and `stat` of the same files. The second library "
    "has the same files cut into many more chunks. Interleaved, medians of "
    f"{_ROUNDS} rounds."
)


def run(libraries: Libraries) -> Finding:
    """Measure both libraries beside the bare walk."""
    usual, small = libraries.usual(), libraries.in_small_chunks()
    # Within two seconds of a write, times prove nothing and files are read: not what is asked.
    time.sleep(3)
    with lsm.open(usual.home) as one, lsm.open(small.home) as other:
        for mind in (one, other):
            mind.ingest()  # once more, so that every file is known to be older than its check
        tasks: dict[str, Callable[[], float]] = {
            "walk": partial(_timed, partial(_walk, usual.documents)),
            "usual": partial(_timed, partial(_unchanged, one)),
            "small": partial(_timed, partial(_unchanged, other)),
        }
        found = interleaved(tasks, _ROUNDS)
    names = {
        "walk": "bare `scandir` + `stat`",
        "usual": f"re-ingest, {usual.chunks:,} chunks",
        "small": f"re-ingest, {small.chunks:,} chunks",
    }
    rows = tuple(
        (name, milliseconds(median(found[key])), f"{ratio(found[key], found['walk']):.2f}")
        for key, name in names.items()
    )
    return Finding(
        "Nothing has changed", _ABOUT, Table(("10,000 files", "median", "times the walk"), rows)
    )


def _timed(task: Callable[[], object]) -> float:
    began = time.perf_counter()
    task()
    return time.perf_counter() - began


def _unchanged(mind: Mind) -> None:
    report = mind.ingest()
    assert report.files.unchanged == report.files.seen == 10_000, report.files


def _walk(folder: str) -> int:
    """The number of files below *folder*, each of which has been asked for its status."""
    count = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                count += _walk(entry.path)
            else:
                entry.stat(follow_symlinks=False)
                count += 1
    return count
