"""The loop: look at the database, plan what is due, run it, look again."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsm.agents import events
from lsm.agents.claims import Claims
from lsm.agents.events import Event
from lsm.agents.execution import Execution
from lsm.agents.lease import Watch
from lsm.agents.planner import Planner
from lsm.agents.planning import Spread
from lsm.agents.run_store import Ending
from lsm.agents.workers import Heart, Workers
from lsm.clock import from_text, utc_now
from lsm.errors import (
    AccessError,
    DamagedError,
    ForeignError,
    RefusedError,
    ReplacedError,
    StorageError,
)
from lsm.processes import Owner, new_owner

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from datetime import datetime

    from lsm.agents.claims import Claimed, Closed
    from lsm.agents.execution import LiveRun
    from lsm.agents.ledger import Ledger
    from lsm.agents.rows import RunRow
    from lsm.agents.runtime import AgentFinder
    from lsm.agents.schedule_store import Pulse
    from lsm.clock import Clock

_JUMP_S = 5.0  # a clock further off than this has been set, or the machine has slept
_SLICE_S = 0.25  # how soon the loop sees that it is to stop
_FINAL = (AccessError, DamagedError, ForeignError, ReplacedError)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How a scheduler works. Seconds are those of *monotonic*."""

    parallel: int = 2  # runs at a time in this process
    nap: float = 2.0  # longest pause between two looks at the database
    lease_ttl: float = 30.0  # silence after which another machine's owner counts as gone
    beat_every: float = 10.0
    tend_every: float = 1.0  # how often running agents are looked after
    stop_grace: float = 10.0  # how long agents may take to end when the process is to stop
    clock: Clock = utc_now
    monotonic: Callable[[], float] = time.monotonic
    reached: Callable[[str], None] | None = None  # called at the labelled points


