"""LSM's scheduler under the clock, in an interpreter that has it.

Gives seconds: to start again, for a look at which nothing is due, and for *DUE* runs.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lsm.agents.runtime import Outcome
from lsm.agents.scheduler import AgentScheduler, Terms
from lsm.agents.schedules import Every, Schedule
from lsm.db import open_database

if TYPE_CHECKING:
    from lsm.agents.runtime import Agent, RunContext

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_LOOKS = 20


class _Idle:
    def run(self, context: RunContext) -> Outcome:  # noqa: ARG002 - it does nothing
        return Outcome()


def _find(_: str) -> Agent:
    return _Idle()


def measured(path: str, count: int, due: int) -> dict[str, float]:
    """What the module says, with *count* schedules of which *due* become due."""
    now = _BEGIN
    terms = Terms(clock=lambda: now)
    schedules = [
        Schedule(agent="idle", params={"n": n}, trigger=Every(3600 if n < due else 864_000))
        for n in range(count)
    ]
    with open_database(path) as db:
        AgentScheduler(db, _find, terms=terms).reconcile("bench", schedules)
    began = time.perf_counter()
    with open_database(path) as db:
        scheduler = AgentScheduler(db, _find, terms=terms)
        scheduler.look()
        found = {"open": time.perf_counter() - began}
        began = time.perf_counter()
        for _ in range(_LOOKS):
            scheduler.look()
        found["idle"] = (time.perf_counter() - began) / _LOOKS
        now = _BEGIN + timedelta(seconds=3601)
        began = time.perf_counter()
        ended = scheduler.run_due()
        found["due"] = time.perf_counter() - began
        assert len(ended) == due, len(ended)
        assert {run.state for run in ended} == {"succeeded"}
    began = time.perf_counter()
    with open_database(path) as db:
        scheduler = AgentScheduler(db, _find, terms=terms)
        scheduler.reconcile("bench", schedules)
        scheduler.look()
        found["restart"] = time.perf_counter() - began
    return found
