"""`lsm migrate legacy` as it is typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lsm.db import open_database
from tests.test_cli.command import Place
from tests.test_migration.old_home import OldHome, entry, manifest_key, memory, schedule

if TYPE_CHECKING:
    from pathlib import Path

KINDS = [
    "memories", "candidates", "schedules", "manifest", "stats_cache", "remote_cache", "feeds",
]  # fmt: skip
NUMBERS = ("source", "imported", "identical", "merged", "conflict", "quarantined", "skipped")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A home that is not made yet, and one of the predecessor."""
    made = Place(tmp_path, tmp_path / "home", tmp_path / "notes")
    made.documents.mkdir()
    (made.documents / "Kiln.md").write_text("# Kiln\n\nFired on fridays.\n", "utf-8")
    return made


@pytest.fixture
def old(place: Place) -> OldHome:
    """A home with a record of every kind."""
    home = OldHome(place.folder / "Local Second Mind")
    home.root.mkdir()
    home.remember(memory(1, value_json='"the kiln is fired on fridays"'))
    home.remember(memory(2), status="pending")
    home.write_schedules(schedule())
    home.write_manifest({manifest_key(place.documents / "Kiln.md"): entry(b"older")})
    home.write_statistics()
    home.write_answer("arxiv", "dark matter")
    home.write_feed("https://example.org/feed", ["1", "2"])
    return home


def test_moving_in_from_the_trial_to_the_first_search(place: Place, old: OldHome) -> None:
    tried = place.lsm("migrate", "legacy", old.root, "--json")
    nothing = place.lsm("memory", "list", "--json")
    done = place.lsm("migrate", "legacy", old.root, "--apply", "--json")
    again = place.lsm("migrate", "legacy", old.root, "--apply", "--json")

    assert (tried.code, done.code, again.code) == (0, 0, 0)
    assert nothing.json == []
    assert list(done.json["kinds"]) == KINDS
    assert all(set(NUMBERS) <= set(kind) for kind in done.json["kinds"].values())
    assert [done.json["kinds"][kind]["imported"] for kind in KINDS] == [2, 2, 1, 1, 0, 1, 1]
    assert [again.json["kinds"][kind]["identical"] for kind in KINDS] == [2, 2, 1, 1, 0, 1, 1]
    assert tried.json["kinds"] == done.json["kinds"]
    assert (done.json["verified"], done.json["problems"]) == (True, [])

    found = place.lsm("memory", "search", "when is the kiln fired", "--json").json
    assert found[0]["id"] == memory(1)["id"]
    assert found[0]["parts"]["vector"] > 0
    assert [each["id"] for each in place.lsm("memory", "candidates", "--json").json] != []
    assert place.lsm("schedule", "list", "--json").json[0]["state"] == "paused"
    assert place.lsm("cache", "list", "--json").json[0]["provider"] == "arxiv"
    assert place.lsm("doctor").code == 0
    assert place.lsm("ingest", place.documents, "--json").json["files"]["new"] == 1
    assert place.lsm("doctor").code == 0


def test_what_a_source_answered_then_is_an_answer_offline(place: Place, old: OldHome) -> None:
    place.home.mkdir()
    settings = "[remote.providers.arxiv]\nenabled = true\n"
    (place.home / "lsm.toml").write_text(settings, "utf-8")
    place.lsm("migrate", "legacy", old.root, "--apply")

    found = place.lsm("remote", "search", "arxiv", "dark matter", "--offline", "--json").json

    assert (found["cached"], found["stale"]) == (True, True)
    assert [each["title"] for each in found["results"]] == ["A paper"]


def test_for_people_it_says_what_became_of_everything(place: Place, old: OldHome) -> None:
    old.remember(memory(3, value_json="NaN"))

    tried = place.lsm("migrate", "legacy", old.root)
    done = place.lsm("migrate", "legacy", old.root, "--apply")

    assert "memories        3 found: 2 to bring over, 1 set aside" in tried.text
    assert tried.text.endswith("nothing was changed; run again with --apply\n")
    assert "memories        3 found: 2 brought over, 1 set aside" in done.text
    assert "verified: every record was read back" in done.text
    assert f"memories {memory(3)['id']}: value_json holds nan" in done.err
    assert "note: schedules 0:curator: paused; start it with: lsm schedule resume" in done.err


