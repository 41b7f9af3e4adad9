"""What a person does to schedules and runs."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lsm.agents.runtime import Outcome
from lsm.agents.schedules import Once, at_cron
from lsm.clock import from_text
from lsm.errors import InvalidError, RefusedError
from tests.test_agents.one_postgres import postgres_url, shared_postgres  # noqa: F401 - fixtures
from tests.test_agents.scheduling import NOON, Desk

if TYPE_CHECKING:
    from lsm.agents.runtime import RunContext
    from lsm.db import Database

HOUR = timedelta(hours=1)


def test_a_paused_schedule_has_no_slots_and_holds_what_waits(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add()
    desk.clock.sleep(hours=1)
    desk.another(parallel=0).look()

    desk.scheduler.pause(curator)
    desk.clock.sleep(hours=5)
    held = desk.scheduler.run_due()

    row = desk.row(curator)
    assert held == []
    assert (row.state, row.pause_reason, row.next_run_at) == ("paused", "user", None)
    assert row.queued_runs == 1


def test_a_resumed_schedule_goes_on_from_now(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add()
    desk.scheduler.pause(curator)
    desk.clock.sleep(hours=5, minutes=30)

    desk.scheduler.resume(curator)
    desk.scheduler.run_due()

    assert desk.story(curator) == []
    assert desk.row(curator).next_run_at == "2026-01-01T18:00:00.000000Z"


def test_a_resumed_schedule_makes_up_what_it_missed_if_asked(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add()
    desk.scheduler.pause(curator)
    desk.clock.sleep(hours=5, minutes=30)

    desk.scheduler.resume(curator, catch_up=True)
    desk.scheduler.run_due()

    assert desk.story(curator) == [("17:00", "succeeded", None)]


def test_resuming_forgets_the_failures_that_paused(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add(pause_after=1)
    desk.agent.script = lambda _: 1 / 0  # pyright: ignore[reportAttributeAccessIssue]
    desk.clock.sleep(hours=1)
    desk.scheduler.run_due()

    row = desk.scheduler.resume(curator)

    assert (row.state, row.pause_reason, row.consecutive_failures) == ("active", None, 0)
    assert "ZeroDivisionError" in (row.last_error or "")


def test_what_is_over_can_be_neither_paused_nor_resumed(db: Database) -> None:
    desk = Desk(db)
    backup = desk.add(Once("2026-01-01T13:00:00Z"))
    desk.clock.sleep(hours=1)
    desk.scheduler.run_due()

    with pytest.raises(InvalidError, match="exhausted"):
        desk.scheduler.pause(backup)
    with pytest.raises(InvalidError, match="exhausted"):
        desk.scheduler.resume(backup)


def test_a_run_now_leaves_the_plan_alone_and_works_while_paused(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add()
    desk.scheduler.pause(curator)
    before = desk.row(curator).next_slot_at
    desk.clock.sleep(minutes=7)

    asked = desk.scheduler.run_now(curator)
    (ran,) = desk.scheduler.run_due()

    assert (ran.run_id, ran.origin, ran.state) == (asked.run_id, "manual", "succeeded")
    assert desk.row(curator).next_slot_at == before
    assert desk.row(curator).state == "paused"


def test_a_run_here_runs_in_the_foreground(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add()
    threads: list[str] = []
    desk.agent.script = lambda _: threads.append(threading.current_thread().name) or Outcome("hi")

    run = desk.scheduler.run_here(curator)

    assert (run.state, run.report) == ("succeeded", "hi")
    assert threads == ["MainThread"]


@pytest.mark.parametrize("overlap", ["skip", "queue"])
def test_a_second_run_now_is_refused_unless_forced(db: Database, overlap: str) -> None:
    desk = Desk(db)
    curator = desk.add(overlap=overlap)
    desk.scheduler.run_now(curator)

    with pytest.raises(RefusedError, match="waiting to run already"):
        desk.scheduler.run_now(curator)
    desk.scheduler.run_now(curator, force=True)

    assert desk.row(curator).queued_runs == 2
    assert [run.state for run in desk.scheduler.run_due()] == ["succeeded"] * 2


def test_a_run_here_beside_one_that_goes_on_is_refused_and_leaves_no_trace(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add(overlap="queue", max_queued=5)
    refused: list[str] = []

    def again(_: RunContext) -> Outcome:
        with pytest.raises(RefusedError) as error:
            desk.another().run_here(curator)
        refused.append(str(error.value))
        return Outcome()

    desk.agent.script = again
    desk.scheduler.run_here(curator)

    assert refused == [f"{curator}: it cannot start beside another run"]
    assert len(desk.history(curator)) == 1


def test_a_run_now_takes_the_place_of_what_waits_if_overlap_is_cancel(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add(overlap="cancel")
    first = desk.scheduler.run_now(curator)

    second = desk.scheduler.run_now(curator)
    ran = desk.scheduler.run_due()

    assert [run.run_id for run in ran] == [second.run_id]
    assert desk.scheduler.run(first.run_id).reason == "superseded"


def test_a_waiting_run_can_be_cancelled_and_an_ended_one_cannot(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add()
    run = desk.scheduler.run_now(curator)

    cancelled = desk.scheduler.cancel(run.run_id)

    assert (cancelled.state, cancelled.reason) == ("cancelled", "user")
    assert desk.row(curator).queued_runs == 0
    assert desk.scheduler.run_due() == []
    with pytest.raises(InvalidError, match="it is cancelled already"):
        desk.scheduler.cancel(run.run_id)


def test_a_running_run_is_told_to_stop(db: Database) -> None:
    desk = Desk(db, terms={"tend_every": 0.01})
    curator = desk.add()

    def cancelled(context: RunContext) -> Outcome:
        asked = desk.another().cancel(context.run_id)
        assert (asked.state, asked.cancel_requested_at is not None) == ("running", True)
        assert context.control.wait(30)
        context.check()
        return Outcome()

    desk.agent.script = cancelled
    desk.clock.sleep(hours=1)
    desk.another().run_due()

    assert desk.story(curator) == [("13:00", "cancelled", "requested")]
    assert desk.row(curator).last_status == "cancelled"


def test_a_backfill_runs_the_slots_that_did_not_succeed_one_after_the_other(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add()
    for fail in (False, True, False):
        desk.agent.script = raising if fail else done
        desk.clock.sleep(hours=1)
        desk.scheduler.run_due()
    desk.agent.script = done
    desk.clock.sleep(hours=3)  # and 16:00 to 18:00 are missed, coalesced into one run
    desk.scheduler.run_due()
    desk.agent.seen.clear()

    added = desk.scheduler.backfill(curator, NOON, NOON + 10 * HOUR)
    desk.scheduler.run_due()

    wanted = [14, 16, 17, 19, 20, 21]
    assert [from_text(run.slot_at).hour for run in added] == wanted
    assert [context.slot_at.hour for context in desk.agent.seen] == wanted
    assert {context.origin for context in desk.agent.seen} == {"backfill"}


def test_a_backfill_twice_adds_nothing(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add()
    desk.scheduler.backfill(curator, NOON, NOON + 3 * HOUR)

    assert desk.scheduler.backfill(curator, NOON, NOON + 3 * HOUR) == []
    assert desk.row(curator).queued_runs == 2  # 13:00 and 14:00; the end is not part of it


def test_a_backfill_of_more_than_a_thousand_runs_wants_to_be_confirmed(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add(at_cron("* * * * *"))
    day = NOON - timedelta(days=1)

    with pytest.raises(RefusedError, match="1001 runs to backfill"):
        desk.scheduler.backfill(curator, day, day + timedelta(minutes=1001))
    added = desk.scheduler.backfill(curator, day, day + timedelta(minutes=1001), confirmed=True)

    assert len(added) == desk.row(curator).queued_runs == 1001


def test_what_comes_next_can_be_asked_for(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add()

    upcoming = desk.scheduler.upcoming(curator, 2)

    assert upcoming == [NOON + HOUR, NOON + 2 * HOUR]


def done(_: Any) -> Outcome:
    return Outcome()


def raising(_: Any) -> Outcome:
    raise ZeroDivisionError
