"""The scheduler under torture: many processes, fast schedules, sudden deaths, then the books.

Every process reconciles, plans, claims, finishes and reaps on the same database, by a clock that
runs many times too fast, and dies by SIGKILL: at labelled points inside and between transactions,
and at random. Afterwards every slot must be accounted for and every output be there once.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from lsm.agents.runtime import Outcome, RunError
from lsm.agents.schedule_store import ScheduleStore
from lsm.agents.scheduler import AgentScheduler, Terms
from lsm.agents.schedules import Every, Policy, Schedule
from lsm.agents.torture_books import Books, count_ended, queue_problems
from lsm.clock import to_text
from lsm.db import open_database
from lsm.errors import NotFoundError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from multiprocessing.process import BaseProcess

    from lsm.agents.runtime import Agent, RunContext
    from lsm.agents.schedules import Overlap
    from lsm.db.database import Database

LABELS = (
    "reconcile.before_commit",
    "plan.before_commit",
    "plan.after_commit",
    "claim.before_commit",
    "claim.after_commit",
    "run.during",
    "finish.before_outputs",
    "outputs.between",
    "finish.after_outputs",
    "finish.before_commit",
    "finish.after_commit",
    "reap.before_commit",
    "reap.after_commit",
)
"""Where a process may be told to die; each is reached by every process sooner or later."""

_OUTPUT = """
INSERT INTO lsm_job_status (job_id, kind, state, owner, detail_json, started_at, updated_at)
VALUES (:job_id, 'torture', 'completed', :schedule_id, :run_id, :now, :now)
"""
_OVERLAPS: tuple[Overlap, ...] = ("skip", "skip", "allow", "cancel")
_PATIENCE = 8  # times the seconds asked for
_START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Torment:
    """How bad it gets."""

    processes: int = 6
    schedules: int = 40
    seconds: float = 4.0  # of real time, at least
    least: int = 0  # runs to have succeeded by then; else it goes on, but not for ever
    speed: float = 20.0  # how many times faster the scheduler's clock runs
    kill_each: int = 8  # successes between random deaths, besides those at labels
    seed: int = 1
    labels: tuple[str, ...] = LABELS
    broken: bool = False  # the twin that must fail: outputs outside the run's last transaction


@dataclass
class Verdict:
    """What the books say."""

    runs: int = 0
    succeeded: int = 0
    deaths: dict[str, int] = field(default_factory=dict[str, int])  # by label; "random" too
    problems: list[str] = field(default_factory=list[str])


def torture(url: str, torment: Torment) -> Verdict:
    """Torture the empty database at *url* and audit it.

    Raises:
        RefusedError: it holds schedules: this is no place to try that out.
    """
    with open_database(url) as db, tempfile.TemporaryDirectory(prefix="lsm-torture-") as folder:
        if ScheduleStore(db).all():
            raise RefusedError(f"{url}: it holds schedules; use an empty database")
        begun = time.time()
        verdict = Verdict()
        controller = _Controller(url, folder, torment, verdict)
        controller.run(begun, lambda: queue_problems(db), lambda: count_ended(db))
        settle(db, _terms(torment, _fast_clock(begun, torment.speed), None))
        books = Books(db)
        verdict.runs, verdict.succeeded = books.count()
        verdict.problems += [*books.problems(), *books.unaccounted(), *_complaints(folder)]
        return verdict


class _Controller:
    """Keeps the processes coming and going."""

    def __init__(self, url: str, folder: str, torment: Torment, verdict: Verdict) -> None:
        self._context = multiprocessing.get_context("forkserver")
        # Imported once, with the engine that is in use, so that a process is born at once.
        engine = [name for name in sys.modules if name.startswith("lsm.db.")]
        self._context.set_forkserver_preload([__name__, *engine])
        self._url = url
        self._folder = folder
        self._torment = torment
        self._verdict = verdict
        self._random = random.Random(torment.seed)  # noqa: S311 - not a secret
        self._begun = 0.0
        self._born = 0
        self._children: dict[BaseProcess, str] = {}

    def run(self, begun: float, watch: Callable[[], list[str]], ended: Callable[[], int]) -> None:
        """Until time is over and enough runs have *ended*; *watch* is asked for problems."""
        self._begun = begun
        start, next_kill = time.monotonic(), 0
        try:
            while not self._is_enough(time.monotonic() - start, done := ended()):
                self._bury()
                while len(self._children) < self._torment.processes:
                    self._bear()
                # By what has been done, not by time: a slow machine gets its work done, too.
                if done >= next_kill:
                    next_kill = done + self._torment.kill_each
                    self._kill(self._random.choice(list(self._children)))
                self._verdict.problems += watch()
                time.sleep(0.02)
        finally:
            for child in list(self._children):
                self._kill(child)
            self._bury()

    def _is_enough(self, seconds: float, done: int) -> bool:
        torment = self._torment
        if seconds < torment.seconds:
            return False
        return seconds > torment.seconds * _PATIENCE or done >= torment.least

    def _bear(self) -> None:
        labels = self._torment.labels
        label = labels[self._born % len(labels)]
        orders = _Orders(
            url=self._url,
            folder=self._folder,
            torment=self._torment,
            begun=self._begun,
            label=label,
            visit=self._random.choice((1, 1, 2, 3, 5)),
            seed=self._random.randrange(2**32),
        )
        self._born += 1
        child = self._context.Process(target=_serve, args=(orders,), daemon=True)
        child.start()
        self._children[child] = label

    def _kill(self, child: BaseProcess) -> None:
        if child.is_alive():
            self._children[child] = "random"
            child.kill()
        child.join()

    def _bury(self) -> None:
        for child, label in list(self._children.items()):
            if child.is_alive():
                continue
            del self._children[child]
            deaths = self._verdict.deaths
            deaths[label] = deaths.get(label, 0) + 1
            if child.exitcode != -signal.SIGKILL:
                self._verdict.problems.append(f"a process ended with {child.exitcode} at {label}")


@dataclass(frozen=True)
class _Orders:
    """What a process is told at its birth."""

    url: str
    folder: str
    torment: Torment
    begun: float
    label: str
    visit: int  # it dies at this visit of the label
    seed: int


def _serve(orders: _Orders) -> None:
    """A process: schedule until it dies."""
    torment, reached = orders.torment, _Reaper(orders)
    with open_database(orders.url) as db:
        reached.db = db
        agent = _Tormented(db, orders, reached)
        clock = _fast_clock(orders.begun, torment.speed)
        scheduler = AgentScheduler(db, lambda _: agent, terms=_terms(torment, clock, reached))
        scheduler.reconcile("torture", _schedules(torment))
        scheduler.run_forever(threading.Event())  # which nobody sets


class _Reaper:
    """Called at each labelled point: checks the books that are about to be committed, and kills."""

    def __init__(self, orders: _Orders) -> None:
        self._orders = orders
        self._visits = 0
        self.db: Database | None = None

    def __call__(self, label: str) -> None:
        if label.endswith("before_commit") and self.db is not None:
            problems = queue_problems(self.db)
            if problems:
                _complain(self._orders.folder, problems[0])
        if label == self._orders.label:
            self._visits += 1
            if self._visits >= self._orders.visit:
                os.kill(os.getpid(), signal.SIGKILL)


class _Tormented:
    """An agent that takes a moment, fails now and then, and writes three rows."""

    def __init__(self, db: Database, orders: _Orders, reached: _Reaper) -> None:
        self._db = db
        self._orders = orders
        self._reached = reached

    def run(self, context: RunContext) -> Outcome:
        luck = hashlib.sha256(context.run_id.encode()).digest()
        overlap = context.params["overlap"]
        longest = 0.2 if overlap == "cancel" else 0.03  # seconds; long enough to be cancelled
        with self._alone(context) if overlap != "allow" else nullcontext():
            context.control.wait(luck[0] / 255 * longest)
            self._reached("run.during")
            context.check()
            if luck[1] < 16:
                raise RunError("bad luck", retryable=luck[2] < 128)
        outputs = [partial(self._write, context, part) for part in range(3)]
        if self._orders.torment.broken:
            for output in outputs:
                output(self._db)
            return Outcome()
        return Outcome(apply=(outputs[0], self._between, *outputs[1:]))

    @contextmanager
    def _alone(self, context: RunContext) -> Generator[None]:
        """The system knows whether two processes run one schedule, whatever the books say."""
        import fcntl

        name = hashlib.sha256(context.schedule_id.encode()).hexdigest()
        with open(os.path.join(self._orders.folder, name), "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                _complain(self._orders.folder, f"{context.schedule_id}: two runs at once")
            yield

    def _between(self, _: Database) -> None:
        self._reached("outputs.between")

    def _write(self, context: RunContext, part: int, db: Database) -> None:
        db.run(
            _OUTPUT,
            # Not the run's id: what is written twice must be seen twice.
            job_id=f"{part}:{random.randbytes(12).hex()}",  # noqa: S311 - not a secret
            schedule_id=context.schedule_id,
            run_id=context.run_id,
            now=to_text(context.started_at),
        )


def _complain(folder: str, problem: str) -> None:
    descriptor = os.open(os.path.join(folder, "problems"), os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.write(descriptor, f"{problem}\n".encode())
    os.close(descriptor)


def _complaints(folder: str) -> list[str]:
    try:
        with open(os.path.join(folder, "problems"), encoding="utf-8") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def _schedules(torment: Torment) -> list[Schedule]:
    """The same for every process."""
    return [
        Schedule(
            agent=f"agent-{number}",
            trigger=Every(1 + number % 10),
            params={"overlap": (overlap := _OVERLAPS[number % len(_OVERLAPS)])},
            policy=Policy(
                overlap=overlap,
                cancel_grace_s=600,
                fold_near=False,  # so that slots can be counted
                max_attempts=4,
                retry_base_s=0,
                pause_after=0,
            ),
        )
        for number in range(torment.schedules)
    ]


def _terms(torment: Torment, clock: Callable[[], datetime], reached: _Reaper | None) -> Terms:
    return Terms(
        parallel=3,
        nap=0.1 * torment.speed,
        lease_ttl=30 * torment.speed,
        beat_every=0.2 * torment.speed,
        tend_every=0.05,
        clock=clock,
        monotonic=lambda: time.monotonic() * torment.speed,
        reached=reached,
    )


def _fast_clock(begun: float, speed: float) -> Callable[[], datetime]:
    return lambda: _START + timedelta(seconds=(time.time() - begun) * speed)


def settle(db: Database, terms: Terms) -> None:
    """One more scheduler, after all others have died, closes what they had begun.

    A server may still be busy with the commit of a client that has been killed. Whoever commits
    holds the row of a schedule: once each has been ours, the last word of the dead has come.
    """
    schedules = ScheduleStore(db)
    for row in schedules.all():
        with db.transaction():
            schedules.lock(row.schedule_id)
    AgentScheduler(db, _no_agent, terms=terms).run_due()


def _no_agent(name: str) -> Agent:
    raise NotFoundError("agent", name)
