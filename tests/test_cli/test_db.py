"""`lsm db` and `lsm export`, through the installed command."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.test_cli.command import Place


def test_a_backup_is_made_pruned_past_and_restored(place: Place) -> None:
    place.lsm("ingest", "notes")
    made = place.lsm("db", "backup", "mind.db", "--json")
    place.write("keys.md", "# Keys\n\nWe no longer rotate keys.\n")
    place.lsm("ingest")
    pruned = place.lsm("db", "prune", "--keep-versions", "1", "--json")
    shrunk = place.lsm("db", "vacuum", "--json")

    restored = place.lsm("db", "restore", "mind.db", "--json")

    assert (made.code, pruned.code, shrunk.code, restored.code) == (0, 0, 0, 0)
    assert made.json["tables"] == restored.json["tables"]
    assert (pruned.json["oldest"], pruned.json["documents"], pruned.json["chunks"]) == (2, 1, 1)
    assert shrunk.json["after"] <= shrunk.json["before"]
    assert os.path.exists(restored.json["kept"])
    assert "every 90 days" in place.lsm("search", "rotate keys").text
    assert place.lsm("doctor").code == 0


def test_a_backup_is_not_replaced(place: Place) -> None:
    (place.folder / "mind.db").write_text("mine")

    told = place.lsm("db", "backup", "mind.db")

    assert told.code == 1
    assert told.err.count("\n") == 1
    assert "is there already" in told.err


def test_info_and_check_in_json(sample: Place) -> None:
    info = sample.lsm("db", "info", "--json")
    check = sample.lsm("db", "check", "--json")

    assert info.json["tables"]["lsm_documents"] > 40
    assert {"engine", "bytes", "free_bytes", "file_system", "schema", "database_id"} <= set(
        info.json
    )
    assert check.json["ok"]
    assert {"integrity", "words", "manifest"} <= {each["name"] for each in check.json["checks"]}
    assert check.code == 0


def test_check_costs_the_exit_status(place: Place) -> None:
    place.home.mkdir(mode=0o700)
    (place.home / "made").write_text("no database")
    (place.home / "made").rename(place.home / "lsm.db")

    told = place.lsm("db", "check", "--json")

    assert told.code == 1
    assert not told.json["ok"]


@pytest.mark.parametrize(
    "arguments",
    [(), ("--keep-versions", "0"), ("--keep-versions", "1", "--older-than", "1d"),
     ("--older-than", "soon")],
)  # fmt: skip
def test_a_prune_that_is_not_clear_is_refused(place: Place, arguments: tuple[str, ...]) -> None:
    told = place.lsm("db", "prune", *arguments)

    assert told.code == 2
    assert told.err.count("\n") == 1


def test_reindex_says_what_it_did(place: Place) -> None:
    place.lsm("ingest", "notes")

    told = place.lsm("db", "reindex", "--json")

    assert "2 texts indexed" in told.json["done"]


def test_repair_in_json(place: Place) -> None:
    place.lsm("ingest", "notes")

    told = place.lsm("doctor", "--repair", "--json")

    assert told.code == 0
    assert (told.json["ok"], told.json["backup"], told.json["repaired"]) == (True, None, [])
    assert place.lsm("doctor", "--backed-up").code == 2


def test_export_writes_a_folder(sample: Place) -> None:
    told = sample.lsm("export", "out", "--json")
    again = sample.lsm("export", "out")

    assert told.json["tables"]["lsm_documents"] > 40
    lines = (sample.folder / "out" / "tables" / "lsm_documents.jsonl").read_bytes().splitlines()
    assert len([json.loads(line) for line in lines]) == told.json["tables"]["lsm_documents"]
    assert (again.code, again.err.count("\n")) == (1, 1)


def test_help_names_every_part(sample: Place) -> None:
    told = sample.lsm("db", "--help")

    for name in ("backup", "check", "digest", "info", "prune", "reindex", "restore", "vacuum"):
        assert f"\n  {name} " in told.text


def test_an_ingest_that_is_killed_leaves_a_sound_database(place: Place) -> None:
    for number in range(300):
        place.write(f"{number}.md", f"# Note {number}\n\n" + f"Word{number} and more. " * 200)
    for wait in (0.6, 0.9):
        running = place.start("ingest", "notes")
        time.sleep(wait)
        running.send_signal(signal.SIGKILL)
        running.communicate()

        told = place.lsm("doctor", "--json")

        assert [each for each in told.json["checks"] if not each["ok"]] == []