def test_what_was_set_aside_can_be_read(place: Place, old: OldHome) -> None:
    old.remember(memory(3, value_json="NaN"))
    place.lsm("migrate", "legacy", old.root, "--apply")

    rows = place.lsm("migrate", "quarantine", "--json").json
    told = place.lsm("migrate", "quarantine")

    assert [row["kind"] for row in rows] == ["candidates", "memories"]
    assert '"value_json":"NaN"' in rows[1]["original"]
    assert '"value_json":"NaN"' in told.text


def test_an_unreadable_file_ends_with_status_3_and_holds_deletions(
    place: Place, old: OldHome
) -> None:
    old.manifest.write_text("{", "utf-8")

    done = place.lsm("migrate", "legacy", old.root, "--apply")
    found = place.lsm("migrate", "legacy", old.root, "--apply", "--json")

    assert (done.code, found.code) == (3, 3)
    assert "known files     cannot be read; nothing was taken over" in done.text
    assert "lsm ingest --confirm-delete" in done.err
    assert found.json["verified"] is False
    assert found.json["kinds"]["manifest"]["state"] == "unreadable"
    assert found.json["kinds"]["memories"]["identical"] == 2


@pytest.mark.parametrize("name", ["nowhere", "notes"])
def test_a_folder_that_is_no_home_is_refused(place: Place, name: str) -> None:
    done = place.lsm("migrate", "legacy", place.folder / name)

    assert (done.code, done.out) == (2, b"")
    assert "nothing of a predecessor is there" in done.err
    assert done.err.count("\n") == 1


def test_a_configuration_that_cannot_be_read_is_refused(place: Place, old: OldHome) -> None:
    done = place.lsm("migrate", "legacy", old.root, "--config", place.folder / "none.json")

    assert done.code == 2
    assert "none.json" in done.err
    assert done.err.count("\n") == 1


def test_what_is_told_of_many_records_alike_is_told_once(place: Place, old: OldHome) -> None:
    for number in range(3, 9):
        old.remember(memory(number, value_json="NaN"))

    tried = place.lsm("migrate", "legacy", old.root)

    assert tried.err.count("value_json holds nan") == 1
    assert f"memories {memory(3)['id']} and 5 more: value_json holds nan" in tried.err
    assert "--json lists them all" in tried.err


def test_a_file_that_cannot_be_read_is_named_once(place: Place, old: OldHome) -> None:
    old.manifest.unlink()
    old.manifest.mkdir()

    (problem,) = [
        each
        for each in place.lsm("migrate", "legacy", old.root, "--json").json["problems"]
        if each["kind"] == "manifest"
    ]

    assert problem["key"] == str(old.manifest)
    assert problem["reason"] == "Is a directory"


def test_files_that_were_only_known_are_no_files_of_the_library(place: Place, old: OldHome) -> None:
    here = manifest_key(place.documents / "Kiln.md")
    old.write_manifest({here: entry(b"older"), "/gone/for/good.md": entry(b"gone")})
    place.lsm("migrate", "legacy", old.root, "--apply")

    before = place.lsm("status", "--json").json
    place.lsm("ingest", place.documents)
    after = place.lsm("status", "--json").json

    assert (before["files"], before["unread"], before["chunks"]) == (0, 2, 0)
    assert (after["files"], after["unread"]) == (1, 1)
    assert "unread     1 files the predecessor knew" in place.lsm("status").text


def test_a_second_import_at_the_same_time_is_refused(place: Place, old: OldHome) -> None:
    place.lsm("init")
    with open_database(str(place.home / "lsm.db")) as db, db.hold("move-in"):
        refused = place.lsm("migrate", "legacy", old.root, "--apply")
    done = place.lsm("migrate", "legacy", old.root, "--apply")

    assert (refused.code, done.code) == (1, 0)
    assert "busy" in refused.err


def test_the_group_lists_both_moves(place: Place) -> None:
    told = place.lsm("migrate", "--help")

    assert "\n  legacy " in told.text
    assert "\n  database " in told.text
