"""What a configuration declares becomes rows; rows it does not know stay as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from lsm.agents.runtime import Outcome
from lsm.agents.schedules import CronTime, Every, Once, Schedule
from lsm.clock import to_text
from lsm.errors import ConfigError, InvalidError, RefusedError
from tests.test_agents.one_postgres import postgres_url, shared_postgres  # noqa: F401 - fixtures
from tests.test_agents.scheduling import HOURLY, NOON, Desk, schedule

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.db import Database

TOML = "lsm.toml"
DIGEST = Schedule(agent="digest", trigger=HOURLY)
CURATOR = Schedule(agent="curator", trigger=HOURLY)
ROWS = "SELECT * FROM lsm_agent_schedules ORDER BY schedule_id"


def test_what_is_declared_is_active_from_now_on(db: Database) -> None:
    desk = Desk(db)

    result = desk.scheduler.reconcile(TOML, [DIGEST, CURATOR])

    rows = desk.scheduler.schedules()
    assert sorted(result.added) == [row.schedule_id for row in rows]
    assert {row.state for row in rows} == {"active"}
    assert {row.next_run_at for row in rows} == {"2026-01-01T13:00:00.000000Z"}
    assert {row.source for row in rows} == {TOML}


def test_an_unchanged_configuration_writes_nothing_and_takes_no_lock(
    db: Database, open_again: Callable[[], Database]
) -> None:
    desk = Desk(db)
    desk.scheduler.reconcile(TOML, [DIGEST, CURATOR])
    before = db.rows(ROWS)
    desk.clock.sleep(hours=5)
    calm = open_again()
    calm.run = calm.transaction = None  # pyright: ignore[reportAttributeAccessIssue]

    result = desk.another(calm).reconcile(TOML, [CURATOR, DIGEST])

    assert result.unchanged == 2
    assert db.rows(ROWS) == before


def test_what_another_source_declared_is_left_alone(db: Database) -> None:
    desk = Desk(db)
    by_command = desk.scheduler.add(DIGEST)
    legacy = desk.scheduler.add(Schedule(agent="old", trigger=HOURLY), source="legacy")

    result = desk.scheduler.reconcile(TOML, [CURATOR])

    assert result.retired == []
    assert desk.row(by_command.schedule_id) == by_command
    assert desk.row(legacy.schedule_id) == legacy


def test_an_entry_that_is_gone_is_retired_and_its_waiting_runs_are_cancelled(db: Database) -> None:
    desk = Desk(db)
    (curator,) = desk.scheduler.reconcile(TOML, [CURATOR]).added
    desk.clock.sleep(hours=1)
    desk.another(parallel=0).look()
    assert desk.row(curator).queued_runs == 1

    result = desk.scheduler.reconcile(TOML, [])

    row = desk.row(curator)
    assert result.retired == [curator]
    assert (row.state, row.next_run_at, row.queued_runs) == ("retired", None, 0)
    assert desk.story(curator) == [("13:00", "cancelled", "retired")]
    assert desk.scheduler.schedules() == []
    assert desk.scheduler.schedules(retired=True) == [row]


def test_an_entry_that_comes_back_finds_its_history_and_runs_from_now(db: Database) -> None:
    desk = Desk(db)
    (curator,) = desk.scheduler.reconcile(TOML, [CURATOR]).added
    desk.clock.sleep(hours=1)
    desk.scheduler.run_due()
    desk.scheduler.reconcile(TOML, [])
    desk.clock.sleep(hours=24, minutes=30)

    desk.scheduler.reconcile(TOML, [CURATOR])
    desk.scheduler.run_due()

    assert desk.row(curator).next_run_at == "2026-01-02T14:00:00.000000Z"
    assert desk.story(curator) == [("13:00", "succeeded", None)]


def test_another_policy_changes_the_row_and_not_its_plan(db: Database) -> None:
    desk = Desk(db)
    (curator,) = desk.scheduler.reconcile(TOML, [CURATOR]).added
    before = desk.row(curator)
    desk.clock.sleep(hours=3)  # overdue

    result = desk.scheduler.reconcile(TOML, [schedule(overlap="queue", timeout_s=5)])

    after = desk.row(curator)
    assert result.changed == [curator]
    assert after.config_hash != before.config_hash
    assert (after.next_slot_at, after.next_run_at) == (before.next_slot_at, before.next_run_at)
    assert after.anchor_at == before.anchor_at


def test_another_trigger_of_a_keyed_schedule_is_planned_from_now(db: Database) -> None:
    desk = Desk(db)
    keyed = Schedule(agent="curator", trigger=HOURLY, key="nightly")
    (curator,) = desk.scheduler.reconcile(TOML, [keyed]).added
    desk.clock.sleep(minutes=30)

    desk.scheduler.reconcile(TOML, [msgspec.structs.replace(keyed, trigger=Every(600))])

    assert desk.row(curator).next_run_at == "2026-01-01T12:40:00.000000Z"


def test_an_edited_trigger_carries_over_when_it_ran_last(db: Database) -> None:
    desk = Desk(db)
    (before,) = desk.scheduler.reconcile(TOML, [CURATOR]).added
    desk.clock.sleep(hours=1)
    desk.scheduler.run_due()

    edited = Schedule(agent="curator", trigger=Every(7200))
    (after,) = desk.scheduler.reconcile(TOML, [edited]).added

    assert desk.row(before).state == "retired"
    assert desk.row(after).renamed_from == before
    assert desk.row(after).last_run_at == desk.row(before).last_run_at


@pytest.mark.parametrize(
    "edited",
    [
        [Schedule(agent="curator", trigger=Every(7200), params={"other": 1})],
        [Schedule(agent="curator", trigger=Every(n)) for n in (7200, 10)],
        [Schedule(agent="digest", trigger=Every(7200))],
    ],
)
def test_what_may_be_another_schedule_carries_nothing_over(
    db: Database, edited: list[Schedule]
) -> None:
    desk = Desk(db)
    desk.scheduler.reconcile(TOML, [CURATOR])
    desk.clock.sleep(hours=1)
    desk.scheduler.run_due()

    added = desk.scheduler.reconcile(TOML, edited).added

    assert {desk.row(each).renamed_from for each in added} == {None}
    assert {desk.row(each).last_run_at for each in added} == {None}


def test_two_entries_that_are_one_schedule_are_an_error_that_names_both(db: Database) -> None:
    desk = Desk(db)

    with pytest.raises(ConfigError, match=r"entries 1 and 3 are the same schedule of curator"):
        desk.scheduler.reconcile(TOML, [CURATOR, DIGEST, schedule(overlap="allow")])

    assert desk.scheduler.schedules() == []


def test_one_bad_entry_is_a_problem_and_the_others_run(db: Database) -> None:
    desk = Desk(db)
    bad = Schedule(agent="bad", trigger=CronTime("61 * * * *", "UTC"))

    result = desk.scheduler.reconcile(TOML, [bad, CURATOR])

    assert [row.agent_name for row in desk.scheduler.schedules()] == ["curator"]
    assert result.problems[0].startswith("schedule 1 (bad): cron '61 * * * *', character 1")


def test_beside_a_bad_entry_nothing_is_retired(db: Database) -> None:
    desk = Desk(db)
    (curator,) = desk.scheduler.reconcile(TOML, [CURATOR]).added

    desk.scheduler.reconcile(TOML, [Schedule(agent="curator", trigger=Every(0))])

    assert desk.row(curator).state == "active"


def test_a_switched_off_entry_is_paused_until_it_is_switched_on(db: Database) -> None:
    desk = Desk(db)
    off = msgspec.structs.replace(CURATOR, enabled=False)
    (curator,) = desk.scheduler.reconcile(TOML, [CURATOR]).added
    desk.scheduler.reconcile(TOML, [off])
    paused = desk.row(curator)
    desk.clock.sleep(hours=5, minutes=1)

    desk.scheduler.reconcile(TOML, [CURATOR])

    assert (paused.state, paused.pause_reason) == ("paused", "config")
    assert desk.row(curator).next_run_at == "2026-01-01T18:00:00.000000Z"


def test_what_a_person_paused_stays_paused_when_its_entry_changes(db: Database) -> None:
    desk = Desk(db)
    (curator,) = desk.scheduler.reconcile(TOML, [CURATOR]).added
    desk.scheduler.pause(curator)

    desk.scheduler.reconcile(TOML, [schedule(jitter_s=1)])

    assert (desk.row(curator).state, desk.row(curator).pause_reason) == ("paused", "user")


def test_a_row_that_cannot_be_read_is_mended_by_its_entry(db: Database) -> None:
    desk = Desk(db)
    (curator,) = desk.scheduler.reconcile(TOML, [CURATOR]).added
    db.run("UPDATE lsm_agent_schedules SET config_json = 'x', config_hash = 'x'")
    desk.clock.sleep(hours=1)
    desk.scheduler.run_due()
    assert desk.row(curator).pause_reason == "unreadable"

    desk.scheduler.reconcile(TOML, [CURATOR])

    assert (desk.row(curator).state, desk.row(curator).pause_reason) == ("active", None)


def test_an_entry_takes_over_a_schedule_that_was_there_before_with_its_history(
    db: Database,
) -> None:
    desk = Desk(db)
    row = desk.scheduler.add(CURATOR, source="legacy")
    desk.clock.sleep(hours=1)
    desk.scheduler.run_due()

    desk.scheduler.reconcile(TOML, [CURATOR])

    assert desk.row(row.schedule_id).source == TOML
    assert desk.row(row.schedule_id).last_status == "succeeded"
    assert desk.row(row.schedule_id).next_run_at == "2026-01-01T14:00:00.000000Z"


def test_an_instant_that_is_past_is_refused_unless_catching_up_was_asked_for(db: Database) -> None:
    desk = Desk(db)
    past = Once("2026-01-01T11:00:00Z")

    with pytest.raises(InvalidError, match="is past"):
        desk.add(past)
    backup = desk.add(past, catch_up="latest")
    desk.scheduler.run_due()

    assert desk.story(backup) == [("11:00", "succeeded", None)]
    assert desk.row(backup).state == "exhausted"


def test_a_fired_instant_in_the_configuration_is_no_problem(db: Database) -> None:
    desk = Desk(db)
    entry = Schedule(agent="backup", trigger=Once("2026-01-01T13:00:00Z"))
    desk.scheduler.reconcile(TOML, [entry])
    desk.clock.sleep(hours=1)
    desk.scheduler.run_due()
    desk.clock.sleep(hours=1)

    result = desk.scheduler.reconcile(TOML, [entry])

    assert (result.problems, result.unchanged) == ([], 1)


def test_a_schedule_may_run_when_it_is_made(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add(run_on_create=True)

    (run,) = desk.scheduler.run_due()

    assert (run.schedule_id, run.origin) == (curator, "manual")
    assert desk.row(curator).next_run_at == "2026-01-01T13:00:00.000000Z"


def test_a_restart_does_not_put_an_interval_off(db: Database) -> None:
    desk = Desk(db)
    (curator,) = desk.scheduler.reconcile(TOML, [CURATOR]).added
    for _ in range(3):
        desk.clock.sleep(minutes=50)
        desk.another().reconcile(TOML, [CURATOR])
        desk.another().run_due()

    assert [run.slot_at[11:16] for run in desk.history(curator)] == ["13:00", "14:00"]


def test_adding_what_is_there_changes_its_policy_only(db: Database) -> None:
    desk = Desk(db)
    first = desk.scheduler.add(CURATOR)
    desk.clock.sleep(minutes=10)

    same = desk.scheduler.add(CURATOR)
    other = desk.scheduler.add(schedule(overlap="queue"))

    assert same == first
    assert (other.schedule_id, other.next_run_at) == (first.schedule_id, first.next_run_at)
    assert other.updated_at == to_text(desk.clock.now) != first.updated_at


def test_what_was_added_can_be_removed_and_what_a_file_declares_cannot(db: Database) -> None:
    desk = Desk(db)
    added = desk.add()
    (declared,) = desk.scheduler.reconcile(TOML, [DIGEST]).added

    desk.scheduler.remove(added)
    with pytest.raises(RefusedError, match=r"lsm\.toml declares it"):
        desk.scheduler.remove(declared)

    assert [row.schedule_id for row in desk.scheduler.schedules()] == [declared]


def test_a_run_that_goes_on_ends_though_its_schedule_has_been_retired(db: Database) -> None:
    desk = Desk(db)
    curator = desk.add()

    def removed(_: Any) -> Outcome:
        desk.another().remove(curator)
        return Outcome()

    desk.agent.script = removed
    desk.clock.sleep(hours=1)
    desk.scheduler.run_due()

    assert desk.story(curator) == [("13:00", "succeeded", None)]
    assert desk.row(curator).state == "retired"


def test_the_anchor_is_a_whole_second(db: Database) -> None:
    desk = Desk(db)
    desk.clock.sleep(seconds=1.75)

    row = desk.scheduler.add(CURATOR)

    assert row.anchor_at == "2026-01-01T12:00:01.000000Z"
    assert row.created_at == to_text(desk.clock.now) > to_text(NOON)
