"""Databases that earlier versions wrote open with this one, and nothing in them is lost.

`old_databases` keeps one file of every schema that was published, made by the program of that
time. None is ever made again: that the old program wrote it is what makes it a test.
"""

from __future__ import annotations

import gzip
from importlib import import_module
from pathlib import Path

import pytest

import lsm
from lsm.db import inspect_database, open_database
from lsm.db.migrate import migrations, newest
from lsm.db.state import State
from lsm.doctor import diagnose

OLD = sorted((Path(__file__).parent / "old_databases").glob("schema-*.db.gz"))
PUBLISHED = [6]  # schema numbers that users may have; a release adds its own, with a file
old_databases = pytest.mark.parametrize("file", OLD, ids=lambda file: file.name)


def test_every_published_schema_is_kept() -> None:
    assert [schema_of(file) for file in OLD] == PUBLISHED


@old_databases
def test_documents_of_an_old_database_are_found_in_both_versions(
    file: Path, tmp_path: Path
) -> None:
    home = kept_home(file, tmp_path)

    with lsm.open(home) as mind:
        now = mind.search("keys rotate", k=1)
        before = mind.search("keys rotate", k=1, as_of=1)

    assert "60 days" in now[0].text
    assert "90 days" in before[0].text
    assert now[0].tags == ("upgrade",)


@old_databases
def test_memories_of_an_old_database_are_there_with_their_state(file: Path, tmp_path: Path) -> None:
    home = kept_home(file, tmp_path)

    with lsm.open(home) as mind:
        found = mind.memories.search("how often do keys rotate", scope="team")
        tagged = mind.memories.search("keys", tags=["keys"])
        waiting = mind.memories.candidates()

    assert found[0].text == "Keys rotate every 90 days"
    assert found[0].stale
    assert [hit.text for hit in tagged] == ["Keys rotate every 90 days"]
    assert [candidate.memory.text for candidate in waiting.items] == ["Ada may leave in May"]


@old_databases
def test_schedules_runs_and_answers_of_an_old_database_are_there(
    file: Path, tmp_path: Path
) -> None:
    home = kept_home(file, tmp_path)

    with lsm.open(home) as mind:
        schedules = {row.agent_name: row.state for row in mind.scheduler.schedules()}
        runs = mind.db.rows("SELECT state, report FROM lsm_agent_runs")
        answers = mind.cache.stats()

    assert schedules["librarian"] == "active"
    assert [row["state"] for row in runs] == ["succeeded"]
    assert "The sea comes twice a day" in str(runs[0]["report"])
    assert answers.entries == 1


@old_databases
def test_an_upgraded_database_is_healthy(file: Path, tmp_path: Path) -> None:
    home = kept_home(file, tmp_path)
    lsm.open(home).close()

    found = diagnose(home)

    # The folder its documents were in was on another machine.
    assert [check for check in found.checks if not check.ok and check.name != "roots"] == []


@old_databases
def test_the_old_database_stays_beside_the_upgraded_one(file: Path, tmp_path: Path) -> None:
    home = kept_home(file, tmp_path)

    lsm.open(home).close()

    kept = Path(home) / f"lsm.db.before-schema-{newest('sqlite')}"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert inspect_database(str(kept)).state is State.OLDER


def test_every_earlier_schema_of_postgresql_becomes_the_newest(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{postgres_url}&schema=earlier"  # the fixture itself is up to date
    known = migrations("postgres")
    published = [each for each in known if each.number <= PUBLISHED[0]]
    with monkeypatch.context() as patch:
        patch.setattr(import_module("lsm.db.migrate"), "migrations", lambda _: tuple(published))
        open_database(url).close()

    with open_database(url) as db:
        applied = [row["name"] for row in db.rows("SELECT name FROM lsm_migrations ORDER BY name")]

    assert applied == [each.name for each in known]


def schema_of(file: Path) -> int:
    return int(file.name.removeprefix("schema-").split(".")[0])


def kept_home(file: Path, folder: Path) -> str:
    """A home with nothing but the old database in it."""
    home = folder / "home"
    home.mkdir(mode=0o700)
    # Under another name first: in this process only the driver opens an lsm.db.
    unpacked = home / "unpacked"
    unpacked.touch(mode=0o600)
    unpacked.write_bytes(gzip.decompress(file.read_bytes()))
    unpacked.rename(home / "lsm.db")
    return str(home)
