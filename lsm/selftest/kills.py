"""Processes that write into one database and are killed; what they acknowledged must be there."""

from __future__ import annotations

import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lsm.app import Mind
from lsm.errors import LsmError
from lsm.failpoints import VARIABLE
from lsm.selftest.deeds import KINDS, Deed, Kind, Ledger, problems
from lsm.selftest.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

_START_WITHIN = 120  # seconds for a process to do its first deed
_SHORTEST, _LONGEST = 0.02, 0.4  # seconds between a process's first deed and its death
_BLOCK = 100_000  # numbers that one process may use
_VISITS = 6  # a process that is to die at a point dies at one of the first so many visits
_COMMITS = ("db.before_commit", "db.after_commit")
POINTS: dict[Kind, tuple[str, ...]] = {
    "remember": (*_COMMITS, "memory.after_insert"),
    "ingest": (*_COMMITS, "ingest.before_batch", "ingest.before_manifest"),
    "answer": _COMMITS,
    "run": (
        *(*_COMMITS, "finish.before_outputs"),
        *("finish.after_outputs", "finish.before_commit", "finish.after_commit"),
    ),
}
"""Where a process may be told to die, by what it does."""
ANYWHERE = "at random"
WORKER = "lsm.selftest.worker"  # what does deeds; a test puts one there that lies


def kill_again_and_again(
    home: str, database: str | None, kills: int, seed: int, on_progress: Callable[[], None]
) -> Tally:
    """Let one process for each kind of deed work on one database, and kill one after the other.

    Half of them die at a random moment, half at a named point. One more process reads all the
    while. After each death the database is looked over while the others go on; at the end once
    more, when all are dead.

    Args:
        home: a folder on the disk in question; empty.
        database: as `lsm.open` takes it.
        kills: how many.
        seed: of who dies, when and where.
        on_progress: called after each kill.
    """
    chance = random.Random(seed)  # noqa: S311 - who dies, not a secret
    tally = Tally(trials=kills)
    Mind(home, database).close()
    crew = _Crew(home, database, chance)
    try:
        for _ in range(kills):
            place = crew.kill_one()
            tally.deaths[place] = tally.deaths.get(place, 0) + 1
            tally.add(0, _looked_over(home, database, crew, ended=False))
            on_progress()
    finally:
        crew.kill_all()
    tally.add(len(crew.done), _looked_over(home, database, crew, ended=True))
    tally.problems += crew.complaints
    tally.reads = crew.reader.reads
    return tally


def _looked_over(home: str, database: str | None, crew: _Crew, *, ended: bool) -> list[str]:
    ledger = crew.ledger()  # before looking: what is acknowledged later may be there or not
    try:
        with Mind(home, database) as mind:
            return problems(mind, ledger, [crew.folder], ended=ended)
    except LsmError as error:
        return [str(error)]


@dataclass
class _Worker:
    """One process, and what it has said."""

    kind: Kind
    first: int  # its deeds are numbered from here on
    point: str  # where it will kill itself; "": wherever it is killed
    process: subprocess.Popen[str]
    said: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue[str])
    done: list[Deed] = field(default_factory=list[Deed])

    def listen(self, output: IO[str]) -> None:
        for line in output:
            # A line without its end was never quite said.
            if line.endswith("\n"):
                self.done.append(Deed.parse(line))
                self.said.put(line)


@dataclass
class _Reader:
    """The process that only reads."""

    process: subprocess.Popen[str]
    reads: int = 0
    problems: list[str] = field(default_factory=list[str])

    def listen(self, output: IO[str]) -> None:
        for line in output:
            word, _, rest = line.strip().partition(" ")
            if word == "read" and line.endswith("\n"):
                self.reads = int(rest)
            elif word == "problem" and len(self.problems) < 20:
                self.problems.append(rest)


class _Crew:
    """Everybody who works on the database, the dead included."""

    def __init__(self, home: str, database: str | None, chance: random.Random) -> None:
        self._where = (home, database or "")
        self._chance = chance
        self.folder = os.path.join(home, "notes")
        self._alive: dict[Kind, _Worker] = {}
        self._started = 0
        self.done: set[Deed] = set()
        self._begun: set[Deed] = set()
        self.complaints: list[str] = []
        self.reader = _Reader(_process("lsm.selftest.reader", self._where))
        self._ears = {self.reader.process: _ear(self.reader.process, self.reader.listen)}

        for kind in KINDS:
            self._start(kind)

    def kill_one(self) -> str:
        """The end of somebody, whose place is then taken by another; where it died."""
        victim = self._alive[self._chance.choice(KINDS)]
        if victim.point:
            self._await_death(victim)
        else:
            self._await_deed(victim)
            time.sleep(self._chance.uniform(_SHORTEST, _LONGEST))
        self._bury(victim)
        self._start(victim.kind)
        return victim.point or ANYWHERE

    def kill_all(self) -> None:
        for worker in list(self._alive.values()):
            self._bury(worker)
        ended, told = self._end(self.reader.process)
        if ended is not None:
            self.complaints.append(f"the reader ended by itself ({ended}): {told}")
        self.complaints += self.reader.problems

    def ledger(self) -> Ledger:
        living = {deed for worker in self._alive.values() for deed in tuple(worker.done)}
        return Ledger(frozenset(self.done | living), frozenset(self._begun))

    def _start(self, kind: Kind) -> None:
        first = self._started * _BLOCK
        self._started += 1
        point = self._chance.choice(POINTS[kind]) if self._chance.random() < 0.5 else ""
        order = f"{point}:kill@{self._chance.randint(1, _VISITS)}" if point else ""
        process = _process(WORKER, (*self._where, kind, str(first)), order)
        self._alive[kind] = worker = _Worker(kind, first, point, process)
        self._ears[process] = _ear(process, worker.listen)

    def _await_deed(self, worker: _Worker) -> None:
        try:
            worker.said.get(timeout=_START_WITHIN)
        except queue.Empty:
            self.complaints.append(f"{worker.kind} did nothing within {_START_WITHIN} s")

    def _await_death(self, worker: _Worker) -> None:
        try:
            worker.process.wait(_START_WITHIN)
        except subprocess.TimeoutExpired:
            self.complaints.append(f"{worker.kind} did not come to {worker.point}")

    def _bury(self, worker: _Worker) -> None:
        ended, told = self._end(worker.process)
        del self._alive[worker.kind]
        if ended is not None and not (worker.point and ended == -signal.SIGKILL):
            self.complaints.append(f"{worker.kind} ended by itself ({ended}): {told}")
        self.done.update(worker.done)
        following = worker.done[-1].number + 1 if worker.done else worker.first
        self._begun.add(Deed(worker.kind, following))

    def _end(self, process: subprocess.Popen[str]) -> tuple[int | None, str]:
        """Kill *process* and hear it out: its status if it had ended, and its complaints."""
        ended = process.poll()
        process.kill()
        assert process.stderr is not None  # noqa: S101 - asked for
        told = process.stderr.read()
        process.wait()
        # Not before the last line is heard: it may say that something is done.
        self._ears.pop(process).join()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        return ended, told.strip()


def _process(module: str, arguments: tuple[str, ...], order: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {VARIABLE: order},
    )


def _ear(process: subprocess.Popen[str], listen: Callable[[IO[str]], None]) -> threading.Thread:
    assert process.stdout is not None  # noqa: S101 - asked for above
    ear = threading.Thread(target=listen, args=(process.stdout,), daemon=True)
    ear.start()
    return ear
