"""Builders for the scheduler's tests: a clock to set, agents to script, a scheduler to turn."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lsm.agents.runtime import Outcome
from lsm.agents.scheduler import AgentScheduler, Terms
from lsm.agents.schedules import Every, Policy, Schedule

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.agents.events import Event
    from lsm.agents.rows import RunRow, ScheduleRow
    from lsm.agents.runtime import RunContext
    from lsm.agents.schedules import Trigger
    from lsm.db import Database

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOURLY = Every(3600)


@dataclass
class FakeClock:
    """A wall clock and a monotonic one; `sleep` moves both, setting `now` only the first."""

    now: datetime = NOON
    ticks: float = 0.0

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.ticks

    def sleep(self, **span: float) -> None:
        passed = timedelta(**span)
        self.now += passed
        self.ticks += passed.total_seconds()


@dataclass
class Scripted:
    """An agent that does what the test says and remembers what it was given."""

    script: Callable[[RunContext], Outcome] = lambda _: Outcome()
    seen: list[RunContext] = field(default_factory=list)

    def run(self, context: RunContext) -> Outcome:
        self.seen.append(context)
        return self.script(context)


@dataclass
class Desk:
    """A scheduler with everything a test wants to reach."""

    db: Database
    clock: FakeClock = field(default_factory=FakeClock)
    agent: Scripted = field(default_factory=Scripted)
    events: list[Event] = field(default_factory=list)
    terms: dict[str, Any] = field(default_factory=dict)
    scheduler: AgentScheduler = field(init=False)

    def __post_init__(self) -> None:
        self.scheduler = self.another()

    def another(self, db: Database | None = None, **terms: Any) -> AgentScheduler:
        """One more scheduler on the same clock, as another process would have it."""
        given = {"clock": self.clock, "monotonic": self.clock.monotonic} | self.terms | terms
        return AgentScheduler(
            db or self.db, lambda _: self.agent, terms=Terms(**given), on_event=self.events.append
        )

    def add(self, trigger: Trigger = HOURLY, **policy: Any) -> str:
        """Add a schedule of the agent; its id."""
        return self.scheduler.add(schedule(trigger, **policy)).schedule_id

    def row(self, schedule_id: str) -> ScheduleRow:
        return self.scheduler.get(schedule_id)

    def history(self, schedule_id: str) -> list[RunRow]:
        """Oldest first."""
        return self.scheduler.history(schedule_id, 10_000)[::-1]

    def story(self, schedule_id: str) -> list[tuple[str, str, str | None]]:
        """(slot as hour and minute, state, reason), oldest first."""
        return [(run.slot_at[11:16], run.state, run.reason) for run in self.history(schedule_id)]


def schedule(trigger: Trigger = HOURLY, **policy: Any) -> Schedule:
    return Schedule(agent="curator", trigger=trigger, policy=Policy(**policy))
