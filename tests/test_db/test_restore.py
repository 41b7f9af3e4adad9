"""A restore leaves the old database or the new one, never a mixture, and loses neither."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import apsw
import pytest

from lsm.db import open_database
from lsm.db.backup import back_up
from lsm.db.pages import expect_sound
from lsm.db.restore import RestoreHooks, restore
from lsm.errors import BusyError, DamagedError, ForeignError, NewerError, RefusedError
from tests.lived_in import changed, overwritten
from tests.test_db.test_backup import no_links, set_value, value_of

if TYPE_CHECKING:
    from pathlib import Path

POINTS = ("copying", "restore.copied", "restore.folded_in", "restore.kept",
          "restore.before_rename", "restore.after_rename")  # fmt: skip
UNREADABLE_POINTS = ("restore.copied", "restore.after_unlink_wal", "restore.kept",
                     "restore.before_rename", "restore.after_rename")  # fmt: skip


@pytest.fixture
def backup(sqlite_url: str, tmp_path: Path) -> str:
    """A backup in which `who` is "then"; in the database it is "now", part of it in the log."""
    with open_database(sqlite_url) as db:
        set_value(db, "who", "then")
        made = back_up(db, str(tmp_path / "backup.db"))
        set_value(db, "who", "now")
    write_and_die(sqlite_url)
    return made.file


def test_the_backup_stands_there_and_what_was_there_is_kept(sqlite_url: str, backup: str) -> None:
    done = restore(sqlite_url, backup)

    assert who(sqlite_url) == "then"
    assert done.kept is not None
    assert (who(done.kept), value_of(done.kept, "late")) == ("now", "logged")
    assert os.stat(sqlite_url).st_mode & 0o777 == 0o600
    assert expect_sound(backup).tables == done.tables


def test_what_was_restored_is_used_as_any_database(sqlite_url: str, backup: str) -> None:
    restore(sqlite_url, backup)

    with open_database(sqlite_url) as db:
        set_value(db, "who", "tomorrow")

    assert who(sqlite_url) == "tomorrow"


def test_a_restore_can_itself_be_taken_back(sqlite_url: str, backup: str) -> None:
    kept = restore(sqlite_url, backup).kept

    assert kept is not None
    restore(sqlite_url, kept)

    assert (who(sqlite_url), value_of(sqlite_url, "late")) == ("now", "logged")


def test_where_nothing_stands_the_backup_is_put(tmp_path: Path, backup: str) -> None:
    done = restore(str(tmp_path / "new" / "lsm.db"), backup)

    assert who(done.database) == "then"
    assert done.kept is None
    assert os.stat(tmp_path / "new").st_mode & 0o777 == 0o700


def test_a_log_without_its_database_is_not_played_into_the_new_one(
    sqlite_url: str, backup: str
) -> None:
    os.unlink(sqlite_url)

    restore(sqlite_url, backup)

    assert (who(sqlite_url), value_of(sqlite_url, "late")) == ("then", None)


@pytest.mark.parametrize("place", POINTS)
def test_killed_anywhere_it_is_the_old_or_the_new_and_run_again_completes(
    sqlite_url: str, backup: str, place: str
) -> None:
    killed = child("restore_and_die", sqlite_url, backup, place)

    assert killed.wait() == -9
    assert either(sqlite_url) == ("new" if place == "restore.after_rename" else "old")
    restore(sqlite_url, backup)
    assert either(sqlite_url) == "new"
    assert "old" in [either(path) for path in kept_beside(sqlite_url)]
    assert leftovers(sqlite_url) == []


@pytest.mark.parametrize("place", UNREADABLE_POINTS)
def test_killed_over_a_damaged_database_run_again_completes(
    sqlite_url: str, backup: str, place: str
) -> None:
    overwritten(sqlite_url, 0, b"no database at all")
    log = size_of(sqlite_url + "-wal")
    assert log

    killed = child("restore_and_die", sqlite_url, backup, place)

    assert killed.wait() == -9
    restore(sqlite_url, backup)
    assert either(sqlite_url) == "new"
    kept = kept_beside(sqlite_url)
    assert b"no database at all" in [head_of(path) for path in kept]
    assert log in [size_of(path + "-wal") for path in kept]


def test_without_links_the_old_one_is_copied(
    sqlite_url: str, backup: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = os.path.join(os.path.dirname(sqlite_url), "mind.db")
    shutil.move(sqlite_url, place)
    shutil.move(sqlite_url + "-wal", place + "-wal")
    monkeypatch.setattr(os, "link", no_links)

    kept = restore(place, backup).kept

    assert kept is not None
    assert (either(kept), either(place)) == ("old", "new")


def test_another_process_that_has_it_open_is_named(sqlite_url: str, backup: str) -> None:
    holder = child("stay_open", sqlite_url)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"

    with pytest.raises(BusyError, match=f"process {holder.pid} "):
        restore(sqlite_url, backup)

    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert either(sqlite_url) == "old"
    assert leftovers(sqlite_url) == []
    restore(sqlite_url, backup)
    assert either(sqlite_url) == "new"


def test_this_process_must_not_have_it_open(sqlite_url: str, backup: str) -> None:
    with open_database(sqlite_url), pytest.raises(BusyError, match="this very process"):
        restore(sqlite_url, backup)


@pytest.mark.usefixtures("backup")
class TestRefused:
    def test_what_is_no_database(self, sqlite_url: str, tmp_path: Path) -> None:
        (tmp_path / "notes").write_text("These are notes.")

        assert refusal(sqlite_url, str(tmp_path / "notes")) is ForeignError

    def test_another_programs(self, sqlite_url: str, backup: str) -> None:
        changed(backup, "PRAGMA application_id = 7")

        assert refusal(sqlite_url, backup) is ForeignError

    def test_a_newer_one(self, sqlite_url: str, backup: str) -> None:
        changed(backup, "PRAGMA user_version = 9999")

        assert refusal(sqlite_url, backup) is NewerError

    def test_a_damaged_one(self, sqlite_url: str, backup: str) -> None:
        with open(backup, "r+b") as file:
            file.seek(5 * 8192)
            file.write(b"\xff" * 8192)

        assert refusal(sqlite_url, backup) is DamagedError

    def test_a_truncated_one(self, sqlite_url: str, backup: str) -> None:
        os.truncate(backup, os.path.getsize(backup) // 2)

        assert refusal(sqlite_url, backup) is DamagedError

    def test_one_that_is_not_there(self, sqlite_url: str, backup: str) -> None:
        assert refusal(sqlite_url, backup + "x") is RefusedError

    def test_one_that_is_in_use(self, sqlite_url: str, backup: str) -> None:
        write_and_die(backup)

        assert refusal(sqlite_url, backup) is RefusedError

    def test_the_database_itself(self, sqlite_url: str) -> None:
        assert refusal(sqlite_url, sqlite_url) is RefusedError


def test_an_older_backup_is_put_back_and_upgraded_when_it_is_opened(
    sqlite_url: str, backup: str
) -> None:
    changed(backup, "PRAGMA user_version = 1")

    done = restore(sqlite_url, backup)

    assert done.schema == 1


def test_two_restores_in_one_second_keep_both(sqlite_url: str, backup: str) -> None:
    from datetime import UTC, datetime

    hooks = RestoreHooks(clock=lambda: datetime(2026, 3, 1, 12, tzinfo=UTC))

    kept = [restore(sqlite_url, backup, hooks).kept for _ in range(2)]

    assert kept == [
        f"{sqlite_url}.before-restore-20260301T120000Z",
        f"{sqlite_url}.before-restore-20260301T120000Z-2",
    ]


def refusal(path: str, backup: str) -> type[Exception]:
    """What a restore raises; the database stays the old one."""
    with pytest.raises((ForeignError, NewerError, DamagedError, RefusedError)) as refused:
        restore(path, backup)
    assert either(path) == "old"
    assert leftovers(path) == []
    return refused.type


def who(path: str) -> object:
    return value_of(path, "who")


def either(path: str) -> str:
    """Which of the two stands at *path*, whole and with nothing of the other."""
    connection = apsw.Connection(path)
    try:
        assert connection.execute("PRAGMA integrity_check").get == "ok"
        rows = connection.execute(
            "SELECT value FROM lsm_meta WHERE key IN ('who', 'late') ORDER BY key DESC"
        ).fetchall()
    finally:
        connection.close()
    return {(("then",),): "new", (("now",), ("logged",)): "old"}[tuple(rows)]


def kept_beside(path: str) -> list[str]:
    folder, name = os.path.split(path)
    return [
        os.path.join(folder, entry)
        for entry in os.listdir(folder)
        if entry.startswith(f"{name}.before-restore-")
        and not entry.endswith(("-wal", "-shm", "-journal"))
    ]


def leftovers(path: str) -> list[str]:
    return [name for name in os.listdir(os.path.dirname(path)) if "partial" in name]


def size_of(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0


def head_of(path: str) -> bytes:
    other = os.path.join(os.path.dirname(path), "looked-at")
    os.link(path, other)
    with open(other, "rb") as file:
        head = file.read(18)
    os.unlink(other)
    return head


def write_and_die(path: str) -> None:
    writer = child("write_and_die", path, "late")
    assert writer.wait() == -9
    assert size_of(path + "-wal")


def child(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        (sys.executable, "-m", "tests.test_db.restoring", *arguments),
        stdout=subprocess.PIPE if arguments[0] in ("stay_open", "remember") else subprocess.DEVNULL,
        text=True,
    )
