"""One search after another in a process that stays open."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import lsm
from benchmarks.corpus import queries
from benchmarks.findings import Finding, Table, milliseconds, percentile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.library import Made
    from lsm.app import Mind

_COUNT = 200
_MODES = ("text", "vector", "hybrid")


def run(made: Sequence[Made]) -> Finding:
    """Time `mind.search` on each library, mode by mode."""
    rows = tuple(row for library in made for row in _measured(library))
    about = (
        f"`mind.search(query, k=10)` in an open process, {_COUNT} queries of three to eight words "
        "that occur in the library, modes interleaved; embedding the query, fetching the "
        "passages and folding near-duplicates included. "
        "The first search of a process also loads the vectors into memory."
    )
    head = ("library", "mode", "first", "p50", "p95")
    return Finding("Search in an open process", about, Table(head, rows))


def _measured(library: Made) -> Iterator[tuple[str, ...]]:
    asked = queries(_COUNT)
    first: dict[str, float] = {}
    times: dict[str, list[float]] = {mode: [] for mode in _MODES}
    for mode in _MODES:
        with lsm.open(library.home) as mind:
            first[mode] = _timed(mind, asked[0], mode)
    with lsm.open(library.home) as mind:
        for mode in _MODES:
            _timed(mind, asked[0], mode)
        for query in asked:
            for mode in _MODES:
                times[mode].append(_timed(mind, query, mode))
    for mode, found in times.items():
        cells = (first[mode], percentile(found, 50), percentile(found, 95))
        yield f"{library.chunks:,} chunks", mode, *map(milliseconds, cells)


def _timed(mind: Mind, query: str, mode: str) -> float:
    began = time.perf_counter()
    mind.search(query, k=10, mode=mode)
    return time.perf_counter() - began
