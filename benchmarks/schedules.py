"""Schedules beside APScheduler 3 with its SQLite job store."""

from __future__ import annotations

import os
import sys
import tempfile

from benchmarks.environments import interpreter_with, measured_by, version_in
from benchmarks.findings import Finding, Table, interleaved, milliseconds, ratio, seconds

_COUNT, _DUE, _ROUNDS = 10_000, 100, 3
_STEPS = {
    "restart": "restart of a program that declares its 10,000 schedules",
    "open": "... of one that declares none: open, first look",
    "idle": "a look at which nothing is due",
    "due": "100 due: run, and recorded",
}


def run(folder: str) -> Finding:
    """Time both on the same schedules, in turn."""
    python = interpreter_with(folder, "apscheduler", "apscheduler<4", "sqlalchemy")
    results: dict[str, list[dict[str, float]]] = {"lsm": [], "APScheduler": []}

    def once(name: str, interpreter: str, module: str) -> float:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            path = os.path.join(place, "schedules.db")
            results[name].append(measured_by(interpreter, module, path, _COUNT, _DUE))
        return results[name][-1]["restart"]

    interleaved(
        {
            "lsm": lambda: once("lsm", sys.executable, "schedule_lsm"),
            "APScheduler": lambda: once("APScheduler", python, "schedule_peer"),
        },
        _ROUNDS,
    )
    rows = tuple(_row(step, name, results) for step, name in _STEPS.items())
    about = (
        f"{_COUNT:,} schedules, an agent that does nothing, two at a time; "
        f"APScheduler {version_in(python, 'apscheduler')} with `SQLAlchemyJobStore`, imports "
        f"excluded, {_ROUNDS} fresh processes of each in turn, medians."
    )
    note = (
        "For each run LSM commits twice and keeps a row: claimed, and ended with its outputs. "
        "APScheduler writes the job's next time and keeps nothing of the run. It declares one "
        "schedule in twenty, and the time is multiplied: each is a commit of its own."
    )
    return Finding(
        "Schedules, beside APScheduler",
        about,
        Table(("", "lsm", "APScheduler", "APScheduler / lsm"), rows),
        (note,),
    )


def _row(
    step: str, name: str, results: dict[str, list[dict[str, float]]]
) -> tuple[str, str, str, str]:
    ours, theirs = ([each[step] for each in results[who]] for who in ("lsm", "APScheduler"))
    shown = [
        seconds(value) if value > 0.1 else milliseconds(value)
        for value in (sorted(ours)[len(ours) // 2], sorted(theirs)[len(theirs) // 2])
    ]
    return name, shown[0], shown[1], f"{ratio(theirs, ours):.1f}"
