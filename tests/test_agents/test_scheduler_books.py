"""What must hold at every commit, whatever is done in which order; and what a look costs."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from lsm.agents import run_store, schedule_store
from lsm.agents.runtime import Outcome, RunError
from lsm.agents.schedules import Every, Policy, Schedule
from lsm.agents.torture_books import Books, queue_problems
from lsm.clock import to_text
from lsm.db import open_database
from lsm.errors import ConflictError, LsmError
from tests.test_agents.one_postgres import postgres_url, shared_postgres  # noqa: F401 - fixtures
from tests.test_agents.scheduling import HOURLY, Desk

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.agents.runtime import RunContext
    from lsm.db import Database

OUTPUT = """
INSERT INTO lsm_job_status (job_id, kind, state, owner, detail_json, started_at, updated_at)
VALUES (:job_id, 'torture', 'completed', '', :run_id, '', '')
"""


@pytest.mark.parametrize("seed", range(8))
def test_the_books_are_right_after_every_step_of_a_random_walk(db: Database, seed: int) -> None:
    chance = random.Random(seed)
    desk = Desk(db, terms={"tend_every": 1000})
    entries = [entry(number) for number in range(8)]
    desk.scheduler.reconcile("x", entries)
    desk.agent.script = erratic(chance, desk)
    steps = [step for step in dir(Steps) if not step.startswith("_")]

    for _ in range(60):
        with suppress(LsmError):  # what cannot be done now is refused, and changes nothing
            getattr(Steps(desk, chance, entries), chance.choice(steps))()
        assert queue_problems(db) == []
    desk.agent.script = written
    desk.another().run_due()

    assert Books(db).problems() == []
    assert Books(db).count()[1] > 0


def test_two_running_runs_of_an_exclusive_schedule_cannot_be_written(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add()
    runs = [desk.scheduler.run_now(curator), desk.scheduler.run_now(curator, force=True)]
    start = (
        "UPDATE lsm_agent_runs SET state = 'running', owner = 'x', fence = 1, exclusive = :yes"
        " WHERE run_id = :run"
    )
    db.run(start, run=runs[0].run_id, yes=True)

    with pytest.raises(ConflictError):
        db.run(start, run=runs[1].run_id, yes=True)


def test_one_slot_cannot_be_written_twice(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add()
    desk.clock.sleep(hours=1)
    desk.scheduler.run_due()
    again = "UPDATE lsm_agent_schedules SET next_slot_at = :slot, next_run_at = :slot"
    db.run(again, slot=to_text(desk.clock.now))

    desk.scheduler.run_due()

    assert desk.story(curator) == [("13:00", "succeeded", None)]


@pytest.mark.parametrize("running", [False, True])
def test_a_look_with_nothing_to_do_takes_no_lock(
    db: Database, open_again: Callable[[], Database], running: bool
) -> None:
    desk = Desk(db)
    curator = desk.add()
    desk.scheduler.pause(desk.add(Every(7)))
    if running:
        desk.scheduler.run_now(curator)
        db.run(
            "UPDATE lsm_agent_runs SET state = 'running', fence = 1, owner = :me",
            me="elsewhere||1||x",
        )
    writer = open_again()

    with writer.transaction():
        writer.run("UPDATE lsm_agent_schedules SET fence = fence + 1")
        wait = desk.scheduler.look()

    assert wait == 2.0


def test_a_look_says_when_the_next_makes_sense(db: Database) -> None:
    desk = Desk(db)
    desk.add()
    desk.clock.sleep(minutes=59, seconds=59.25)

    assert desk.scheduler.look() == 0.75


def test_among_ten_thousand_schedules_an_index_finds_what_is_due(sqlite_url: str) -> None:
    with open_database(sqlite_url) as db:
        desk = Desk(db)
        desk.scheduler.reconcile("x", [entry(number) for number in range(10_000)])
        desk.clock.sleep(minutes=1)
        now: dict[str, Any] = {"now": to_text(desk.clock.now), "most": 100}

        plans = {
            "due": plan(db, schedule_store._DUE, **now),
            "pulse": plan(db, schedule_store._PULSE),
            "claimable": plan(db, run_store._CLAIMABLE, **now),
            "live": plan(db, run_store._LIVE),
            "busy": plan(db, run_store._BUSY, schedule_id="x"),
        }

        index = "USING COVERING INDEX lsm_agent_schedules_due (next_run_at<?)"
        assert plans["due"] == [f"SEARCH lsm_agent_schedules {index}"]
        scans = [step for steps in plans.values() for step in steps if step.startswith("SCAN lsm")]
        # A partial index is read from one end, or holds nothing but what is wanted.
        assert all("INDEX lsm_agent_" in step for step in scans), scans
        sorts = {name for name, steps in plans.items() if "USE TEMP B-TREE" in str(steps)}
        assert sorts == set()


class Steps:
    """What can happen to schedules; public methods only are chosen from."""

    def __init__(self, desk: Desk, chance: random.Random, entries: list[Schedule]) -> None:
        self._desk = desk
        self._chance = chance
        self._entries = entries
        self._rows = desk.scheduler.schedules(retired=True)
        self._id = chance.choice(self._rows).schedule_id

    def time_passes(self) -> None:
        self._desk.clock.sleep(minutes=self._chance.choice([1, 7, 30, 300]))

    def more_time_passes(self) -> None:
        self.time_passes()

    def somebody_plans(self) -> None:
        self._desk.another(parallel=0).look()

    def somebody_runs(self) -> None:
        self._desk.another().run_due()

    def somebody_else_runs(self) -> None:
        self._desk.another(parallel=3).run_due()

    def a_person_pauses(self) -> None:
        self._desk.scheduler.pause(self._id)

    def a_person_resumes(self) -> None:
        for row in self._rows:
            if row.state == "paused":
                self._desk.scheduler.resume(row.schedule_id)

    def a_person_runs_now(self) -> None:
        self._desk.scheduler.run_now(self._id, force=self._chance.random() < 0.3)

    def a_person_backfills(self) -> None:
        now = self._desk.clock.now
        self._desk.scheduler.backfill(self._id, now - timedelta(minutes=30), now)

    def a_person_cancels(self) -> None:
        for run in self._desk.scheduler.history(self._id, 1):
            self._desk.scheduler.cancel(run.run_id)

    def the_configuration_changes(self) -> None:
        kept = self._chance.sample(self._entries, 6)
        changed = msgspec.structs.replace(
            kept[0], policy=msgspec.structs.replace(kept[0].policy, jitter_s=3)
        )
        self._desk.scheduler.reconcile("x", [changed, *kept[1:]])

    def the_configuration_is_restored(self) -> None:
        self._desk.scheduler.reconcile("x", self._entries)


def entry(number: int) -> Schedule:
    policies = (
        Policy(),
        Policy(overlap="queue", max_queued=2),
        Policy(overlap="cancel"),
        Policy(overlap="allow", max_parallel=2),
        Policy(catch_up="all", max_catch_up=3),
        Policy(catch_up="skip"),
        Policy(window_s=600, fold_near=False),
        Policy(retry_base_s=0, pause_after=2),
    )
    return Schedule(
        agent=f"a{number}",
        trigger=HOURLY if number % 2 else Every(420),
        params={"n": number},
        policy=policies[number % len(policies)],
        key=f"k{number}",
    )


def written(context: RunContext) -> Outcome:
    """The outputs that the audit expects of a success."""

    def write(db: Database) -> None:
        for part in range(3):
            db.run(OUTPUT, job_id=f"{part}:{context.run_id}", run_id=context.run_id)

    return Outcome(apply=(write,))


def erratic(chance: random.Random, desk: Desk) -> Callable[[RunContext], Outcome]:
    def script(context: RunContext) -> Outcome:
        luck = chance.random()
        if luck < 0.15:
            raise RunError("bad luck", retryable=luck < 0.1)
        if luck < 0.3:
            desk.another(parallel=0).look()
        return written(context)

    return script


def plan(db: Database, sql: Any, **params: Any) -> list[str]:
    return [row["detail"] for row in db.rows("EXPLAIN QUERY PLAN " + sql, **params)]
