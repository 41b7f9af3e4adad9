"""Copies of a SQLite file, page by page, of one commit; and whether a copy is sound."""

from __future__ import annotations

import os
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import apsw

from lsm.db.sqlite import open_reader
from lsm.db.sqlite_errors import translate
from lsm.db.sqlite_file import make_durable, make_private_file
from lsm.db.sqlite_look import READ_ONLY_URI, immutable
from lsm.errors import DamagedError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

_STEP_PAGES = 1024  # 8 MB between two looks at whether to go on
_TABLES = """
SELECT name FROM pragma_table_list
 WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
 ORDER BY name
"""
SUFFIXES = ("", "-journal", "-wal", "-shm")


@dataclass(frozen=True)
class Contents:
    """What a file holds, to be compared with what a copy of it holds."""

    application: int
    schema: int
    tables: dict[str, int]  # rows, by name


def copy_pages(
    source: str, target: str, on_pages: Callable[[int, int], None], *, check: bool = True
) -> Contents | None:
    """Copy the newest commit of *source* to *target*, made here for its owner alone.

    Writers may go on meanwhile. The copy is complete in one file, needs no log and is on the disk
    when this returns.

    Args:
        source: a database, its log beside it.
        target: where nothing stands.
        on_pages: told how many pages of how many are copied; what it raises ends the copy.
        check: read the copy back and compare it with what was copied; what it holds is returned.

    Raises:
        DamagedError: the copy does not read back as what was copied.
        StorageError: as the engine says; OSError: the file cannot be made.
    """
    make_private_file(target)
    with closing(open_reader(source)) as reader:
        try:
            # Until it ends, what is copied is this very commit, whatever others write.
            reader.execute("BEGIN")
            contents = _contents(reader) if check else None
            _copy(reader, target, on_pages)
        except apsw.Error as error:
            raise translate(error, target) from error
    _without_log(target)
    if contents is not None:
        expect_sound(target, contents)
    make_durable(target)
    return contents


def expect_sound(path: str, wanted: Contents | None = None) -> Contents:
    """Read the whole file at *path*, which nobody writes; what it holds.

    Raises:
        DamagedError: it is not sound, or not *wanted*.
    """
    try:
        with closing(apsw.Connection(immutable(path), flags=READ_ONLY_URI)) as copy:
            found = copy.execute("PRAGMA integrity_check(1)").fetchall()
            if found != [("ok",)]:
                raise DamagedError(f"{path}: not sound ({found[0][0]})")
            contents = _contents(copy)
    except apsw.Error as error:
        raise translate(error, path) from error
    if wanted is not None and contents != wanted:
        raise DamagedError(f"{path}: does not read back as what was copied; try another disk")
    return contents


def remove(path: str) -> None:
    """Remove the database at *path*, which nobody has open, with all that stands beside it."""
    for suffix in SUFFIXES:
        with suppress(FileNotFoundError):
            os.unlink(path + suffix)


def _copy(reader: apsw.Connection, target: str, on_pages: Callable[[int, int], None]) -> None:
    with closing(apsw.Connection(target, flags=apsw.SQLITE_OPEN_READWRITE)) as copy:
        # It is nothing before it is complete, and then it is written to the disk as a whole.
        copy.pragma("journal_mode", "off")
        copy.pragma("synchronous", 0)
        with copy.backup("main", reader, "main") as backup:
            while not backup.done:
                backup.step(_STEP_PAGES)
                on_pages(backup.page_count - backup.remaining, backup.page_count)


def _without_log(path: str) -> None:
    """Say in the file's header that it has no log: then it can be read from a read-only disk."""
    try:
        with closing(apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)) as copy:
            copy.pragma("locking_mode", "exclusive")
            if copy.pragma("journal_mode", "delete") != "delete":
                raise StorageError(f"{path}: its log cannot be folded in")
    except apsw.Error as error:
        raise translate(error, path) from error


def _contents(connection: apsw.Connection) -> Contents:
    names = [cast("str", name) for (name,) in connection.execute(_TABLES).fetchall()]
    counts = {
        # Names out of the schema of our own file, quoted.
        name: cast("int", connection.execute(f'SELECT count(*) FROM "{name}"').fetchall()[0][0])  # noqa: S608
        for name in names
    }
    return Contents(
        cast("int", connection.pragma("application_id")),
        cast("int", connection.pragma("user_version")),
        counts,
    )
