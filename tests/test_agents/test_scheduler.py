"""The scheduler on both engines, by a clock that the test sets: runs, policies, ends."""

from __future__ import annotations

import os
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, LiteralString

import pytest

from lsm.agents.runtime import Outcome, RunError
from lsm.agents.schedules import Once, Schedule, at_cron
from lsm.clock import from_text, to_text
from lsm.errors import InvalidError, NotFoundError
from tests.test_agents.one_postgres import postgres_url, shared_postgres  # noqa: F401 - fixtures
from tests.test_agents.scheduling import HOURLY, Desk, Scripted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lsm.agents.runtime import RunContext
    from lsm.db import Database

NOTE = "INSERT INTO lsm_meta (key, value) VALUES (:key, :value)"
NOTES = "SELECT key FROM lsm_meta WHERE key LIKE 'note%' ORDER BY key"


def test_a_slot_runs_when_it_is_due_and_once(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add()

    early = desk.scheduler.run_due()
    desk.clock.sleep(hours=1)
    due = desk.scheduler.run_due()
    again = desk.scheduler.run_due()

    assert [early, again] == [[], []]
    assert [(run.state, run.slot_at) for run in due] == [
        ("succeeded", "2026-01-01T13:00:00.000000Z")
    ]
    assert desk.row(curator).next_run_at == "2026-01-01T14:00:00.000000Z"


def test_state_survives_a_restart_and_lives_in_the_database_alone(
    db: Database, open_again: Callable[[], Database], tmp_path: Path
) -> None:
    desk = Desk(db)
    curator = desk.add()
    desk.clock.sleep(hours=1)
    desk.scheduler.run_due()
    files = {name for _, _, names in os.walk(tmp_path) for name in names}

    restarted = desk.another(open_again())

    assert restarted.get(curator) == desk.row(curator)
    assert restarted.history(curator) == desk.scheduler.history(curator)
    assert {name.split("-")[0] for name in files} <= {"lsm.db"}


def test_an_agent_is_given_what_its_run_is_about(db: Database) -> None:
    desk = Desk(db)
    entry = Schedule(agent="curator", trigger=HOURLY, params={"topic": "ai"})
    row = desk.scheduler.add(entry)
    desk.clock.sleep(hours=1)

    (run,) = desk.scheduler.run_due()

    (context,) = desk.agent.seen
    assert context.run_id == run.run_id
    assert (context.schedule_id, context.agent_name) == (row.schedule_id, "curator")
    assert context.params == {"topic": "ai"}
    assert (context.slot_at, context.origin, context.attempt) == (desk.clock.now, "slot", 1)
    assert context.deadline == desk.clock.now + timedelta(hours=1)


def test_outputs_report_and_the_schedule_s_state_are_there_together(db: Database) -> None:
    desk = Desk(db, agent=Scripted(lambda _: Outcome("# Done", {"n": 1}, (note("a"), note("b")))))
    curator = desk.add()
    desk.clock.sleep(hours=1)

    (run,) = desk.scheduler.run_due()

    assert [row["key"] for row in db.rows(NOTES)] == ["note a", "note b"]
    assert (run.report, run.result_json) == ("# Done", '{"n":1}')
    assert desk.scheduler.run(run.run_id) == run
    row = desk.row(curator)
    assert (row.last_status, row.last_error) == ("succeeded", None)
    assert row.last_run_at == run.started_at == to_text(desk.clock.now)


def test_outputs_that_cannot_be_stored_fail_the_run_and_leave_nothing(db: Database) -> None:
    desk = Desk(db, agent=Scripted(lambda _: Outcome("# Done", apply=(note("a"), note("a")))))
    curator = desk.add()
    desk.clock.sleep(hours=1)

    (run,) = desk.scheduler.run_due()

    assert db.rows(NOTES) == []
    assert (run.state, run.report) == ("failed", None)
    assert "could not be stored" in (run.error or "")
    assert desk.row(curator).last_error == run.error


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (RunError("the server is gone"), "the server is gone"),
        (ZeroDivisionError("oops"), "ZeroDivisionError: oops"),
        (SystemExit(3), "SystemExit: 3"),
        (InvalidError("topic", "is missing\nor worse"), "topic: is missing or worse"),
    ],
)
def test_an_agent_s_failure_is_recorded_and_ends_its_run_only(
    db: Database, failure: BaseException, error: str
) -> None:
    desk = Desk(db, agent=Scripted(raising(failure)))
    curator = desk.add()
    desk.clock.sleep(hours=1)

    (run,) = desk.scheduler.run_due()

    assert (run.state, run.error) == ("failed", error)
    row = desk.row(curator)
    assert (row.last_status, row.last_error, row.consecutive_failures) == ("failed", error, 1)
    assert row.state == "active"


