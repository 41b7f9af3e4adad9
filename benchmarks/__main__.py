"""Run benchmarks: all of them, or those that are named."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from typing import TYPE_CHECKING

import click

from benchmarks import (
    caches,
    cold,
    ingest,
    latency,
    library_peers,
    machine,
    memory,
    moving,
    quality,
    reingest,
    schedules,
    serving,
)
from benchmarks.library import Libraries
from benchmarks.memory_peers import Peers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.findings import Finding

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_PAGE = os.path.join(_ROOT, "docs", "explanation", "performance.md")
_INTRODUCTION = """\
# Performance, as measured

Written by `make bench` (`python -m benchmarks`); everything below is one run, nothing is picked.
Times vary by a third between runs on a shared machine: compare the ratios.
"""


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--large", is_flag=True, help="Also 100,000 chunks or memories.")
def main(names: Sequence[str], large: bool) -> None:  # noqa: FBT001 - click passes it by keyword
    """Measure all there is to measure, or what is named.

    All of them are written to docs/explanation/performance.md; some are printed only.
    """
    folder = tempfile.mkdtemp(prefix="lsm-bench-")
    conditions = machine.description()
    try:
        benchmarks = _benchmarks(folder, large=large)
        if unknown := set(names) - benchmarks.keys():
            raise click.UsageError(f"{', '.join(unknown)}: choose {', '.join(benchmarks)}")
        found = [_run(name, benchmarks[name]) for name in names or benchmarks]
    finally:
        shutil.rmtree(folder)
    if not names:
        _write(conditions, found)


def _benchmarks(folder: str, *, large: bool) -> dict[str, Callable[[], Finding]]:
    libraries = Libraries(_sub(folder, "libraries"))

    peers = Peers(_sub(folder, "peers"))
    library = library_peers.LibraryPeers(_sub(folder, "library-peers"))

    def search() -> Finding:
        return latency.run([libraries.usual(), *([libraries.large()] if large else [])])

    return {
        "quality": lambda: quality.run(_sub(folder, "quality")),
        "ingest": lambda: ingest.run(_sub(folder, "ingest")),
        "peers": lambda: library_peers.run(library),
        **({"large-peers": lambda: library_peers.large(library)} if large else {}),
        "reingest": lambda: reingest.run(libraries),
        "cold": lambda: cold.run(libraries),
        "latency": search,
        "serving": lambda: serving.run(libraries.usual(), _sub(folder, "serving")),
        "battery": lambda: memory.battery(peers),
        "memory": lambda: memory.speed(peers, [1000, *([100_000] if large else [])]),
        "schedules": lambda: schedules.run(_sub(folder, "schedules")),
        "caches": lambda: caches.run(_sub(folder, "caches")),
        "move": lambda: moving.run(_sub(folder, "move"), large=large),
    }


def _sub(folder: str, name: str) -> str:
    place = os.path.join(folder, name)
    os.makedirs(place, exist_ok=True)
    return place


def _run(name: str, benchmark: Callable[[], Finding]) -> Finding:
    began = time.monotonic()
    found = benchmark()
    click.echo(f"\n{found.plain()}")
    click.echo(f"({name}: {time.monotonic() - began:.0f} s)", err=True)
    return found


def _write(conditions: Sequence[tuple[str, str]], found: Sequence[Finding]) -> None:
    facts = "\n".join(f"* {name}: {value}" for name, value in conditions)
    sections = [_INTRODUCTION.rstrip(), facts, *(finding.markdown() for finding in found)]
    os.makedirs(os.path.dirname(_PAGE), exist_ok=True)
    with open(_PAGE, "w", encoding="utf-8") as file:
        file.write("\n\n".join(sections) + "\n")
    click.echo(f"\nwritten: {os.path.relpath(_PAGE)}", err=True)


if __name__ == "__main__":
    sys.exit(main())
