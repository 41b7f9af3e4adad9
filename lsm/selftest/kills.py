"""Processes that write into one database and are killed; what they acknowledged must be there."""

from __future__ import annotations

import os
import queue
import random
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lsm.app import Mind
from lsm.errors import LsmError
from lsm.selftest.deeds import KINDS, Deed, Kind, Ledger, problems
from lsm.selftest.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

_START_WITHIN = 120  # seconds for a process to do its first deed
_SHORTEST, _LONGEST = 0.02, 0.4  # seconds between a process's first deed and its death
_BLOCK = 100_000  # numbers that one process may use


def kill_again_and_again(
    home: str, database: str | None, kills: int, seed: int, on_progress: Callable[[], None]
) -> Tally:
    """Let one process for each kind of deed work on one database, and kill one after the other.

    After each death the database is looked over while the others go on; at the end once more,
    when all are dead.

    Args:
        home: a folder on the disk in question; empty.
        database: as `lsm.open` takes it.
        kills: how many.
        seed: of who dies and when.
        on_progress: called after each kill.
    """
    chance = random.Random(seed)  # noqa: S311 - who dies, not a secret
    tally = Tally(trials=kills)
    Mind(home, database).close()
    crew = _Crew(home, database)
    try:
        for _ in range(kills):
            victim = crew.one_at_work(chance)
            time.sleep(chance.uniform(_SHORTEST, _LONGEST))
            crew.kill(victim)
            tally.add(0, _looked_over(home, database, crew, ended=False))
            crew.start(victim.kind)
            on_progress()
    finally:
        crew.kill_all()
    tally.add(len(crew.done), _looked_over(home, database, crew, ended=True))
    tally.problems += crew.complaints
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
    process: subprocess.Popen[str]
    said: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue[str])
    done: list[Deed] = field(default_factory=list[Deed])

    def listen(self, output: IO[str]) -> None:
        for line in output:
            # A line without its end was never quite said.
            if line.endswith("\n"):
                self.done.append(Deed.parse(line))
                self.said.put(line)


class _Crew:
    """Everybody who works on the database, the dead included."""

    def __init__(self, home: str, database: str | None) -> None:
        self._home = home
        self._database = database
        self.folder = os.path.join(home, "notes")
        self._alive: dict[Kind, _Worker] = {}
        self._started = 0
        self.done: set[Deed] = set()
        self._begun: set[Deed] = set()
        self.complaints: list[str] = []
        for kind in KINDS:
            self.start(kind)

    def start(self, kind: Kind) -> None:
        first = self._started * _BLOCK
        self._started += 1
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "lsm.selftest.worker"),
                *(self._home, self._database or "", kind, str(first)),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._alive[kind] = worker = _Worker(kind, first, process)
        assert process.stdout is not None  # noqa: S101 - asked for above
        threading.Thread(target=worker.listen, args=(process.stdout,), daemon=True).start()

    def one_at_work(self, chance: random.Random) -> _Worker:
        """Somebody who has done a deed since it was started."""
        worker = self._alive[chance.choice(KINDS)]
        try:
            worker.said.get(timeout=_START_WITHIN)
        except queue.Empty:
            self._complain(worker, "did nothing")
        return worker

    def kill(self, worker: _Worker) -> None:
        ended = worker.process.poll()
        worker.process.kill()
        _, told = worker.process.communicate()
        del self._alive[worker.kind]
        if ended is not None:
            self.complaints.append(f"{worker.kind} ended by itself ({ended}): {told.strip()}")
        self.done.update(worker.done)
        following = worker.done[-1].number + 1 if worker.done else worker.first
        self._begun.add(Deed(worker.kind, following))

    def kill_all(self) -> None:
        for worker in list(self._alive.values()):
            self.kill(worker)

    def ledger(self) -> Ledger:
        living = {deed for worker in self._alive.values() for deed in tuple(worker.done)}
        return Ledger(frozenset(self.done | living), frozenset(self._begun))

    def _complain(self, worker: _Worker, what: str) -> None:
        self.complaints.append(f"{worker.kind} {what} within {_START_WITHIN} s")
