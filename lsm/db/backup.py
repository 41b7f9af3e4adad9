"""A copy of the whole database that has been read back before anyone relies on it."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

import apsw

from lsm.db.sqlite import READ_ONLY_URI, immutable, open_reader
from lsm.db.sqlite_errors import translate
from lsm.db.sqlite_file import make_durable, make_private_file
from lsm.errors import AccessError, DamagedError, DiskFullError, StorageError

if TYPE_CHECKING:
    from lsm.db.database import Database


def backup_to(db: Database, path: str) -> int:
    """Copy the newest commit of *db* to the file *path*, for its owner alone; its bytes.

    The copy is compact and complete in one file. It takes its name only once it has been checked
    and is on the disk, replacing what stood there. Writers may go on meanwhile.

    Raises:
        DiskFullError: there is no room for it; nothing is left behind.
        DamagedError: the copy does not read back as a sound database.
        AccessError: the folder cannot be written to.
        StorageError: *db* is on PostgreSQL, which has its own tools.
    """
    if db.engine != "sqlite":
        raise StorageError(f"{db.url}: back a PostgreSQL database up with pg_dump")
    partial = f"{path}.partial"
    try:
        with suppress(FileNotFoundError):
            os.unlink(partial)  # of a backup that was killed
        make_private_file(partial)
        try:
            _expect_room(db, path)
            _copy(db.url, partial)
            _check(partial)
            make_durable(partial)
            os.replace(partial, path)
        except BaseException:
            os.unlink(partial)
            raise
        return os.stat(path).st_size
    except OSError as error:
        raise AccessError(f"{path}: {error.strerror}") from error


def _expect_room(db: Database, path: str) -> None:
    free = shutil.disk_usage(os.path.dirname(path) or ".").free
    if free < db.size():
        raise DiskFullError(
            f"{path}: a backup needs {db.size() // 2**20 + 1} MiB, {free // 2**20} MiB are free; "
            "nothing was changed"
        )


def _copy(source: str, target: str) -> None:
    connection = open_reader(source)
    try:
        # VACUUM INTO attaches the file it writes, and a reader may neither attach nor write.
        connection.limit(apsw.SQLITE_LIMIT_ATTACHED, 1)
        connection.pragma("query_only", 0)
        connection.execute("VACUUM INTO :target", {"target": target})
    except apsw.Error as error:
        raise translate(error, target) from error
    finally:
        connection.close()


def _check(path: str) -> None:
    try:
        copy = apsw.Connection(immutable(path), flags=READ_ONLY_URI)
        try:
            found = copy.execute("PRAGMA quick_check(1)").fetchall()
        finally:
            copy.close()
    except apsw.Error as error:
        raise translate(error, path) from error
    if found != [("ok",)]:
        raise DamagedError(f"{path}: the copy is not sound ({found[0][0]}); try another disk")
