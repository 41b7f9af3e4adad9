"""`lsm agent` and `lsm schedule` through the installed entry point."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.test_cli.command import Place

COLUMNS = {
    "schedule_id",
    "agent_name",
    "last_run_at",
    "next_run_at",
    "last_status",
    "last_error",
    "queued_runs",
    "updated_at",
}


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_a_schedule_is_added_run_and_read(
    request: pytest.FixtureRequest, place: Place, engine: str
) -> None:
    url = str(place.home / "lsm.db")
    if engine == "postgres":
        url = request.getfixturevalue("postgres_url")
    place.lsm("--database", url, "ingest", "notes")
    schedule = ("--database", url, "schedule")

    added = place.lsm(*schedule, "add", "digest", "--every", "1h", "--json")
    again = place.lsm(*schedule, "add", "digest", "--every", "60m", "--json")
    ran = place.lsm(*schedule, "run", added.json["schedule_id"], "--json")
    listed = place.lsm(*schedule, "list", "--json")
    history = place.lsm(*schedule, "history", added.json["schedule_id"], "--json")

    assert set(added.json) == {"schedule_id", "next_run_at"}
    assert again.json["schedule_id"] == added.json["schedule_id"]
    assert ran.json["state"] == "succeeded"
    assert "keys.md" in ran.json["report"]
    assert {"run_id", "state", "report", "memories", "candidates"} <= set(ran.json)
    (row,) = listed.json
    assert set(row) >= COLUMNS
    assert (row["last_status"], row["queued_runs"]) == ("succeeded", 0)
    assert [run["run_id"] for run in history.json] == [ran.json["run_id"]]


def test_the_librarian_reads_what_is_new(place: Place) -> None:
    place.lsm("ingest", "notes")
    place.write("new.md", "# New\n\nA note about lichens.\n")

    ran = place.lsm("agent", "run", "librarian", "--json")

    assert ran.json["state"] == "succeeded"
    found = place.lsm("search", "lichens", "-k", "1", "--json").json
    assert found[0]["path"].endswith("new.md")


def test_a_digest_tells_only_what_is_new_since_the_last(place: Place) -> None:
    place.lsm("ingest", "notes")
    place.lsm("agent", "run", "digest")
    place.write("new.md", "# Lichens\n\nThey grow slowly.\n")
    place.lsm("ingest")

    report = place.lsm("agent", "run", "digest", "--json").json["report"]

    assert "Lichens" in report
    assert "keys.md" not in report


def test_a_dry_run_leaves_nothing_behind(place: Place) -> None:
    place.lsm("ingest", "notes")

    tried = place.lsm("agent", "run", "digest", "--dry-run", "--json")

    assert tried.json["state"] == "dry run"
    assert "keys.md" in tried.json["report"]
    assert place.lsm("agent", "run", "digest", "--json").json["report"] == tried.json["report"]


def test_what_is_due_is_done_once_and_the_report_is_kept(place: Place) -> None:
    place.lsm("ingest", "notes")
    # Far enough ahead that a busy machine has added it by then.
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=6)
    added = place.lsm("schedule", "add", "digest", "--at", soon.isoformat(), "--json")
    schedule = added.json["schedule_id"]
    while datetime.now(UTC) <= soon:
        time.sleep(0.1)

    first = place.lsm("schedule", "start", "--once")
    second = place.lsm("schedule", "start", "--once")

    assert first.code == 0, first.err
    assert "succeeded" in first.text
    assert second.text == ""
    (run,) = place.lsm("schedule", "history", schedule, "--json").json
    assert run["state"] == "succeeded"
    assert place.lsm("agent", "show", run["run_id"]).text.startswith("# So far")


def test_paused_is_not_run_and_resumed_is(place: Place) -> None:
    schedule = place.lsm("schedule", "add", "digest", "--every", "1s", "--json").json["schedule_id"]
    paused = place.lsm("schedule", "pause", schedule, "--json")
    time.sleep(1.2)
    place.lsm("schedule", "start", "--once")

    resumed = place.lsm("schedule", "resume", schedule, "--json")

    assert (paused.json["state"], paused.json["next_run_at"]) == ("paused", None)
    assert place.lsm("schedule", "history", schedule, "--json").json == []
    assert resumed.json["state"] == "active"


def test_schedules_of_the_configuration_are_followed(place: Place) -> None:
    place.home.mkdir(mode=0o700)
    entry = '[[agents.schedules]]\nagent = "curator"\ncron = "0 3 * * *"\ntz = "Europe/Berlin"\n'
    (place.home / "lsm.toml").write_text(entry)

    place.lsm("schedule", "start", "--once")
    before = place.lsm("schedule", "list", "--json").json
    (place.home / "lsm.toml").write_text("")
    place.lsm("schedule", "start", "--once")

    assert [(row["agent_name"], row["source"]) for row in before] == [("curator", "lsm.toml")]
    assert place.lsm("schedule", "list", "--json").json == []


def test_the_scheduler_stops_cleanly_when_it_is_asked_to(place: Place) -> None:
    place.lsm("schedule", "add", "digest", "--every", "1s")
    running = place.start("schedule", "start")
    assert running.stdout is not None
    line = running.stdout.readline()

    running.send_signal(signal.SIGTERM)

    _, errors = running.communicate(timeout=30)
    assert running.returncode == 0
    assert "digest" in line
    assert "Traceback" not in errors
    states = {
        run["state"]
        for s in place.lsm("schedule", "list", "--json").json
        for run in place.lsm("schedule", "history", s["schedule_id"], "--json").json
    }
    assert "running" not in states


def test_an_agent_that_there_is_not_is_refused_and_leaves_no_run(place: Place) -> None:
    refused = place.lsm("agent", "run", "nope", "--json")

    assert (refused.code, refused.out) == (1, b"")
    assert place.lsm("schedule", "list", "--json").json == []


def test_next_tells_the_instants_strictly_after(place: Place) -> None:
    told = place.lsm(
        "schedule", "next", "--cron", "30 2 * * *", "--tz", "America/New_York",
        "--after", "2026-03-07T12:00:00-05:00", "-n", "2", "--json",
    )  # fmt: skip

    assert told.json["next"] == ["2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["next", "--cron", "0 0 30 2 *"], 2, "never fires"),
        (["next", "--cron", "61 * * * *"], 2, "character 1"),
        (["next", "--cron", "0 0 * * *", "--tz", "Berlin"], 2, "Europe/Berlin"),
        (["next"], 2, "name a schedule or --cron"),
        (["add", "digest"], 2, "every, cron and at"),
        (["add", "digest", "--every", "0s"], 2, "at least 1s"),
        (["add", "digest", "--every", "1h", "--overlap", "sometimes"], 2, "sometimes"),
        (["add", "digest", "--at", "2001-01-01T00:00"], 2, "past"),
        (["add", "diggest", "--every", "1h"], 1, "did you mean digest?"),
        (["add", "digest", "--every", "1h", "--param", "nonsense"], 2, "K=V"),
        (["show", "nothing"], 1, "no such schedule"),
    ],
)
def test_what_cannot_be_scheduled_is_one_line(
    place: Place, arguments: list[str], code: int, says: str
) -> None:
    done = place.lsm("schedule", *arguments)

    assert done.code == code, done.err
    assert done.out == b""
    assert len(done.err.splitlines()) == 1
    assert says in done.err


def test_torture_tells_that_nothing_was_lost(place: Place) -> None:
    done = place.lsm("schedule", "torture", "--seconds", "2", "--processes", "3", "--json")

    assert done.code == 0, done.err
    assert done.json["problems"] == []
    assert done.json["succeeded"] > 0
