"""Another program's SQLite file: copied with its log and journal, and read there.

A rollback journal left by a killed writer holds what has to be undone, a write-ahead log what was
committed and is not in the file yet. Opened where it stands, either would be missed or written to;
so the parts are copied together, and the copy is recovered by opening it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import apsw

from lsm.db.sqlite import is_open
from lsm.db.sqlite_errors import translate
from lsm.errors import AccessError, BusyError, DamagedError, DiskFullError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

_SIDECARS = ("", "-journal", "-wal", "-shm")
_DERIVED = "-shm"  # made anew from the log by whoever opens it
_BLOCK = 1024 * 1024
_HEADER_BYTES = 100
_LONGEST = 2**36  # bytes; more than that is a header that was damaged
_ATTEMPTS = 5
_PAUSE_S = 0.2
_WIDEST_GAP = 2**26  # row numbers that are tried behind a page that cannot be read
_NAME = "copy.db"
_ENCODINGS = {"UTF-8": "utf-8", "UTF-16le": "utf-16-le", "UTF-16be": "utf-16-be"}
_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0"
_COLUMNS = "SELECT name FROM pragma_table_info(?) ORDER BY cid"


@dataclass(frozen=True)
class BrokenText:
    """Bytes that the file says are text, and that are none."""

    raw: bytes


Cell = str | int | float | bytes | BrokenText | None


class ForeignFile:
    """A private copy of a SQLite file."""

    def __init__(
        self, connection: apsw.Connection, path: str, sha256: str, *, salvaging: bool
    ) -> None:
        self.path = path
        self.salvaging = salvaging
        self.sha256 = sha256  # of the file, its journal and its log
        self._connection = connection
        self._encoding = _ENCODINGS[str(connection.pragma("encoding"))]

    def problems(self) -> list[str]:
        """What the engine finds wrong with its pages and indexes; empty when sound."""
        found = [str(row[0]) for row in self._run("PRAGMA integrity_check(5)")]
        return [] if found == ["ok"] else found

    def columns(self, table: str) -> list[str]:
        """The columns of *table*; none if there is no such table."""
        names = {str(row[0]).lower(): str(row[0]) for row in self._run(_TABLES)}
        name = names.get(table.lower())
        return [str(row[0]) for row in self._run(_COLUMNS, (name,))] if name else []

    def rows(self, table: str) -> Iterator[dict[str, Cell]]:
        """Every row, in the order in which rows were added, by column name.

        Raises:
            DamagedError: a page cannot be read. The rows before it have been given and, when
                salvaging, those behind it.
        """
        columns = ["rowid", *self.columns(table)]
        rest = f"{_from(table)} NOT INDEXED WHERE rowid > ? ORDER BY rowid"
        last, step, broken = -1, 1, None
        while step < _WIDEST_GAP:
            try:
                for row in self._cells(columns, rest, (last,)):
                    last, step = cast("int", row.pop("rowid")), 1
                    yield row
                break
            except DamagedError as error:
                if not self.salvaging:
                    raise
                # Where the next readable row is, only trying tells.
                broken, last, step = error, last + step, step * 2
        if broken is not None:
            raise broken

    def matching(self, table: str, column: str, values: Sequence[str]) -> list[dict[str, Cell]]:
        """The rows whose *column* is one of *values*."""
        columns = self.columns(table)
        marks = ", ".join("?" * len(values))
        rest = f"{_from(table)} WHERE {_quoted(column)} IN ({marks}) ORDER BY rowid"
        return list(self._cells(columns, rest, values))

    def _cells(
        self, columns: list[str], rest: str, values: Sequence[str | int]
    ) -> Iterator[dict[str, Cell]]:
        # As bytes: the driver would stop at a text that is no UTF-8, and at its first NUL.
        parts = [
            f"typeof({name}), CASE typeof({name}) WHEN 'text' THEN CAST({name} AS BLOB) "
            f"ELSE {name} END"
            for name in map(_quoted, columns)
        ]
        for row in self._run(f"SELECT {', '.join(parts)} {rest}", tuple(values)):
            cells = zip(row[::2], row[1::2], strict=True)
            yield dict(zip(columns, (self._cell(*cell) for cell in cells), strict=True))

    def _cell(self, kind: object, value: object) -> Cell:
        if kind != "text":
            return value  # pyright: ignore[reportReturnType]
        raw = bytes(value)  # pyright: ignore[reportArgumentType]
        try:
            return raw.decode(self._encoding)
        except UnicodeDecodeError:
            return BrokenText(raw)

    def _run(self, sql: str, values: Sequence[object] = ()) -> Iterator[tuple[object, ...]]:
        try:
            yield from self._connection.execute(sql, values)  # pyright: ignore[reportArgumentType]
        except apsw.Error as error:
            raise _translated(error, self.path) from error


@contextmanager
def foreign_file(path: str, *, salvage: bool = False) -> Generator[ForeignFile]:
    """The SQLite file at *path* as of now, in a copy that is gone afterwards.

    Its bytes and times stay as they are. A writer that was killed is undone in the copy. With
    *salvage* a file that has lost its end is read as far as it goes.

    Raises:
        AccessError: it cannot be read.
        BusyError: somebody keeps writing to it.
        DamagedError, ForeignError: it is no sound SQLite file.
    """
    if is_open(path):
        raise StorageError(f"{path}: this is the database in use, not a predecessor's file")
    with tempfile.TemporaryDirectory(prefix="lsm-") as folder:
        sha256 = _copy(path, folder)
        copy = os.path.join(folder, _NAME)
        if not os.path.getsize(copy):
            raise DamagedError(f"{path}: it is empty; a database is never 0 bytes long")
        if salvage:
            _restore_length(copy)
        try:
            connection = apsw.Connection(copy, flags=apsw.SQLITE_OPEN_READWRITE)
        except apsw.Error as error:
            raise _translated(error, path) from error
        try:
            yield _opened(connection, path, sha256, salvage=salvage)
        finally:
            connection.close()


def _restore_length(copy: str) -> None:
    """Give back the pages that are missing at the end, empty: the engine opens nothing shorter."""
    with open(copy, "r+b") as file:
        header = file.read(_HEADER_BYTES)
        page = int.from_bytes(header[16:18], "big")
        whole = int.from_bytes(header[28:32], "big") * (65536 if page == 1 else page)
        if os.path.getsize(copy) < whole <= _LONGEST:
            file.truncate(whole)


def _opened(connection: apsw.Connection, path: str, sha256: str, *, salvage: bool) -> ForeignFile:
    try:
        # Nothing in a file from elsewhere may run code: no function in a view, no loaded library.
        connection.pragma("trusted_schema", 0)
        connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        connection.execute(_TABLES).fetchall()  # recovers what a killed writer left
        return ForeignFile(connection, path, sha256, salvaging=salvage)
    except apsw.Error as error:
        raise _translated(error, path) from error


def _copy(path: str, folder: str) -> str:
    for _ in range(_ATTEMPTS):
        before = _stamps(path)
        if before[0] is None:
            raise AccessError(f"{path}: there is no such file")
        digest = hashlib.sha256()
        try:
            for suffix, found in zip(_SIDECARS, before, strict=True):
                _copy_part(
                    path + suffix, os.path.join(folder, _NAME + suffix), found, digest.update
                )
        except FileNotFoundError:
            continue  # a journal that has just gone
        except OSError as error:
            kind = DiskFullError if error.filename is None else AccessError
            raise kind(f"{path}: {error.strerror}") from error
        if _stamps(path) == before:
            return digest.hexdigest()
        time.sleep(_PAUSE_S)
    raise BusyError(f"{path}: it keeps changing; stop the program that writes to it")


def _copy_part(source: str, target: str, found: object, update: Callable[[bytes], None]) -> None:
    if found is None:
        if os.path.exists(target):
            os.unlink(target)  # of an attempt before
        return
    counted = not source.endswith(_DERIVED)
    if counted:
        update(f"{os.path.getsize(source)}\n".encode())
    with open(source, "rb") as reader, open(target, "wb") as writer:
        while block := reader.read(_BLOCK):
            writer.write(block)
            if counted:
                update(block)


def _stamps(path: str) -> list[tuple[int, int, int] | None]:
    return [_stamp(path + suffix) for suffix in _SIDECARS]


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise AccessError(f"{path}: {error.strerror}") from error
    return found.st_size, found.st_mtime_ns, found.st_ino


def _translated(error: apsw.Error, path: str) -> StorageError:
    if isinstance(error, apsw.NotADBError):
        return DamagedError(f"{path}: it is no SQLite database")
    return translate(error, path)


def _from(table: str) -> str:
    return f"FROM {_quoted(table)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
