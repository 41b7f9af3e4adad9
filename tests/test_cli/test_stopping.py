"""Ctrl-C, SIGTERM, two processes at once, and watching."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.test_cli.command import Place

_MANY = 800


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_once_it_keeps_what_is_read_and_goes_on_the_next_time(
    place: Place, number: signal.Signals
) -> None:
    many_documents(place)
    running = place.start("ingest", "notes", "--json")
    until((place.home / "lsm.db").exists, running)

    running.send_signal(number)
    out, err = running.communicate(timeout=60)
    report = json.loads(out)
    rest = place.lsm("ingest", "--json").json

    assert running.returncode == 130
    assert report["interrupted"]
    assert "run again to go on" in err
    assert report["files"]["new"] + rest["files"]["new"] == _MANY + 2
    assert place.lsm("doctor").code == 0


def test_stopped_twice_it_stops_at_once(place: Place) -> None:
    many_documents(place)
    running = place.start("ingest", "notes")
    until((place.home / "lsm.db").exists, running)

    running.send_signal(signal.SIGINT)
    assert running.stderr
    assert running.stderr.readline() == "\n"
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)

    assert running.returncode == 130
    assert "Traceback" not in err
    assert place.lsm("ingest").code == 0
    assert place.lsm("doctor").code == 0


def test_two_at_once_read_everything_once(place: Place) -> None:
    many_documents(place, 200)

    running = [place.start("ingest", "notes", "--json") for _ in range(2)]
    searched = place.lsm("search", "note")
    reports = [json.loads(each.communicate(timeout=120)[0]) for each in running]

    assert [each.returncode for each in running] == [0, 0]
    assert searched.code == 0
    assert sum(report["files"]["new"] for report in reports) == 202
    assert place.lsm("status", "--json").json["files"] == 202
    assert place.lsm("doctor").code == 0


def test_watching_reads_what_changes_and_ends_when_told(place: Place) -> None:
    running = place.start("ingest", "notes", "--watch", "--json")
    assert running.stdout
    first = json.loads(running.stdout.readline())

    # The kernel is asked to watch a moment after the first report: written until it is seen.
    for text in ("an otter", "two otters", "three otters"):
        place.write("late.md", text)
        time.sleep(0.7)
    second = json.loads(running.stdout.readline())
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)

    assert first["files"]["new"] == 2
    assert second["files"]["new"] == 1
    assert running.returncode == 0
    assert "otter" in place.lsm("search", "otter", "-k", "1").text


def test_watching_nothing_says_what_to_name(place: Place) -> None:
    refused = place.lsm("ingest", "--watch")

    assert refused.code == 2
    assert "lsm ingest ~/notes" in refused.err


def many_documents(place: Place, count: int = _MANY) -> None:
    for number in range(count):
        place.write(f"many/{number}.md", f"# Note {number}\n\nAbout number {number * 7}.\n")


def until(happened: Callable[[], bool], running: subprocess.Popen[str]) -> None:
    while not happened():
        assert running.poll() is None
        time.sleep(0.01)
    time.sleep(0.3)