def test_a_result_that_json_cannot_hold_is_a_failure(db: Database) -> None:
    desk = Desk(db, agent=Scripted(lambda _: Outcome(result={"x": object()})))
    desk.add()
    desk.clock.sleep(hours=1)

    (run,) = desk.scheduler.run_due()

    assert run.state == "failed"
    assert "cannot be kept as JSON" in (run.error or "")


def test_an_agent_that_does_not_exist_is_a_failure(db: Database) -> None:
    desk = Desk(db, agent=Scripted(raising(NotFoundError("agent", "curator"))))
    desk.add()
    desk.clock.sleep(hours=1)

    (run,) = desk.scheduler.run_due()

    assert (run.state, run.error) == ("failed", "no such agent: curator")


def test_a_success_clears_what_failed_before(db: Database) -> None:
    desk = Desk(db, agent=Scripted(raising(RunError("no"))))
    curator = desk.add()
    desk.clock.sleep(hours=1)
    desk.scheduler.run_due()
    desk.agent.script = lambda _: Outcome()
    desk.clock.sleep(hours=1)

    desk.scheduler.run_due()

    row = desk.row(curator)
    assert (row.last_error, row.consecutive_failures) == (None, 0)


def test_a_retryable_failure_is_tried_again_after_its_backoff(db: Database) -> None:
    desk = Desk(db, agent=Scripted(raising(RunError("busy", retryable=True))))
    curator = desk.add(retry_base_s=40, max_attempts=3)
    desk.clock.sleep(hours=1)
    desk.scheduler.run_due()

    waits: list[float] = []
    for _ in range(2):
        (pending,) = [run for run in desk.history(curator) if run.state == "pending"]
        wait = from_text(pending.not_before) - desk.clock.now
        waits.append(wait.total_seconds())
        desk.clock.sleep(seconds=waits[-1] - 0.001)
        assert desk.scheduler.run_due() == []
        desk.clock.sleep(seconds=0.001)
        desk.scheduler.run_due()

    assert [(run.attempt, run.state) for run in desk.history(curator)] == [
        (1, "failed"),
        (2, "failed"),
        (3, "failed"),
    ]
    assert 30 <= waits[0] <= 50
    assert 60 <= waits[1] <= 100
    assert len({run.slot_at for run in desk.history(curator)}) == 1
    assert desk.row(curator).consecutive_failures == 1  # one slot has failed, not three


def test_a_retry_that_would_come_after_the_next_slot_gives_way_to_it(db: Database) -> None:
    desk = Desk(db, agent=Scripted(raising(RunError("busy", retryable=True))))
    curator = desk.add(retry_base_s=7200, retry_cap_s=7200)
    desk.clock.sleep(hours=1)

    desk.scheduler.run_due()

    assert [(run.attempt, run.state, run.reason) for run in desk.history(curator)] == [
        (1, "failed", None),
        (2, "cancelled", "superseded"),
    ]
    assert desk.row(curator).consecutive_failures == 1


def test_too_many_failures_in_a_row_pause_a_schedule(db: Database) -> None:
    desk = Desk(db, agent=Scripted(raising(RunError("no"))))
    curator = desk.add(pause_after=3)
    for _ in range(5):
        desk.clock.sleep(hours=1)
        desk.scheduler.run_due()

    row = desk.row(curator)
    assert (row.state, row.pause_reason, row.next_run_at) == ("paused", "auto", None)
    assert len(desk.agent.seen) == 3
    assert desk.events[-1].kind == "paused"


