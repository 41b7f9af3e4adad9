"""Each command through the installed entry point, as a person uses it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.test_cli.command import Place

OWN_FILES = {"lsm.toml", "lsm.db", "lsm.db-wal", "lsm.db-shm"}


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_the_main_path_on_either_engine(
    request: pytest.FixtureRequest, place: Place, engine: str
) -> None:
    url = str(place.home / "lsm.db")
    if engine == "postgres":
        url = request.getfixturevalue("postgres_url")

    first = place.lsm("--database", url, "ingest", "notes", "--json")
    again = place.lsm("--database", url, "ingest", "--json")
    found = place.lsm("--database", url, "search", "how often do keys rotate", "--json")
    answer = place.lsm("--database", url, "ask", "how often do keys rotate", "--json")
    shown = place.lsm("--database", url, "show", "notes/keys.md")
    status = place.lsm("--database", url, "status", "--json")
    doctor = place.lsm("--database", url, "doctor")

    assert [r.code for r in (first, again, found, answer, shown, status, doctor)] == [0] * 7
    assert first.json["files"]["new"] == 2
    assert again.json["files"] == first.json["files"] | {"new": 0, "unchanged": 2}
    assert found.json[0]["path"] == str(place.documents / "keys.md")
    assert "We rotate keys every 90 days." in answer.json["citations"][0]["quote"]
    assert shown.out == (place.documents / "keys.md").read_bytes()
    assert status.json["database"]["engine"] == engine
    assert (status.json["version"], status.json["files"]) == (1, 2)


def test_nothing_but_our_files_ever_stands_in_the_home(place: Place) -> None:
    commands = (
        ["init"],
        ["ingest", "notes"],
        ["ingest", "--dry-run"],
        ["search", "keys"],
        ["ask", "keys"],
        ["show", "notes/keys.md"],
        ["status"],
        ["doctor"],
    )
    for command in commands:
        done = place.lsm(*command)

        assert done.code == 0, (command, done.err)
        files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in place.home.iterdir()}
        assert files.keys() <= OWN_FILES, command
        assert {"lsm.toml", "lsm.db"} <= files.keys()
        assert set(files.values()) == {0o600}, command
        assert stat.S_IMODE(place.home.stat().st_mode) == 0o700


def test_init_never_overwrites_a_configuration(place: Place) -> None:
    assert place.lsm("init", "--root", "notes", "--root", "notes").code == 0
    before = (place.home / "lsm.toml").read_bytes()

    again = place.lsm("init", "--root", "notes/studio")
    other = place.lsm("init", "--embedding", "ollama:some")

    assert b'/notes"]' in before
    assert again.code == 0
    assert "unchanged" in again.text
    assert other.code == 2
    assert 'is "wordllama" already' in other.err
    assert (place.home / "lsm.toml").read_bytes() == before


def test_what_init_was_told_is_what_ingest_reads(place: Place) -> None:
    place.lsm("--database", "mind.db", "init", "--root", "notes")

    status = place.lsm("status", "--json").json
    done = place.lsm("ingest", "--json")

    # The path was meant from where init was called, and means the same from anywhere.
    assert status["database"]["path_or_url"] == str(place.folder / "mind.db")
    assert status["roots"] == [str(place.documents)]
    assert done.json["files"]["new"] == 2
    assert [path.name for path in place.home.iterdir()] == ["lsm.toml"]


def test_ingest_without_a_root_says_what_to_do(place: Place) -> None:
    done = place.lsm("ingest", "--json")

    assert done.code == 0
    assert done.json["files"]["seen"] == 0
    assert "lsm ingest ~/notes" in done.err


def test_a_search_before_any_ingest_says_what_to_do(place: Place) -> None:
    found = place.lsm("search", "keys", "--json")
    answer = place.lsm("ask", "keys", "--json")

    assert (found.code, found.json, answer.json["citations"]) == (0, [], [])
    assert "lsm ingest" in found.err
    assert "lsm ingest" in answer.err


@pytest.mark.parametrize("written", ["notes", "./notes/", "~/notes", "notes/../notes"])
def test_a_path_is_the_same_however_it_is_written(place: Place, written: str) -> None:
    place.lsm("ingest", written)

    assert place.lsm("status", "--json").json["roots"] == [str(place.documents)]


def test_a_path_below_a_root_is_no_new_root(place: Place) -> None:
    place.lsm("ingest", "notes")
    place.write("studio/late.md", "late")
    place.write("other.md", "other")

    part = place.lsm("ingest", "notes/studio", "--json").json

    assert (part["files"]["seen"], part["files"]["new"]) == (2, 1)
    assert place.lsm("status", "--json").json["roots"] == [str(place.documents)]


def test_a_dry_run_changes_nothing(place: Place) -> None:
    told = place.lsm("ingest", "notes", "--dry-run", "--json")

    assert (told.json["files"]["new"], told.json["version"]) == (2, None)
    assert place.lsm("status", "--json").json["roots"] == []


@pytest.mark.parametrize(("option", "code"), [((), 3), (("--strict",), 1)])
def test_a_file_that_cannot_be_read_costs_the_exit_status(
    place: Place, option: tuple[str, ...], code: int
) -> None:
    place.write("broken.docx", "not a zip")

    done = place.lsm("ingest", "notes", *option)

    assert done.code == code
    assert "notes/broken.docx" in done.err
    assert "2 new" in done.text


def test_what_is_gone_stays_until_it_is_confirmed(place: Place) -> None:
    place.lsm("ingest", "notes")
    place.documents.rename(place.folder / "unplugged")

    asked = place.lsm("ingest", "--json")
    found = place.lsm("search", "keys", "--json")
    confirmed = place.lsm("ingest", "--confirm-delete", "--json")

    assert asked.code == 1
    assert "--confirm-delete" in asked.err
    assert found.json
    assert confirmed.json["files"]["gone"] == 2
    assert place.lsm("search", "keys", "--json").json == []


def test_show_gives_the_old_text_as_of_then(place: Place) -> None:
    old = place.write("keys.md", "# Keys\n\nEvery 30 days.\n\n\n").read_bytes()
    place.lsm("ingest", "notes")
    new = place.write("keys.md", "# Keys\n\nEvery 90 days.\n").read_bytes()
    place.lsm("ingest")

    assert place.lsm("show", "notes/keys.md", "--as-of", "1").out == old
    assert place.lsm("show", "notes/keys.md").out == new


def test_show_into_a_pipe_is_the_document_to_the_letter(place: Place) -> None:
    text = "Bell \a, colour \x1b[31mred\x1b[0m, accents é \N{KEY}, no line break at its end"
    place.write("odd.txt", text)
    place.lsm("ingest", "notes")

    shown = place.lsm("show", "notes/odd.txt", LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")

    assert shown.out.decode() == text


def test_nothing_that_is_found_can_move_the_cursor(place: Place) -> None:
    place.write("a\x1b[31m\nb.md", "# Odd \x1b]0;title\a heading\n\nodd \x9b2J words \u202e here\n")
    place.lsm("ingest", "notes")

    for command in (["search", "odd words"], ["ask", "odd words"], ["status"]):
        told = place.lsm(*command)

        assert told.code == 0
        assert not set("\x1b\a\x9b\u202e") & set(told.text), command


def test_a_name_that_is_not_utf_8_is_read_found_and_shown(place: Place) -> None:
    name = b"caf\xe9.md".decode("utf-8", "surrogateescape")
    place.write(name, "An espresso machine.\n")
    place.lsm("ingest", "notes")

    found = place.lsm("search", "espresso", "-k", "1")
    listed = place.lsm("search", "espresso", "-k", "1", "--json").json
    by_name = place.lsm("show", f"notes/{name}")
    by_json = place.lsm("show", listed[0]["path"])

    assert "caf\\xe9.md" in found.text
    assert by_name.out == by_json.out == b"An espresso machine.\n"


def test_without_home_or_lsm_home_the_option_is_enough(place: Place) -> None:
    environment = place.environment()

    done = place.lsm("--home", str(place.home), "ingest", "notes", HOME="", LSM_HOME="")

    assert environment["HOME"]
    assert done.code == 0
    assert (place.home / "lsm.db").exists()


def test_a_reader_that_has_seen_enough_is_no_error(sample: Place) -> None:
    command = sample.start("search", "the kiln", "-k", "50", "--json")
    assert command.stdout
    assert command.stderr

    command.stdout.close()  # as `head` does

    with command.stderr as err:
        assert err.read() == ""
    assert command.wait(60) == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a device that is full")
def test_output_that_cannot_be_written_is_told_in_one_line(sample: Place) -> None:
    import subprocess

    from tests.test_cli.command import LSM

    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [LSM, "status"], stdout=full, stderr=subprocess.PIPE, env=sample.environment(),
            check=False,
        )  # fmt: skip

    assert done.returncode == 1
    assert done.stderr == b"lsm: standard output: No space left on device\n"


def test_the_tour_shows_the_main_job_and_leaves_nothing(tmp_path: Path, place: Place) -> None:
    tour = place.lsm("try", TMPDIR=str(tmp_path))

    assert (tour.code, tour.err) == (0, "")
    assert "nothing changed" in tour.text
    assert tour.text.count("\n$ lsm search ") == 3
    assert "\n[1] library/" in tour.text
    assert not place.home.exists()
    assert not list(tmp_path.glob("lsm-try-*"))


def test_the_options_of_a_search_reach_it(place: Place) -> None:
    place.write("studio/.lsm_tags.json", '{"tags": ["clay"]}')
    place.write("studio/firing.md", "---\ntags: [heat]\n---\nThe kiln cools for a day.\n")
    place.lsm("ingest", "notes")
    options = {
        ("--ext", "md", "--ext", ".TXT"): {"keys.md", "firing.md", "kiln.txt"},
        ("--path", "~/notes/studio", "--ext", "md"): {"firing.md"},
        ("--tag", "#Clay", "--tag", "heat", "--since", "1d"): {"firing.md"},
        ("--as-of", "2001-01-01"): set(),
    }

    for given, expected in options.items():
        found = place.lsm("search", "kiln keys", *given, "--json")

        assert (found.code, found.err) == (0, "")
        assert {hit["path"].rsplit("/", 1)[-1] for hit in found.json} == expected, given
