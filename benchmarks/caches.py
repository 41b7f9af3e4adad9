"""Answers of remote sources, kept: beside diskcache and requests-cache."""

from __future__ import annotations

import os
import sys
import tempfile

from benchmarks.environments import interpreter_with, measured_by, version_in
from benchmarks.findings import Finding, Table, interleaved, median

_ROUNDS = 5
_DURABILITY = {
    "lsm": "every put survives a power cut (WAL, synchronous=FULL)",
    "diskcache": "the last puts may be lost (WAL, synchronous=NORMAL)",
    "requests-cache": "every put survives (rollback journal, synchronous=FULL)",
}


def run(folder: str) -> Finding:
    """Time each on the same answer, in turn."""
    python = interpreter_with(folder, "caches", "diskcache", "requests-cache")
    pythons = {"lsm": sys.executable, "diskcache": python, "requests-cache": python}
    results: dict[str, list[dict[str, float]]] = {name: [] for name in pythons}

    def once(name: str) -> float:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            path = os.path.join(place, "cache")
            results[name].append(measured_by(pythons[name], "cache_store", name, path))
        return results[name][-1]["get"]

    interleaved({name: (lambda name=name: once(name)) for name in pythons}, _ROUNDS)
    rows = tuple(_row(name, results) for name in results)
    versions = ", ".join(f"{name} {version_in(python, name)}" for name in list(pythons)[1:])
    about = (
        "An answer of ten results (3 kB as JSON), 500 puts and 3,000 gets, mean of each; "
        f"{versions}; {_ROUNDS} fresh processes of each in turn, medians."
    )
    head = ("", "get", "get, lsm = 1", "put", "durability")
    return Finding("Kept answers, beside other caches", about, Table(head, rows))


def _row(name: str, results: dict[str, list[dict[str, float]]]) -> tuple[str, ...]:
    get, put = (median([each[step] for each in results[name]]) for step in ("get", "put"))
    ours = median([each["get"] for each in results["lsm"]])
    return (
        name,
        f"{get * 1e6:.0f} µs",
        f"{get / ours:.2f}",
        f"{put * 1e3:.2f} ms",
        _DURABILITY[name],
    )
