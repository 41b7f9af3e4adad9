"""A backup is one commit, whole, read back, and for its owner alone; or there is none."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import apsw
import pytest

from lsm.db import Database, open_database
from lsm.db.backup import back_up
from lsm.db.pages import expect_sound
from lsm.errors import AccessError, DamagedError, DiskFullError, RefusedError
from tests.lived_in import overwritten

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = 8192


@pytest.fixture
def db(sqlite_url: str) -> Iterator[Database]:
    with open_database(sqlite_url) as database:
        yield database


def test_a_backup_is_whole_and_private(db: Database, tmp_path: Path) -> None:
    made = back_up(db, str(tmp_path / "copy.db"))

    assert expect_sound(made.file).tables == made.tables
    assert made.bytes == os.path.getsize(made.file)
    assert os.stat(made.file).st_mode & 0o777 == 0o600
    assert made.tables["lsm_migrations"] == db.tuples("SELECT count(*) FROM lsm_migrations")[0][0]
    assert beside(tmp_path) == ["copy.db"]


def test_a_backup_is_of_the_moment_it_began(db: Database, tmp_path: Path) -> None:
    fill(db, 3000)

    def write_on(done: int, _total: int) -> None:
        set_value(db, "k", str(done))

    set_value(db, "k", "before")
    made = back_up(db, str(tmp_path / "copy.db"), write_on)

    assert value_of(made.file, "k") == "before"
    assert db.tuples("SELECT value FROM lsm_meta WHERE key = 'k'") != [("before",)]


def test_a_backup_can_be_read_where_nothing_can_be_written(db: Database, tmp_path: Path) -> None:
    made = back_up(db, str(tmp_path / "copy.db"))

    assert value_of(f"file:{made.file}?mode=ro", "database_id")
    assert beside(tmp_path) == ["copy.db"]


def test_what_is_there_is_never_replaced(db: Database, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("mine")

    with pytest.raises(RefusedError, match="is there already"):
        back_up(db, str(tmp_path / "copy.db"))

    assert (tmp_path / "copy.db").read_text() == "mine"


def test_a_name_that_is_taken_meanwhile_is_not_replaced(db: Database, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="is there already"):
        back_up(db, str(tmp_path / "copy.db"), lambda *_: (tmp_path / "copy.db").write_text("mine"))

    assert (tmp_path / "copy.db").read_text() == "mine"
    assert beside(tmp_path) == ["copy.db"]


def test_without_links_a_backup_takes_its_name_all_the_same(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", no_links)

    made = back_up(db, str(tmp_path / "copy.db"))

    assert expect_sound(made.file).tables == made.tables
    assert beside(tmp_path) == ["copy.db"]


def test_a_folder_is_no_name(db: Database, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="is a folder"):
        back_up(db, str(tmp_path))


def test_a_stopped_backup_leaves_nothing(db: Database, tmp_path: Path) -> None:
    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        back_up(db, str(tmp_path / "copy.db"), stop)

    assert beside(tmp_path) == []


def test_what_a_killed_backup_left_is_cleared_away_and_a_living_ones_is_not(
    db: Database, tmp_path: Path
) -> None:
    gone, living = 2**22 + 1, os.getppid()
    for pid in (gone, living):
        (tmp_path / f"copy.db.partial-{pid}-0123abcd").write_text("half")

    back_up(db, str(tmp_path / "copy.db"))

    assert beside(tmp_path) == ["copy.db", f"copy.db.partial-{living}-0123abcd"]


def test_a_damaged_database_is_not_called_backed_up(sqlite_url: str, tmp_path: Path) -> None:
    spoil(sqlite_url)

    with open_database(sqlite_url) as db, pytest.raises(DamagedError, match="lsm doctor"):
        back_up(db, str(tmp_path / "copy.db"))

    assert beside(tmp_path) == []


def test_unchecked_a_damaged_database_is_copied_as_it_is(sqlite_url: str, tmp_path: Path) -> None:
    spoil(sqlite_url)

    with open_database(sqlite_url) as db:
        made = back_up(db, str(tmp_path / "copy.db"), check=False)

    with pytest.raises(DamagedError):
        expect_sound(made.file)


def test_a_disk_without_room_is_told_before_it_is_filled(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)

    with pytest.raises(DiskFullError, match="MiB"):
        back_up(db, str(tmp_path / "copy.db"))

    assert beside(tmp_path) == []


def test_a_folder_that_is_not_there_is_named(db: Database, tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="nowhere"):
        back_up(db, str(tmp_path / "nowhere" / "copy.db"))


def test_on_postgresql_the_command_is_named_without_a_password(
    postgres_url: str, tmp_path: Path
) -> None:
    url = postgres_url.replace("postgres@", "postgres:secret@")
    with open_database(url) as db, pytest.raises(RefusedError) as refused:
        back_up(db, str(tmp_path / "mind.dump"))

    assert "pg_dump --format=custom --schema=lsm" in str(refused.value)
    assert "secret" not in str(refused.value)
    assert beside(tmp_path) == []


def fill(db: Database, rows: int) -> None:
    db.many(
        "INSERT INTO lsm_meta (key, value) VALUES (:key, :value)",
        ({"key": f"fill-{n}", "value": "x" * 4000} for n in range(rows)),
    )


def set_value(db: Database, key: str, value: str) -> None:
    db.run(
        "INSERT INTO lsm_meta (key, value) VALUES (:key, :value)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        key=key,
        value=value,
    )


def value_of(path: str, key: str) -> object:
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    connection = apsw.Connection(path, flags=flags)
    try:
        return connection.execute("SELECT value FROM lsm_meta WHERE key = ?", (key,)).get
    finally:
        connection.close()


def beside(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if name != "home")


def no_links(*_: object) -> None:
    raise PermissionError(1, "Operation not permitted")


def spoil(path: str) -> None:
    overwritten(path, os.path.getsize(path) - 3 * PAGE, b"\xff" * 64)
