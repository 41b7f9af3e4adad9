"""The scheduler: plans what is due, runs it, and can be run by any number of processes at once.

All of its state is in the database. Nothing here needs to survive: a process that dies is noticed
by the others, or by the next one, and what it was doing is done again or recorded as lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from lsm.agents.controls import Controls, upcoming
from lsm.agents.editing import named, standing
from lsm.agents.execution import rehearse
from lsm.agents.ledger import Ledger
from lsm.agents.loop import Loop, Terms
from lsm.agents.reconcile import Reconciler
from lsm.agents.schedules import checked, schedule_id
from lsm.clock import to_text
from lsm.errors import NotFoundError, RefusedError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from lsm.agents.editing import Wanted
    from lsm.agents.events import Event
    from lsm.agents.reconcile import Reconciled
    from lsm.agents.rows import RunRow, ScheduleRow
    from lsm.agents.runtime import Agent, AgentFinder, Outcome
    from lsm.agents.schedules import Schedule
    from lsm.db.database import Database

__all__ = ["AgentScheduler", "Terms"]

_T = TypeVar("_T")
_COMMAND = frozenset({"command", "manual"})  # sources that no file declares


def _no_agents(name: str) -> Agent:
    raise NotFoundError("agent", name)


def _silently(_: Event) -> None:
    """Nobody listens."""


class AgentScheduler:
    """Schedules and runs of one database.

    Args:
        db: the shared database; it is not closed here.
        find: the agent of a name.
        terms: see there.
        on_event: called with what happens, in the thread of `run_forever` or `run_due`.
    """

    def __init__(
        self,
        db: Database,
        find: AgentFinder = _no_agents,
        *,
        terms: Terms | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        terms = terms or Terms()
        self._ledger = ledger = Ledger(db, terms.clock, terms.reached)
        self._reconciler = Reconciler(ledger)
        self._controls = Controls(ledger)
        self._find = find
        self._loop = Loop(ledger, find, terms, on_event or _silently)

    # What is scheduled.

    def reconcile(self, source: str, schedules: Iterable[Schedule]) -> Reconciled:
        """Make the schedules of *source*, a configuration file, those given. See `Reconciler`."""
        return self._woken(self._reconciler.reconcile(source, schedules))

    def add(self, schedule: Schedule, source: str = "command") -> ScheduleRow:
        """Add a schedule, or change the policy of the one it is already. See `Reconciler.put`."""
        return self._woken(self._reconciler.put(source, schedule))

    def put(self, wanted: Wanted, source: str = "command") -> ScheduleRow:
        """Add the schedule that is wanted, or change of the one it is already what is said.

        Raises:
            InvalidError, CronError: it cannot run.
        """
        with self._ledger.transaction():
            return self.add(self.planned(wanted), source)

    def planned(self, wanted: Wanted) -> Schedule:
        """What `put` would make it. Raises InvalidError, CronError."""
        known = self._ledger.schedules.get(schedule_id(checked(wanted.identified())))
        return wanted.over(standing(known))

    def find(self, name: str) -> ScheduleRow:
        """The schedule of that id or key, or of an id that begins so and no other does.

        Raises:
            NotFoundError, InvalidError: there is none, or more than one.
        """
        return named(name, self._ledger.schedules.all())

    def remove(self, schedule_id: str) -> None:
        """No further slots; history stays.

        Raises:
            NotFoundError: there is no such schedule.
            RefusedError: a configuration file declares it, and would bring it back.
        """
        row = self.get(schedule_id)
        if row.source not in _COMMAND:
            raise RefusedError(f"{schedule_id}: {row.source} declares it; remove its entry there")
        self._reconciler.retire(schedule_id)

    def get(self, schedule_id: str) -> ScheduleRow:
        """The schedule. Raises NotFoundError."""
        row = self._ledger.schedules.get(schedule_id)
        if row is None:
            raise NotFoundError("schedule", schedule_id)
        return row

    def schedules(self, *, retired: bool = False) -> list[ScheduleRow]:
        """Every schedule, by agent; *retired* ones and what runs by hand only if asked for."""
        rows = self._ledger.schedules.all()
        return [r for r in rows if retired or (r.state != "retired" and r.source != "manual")]

    def upcoming(self, schedule_id: str, most: int = 1) -> list[datetime]:
        """The next slots of a schedule, in UTC, as if it were active."""
        return upcoming(self.get(schedule_id), self._ledger.now(), most)

    def history(self, schedule_id: str, most: int = 100) -> list[RunRow]:
        """The latest runs, skips and misses of a schedule, newest slot first."""
        return self._ledger.runs.history(self.get(schedule_id).schedule_id, most)

    def history_page(
        self, schedule_id: str, before: tuple[str, str] | None = None, most: int = 50
    ) -> list[RunRow]:
        """As `history`, but behind (slot, run id) *before*, and without reports and results."""
        return self._ledger.runs.page(schedule_id, before or ("9999", ""), most)

    def recent(self, since: datetime, most: int = 500) -> list[RunRow]:
        """Runs of all schedules admitted since then, newest first, without their reports."""
        return self._ledger.runs.recent(to_text(since), most)

    def run(self, run_id: str) -> RunRow:
        """A run, with its report and result. Raises NotFoundError."""
        found = self._ledger.runs.get(run_id)
        if found is None:
            raise NotFoundError("run", run_id)
        return found

    def forget_runs(self, before: datetime) -> int:
        """Delete ended runs admitted before *before*, but each schedule's newest; how many."""
        return self._ledger.runs.prune(to_text(before))

    # What a person does.

    def pause(self, schedule_id: str) -> ScheduleRow:
        """See `Controls.pause`."""
        return self._controls.pause(schedule_id)

    def resume(self, schedule_id: str, *, catch_up: bool = False) -> ScheduleRow:
        """See `Controls.resume`."""
        return self._woken(self._controls.resume(schedule_id, catch_up=catch_up))

    def run_now(self, schedule_id: str, *, force: bool = False) -> RunRow:
        """See `Controls.run_now`; a scheduler that is running starts it within seconds."""
        return self._woken(self._controls.run_now(schedule_id, force=force))

    def backfill(
        self, schedule_id: str, first: datetime, end: datetime, *, confirmed: bool = False
    ) -> list[RunRow]:
        """See `Controls.backfill`."""
        return self._woken(self._controls.backfill(schedule_id, first, end, confirmed=confirmed))

    def cancel(self, run_id: str) -> RunRow:
        """See `Controls.cancel`."""
        return self._woken(self._controls.cancel(run_id))

    def run_agent(
        self,
        agent: str,
        params: Mapping[str, Any] | None = None,
        booked: Callable[[RunRow], None] | None = None,
    ) -> RunRow:
        """Run *agent* here and now, in this thread; the run as it ended.

        The path is that of a scheduled run: claim, lease, outputs with the end of the run. What
        *booked* writes about the run is there before it starts.
        """

        def book() -> RunRow:
            run = self._controls.book(agent, params or {})
            if booked is not None:
                booked(run)
            return run

        return self.run(self._loop.execute(book))

    def rehearse(self, agent: str, params: Mapping[str, Any] | None = None) -> Outcome:
        """Run *agent* without booking a run or applying its outcome: what it would have done."""
        found = self._find(agent)
        return rehearse(found, agent, params or {}, self._ledger.now())

    def run_here(self, schedule_id: str, *, force: bool = False) -> RunRow:
        """Like `run_now`, but here and now, in this thread; the run as it ended.

        Raises:
            NotFoundError, InvalidError: there is no such schedule, or it is over.
            RefusedError: another run of it is going on.
        """
        return self.run(
            self._loop.execute(lambda: self._controls.run_now(schedule_id, force=force))
        )

    # The scheduler's own work.

    def run_due(self) -> list[RunRow]:
        """Do what is due, each slot once, and return when it is through; the runs that ended."""
        return self._loop.run_due()

    def run_forever(self, stop: threading.Event) -> None:
        """Plan and run until *stop* is set; then end cleanly.

        Agents that do not end within `Terms.stop_grace` are left behind, and their runs recorded
        as lost, to be tried again by the next scheduler.

        Raises:
            StorageError: the database was damaged or replaced; a busy or absent one is waited for.
        """
        self._loop.run_forever(stop)

    def look(self) -> float:
        """One pass of `run_forever`; seconds until the next makes sense."""
        return self._loop.look()

    def _woken(self, result: _T) -> _T:
        self._loop.wake()
        return result
