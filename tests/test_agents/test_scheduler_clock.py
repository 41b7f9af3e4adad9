"""Clocks that are set, machines that sleep, zones that change: nothing twice, no storm."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from lsm.agents.schedules import Policy, Schedule, at_cron
from lsm.agents.slots import zone_release
from lsm.clock import from_text, to_text
from tests.test_agents.cron_oracle import fires, walk
from tests.test_agents.one_postgres import postgres_url, shared_postgres  # noqa: F401 - fixtures
from tests.test_agents.scheduling import NOON, Desk, FakeClock

if TYPE_CHECKING:
    from lsm.db import Database

MINUTELY = at_cron("* * * * *")
EXPRESSIONS = ("30 2 * * *", "0 0 * * *", "*/30 0-3 * * *", "15,45 1 * * 0")
CHANGES = {
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Europe/Berlin": ("2026-03-29", "2026-10-25"),
    "Australia/Lord_Howe": ("2026-04-05", "2026-10-04"),
    "America/Santiago": ("2026-04-05", "2026-09-06"),
    "Africa/Cairo": ("2026-04-24", "2026-10-30"),
    "Asia/Kathmandu": ("1986-01-01",),
}


def test_a_month_asleep_is_one_run(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add(MINUTELY)

    desk.clock.sleep(days=30)
    ended = desk.scheduler.run_due()

    assert [run.coalesced for run in ended] == [30 * 1440 - 1]
    assert desk.row(curator).next_run_at == to_text(desk.clock.now + timedelta(minutes=1))


def test_hourly_make_ups_are_spread(db: Database) -> None:
    desk = Desk(db)
    for number in range(5):
        desk.scheduler.add(Schedule(agent=f"a{number}", trigger=at_cron("0 * * * *")))
    desk.clock.sleep(hours=5, minutes=10)

    desk.another(parallel=0).look()

    runs = db.rows("SELECT not_before FROM lsm_agent_runs ORDER BY not_before")
    waits = [(from_text(row["not_before"]) - desk.clock.now).total_seconds() for row in runs]
    assert waits == [0, 2, 4, 6, 8]


def test_a_clock_set_back_repeats_nothing_and_goes_on_where_it_had_been(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add(at_cron("0 * * * *"))
    for _ in range(12):
        desk.clock.sleep(hours=1)
        desk.scheduler.run_due()
    desk.scheduler.look()

    desk.clock.now -= timedelta(hours=8)
    desk.scheduler.look()
    moved = desk.row(curator).next_run_at
    for _ in range(10):
        desk.clock.sleep(hours=1)
        desk.scheduler.run_due()

    slots = [context.slot_at for context in desk.agent.seen]
    assert moved == "2026-01-01T17:00:00.000000Z"
    assert slots == [NOON + timedelta(hours=n) for n in range(1, 15)]
    assert {run.state for run in desk.history(curator)} == {"succeeded"}
    assert "clock went back by 28800 s" in next(
        event.text for event in desk.events if event.kind == "clock_jump"
    )


def test_a_clock_that_was_years_ahead_does_not_silence_a_schedule(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add(at_cron("0 * * * *"))
    desk.clock.now += timedelta(days=1500)
    desk.another(parallel=0).look()
    assert desk.row(curator).queued_runs == 1

    desk.clock.now -= timedelta(days=1500)
    restarted = desk.another()
    restarted.run_due()
    for _ in range(3):
        desk.clock.sleep(hours=1)
        restarted.run_due()

    assert [context.slot_at.year for context in desk.agent.seen] == [2030, 2026, 2026, 2026]


def test_a_clock_three_days_ahead_and_back_storms_nothing(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add(at_cron("*/10 * * * *"))
    desk.clock.sleep(minutes=10)
    desk.scheduler.run_due()
    desk.scheduler.look()

    desk.clock.now += timedelta(days=3)
    desk.scheduler.look()
    desk.scheduler.run_due()
    desk.clock.now -= timedelta(days=3)
    desk.scheduler.look()
    for _ in range(6):
        desk.clock.sleep(minutes=10)
        desk.scheduler.run_due()

    slots = [context.slot_at for context in desk.agent.seen]
    assert len(slots) == len(set(slots)) == 8
    assert [run.coalesced for run in desk.history(curator)][-1] == 3 * 144 - 1
    assert [event.kind for event in desk.events if event.kind == "clock_jump"] == ["clock_jump"] * 2


@pytest.mark.parametrize("years", [10, -56])
def test_a_clock_far_off_still_plans_one_run_and_a_next_slot(db: Database, years: int) -> None:
    desk = Desk(db)
    curator = desk.add(at_cron("0 3 * * *", "Europe/Berlin"))

    desk.clock.now = desk.clock.now.replace(year=2026 + years)
    desk.scheduler.look()
    desk.scheduler.run_due()

    assert len(desk.agent.seen) == (years > 0)
    ahead = from_text(desk.row(curator).next_run_at or "") - desk.clock.now
    assert timedelta() < ahead < timedelta(days=1)


def test_a_small_correction_of_the_clock_is_no_jump(db: Database) -> None:
    desk = Desk(db)
    desk.scheduler.look()
    desk.clock.now += timedelta(seconds=4)

    desk.scheduler.look()

    assert desk.events == []


def test_a_new_release_of_the_zone_rules_moves_future_slots_only(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add(at_cron("0 * * * *"))
    desk.clock.sleep(hours=1)
    desk.scheduler.run_due()
    wrong = {"slot": "2026-01-01T14:30:00.000000Z", "release": "1999a"}
    db.run(
        "UPDATE lsm_agent_schedules"
        "   SET next_slot_at = :slot, next_run_at = :slot, planned_with = :release",
        **wrong,
    )

    desk.another().run_due()

    row = desk.row(curator)
    assert (row.next_slot_at, row.planned_with) == ("2026-01-01T14:00:00.000000Z", zone_release())
    assert desk.story(curator) == [("13:00", "succeeded", None)]


@pytest.mark.parametrize(
    ("zone", "day"), [(zone, day) for zone, days in CHANGES.items() for day in days]
)
def test_around_a_change_of_the_clocks_slots_are_those_of_the_oracle(
    sqlite_url: str, zone: str, day: str
) -> None:
    middle = datetime.fromisoformat(day).replace(tzinfo=UTC)

    compare(sqlite_url, zone, middle - timedelta(days=1), timedelta(days=3))


@pytest.mark.long
@pytest.mark.parametrize("zone", CHANGES)
def test_a_year_s_slots_are_those_of_the_oracle(database_url: str, zone: str) -> None:
    year = 1986 if zone == "Asia/Kathmandu" else 2026

    compare(database_url, zone, datetime(year - 1, 12, 30, tzinfo=UTC), timedelta(days=370))


def compare(url: str, zone: str, start: datetime, length: timedelta) -> None:
    """Every slot, planned by a clock that goes from one to the next, against the plain walk."""
    from lsm.db import open_database

    with open_database(url) as db:
        desk = Desk(db, FakeClock(start - timedelta(minutes=1)))
        planner = desk.another(parallel=0)
        ids = [
            planner.add(
                Schedule(agent="a", trigger=at_cron(expr, zone), policy=Policy(overlap="allow"))
            ).schedule_id
            for expr in EXPRESSIONS
        ]
        while True:
            following = min(desk.row(each).next_run_at or "" for each in ids)
            if from_text(following) >= start + length:
                break
            desk.clock.sleep(seconds=(from_text(following) - desk.clock.now).total_seconds())
            planner.look()

        minutes = walk(zone, start, length)
        for each, expr in zip(ids, EXPRESSIONS, strict=True):
            planned = [from_text(run.slot_at) for run in desk.history(each)]
            assert planned == fires(expr, minutes), expr
