"""A schedule goes by its id, its key or the beginning of its id, and changes as far as is said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.test_cli.command import Place

MORNING = ("add", "digest", "--key", "morning")


def test_with_a_key_only_what_is_said_changes(place: Place) -> None:
    place.lsm(
        "schedule", *MORNING, "--cron", "0 8 * * *", "--tz", "Europe/Berlin",
        "--overlap", "queue", "--timeout", "10m",
    )  # fmt: skip
    before = config(place)

    done = place.lsm("schedule", *MORNING, "--catch-up", "all", "--json")

    assert set(done.json) == {"schedule_id", "next_run_at"}
    assert config(place) == before | {"catch_up": "all"}
    assert before == {
        "overlap": "queue",
        "catch_up": None,
        "timeout_s": 600,
        "expr": "0 8 * * *",
        "tz": "Europe/Berlin",
    }


def test_every_command_takes_a_key_an_id_or_its_beginning(place: Place) -> None:
    added = place.lsm("schedule", *MORNING, "--every", "1h", "--json").json["schedule_id"]
    named = {
        "show": "morning",
        "next": "morning",
        "pause": added,
        "resume": "dig",
        "run": added.partition(":")[2][:4],
        "history": "digest:",
        "remove": "morning",
    }

    failed = {
        command: done.err
        for command, name in named.items()
        if (done := place.lsm("schedule", command, name, "--json")).code
    }

    assert failed == {}


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [("digest", 2, "write more of it"), ("dug", 1, "no such schedule: dug")],
)
def test_what_may_be_two_is_refused(place: Place, name: str, code: int, says: str) -> None:
    place.lsm("schedule", *MORNING, "--every", "1h")
    place.lsm("schedule", "add", "digest", "--every", "2h")

    done = place.lsm("schedule", "show", name)

    assert (done.code, done.out) == (code, b"")
    assert says in done.err


def row(place: Place) -> dict[str, Any]:
    (only,) = place.lsm("schedule", "list", "--json").json
    return json.loads(only["config_json"])


def config(place: Place) -> dict[str, Any]:
    found = row(place)
    parts = found.get("policy", {}) | found["trigger"]
    names = ("overlap", "catch_up", "timeout_s", "expr", "tz")
    return {name: parts.get(name) for name in names}
