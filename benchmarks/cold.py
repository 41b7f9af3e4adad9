"""Whole processes, from the shell's point of view."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.findings import Finding, Table, interleaved, median, ratio, seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.library import Libraries

_ROUNDS = 15
_COMMAND = os.path.join(os.path.dirname(sys.executable), "lsm")


def run(libraries: Libraries) -> Finding:
    """Time the command on a library of about 10,000 chunks."""
    made = libraries.usual()
    in_home = (_COMMAND, "--home", made.home)
    question = "how is the default encoding chosen"
    commands = {
        "`python -c pass`": (sys.executable, "-c", "pass"),
        "`lsm --help`": (_COMMAND, "--help"),
        "`lsm search --mode text`": (*in_home, "search", "--mode", "text", question),
        "`lsm search`": (*in_home, "search", question),
        "`lsm ask`": (*in_home, "ask", question),
        "`lsm ingest`, nothing changed": (*in_home, "ingest"),
    }
    tasks: dict[str, Callable[[], float]] = {
        name: partial(_timed, command) for name, command in commands.items()
    }
    found = interleaved(tasks, _ROUNDS)
    floor = found["`python -c pass`"]
    rows = tuple(
        (name, seconds(median(times)), f"{ratio(times, floor):.1f}")
        for name, times in found.items()
    )
    about = (
        f"A library of {made.chunks:,} chunks in 10,000 files; each command in a process of its "
        f"own, the file system's cache warm, medians of {_ROUNDS} interleaved rounds."
    )
    table = Table(("process", "median", "times a bare Python"), rows)
    return Finding("Whole processes", about, table)


def _timed(command: tuple[str, ...]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began