class Loop:
    """A scheduler's work in one process. One thread at a time may loop."""

    def __init__(
        self, ledger: Ledger, find: AgentFinder, terms: Terms, say: Callable[[Event], None]
    ) -> None:
        self._ledger = ledger
        self._terms = terms
        self._say = say
        self._me = new_owner()
        self._claims = Claims(ledger, str(self._me), terms.lease_ttl)
        self._planner = Planner(ledger)
        self._execution = Execution(self._claims, ledger.runs, find, terms.monotonic)
        self._watch = Watch(terms.monotonic, terms.lease_ttl)
        self._wake = threading.Event()
        self._workers = Workers(terms.parallel, self._wake.set)
        self._taking = threading.Lock()  # held from a claim until the run is known as live
        self._closed: deque[Closed] = deque()  # what has ended and has not been reported
        self._troubles: deque[Event] = deque()
        self._last_look: tuple[datetime, float] | None = None

    def execute(self, admit: Callable[[], RunRow]) -> str:
        """Run what *admit* adds, to its end, in this thread; the run's id.

        Raises:
            RefusedError: another run of its schedule is going on; nothing was added.
        """
        # One transaction, so that no scheduler elsewhere takes the run in between.
        with self._taking:
            with self._ledger.transaction():
                run = admit()
                claimed = self._claims.claim_run(run)
                if claimed is None:
                    raise RefusedError(f"{run.schedule_id}: it cannot start beside another run")
            live = self._execution.begin(claimed)
        with self._tended():
            self._say(events.started(live.run))
            try:
                self._note(self._execution.carry_out(live))
            except KeyboardInterrupt:
                self._note(self._claims.finish(live.run, Ending("cancelled", "interrupted")))
                raise
            finally:
                self._report()
        return run.run_id

    def run_due(self) -> list[RunRow]:
        """Do what is due and return when it is through; the runs that ended."""
        ended: list[RunRow] = []
        self._planner.recover()
        with self._serving():
            self._reap()
            self._plan(None)
            while True:
                self._wake.clear()
                started = self._start_runs()
                ended += self._report()
                if self._workers.busy():
                    self._wake.wait()
                elif not started:
                    return ended + self._report()

    def run_forever(self, stop: threading.Event) -> None:
        """Plan and run until *stop* is set; then end cleanly."""
        self._planner.recover()
        with self._serving():
            while not stop.is_set():
                self._wake.clear()
                wait = self._try_to_look()
                self._report()
                until = self._terms.monotonic() + wait
                while not stop.is_set() and not self._wake.is_set():
                    left = until - self._terms.monotonic()
                    if left <= 0:
                        break
                    self._wake.wait(min(left, _SLICE_S))

    def look(self) -> float:
        """One pass: reap, plan, start what may start; seconds until the next makes sense.

        Without anything to do it is one query, of three ends of indexes, and takes no lock.
        """
        self._notice_jump()
        pulse, now = self._ledger.schedules.pulse(), self._ledger.now()
        if not pulse.is_quiet(now):
            if pulse.running:
                self._reap()
            self._plan(Spread())
            self._start_runs()
            pulse, now = self._ledger.schedules.pulse(), self._ledger.now()
        return self._until_next(pulse, now)

    def wake(self) -> None:
        """Let `run_forever` look at once: something has been changed in this process."""
        self._wake.set()

    def _try_to_look(self) -> float:
        try:
            return self.look()
        except _FINAL:
            raise
        except StorageError as error:
            # Locked, or the server is away: it comes back, and nothing is lost meanwhile.
            self._say(Event("storage", str(error)))
            return self._terms.nap

    def _until_next(self, pulse: Pulse, now: datetime) -> float:
        waits = [
            (from_text(instant) - now).total_seconds()
            for instant in (pulse.next_due, pulse.next_start)
            if instant is not None
        ]
        # What could have started and has not waits for a worker or a person, not for an instant.
        return min([self._terms.nap, *(wait for wait in waits if wait > 0)])

    def _notice_jump(self) -> None:
        now, ticks = self._ledger.now(), self._terms.monotonic()
        last, self._last_look = self._last_look, (now, ticks)
        if last is None:
            return
        jump = (now - last[0]).total_seconds() - (ticks - last[1])
        if abs(jump) <= _JUMP_S:
            return
        way = "ahead" if jump > 0 else "back"
        self._say(Event("clock_jump", f"the clock went {way} by {abs(jump):.0f} s"))
        if jump < 0:
            self._planner.recover(clock_set_back=True)

    def _reap(self) -> None:
        with self._taking:
            rows = self._ledger.runs.live()
            mine = {live.run.run_id for live in self._execution.live()}
        others = [run for run in rows if run.run_id not in mine]
        silent = self._watch.silent(others)
        for run in others:
            if self._is_orphan(run):
                self._note(self._claims.reap(run, "owner_gone"))
            elif run.run_id in silent:
                self._note(self._claims.reap(run, "owner_silent"))

    def _is_orphan(self, run: RunRow) -> bool:
        owner = Owner.parse(run.owner or "")
        # If we are its owner and do not know of it, the answer to our claim's commit was lost.
        return owner is not None and (owner == self._me or owner.is_gone())

    def _plan(self, spread: Spread | None) -> None:
        more = True
        while more:
            planned = self._planner.plan(spread)
            more = planned.more
            for run in planned.rows:
                event = events.planned(run)
                if event is not None:
                    self._say(event)
            for schedule_id in planned.unreadable:
                text = f"{schedule_id}: paused, its configuration cannot be read"
                self._say(Event("unreadable", text, schedule_id))

    def _start_runs(self) -> int:
        """Claim and start as many runs as there are free workers; how many."""
        started, contended = 0, True
        while contended and (free := self._workers.free()) > 0:
            with self._taking:
                claimed, contended = self._claims.claim(free)
                live = [self._begin(each) for each in claimed]
            for each in live:
                self._say(events.started(each.run))
                self._workers.start(lambda each=each: self._work(each))
            started += len(live)
        return started

    def _begin(self, claimed: Claimed) -> LiveRun:
        return self._execution.begin(claimed, self._workers.abandon, self._workers.take_back)

    def _work(self, live: LiveRun) -> None:
        try:
            self._note(self._execution.carry_out(live))
        except StorageError as error:
            # The row says "running" and nobody runs it: the next look of ours closes it.
            self._troubles.append(Event("storage", f"{live.run.schedule_id}: {error}"))

    def _tend(self) -> None:
        for closed in self._execution.tend(self._terms.beat_every):
            self._note(closed)
            self._wake.set()

    def _note(self, closed: Closed | None) -> None:
        if closed is not None:
            self._closed.append(closed)

    def _report(self) -> list[RunRow]:
        """Say what has happened in other threads; the runs that have ended."""
        rows: list[RunRow] = []
        while self._troubles:
            self._say(self._troubles.popleft())
        while self._closed:
            closed = self._closed.popleft()
            rows.append(closed.run)
            for event in events.ended(closed):
                self._say(event)
        return rows

    @contextmanager
    def _tended(self) -> Generator[None]:
        heart = Heart(self._tend, self._terms.tend_every)
        heart.start()
        try:
            yield
        finally:
            heart.stop()

    @contextmanager
    def _serving(self) -> Generator[None]:
        with self._tended():
            try:
                yield
            finally:
                self._wind_down()
                self._workers.close()
                self._workers = Workers(self._terms.parallel, self._wake.set)

    def _wind_down(self) -> None:
        """Let what is running end by itself for a while; then leave it behind."""
        self._execution.stop_all()
        until = self._terms.monotonic() + self._terms.stop_grace
        while self._workers.busy() and self._terms.monotonic() < until:
            self._wake.clear()
            self._wake.wait(0.05)
        for live in self._execution.live():
            self._note(self._execution.leave(live))
        self._report()
