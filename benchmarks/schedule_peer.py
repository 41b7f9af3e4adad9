"""APScheduler 3 with its SQLite job store, in an interpreter that has it.

Gives the same figures as `benchmarks.schedule_lsm`. Its store syncs each commit.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.base import BaseScheduler
from sqlalchemy import create_engine, event

if TYPE_CHECKING:
    import sqlite3

_LOOKS = 20
_PART = 20  # of the schedules are declared again, and the time is multiplied
_ran = threading.Semaphore(0)


def idle(n: int) -> None:  # noqa: ARG001 - it does nothing
    _ran.release()


class _Driven(BaseScheduler):
    """Looks when told to, without a thread of its own, so that a look can be timed."""

    def wakeup(self) -> None: ...

    def shutdown(self, wait: bool = True) -> None:  # noqa: FBT001, FBT002 - as it is declared
        super().shutdown(wait)

    def look(self) -> None:
        self._process_jobs()


def _started(path: str) -> _Driven:
    scheduler = _Driven(
        jobstores={"default": SQLAlchemyJobStore(url=f"sqlite:///{path}")},
        executors={"default": ThreadPoolExecutor(2)},  # as many at a time as LSM runs
        timezone=UTC,
    )
    scheduler.start()
    return scheduler


def _declare(scheduler: _Driven, count: int, later: datetime) -> None:
    # As its manual has it: an id, and replace_existing, for whatever a program declares at start.
    for n in range(count):
        scheduler.add_job(
            idle,
            "interval",
            seconds=864_000,
            args=[n],
            id=str(n),
            next_run_time=later,
            replace_existing=True,
        )


def _fill(path: str, count: int, later: datetime) -> None:
    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def _(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA synchronous = OFF")  # filling is not what is measured

    scheduler = _Driven(jobstores={"default": SQLAlchemyJobStore(engine=engine)}, timezone=UTC)
    scheduler.start()
    _declare(scheduler, count, later)
    scheduler.shutdown()


def measured(path: str, count: int, due: int) -> dict[str, float]:
    """What the module says, with *count* schedules of which *due* become due."""
    later = datetime.now(UTC) + timedelta(days=1)
    _fill(path, count, later)
    began = time.perf_counter()
    scheduler = _started(path)
    scheduler.look()
    found = {"open": time.perf_counter() - began}
    began = time.perf_counter()
    for _ in range(_LOOKS):
        scheduler.look()
    found["idle"] = (time.perf_counter() - began) / _LOOKS
    for n in range(due):
        scheduler.modify_job(str(n), next_run_time=datetime.now(UTC), misfire_grace_time=3600)
    began = time.perf_counter()
    scheduler.look()
    for _ in range(due):
        _ran.acquire()
    found["due"] = time.perf_counter() - began
    scheduler.shutdown()
    began = time.perf_counter()
    scheduler = _started(path)
    _declare(scheduler, count // _PART, later)
    scheduler.look()
    found["restart"] = (time.perf_counter() - began) * _PART
    scheduler.shutdown()
    return found
