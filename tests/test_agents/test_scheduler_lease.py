"""Who owns a run, when it is taken from its owner, and what the owner can do afterwards."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from lsm.agents.lease import Watch
from lsm.agents.rows import RunRow
from lsm.agents.runtime import Outcome, RunStoppedError
from lsm.agents.schedules import Schedule
from lsm.processes import Owner, new_owner, process_start
from tests.test_agents.one_postgres import postgres_url, shared_postgres  # noqa: F401 - fixtures
from tests.test_agents.scheduling import HOURLY, Desk

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.agents.runtime import RunContext
    from lsm.db import Database

NOTE = "INSERT INTO lsm_meta (key, value) VALUES ('note', '')"
NOTES = "SELECT key FROM lsm_meta WHERE key = 'note'"
OWN = "UPDATE lsm_agent_runs SET owner = :owner WHERE state = 'running'"
HERE = new_owner()


def test_an_owner_is_read_as_it_was_written() -> None:
    assert Owner.parse(str(HERE)) == HERE


@pytest.mark.parametrize("text", ["", "me", "a|b|c|d|e", "a|b|1|d"])
def test_what_is_no_owner_is_nobody(text: str) -> None:
    assert Owner.parse(text) is None


@pytest.mark.parametrize(
    ("other", "gone"),
    [
        (HERE, False),
        (replace(HERE, nonce="another"), False),  # a second scheduler in a living process
        (replace(HERE, born="1"), True),  # the number was given to another process since
        (replace(HERE, boot="before"), True),
        (replace(HERE, boot=""), False),
        (replace(HERE, host="elsewhere"), False),  # no number there means anything here
        (replace(HERE, host="elsewhere", boot="before", born="1"), False),
        (replace(HERE, pid=2**22 + 1), True),  # above any process number
    ],
)
def test_a_process_is_gone_only_if_that_is_certain(other: Owner, gone: bool) -> None:
    assert other.is_gone() is gone


def test_two_schedulers_of_a_process_are_two_owners() -> None:
    assert new_owner() != new_owner()


@pytest.mark.skipif(sys.platform != "linux", reason="a zombie is seen in /proc only")
def test_a_zombie_has_ended() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    alive = process_start(child.pid)

    child.kill()
    with open(f"/proc/{child.pid}/stat", encoding="utf-8") as stat:
        while ") Z" not in stat.read():
            stat.seek(0)
    dead = process_start(child.pid)

    assert alive
    assert dead is None
    child.communicate()


def test_silence_is_measured_from_the_first_sight_on_the_observer_s_clock() -> None:
    ticks = [0.0]
    watch = Watch(lambda: ticks[0], ttl=30)

    seen: list[set[str]] = []
    for now, beat in [(0, 5), (29, 5), (29.5, 6), (59, 6), (59.5, 6), (60, 7)]:
        ticks[0] = now
        seen.append(watch.silent([run(beat=beat)]))

    assert seen == [set(), set(), set(), set(), {"run"}, set()]


def test_another_claim_of_a_run_is_watched_anew() -> None:
    ticks = [0.0]
    watch = Watch(lambda: ticks[0], ttl=30)
    watch.silent([run(fence=1)])
    ticks[0] = 30

    assert watch.silent([run(fence=2)]) == set()


def test_a_silent_owner_elsewhere_loses_its_run_and_the_run_is_tried_again(db: Database) -> None:
    desk = Desk(db, terms={"tend_every": 1000})
    curator = desk.add(retry_base_s=0)
    desk.agent.script = taken_away(desk, db, ticks=[0, 29, 2])
    desk.clock.sleep(hours=1)
    desk.another().run_due()

    assert [(run.attempt, run.state, run.reason) for run in desk.history(curator)] == [
        (1, "lost", "owner_silent"),
        (2, "succeeded", None),
    ]
    assert len(db.rows(NOTES)) == 1  # the first attempt's was rolled back


def test_a_machine_that_slept_takes_no_run_from_anybody(db: Database) -> None:
    desk = Desk(db, terms={"tend_every": 1000})
    curator = desk.add(timeout_s=10**6)
    desk.agent.script = taken_away(desk, db, ticks=[0, 29], days_asleep=1)
    desk.clock.sleep(hours=1)
    desk.another().run_due()

    assert desk.story(curator)[0] == ("13:00", "succeeded", None)


def test_a_beat_keeps_a_run(db: Database) -> None:
    desk = Desk(db, terms={"tend_every": 0.01, "beat_every": 5})
    curator = desk.add()
    observer = desk.another()

    def long(context: RunContext) -> Outcome:
        as_if_elsewhere(db)
        for _ in range(5):
            before = desk.scheduler.run(context.run_id).beat
            desk.clock.sleep(seconds=20)
            while desk.scheduler.run(context.run_id).beat == before:
                context.control.wait(0.005)
            observer.look()
        return Outcome()

    desk.agent.script = long
    desk.clock.sleep(hours=1)
    desk.another().run_due()

    assert desk.story(curator) == [("13:00", "succeeded", None)]


def test_an_agent_can_ask_whether_the_run_is_still_its_own(db: Database) -> None:
    desk = Desk(db, terms={"tend_every": 1000})
    desk.add(on_lost="record")
    reasons: list[str] = []

    def asking(context: RunContext) -> Outcome:
        context.beat()
        taken_away(desk, db, ticks=[0, 31])(context)
        for ask in (context.beat, context.check, lambda: context.step(write_note)):
            with pytest.raises(RunStoppedError) as stopped:
                ask()
            reasons.append(stopped.value.reason)
        return Outcome()

    desk.agent.script = asking
    desk.clock.sleep(hours=1)
    desk.another().run_due()

    assert reasons == ["lease_lost"] * 3
    assert db.rows(NOTES) == []


def test_a_run_of_ours_that_we_do_not_know_of_is_given_up_at_once(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add(retry_base_s=0)
    me = str(desk.scheduler._loop._me)  # pyright: ignore[reportPrivateUsage]

    def orphaned(_: RunContext) -> Outcome:
        if len(desk.agent.seen) == 1:
            db.run(OWN, owner=me)
            desk.scheduler.look()
        return Outcome()

    desk.agent.script = orphaned
    desk.clock.sleep(hours=1)
    desk.another().run_due()

    assert desk.story(curator)[0] == ("13:00", "lost", "owner_gone")


def test_a_run_that_was_to_be_cancelled_when_its_owner_died_is_not_tried_again(
    db: Database,
) -> None:
    desk = Desk(db, terms={"tend_every": 1000})
    curator = desk.add(retry_base_s=0)

    def cancelled(context: RunContext) -> Outcome:
        desk.scheduler.cancel(context.run_id)
        db.run(OWN, owner=str(replace(HERE, born="1")))
        desk.another(parallel=0).look()
        return Outcome()

    desk.agent.script = cancelled
    desk.clock.sleep(hours=1)
    desk.another().run_due()

    assert desk.story(curator) == [("13:00", "cancelled", "owner_gone")]


def test_a_run_is_lost_for_good_the_second_time(db: Database) -> None:
    desk = Desk(db, terms={"tend_every": 1000})
    curator = desk.add(retry_base_s=0)

    def dying(_: RunContext) -> Outcome:
        db.run(OWN, owner=str(replace(HERE, born="1")))
        desk.another(parallel=0).look()
        return Outcome()

    desk.agent.script = dying
    desk.clock.sleep(hours=1)
    desk.another().run_due()

    assert [run.state for run in desk.history(curator)] == ["lost", "lost"]
    assert desk.row(curator).consecutive_failures == 1


def test_two_schedulers_share_the_runs_and_none_runs_twice(
    db: Database, open_again: Callable[[], Database]
) -> None:
    desk = Desk(db, terms={"parallel": 3})
    for number in range(20):
        desk.scheduler.add(Schedule(agent="a", trigger=HOURLY, params={"n": number}))
    desk.clock.sleep(hours=1)
    others = [desk.another(open_again()) for _ in range(3)]

    threads = [threading.Thread(target=other.run_due) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(desk.agent.seen) == len({context.run_id for context in desk.agent.seen}) == 20
    assert {row.last_status for row in desk.scheduler.schedules()} == {"succeeded"}


def write_note(db: Database) -> None:
    db.run(NOTE)


def as_if_elsewhere(db: Database) -> None:
    db.run(OWN, owner=str(replace(HERE, host="elsewhere")))


def taken_away(
    desk: Desk, db: Database, *, ticks: list[float], days_asleep: int = 0
) -> Callable[[RunContext], Outcome]:
    """In the first run, an observer looks after each of *ticks*; the owner is elsewhere, silent."""

    def script(_: RunContext) -> Outcome:
        if len(desk.agent.seen) == 1:
            as_if_elsewhere(db)
            observer = desk.another(parallel=0)
            for wait in ticks:
                desk.clock.sleep(seconds=wait)
                observer.look()
            desk.clock.now += timedelta(days=days_asleep)
            observer.look()
        return Outcome(apply=(write_note,))

    return script


def run(*, beat: int = 0, fence: int = 1) -> RunRow:
    return RunRow("run", "a:1", "", "slot", 1, "running", "", "", beat=beat, fence=fence)
