"""kill -9 at every labelled point, and the next process carries on: nothing lost, nothing twice."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from lsm.agents.runtime import Outcome
from lsm.agents.schedules import Every, Schedule
from lsm.db import open_database
from tests.test_agents.one_postgres import postgres_url, shared_postgres  # noqa: F401 - fixtures
from tests.test_agents.scheduling import HOURLY, Desk, Scripted, schedule

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.process import BaseProcess

    from lsm.agents.runtime import RunContext
    from lsm.db import Database

NOTE = "INSERT INTO lsm_meta (key, value) VALUES (:key, '')"
NOTES = "SELECT key FROM lsm_meta WHERE key LIKE 'note%'"

ONCE = [("succeeded", None, 1)]
AGAIN = [("lost", "owner_gone", 1), ("succeeded", None, 2)]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")


@pytest.mark.parametrize(
    ("label", "story"),
    [
        ("plan.before_commit", ONCE),
        ("plan.after_commit", ONCE),
        ("claim.before_commit", ONCE),
        ("claim.after_commit", AGAIN),
        ("run.during", AGAIN),
        ("finish.before_outputs", AGAIN),
        ("outputs.between", AGAIN),
        ("finish.after_outputs", AGAIN),
        ("finish.before_commit", AGAIN),
        ("finish.after_commit", ONCE),
    ],
)
def test_a_slot_succeeds_once_wherever_its_process_dies(
    db: Database, database_url: str, label: str, story: list[tuple[str, str | None, int]]
) -> None:
    desk = Desk(db)
    curator = desk.add(retry_base_s=0)
    desk.clock.sleep(hours=1)

    die(database_url, label)
    survivor(desk).run_due()

    history = desk.history(curator)
    assert [(run.state, run.reason, run.attempt) for run in history] == story
    assert {run.slot_at for run in history} == {"2026-01-01T13:00:00.000000Z"}
    assert sorted(row["key"] for row in db.rows(NOTES)) == ["note 0", "note 1"]
    row = desk.row(curator)
    assert (row.last_status, row.queued_runs) == ("succeeded", 0)
    assert row.next_run_at == "2026-01-01T14:00:00.000000Z"


@pytest.mark.parametrize("label", ["reap.before_commit", "reap.after_commit"])
def test_a_process_that_dies_while_it_buries_another_leaves_that_to_the_next(
    db: Database, database_url: str, label: str
) -> None:
    desk = Desk(db)
    curator = desk.add(retry_base_s=0)
    desk.clock.sleep(hours=1)

    die(database_url, "run.during")
    die(database_url, label)
    survivor(desk).run_due()

    assert [(run.state, run.reason, run.attempt) for run in desk.history(curator)] == AGAIN


def test_a_process_that_dies_while_it_reconciles_has_changed_nothing(
    db: Database, database_url: str
) -> None:
    desk = Desk(db)

    die(database_url, "reconcile.before_commit")

    assert desk.scheduler.schedules(retired=True) == []
    assert len(desk.scheduler.reconcile("lsm.toml", [schedule()]).added) == 1


def test_a_dead_owner_is_recognised_at_once_and_not_by_its_silence(
    db: Database, database_url: str
) -> None:
    desk = Desk(db)
    curator = desk.add(on_lost="record")
    desk.clock.sleep(hours=1)
    die(database_url, "run.during")

    desk.another(parallel=0).look()  # the very first look, no time has passed

    assert desk.story(curator) == [("13:00", "lost", "owner_gone")]


def test_a_process_that_was_stopped_meanwhile_cannot_end_its_run(
    db: Database, database_url: str
) -> None:
    desk = Desk(db)
    curator = desk.add(retry_base_s=0)
    desk.clock.sleep(hours=1)
    sleeper = born(database_url, "stop")
    _, status = os.waitpid(sleeper.pid or 0, os.WUNTRACED)
    assert os.WIFSTOPPED(status)

    other = survivor(desk)
    other.look()
    desk.clock.sleep(seconds=31)
    other.run_due()
    os.kill(sleeper.pid or 0, signal.SIGCONT)
    sleeper.join()

    assert [(run.state, run.reason, run.attempt) for run in desk.history(curator)] == [
        ("lost", "owner_silent", 1),
        ("succeeded", None, 2),
    ]
    assert len(db.rows(NOTES)) == 2


def test_eight_processes_that_start_at_once_make_one_schedule(
    db: Database, database_url: str
) -> None:
    children = [born(database_url, "reconcile") for _ in range(8)]
    for child in children:
        child.join()

    assert [child.exitcode for child in children] == [0] * 8
    assert len(Desk(db).scheduler.schedules(retired=True)) == 1


@pytest.mark.long
def test_two_hundred_deaths_of_one_schedule(db: Database, database_url: str) -> None:
    desk = Desk(db)
    curator = desk.add(Every(60), retry_base_s=0, pause_after=0)
    labels = ["run.during", "claim.after_commit", "finish.after_outputs", "plan.after_commit"]
    for number in range(200):
        desk.clock.sleep(minutes=1)
        db.run("DELETE FROM lsm_meta WHERE key LIKE 'note%'")
        die(database_url, labels[number % len(labels)], minutes=number + 1)
        survivor(desk).run_due()

    succeeded = [run.slot_at for run in desk.history(curator) if run.state == "succeeded"]
    assert len(succeeded) == len(set(succeeded)) == 200


def die(url: str, label: str, minutes: int = 60) -> None:
    """A process that works on the database until *label* is reached, and is gone then."""
    child = born(url, label, minutes)
    child.join()
    assert child.exitcode == -signal.SIGKILL, f"{label} was not reached"


def born(url: str, label: str, minutes: int = 60) -> BaseProcess:
    # Not "forkserver" where it is to be waited for by its number: that is the server's child.
    context = multiprocessing.get_context("spawn" if label == "stop" else "forkserver")
    if label != "stop":
        context.set_forkserver_preload([__name__, "lsm.db.postgres", "lsm.db.sqlite"])
    child = context.Process(target=live, args=(url, label, minutes), daemon=True)
    child.start()
    return child


def live(url: str, label: str, minutes: int) -> None:
    """A child's life."""

    def reached(point: str) -> None:
        if point == label:
            os.kill(os.getpid(), signal.SIGKILL)

    with open_database(url) as db:
        desk = Desk(db, terms={"tend_every": 0.1})
        desk.clock.sleep(minutes=minutes)
        desk.agent = Scripted(working(reached, stopping=label == "stop"))
        scheduler = desk.another(reached=reached)
        if label.startswith("reconcile"):
            scheduler.reconcile("lsm.toml", [Schedule(agent="curator", trigger=HOURLY)])
        else:
            scheduler.run_due()


def survivor(desk: Desk):
    desk.agent.script = working(lambda _: None)
    return desk.another()


def working(
    reached: Callable[[str], None], *, stopping: bool = False
) -> Callable[[RunContext], Outcome]:
    """Two outputs, with points in between at which to die."""

    def script(_: RunContext) -> Outcome:
        reached("run.during")
        if stopping:
            threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGSTOP)).start()
            time.sleep(0.3)
        return Outcome(
            apply=(
                lambda db: db.run(NOTE, key="note 0") and None,
                lambda _: reached("outputs.between"),
                lambda db: db.run(NOTE, key="note 1") and None,
            )
        )

    return script
