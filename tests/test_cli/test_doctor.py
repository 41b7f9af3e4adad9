"""The doctor always reports, whatever stands there, and never changes a byte of it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from lsm.doctor import diagnose
from tests.test_cli.command import bytes_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.test_cli.command import Place


def test_a_sound_home_is_found_sound(sample: Place) -> None:
    told = sample.lsm("doctor")

    assert told.code == 0
    assert "FAIL" not in told.text
    assert [line.split()[1] for line in told.text.splitlines()] == [
        "home", "disk", "config", "place", "files", "log", "database", "engine", "schema",
        "integrity", "references", "values", "cache", "versions", "counters", "documents",
        "manifest", "index", "memories", "memory", "queue", "words", "schedules", "runs",
        "embedding", "roots", "library",
    ]  # fmt: skip


def test_a_home_that_is_not_made_yet_is_no_illness_and_is_not_made(place: Place) -> None:
    told = place.lsm("doctor", "--json")

    assert told.code == 0
    assert told.json["ok"]
    assert "lsm init" in told.text
    assert not place.home.exists()


def text_file(path: Path) -> None:
    place_bytes(path, b"These are notes and no database.")


def stub(path: Path) -> None:
    place_bytes(path, b"SQLite format 3\0")


def folder(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def dangling_link(path: Path) -> None:
    path.symlink_to(path.with_name("nothing"))


def foreign(path: Path) -> None:
    import apsw

    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    path.chmod(0o600)


def half(path: Path) -> None:
    place_bytes(path, made(path)[:100_000])


def newer(path: Path) -> None:
    content = bytearray(made(path))
    content[60:64] = (9999).to_bytes(4, "big")  # user_version
    place_bytes(path, bytes(content))


def broken_header(path: Path) -> None:
    content = bytearray(made(path))
    content[20:24] = b"\xff\xff\xff\xff"
    place_bytes(path, bytes(content))


def broken_schema(path: Path) -> None:
    content = bytearray(made(path))
    content[100:140] = bytes(40)  # of the root page of the schema
    place_bytes(path, bytes(content))


@pytest.mark.parametrize(
    "break_it",
    [text_file, stub, folder, pipe, dangling_link, foreign, half, newer, broken_header,
     broken_schema],
)  # fmt: skip
def test_a_database_that_cannot_be_used_is_told_and_left_alone(
    tmp_path: Path, break_it: Callable[[Path], None]
) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    break_it(home / "lsm.db")
    before = bytes_of(home)

    diagnosis = diagnose(str(home))

    ill = [check for check in diagnosis.checks if not check.ok]
    assert [check.name for check in ill] == ["database"]
    assert not diagnosis.ok
    assert ";" in ill[0].detail  # what is wrong; what to do
    assert {n: c for n, c in bytes_of(home).items() if not n.endswith(("-wal", "-shm"))} == before


def test_what_is_wrong_costs_the_exit_status(place: Place) -> None:
    place.home.mkdir(mode=0o755)
    text_file(place.home / "lsm.db")

    told = place.lsm("doctor")

    assert told.code == 1
    assert told.err == ""
    assert f"chmod 700 {place.home}" in told.text
    assert "it is not a SQLite database" in told.text


@pytest.mark.parametrize("url", ["mysql://host/name", "postgresql://u:secret@127.0.0.1:1/x"])
def test_a_database_that_cannot_be_reached_is_told(tmp_path: Path, url: str) -> None:
    diagnosis = diagnose(str(tmp_path / "home"), url)

    ill = [check for check in diagnosis.checks if not check.ok]
    assert [check.name for check in ill] == ["database"]
    assert "secret" not in ill[0].detail
    assert not (tmp_path / "home").exists()


def test_a_wrong_configuration_is_told_and_the_database_is_not_guessed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "lsm.toml").write_text("[database]\nurk = 'elsewhere.db'\n")

    diagnosis = diagnose(str(home))

    ill = [check for check in diagnosis.checks if not check.ok]
    assert [check.name for check in ill] == ["config"]
    assert "database.url" in ill[0].detail
    assert [path.name for path in home.iterdir()] == ["lsm.toml"]


def test_a_home_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")

    diagnosis = diagnose(str(tmp_path / "home"))

    assert not diagnosis.ok
    assert not diagnosis.checks[0].ok


def test_a_root_that_is_missing_is_told(place: Place) -> None:
    place.lsm("ingest", "notes")
    shutil.rmtree(place.documents)

    told = place.lsm("doctor", "--json")

    ill = [check for check in told.json["checks"] if not check["ok"]]
    assert (told.code, [check["name"] for check in ill]) == (1, ["roots"])
    assert str(place.documents) in ill[0]["detail"]


def place_bytes(path: Path, content: bytes) -> None:
    other = path.with_name("being-made")
    other.write_bytes(content)
    other.chmod(0o600)
    other.rename(path)


def made(path: Path) -> bytes:
    from lsm.db import open_database

    other = path.with_name("sound")
    open_database(str(other)).close()
    content = other.read_bytes()
    other.unlink()
    return content