@pytest.mark.parametrize(
    ("catch_up", "story"),
    [
        (None, [("17:00", "succeeded", None)]),
        ("latest", [("17:00", "succeeded", None)]),
        ("skip", [("17:00", "missed", "late")]),
        ("all", [(f"{hour}:00", "succeeded", None) for hour in range(13, 18)]),
    ],
)
def test_what_was_missed_is_caught_up_as_asked(
    db: Database, catch_up: Any, story: list[tuple[str, str, str | None]]
) -> None:
    desk = Desk(db)
    curator = desk.add(catch_up=catch_up)
    desk.clock.sleep(hours=5, minutes=10)

    desk.scheduler.run_due()

    assert desk.story(curator) == story
    assert desk.row(curator).next_run_at == "2026-01-01T18:00:00.000000Z"
    assert sum(1 + run.coalesced for run in desk.history(curator)) == 5


def test_all_that_was_missed_is_bounded(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add(catch_up="all", max_catch_up=3)
    desk.clock.sleep(hours=8, minutes=10)

    desk.scheduler.run_due()

    assert desk.story(curator) == [
        ("17:00", "missed", "max_catch_up"),
        ("18:00", "succeeded", None),
        ("19:00", "succeeded", None),
        ("20:00", "succeeded", None),
    ]
    assert desk.row(curator).missed_total == 5
    assert [context.slot_at.hour for context in desk.agent.seen] == [18, 19, 20]


def test_a_make_up_just_before_the_next_slot_is_folded_into_it(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add()
    desk.clock.sleep(hours=2, minutes=58)
    desk.scheduler.run_due()
    desk.clock.sleep(minutes=2)

    desk.scheduler.run_due()

    assert desk.story(curator) == [("14:00", "skipped", "folded"), ("15:00", "succeeded", None)]
    assert [run.coalesced for run in desk.history(curator)] == [1, 2]
    assert desk.row(curator).skipped_total == 1


def test_slots_outside_the_window_are_missed(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add(window_s=300)
    desk.clock.sleep(hours=5, minutes=6)

    desk.scheduler.run_due()

    assert desk.story(curator) == [("17:00", "missed", "window")]
    assert desk.row(curator).missed_total == 5


def test_a_slot_beside_a_run_that_goes_on_is_skipped_with_its_reason(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add()
    desk.agent.script = during_the_run(desk, hours=1)
    desk.clock.sleep(hours=1)

    desk.scheduler.run_due()

    assert desk.story(curator) == [("13:00", "succeeded", None), ("14:00", "skipped", "overlap")]
    assert desk.row(curator).skipped_total == 1


def test_a_queue_holds_as_many_slots_as_asked(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add(overlap="queue", max_queued=1)
    desk.agent.script = during_the_run(desk, hours=1, times=3)
    desk.clock.sleep(hours=1)

    desk.scheduler.run_due()

    assert desk.story(curator) == [
        ("13:00", "succeeded", None),
        ("14:00", "succeeded", None),
        ("15:00", "skipped", "queue_full"),
        ("16:00", "skipped", "queue_full"),
    ]
    assert [run.coalesced for run in desk.history(curator)] == [0, 2, 0, 0]
    assert desk.row(curator).queued_runs == 0


def test_cancel_ends_the_old_run_and_then_starts_the_new_one(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add(overlap="cancel", timeout_s=7200)

    def overtaken(context: RunContext) -> Outcome:
        if len(desk.agent.seen) == 1:
            desk.clock.sleep(hours=1)
            desk.another().look()
            context.control.wait(30)
            context.check()
        return Outcome()

    desk.terms = {"tend_every": 0.01}
    desk.agent.script = overtaken
    desk.clock.sleep(hours=1)
    desk.another().run_due()

    assert desk.story(curator) == [
        ("13:00", "cancelled", "requested"),
        ("14:00", "succeeded", None),
    ]
    assert desk.row(curator).consecutive_failures == 0


def test_allow_runs_beside_each_other_up_to_the_bound(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add(overlap="allow", max_parallel=2)
    together = threading.Barrier(2, timeout=30)

    def meet(_: RunContext) -> Outcome:
        together.wait()
        return Outcome()

    desk.agent.script = meet
    for _ in range(3):  # nobody runs anything meanwhile
        desk.clock.sleep(hours=1)
        desk.another(parallel=0).look()
    desk.scheduler.run_due()

    assert desk.story(curator) == [
        ("13:00", "succeeded", None),
        ("14:00", "succeeded", None),
        ("15:00", "skipped", "max_parallel"),
    ]


def test_an_agent_that_exceeds_its_time_is_told_to_stop(db: Database) -> None:
    desk = Desk(db, terms={"tend_every": 0.01})
    curator = desk.add(timeout_s=60, max_attempts=1)

    def slow(context: RunContext) -> Outcome:
        assert context.remaining() == 60
        desk.clock.sleep(seconds=61)
        context.control.wait(30)
        assert (context.cancelled(), context.remaining()) == (True, 0)
        context.check()
        return Outcome()

    desk.agent.script = slow
    desk.clock.sleep(hours=1)
    desk.another().run_due()

    assert desk.story(curator) == [("13:00", "timed_out", "timeout")]
    assert desk.row(curator).last_status == "timed_out"


def test_an_agent_that_does_not_stop_loses_its_run_and_its_outputs(db: Database) -> None:
    desk = Desk(db, terms={"tend_every": 0.01})
    curator = desk.add(timeout_s=60, max_attempts=1, cancel_grace_s=5)
    other = desk.scheduler.add(Schedule(agent="b", trigger=Once("2026-01-01T13:00:30Z")))
    ended = threading.Event()

    def deaf(context: RunContext) -> Outcome:
        if context.agent_name == "b":
            return Outcome()
        desk.clock.sleep(seconds=61)
        context.control.wait(30)
        desk.clock.sleep(seconds=6)
        assert ended.wait(30)
        return Outcome(apply=(note("late"),))

    desk.agent.script = deaf
    desk.clock.sleep(hours=1, seconds=30)
    desk.another(parallel=1).run_due()
    ended.set()

    assert desk.story(curator) == [("13:00", "timed_out", "timeout")]
    assert desk.story(other.schedule_id)[0][1] == "succeeded"  # though there is one worker only
    assert db.rows(NOTES) == []


def test_one_instant_fires_once_and_is_then_exhausted(db: Database) -> None:
    desk = Desk(db)
    backup = desk.add(Once("2026-01-01T13:00:00Z"))
    desk.clock.sleep(hours=1)
    desk.scheduler.run_due()
    desk.clock.sleep(days=400)

    desk.scheduler.run_due()

    row = desk.row(backup)
    assert (row.state, row.next_run_at, row.next_slot_at) == ("exhausted", None, None)
    assert desk.story(backup) == [("13:00", "succeeded", None)]


def test_a_lost_run_of_one_instant_is_tried_again(db: Database) -> None:
    desk = Desk(db)
    backup = desk.add(Once("2026-01-01T13:00:00Z"), retry_base_s=0)
    desk.agent.script = raising(RunError("busy", retryable=True))
    desk.clock.sleep(hours=1)

    desk.scheduler.run_due()

    assert [run.attempt for run in desk.history(backup)] == [1, 2, 3]


def test_jitter_moves_the_run_and_not_the_slot(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add(jitter_s=600)
    row = desk.row(curator)
    assert row.next_slot_at == "2026-01-01T13:00:00.000000Z"
    assert "2026-01-01T13:00:00" < (row.next_run_at or "") <= "2026-01-01T13:10:00"
    desk.clock.now = from_text(row.next_run_at or "")

    (run,) = desk.scheduler.run_due()

    assert run.slot_at == row.next_slot_at


def test_a_step_is_applied_at_once_and_stays(db: Database) -> None:
    def stepping(context: RunContext) -> Outcome:
        context.step(note("step"))
        raise RunError("then it fell over")

    desk = Desk(db, agent=Scripted(stepping))
    desk.add()
    desk.clock.sleep(hours=1)

    (run,) = desk.scheduler.run_due()

    assert run.state == "failed"
    assert [row["key"] for row in db.rows(NOTES)] == ["note step"]


def test_an_agent_run_by_hand_takes_the_same_path(db: Database) -> None:
    desk = Desk(db, agent=Scripted(lambda _: Outcome("# Hi", apply=(note("hand"),))))

    run = desk.scheduler.run_agent("researcher", {"topic": "ai"})

    assert (run.state, run.origin, run.report) == ("succeeded", "manual", "# Hi")
    assert desk.agent.seen[0].params == {"topic": "ai"}
    assert [row["key"] for row in db.rows(NOTES)] == ["note hand"]
    assert desk.scheduler.schedules() == []  # nothing was scheduled by that
    assert desk.row(run.schedule_id).next_run_at is None


def test_an_agent_run_by_hand_twice_at_one_instant_is_two_runs(db: Database) -> None:
    desk = Desk(db)

    first, second = (desk.scheduler.run_agent("researcher", {"n": n}) for n in range(2))

    assert first.run_id != second.run_id
    assert [context.params for context in desk.agent.seen] == [{"n": 0}, {"n": 1}]


def test_a_rehearsal_books_nothing_and_applies_nothing(db: Database) -> None:
    def rehearsed(context: RunContext) -> Outcome:
        context.step(note("step"))
        return Outcome(f"dry: {context.dry_run}", apply=(note("outcome"),))

    desk = Desk(db, agent=Scripted(rehearsed))

    outcome = desk.scheduler.rehearse("researcher", {"topic": "ai"})

    assert outcome.report == "dry: True"
    assert db.rows(NOTES) == []
    assert desk.scheduler.schedules(retired=True) == []


def test_the_loop_outlives_a_database_that_is_away(
    db: Database, open_again: Callable[[], Database]
) -> None:
    connection, stop = open_again(), threading.Event()
    desk = Desk(db)
    curator = desk.add()
    desk.clock.sleep(hours=1)
    desk.agent.script = lambda _: connection.close() or Outcome(apply=(note("late"),))
    scheduler = desk.another(connection, nap=0.01, monotonic=time.monotonic)
    loop = threading.Thread(target=scheduler.run_forever, args=(stop,))

    loop.start()
    while loop.is_alive() and len([e for e in desk.events if e.kind == "storage"]) < 3:
        stop.wait(0.01)
    alive = loop.is_alive()
    stop.set()
    loop.join()

    assert alive
    assert desk.story(curator) == [("13:00", "running", None)]  # for the next one to bury
    assert db.rows(NOTES) == []


def test_more_runs_than_workers_wait_for_their_turn(db: Database) -> None:
    desk = Desk(db, terms={"parallel": 2})
    crowd = Crowd()
    desk.agent.script = crowd.enter
    scheduler = desk.another()
    for number in range(12):
        scheduler.add(Schedule(agent=f"a{number}", trigger=HOURLY))
    desk.clock.sleep(hours=1)

    ended = scheduler.run_due()

    assert len(ended) == 12
    assert crowd.most == 2


@pytest.mark.parametrize("overlap", ["skip", "queue", "cancel"])
def test_runs_of_one_schedule_follow_each_other_though_workers_are_free(
    db: Database, overlap: str
) -> None:
    desk = Desk(db, terms={"parallel": 4})
    crowd = Crowd()
    desk.agent.script = crowd.enter
    curator = desk.add(overlap=overlap, catch_up="all")
    desk.clock.sleep(hours=6)
    desk.scheduler.backfill(curator, desk.clock.now - timedelta(hours=3), desk.clock.now)

    ended = desk.another().run_due()

    assert [run.state for run in ended] == ["succeeded"] * 9
    assert crowd.most == 1


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("UPDATE lsm_agent_schedules SET config_json = '{'", "config_json"),
        (
            "UPDATE lsm_agent_schedules SET anchor_at = '2026-13-01T12:00:00.000000Z'",
            "2026-13-01",
        ),
    ],
)
def test_a_schedule_that_cannot_be_read_is_paused_and_the_others_run(
    db: Database, damage: LiteralString, named: str
) -> None:
    desk = Desk(db)
    curator = desk.add()
    good = desk.scheduler.add(Schedule(agent="good", trigger=HOURLY)).schedule_id
    db.run(damage + " WHERE schedule_id = :id", id=curator)
    desk.clock.sleep(hours=1)

    ended = desk.scheduler.run_due()

    assert [run.schedule_id for run in ended] == [good]
    row = desk.row(curator)
    assert (row.state, row.pause_reason, row.next_run_at) == ("paused", "unreadable", None)
    assert named in (row.last_error or "")


def test_a_change_in_this_process_wakes_the_loop(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add()
    stop = threading.Event()
    desk.agent.script = lambda _: stop.set() or Outcome()
    scheduler = desk.another(nap=10**6, monotonic=time.monotonic)
    loop = threading.Thread(target=scheduler.run_forever, args=(stop,))

    loop.start()
    while not desk.agent.seen and loop.is_alive():
        scheduler.run_now(curator, force=True)
        stop.wait(0.02)
    loop.join()

    assert desk.history(curator)[0].state == "succeeded"


def test_one_line_says_what_happens(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add(catch_up="skip")
    desk.clock.sleep(hours=3)
    desk.scheduler.run_due()
    desk.clock.sleep(hours=2, minutes=3)

    desk.scheduler.run_due()

    assert [event.text for event in desk.events] == [
        f"{curator}: slot 2026-01-01 14:00:00Z and 1 before it missed (late)",
        f"{curator}: slot 2026-01-01 15:00:00Z started",
        f"{curator}: slot 2026-01-01 15:00:00Z succeeded in 0.0 s",
        f"{curator}: slot 2026-01-01 17:00:00Z and 1 before it missed (late)",
    ]


def test_the_loop_starts_what_is_due_and_stops_when_told(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add(at_cron("* * * * *"))
    desk.clock.sleep(minutes=1)
    stop = threading.Event()
    desk.agent.script = lambda _: stop.set() or Outcome()

    desk.scheduler.run_forever(stop)

    assert desk.story(curator) == [("12:01", "succeeded", None)]


def test_a_run_that_the_stop_interrupts_is_lost_and_tried_again(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add()
    desk.clock.sleep(hours=1)
    stop = threading.Event()

    def interrupted(context: RunContext) -> Outcome:
        stop.set()
        context.control.wait(30)
        context.check()
        return Outcome()

    desk.agent.script = interrupted
    desk.scheduler.run_forever(stop)
    desk.agent.script = lambda _: Outcome()
    desk.clock.sleep(minutes=1)
    desk.another().run_due()

    assert [(run.state, run.reason, run.attempt) for run in desk.history(curator)] == [
        ("lost", "stopped", 1),
        ("succeeded", None, 2),
    ]
    assert desk.row(curator).consecutive_failures == 0


def test_what_the_agents_do_not_end_in_time_is_left_behind(db: Database) -> None:
    desk = Desk(db, terms={"stop_grace": 0.0})
    curator = desk.add(on_lost="record")
    desk.clock.sleep(hours=1)
    stop, let_go = threading.Event(), threading.Event()

    def deaf(_: RunContext) -> Outcome:
        stop.set()
        assert let_go.wait(30)
        return Outcome(apply=(note("late"),))

    desk.agent.script = deaf
    desk.another().run_forever(stop)
    let_go.set()

    assert desk.story(curator) == [("13:00", "lost", "stopped")]
    assert db.rows(NOTES) == []


def test_history_is_kept_until_it_is_forgotten_but_for_the_newest(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add()
    for _ in range(4):
        desk.clock.sleep(hours=1)
        desk.scheduler.run_due()

    forgotten = desk.scheduler.forget_runs(desk.clock.now + timedelta(days=1))

    assert forgotten == 3
    assert desk.story(curator) == [("16:00", "succeeded", None)]


def test_what_is_not_there_is_named(db: Database) -> None:
    scheduler = Desk(db).scheduler

    for ask in (scheduler.get, scheduler.history, scheduler.pause, scheduler.run_now):
        with pytest.raises(NotFoundError, match="no such schedule: nightly"):
            ask("nightly")
    with pytest.raises(NotFoundError, match="no such run: 7"):
        scheduler.run("7")


def note(text: str) -> Callable[[Database], None]:
    """An output that can be written once only."""
    return lambda db: db.run(NOTE, key=f"note {text}", value="") and None


def raising(error: BaseException) -> Callable[[RunContext], Outcome]:
    def script(_: RunContext) -> Outcome:
        raise error

    return script


class Crowd:
    """Counts how many runs go on at once."""

    def __init__(self) -> None:
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()

    def enter(self, context: RunContext) -> Outcome:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        context.control.wait(0.005)
        with self._lock:
            self._now -= 1
        return Outcome()


def during_the_run(desk: Desk, *, hours: int, times: int = 1) -> Callable[[RunContext], Outcome]:
    """Within the first run, time passes and another process plans."""

    def script(_: RunContext) -> Outcome:
        if len(desk.agent.seen) == 1:
            for _ in range(times):
                desk.clock.sleep(hours=hours)
                desk.another(parallel=0).look()
        return Outcome()

    return script
