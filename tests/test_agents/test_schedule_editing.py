"""Adding a schedule that is there already changes what is said, and only that."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lsm.agents.editing import Wanted, named
from lsm.agents.schedules import (
    CronTime,
    Every,
    Manual,
    Policy,
    Schedule,
    from_config,
    once,
    told,
)
from lsm.errors import InvalidError, NotFoundError
from tests.test_agents.scheduling import Desk

if TYPE_CHECKING:
    from lsm.agents.rows import ScheduleRow
    from lsm.agents.schedules import Trigger
    from lsm.db import Database

BERLIN = CronTime("0 8 * * *", "Europe/Berlin")
FIRST = Wanted(
    agent="digest",
    key="morning",
    trigger=BERLIN,
    params={"a": 1},
    policy={"overlap": "queue", "timeout_s": 600},
)


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What depends on the engine is tested with the scheduler."""
    return sqlite_url


@pytest.mark.parametrize(
    ("said", "changed"),
    [
        ({}, {}),
        ({"policy": {"overlap": "allow"}}, {"policy": Policy(overlap="allow", timeout_s=600)}),
        ({"trigger": Every(60)}, {"trigger": Every(60)}),
        ({"tz": "Asia/Tokyo"}, {"trigger": CronTime("0 8 * * *", "Asia/Tokyo")}),
        ({"params": {"b": 2}}, {"params": {"b": 2}}),
        ({"params": {}}, {"params": {}}),
    ],
)
def test_with_a_key_only_what_is_said_changes(
    db: Database, said: dict[str, Any], changed: dict[str, Any]
) -> None:
    scheduler = Desk(db).scheduler
    before = scheduler.put(FIRST)

    after = scheduler.put(Wanted(agent="digest", key="morning", **said))

    assert after.schedule_id == before.schedule_id
    old, new = (from_config(row.config_json) for row in (before, after))
    for name in ("trigger", "params", "policy"):
        assert getattr(new, name) == changed.get(name, getattr(old, name)), name


def test_without_a_key_the_same_schedule_keeps_its_policies_too(db: Database) -> None:
    scheduler = Desk(db).scheduler
    hourly = Wanted(agent="digest", trigger=Every(3600), policy={"overlap": "queue"})
    scheduler.put(hourly)

    row = scheduler.put(replace(hourly, policy={"timeout_s": 300}))

    assert from_config(row.config_json).policy == Policy(overlap="queue", timeout_s=300)


def test_what_was_removed_comes_back_as_it_is_said(db: Database) -> None:
    scheduler = Desk(db).scheduler
    scheduler.remove(scheduler.put(FIRST).schedule_id)

    with pytest.raises(InvalidError, match="every, cron and at"):
        scheduler.put(Wanted(agent="digest", key="morning"))
    row = scheduler.put(Wanted(agent="digest", key="morning", trigger=BERLIN))

    assert from_config(row.config_json).policy == Policy()


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        (Wanted(agent="digest"), "every, cron and at"),
        (Wanted(agent="digest", key="new"), "every, cron and at"),
        (
            replace(FIRST, policy={"overlap": "sometimes"}),
            "overlap: 'sometimes' is none of skip, queue, cancel and allow",
        ),
        (
            replace(FIRST, policy={"catch_up": "never"}),
            "catch-up: 'never' is none of latest, skip and all",
        ),
        (replace(FIRST, trigger=None, tz="Mars/Base"), "Mars/Base"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_changes(
    db: Database, wanted: Wanted, problem: str
) -> None:
    scheduler = Desk(db).scheduler
    before = scheduler.put(FIRST)

    with pytest.raises(InvalidError, match=problem):
        scheduler.put(wanted)

    assert scheduler.schedules() == [before]


def test_only_cron_times_have_a_zone(db: Database) -> None:
    scheduler = Desk(db).scheduler
    scheduler.put(replace(FIRST, trigger=Every(60)))

    with pytest.raises(InvalidError, match="only cron times have a zone"):
        scheduler.put(Wanted(agent="digest", key="morning", tz="UTC"))


def test_a_schedule_is_named_by_its_id_its_key_or_the_beginning_of_its_id(db: Database) -> None:
    rows = several(db)
    morning, evening, curator = rows

    def meant(name: str) -> str:
        return named(name, rows).schedule_id

    assert meant("morning") == meant(morning.schedule_id) == morning.schedule_id
    assert meant("cur") == meant(curator.schedule_id[8:12]) == curator.schedule_id
    assert meant(evening.schedule_id[:-1]) == evening.schedule_id


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("digest", InvalidError),
        ("d", InvalidError),
        ("", NotFoundError),
        ("nothing", NotFoundError),
        ("Morning", NotFoundError),
    ],
)
def test_a_name_that_may_be_two_or_none_is_refused(
    db: Database, name: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        named(name, several(db))


def test_what_is_over_is_still_found_by_its_key(db: Database) -> None:
    scheduler = Desk(db).scheduler
    old = scheduler.put(FIRST)
    scheduler.remove(old.schedule_id)

    assert scheduler.find("morning").schedule_id == old.schedule_id


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        (Every(5400), "every 1h30m"),
        (Every(1), "every 1s"),
        (BERLIN, "0 8 * * * Europe/Berlin"),
        (once("2026-12-31T23:00"), "once 2026-12-31T23:00:00Z"),
        (Manual(), "by hand"),
    ],
)
def test_its_times_are_told_as_they_are_written(trigger: Trigger, words: str) -> None:
    assert told(trigger) == words


def test_what_is_over_is_named_by_its_id_and_leaves_its_key_to_others(db: Database) -> None:
    scheduler = Desk(db).scheduler
    old = scheduler.add(Schedule(agent="curator", key="k", trigger=Every(60)))
    scheduler.remove(old.schedule_id)
    new = scheduler.add(Schedule(agent="digest", key="k", trigger=Every(60)))
    scheduler.run_agent("digest")  # leaves a row that is no schedule of anybody

    assert scheduler.find("k").schedule_id == new.schedule_id
    assert scheduler.find("digest").schedule_id == new.schedule_id
    assert scheduler.find("curator").schedule_id == old.schedule_id


def several(db: Database) -> list[ScheduleRow]:
    """Two digests and a curator."""
    scheduler = Desk(db).scheduler
    scheduler.put(FIRST)
    scheduler.put(replace(FIRST, key="evening"))
    scheduler.put(Wanted(agent="curator", trigger=Every(60)))
    rows = scheduler.schedules()
    return sorted(rows, key=lambda row: (row.agent_name == "curator", "evening" in row.config_json))
