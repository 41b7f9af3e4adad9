"""SQLite through apsw: one writer behind a lock, one read-only connection a thread.

Nothing but the driver may even `open()` the file: POSIX drops a process's locks on a file with
the first descriptor of it that the process closes.
"""

from __future__ import annotations

import errno
import os
import random
import sys
import threading
import time
import weakref
from collections import Counter
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import apsw

from lsm.db.dialect import SQLITE
from lsm.db.sqlite_errors import translate
from lsm.db.sqlite_hold import hold
from lsm.db.sqlite_look import READ_ONLY_URI, immutable
from lsm.db.sqlite_waiting import Waiting
from lsm.errors import (
    AccessError,
    BusyError,
    ReplacedError,
    StorageError,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

    from lsm.db.sqlite_tables import SqliteTables

# A number that does not fit into 64 bits never reaches the engine.
_REFUSED = (apsw.Error, OverflowError)
_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
BUSY_MS = 10_000  # how long one attempt waits for another process
_ATTEMPTS = 3  # with a random pause between them, so that two waiters do not stay in step
_PAGE_BYTES = 8192  # vectors and chunk texts are larger than SQLite's default page is made for
_WAL_LIMIT_BYTES = 64 * 1024 * 1024

# (device, inode) of each file this process has a backend on, and how many.
_open_files: Counter[tuple[int, int] | None] = Counter()
# The same of the process this one was forked from: SQLite would take the parent's locks for ours.
_carried_over: set[tuple[int, int] | None] = set()

# Checked after being set: a pragma SQLite does not like is ignored without a word.
_PRAGMAS: dict[str, int] = {
    "synchronous": 2,  # FULL: an acknowledged commit survives a power cut
    "foreign_keys": 1,
    "recursive_triggers": 1,
    "secure_delete": 1,  # what is deleted is overwritten, so that forgetting is true
    "trusted_schema": 0,
    "cell_size_check": 1,
    "temp_store": 2,  # memory: no temporary file ever holds a document
    "mmap_size": 0,  # an I/O error must be an error, not a signal
    "journal_size_limit": _WAL_LIMIT_BYTES,
}
# What SQL from outside could use to wear the machine down; ours stays far below.
_LIMITS: dict[int, int] = {
    apsw.SQLITE_LIMIT_LENGTH: 256 * 1024 * 1024,
    apsw.SQLITE_LIMIT_SQL_LENGTH: 1024 * 1024,
    apsw.SQLITE_LIMIT_ATTACHED: 0,
    apsw.SQLITE_LIMIT_EXPR_DEPTH: 200,
}


class SqliteSession:
    """One apsw connection."""

    def __init__(self, connection: apsw.Connection, path: str) -> None:
        self._connection = connection
        self._path = path
        self._names: dict[str, list[str]] = {}  # of the columns of statements that name them

    def fetch(
        self, sql: str, params: Mapping[str, object]
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        try:
            cursor = self._connection.execute(sql, params)  # pyright: ignore[reportArgumentType]
            names = self._names.get(sql) or _names(cursor)
            if names and "*" not in sql:
                self._names[sql] = names  # asking for them costs as much as a look-up
            return names, cursor.fetchall()
        except _REFUSED as error:
            raise self._translated(error) from error

    def execute(self, sql: str, params: Mapping[str, object]) -> int:
        try:
            self._connection.execute(sql, params).fetchall()  # pyright: ignore[reportArgumentType]
            return self._connection.changes()
        except _REFUSED as error:
            raise self._translated(error) from error

    def execute_many(self, sql: str, params: Iterable[Mapping[str, object]]) -> None:
        try:
            self._connection.executemany(sql, params)  # pyright: ignore[reportArgumentType]
        except _REFUSED as error:
            raise self._translated(error) from error

    def script(self, sql: str) -> None:
        self.execute(sql, {})

    def whole_tables(self) -> SqliteTables:
        from lsm.db.sqlite_tables import SqliteTables

        return SqliteTables(self._connection, self._path, self._translated)

    def _translated(self, error: Exception) -> StorageError:
        if isinstance(error, apsw.IOError) and self._connection.system_errno in _NO_ROOM:
            error = apsw.FullError()  # SQLite itself takes only ENOSPC for it
        return translate(error, self._path)

    def close(self) -> None:
        # Another thread is reading with it: it is closed when that thread lets go of it.
        with suppress(apsw.ThreadingViolationError):
            self._connection.close()


class SqliteBackend:
    """The connections of one process to one file."""

    dialect = SQLITE

    def __init__(self, path: str, *, read_only: bool = False, patient: bool = True) -> None:
        self.url = path
        self._read_only = read_only
        self._patient = patient  # otherwise a writer that finds another one gives up at once
        self._identity = _identity(path)
        if self._identity in _carried_over:
            raise StorageError(f"{path}: open since before fork(); start workers with 'spawn'")
        _open_files[self._identity] += 1
        self._turn = threading.RLock()
        self._writer: SqliteSession | None = None
        self._mine = threading.local()
        # A thread that ends drops its reader, which closes it; close() ends the others.
        self._readers: weakref.WeakSet[SqliteSession] = weakref.WeakSet()
        self._closed = False

    @contextmanager
    def reading(self) -> Generator[SqliteSession]:
        self._check_open()
        session: SqliteSession | None = getattr(self._mine, "session", None)
        if session is None:
            self._check_identity()
            session = SqliteSession(open_reader(self.url), self.url)
            self._mine.session = session
            self._readers.add(session)
        yield session

    @contextmanager
    def writing(self) -> Generator[SqliteSession]:
        self._check_open()
        if self._read_only:
            raise AccessError(
                f"{self.url}: it, or its folder, is read-only: search works, changes do not"
            )
        if not self._turn.acquire(timeout=_ATTEMPTS * BUSY_MS / 1000):
            raise BusyError(f"{self.url}: busy: another thread of this process is still writing")
        try:
            self._check_identity()
            if self._writer is None:
                self._writer = self._new_writer()
            yield self._writer
        finally:
            self._turn.release()

    def _new_writer(self) -> SqliteSession:
        connection = open_writer(self.url)
        if self._patient:
            return _QueueingSession(connection, self.url)
        connection.set_busy_timeout(0)
        return SqliteSession(connection, self.url)

    def size(self) -> int:
        self._check_open()
        return sum(os.path.getsize(file) for file in self.files() if os.path.exists(file))

    def files(self) -> list[str]:
        return [self.url + suffix for suffix in ("", "-wal", "-shm")]

    def reclaim(self, tables: Sequence[str]) -> None:  # noqa: ARG002 - the log is of them all
        with self.writing() as session:
            # Waits for readers; where one stays, its part of the log stays as well.
            session.fetch("PRAGMA wal_checkpoint(TRUNCATE)", {})

    def count_bytes(self, needles: Sequence[bytes]) -> int | None:
        from lsm.db.sqlite_bytes import count_bytes

        self._check_open()
        return count_bytes(self.url, needles)

    def hold(self, name: str) -> AbstractContextManager[None]:
        return hold(self.url, name)

    def close(self) -> None:
        if not self._closed:
            _open_files[self._identity] -= 1
        self._closed = True
        for reader in tuple(self._readers):
            reader.close()
        self._readers.clear()
        self._mine = threading.local()
        # A thread in the middle of a transaction may finish it.
        mine = self._turn.acquire(timeout=_ATTEMPTS * BUSY_MS / 1000)
        if self._writer is not None:
            self._writer.close()
        self._writer = None
        if mine:
            self._turn.release()

    def _check_open(self) -> None:
        if self._closed:
            raise StorageError(f"{self.url}: this database has been closed")

    def _check_identity(self) -> None:
        if _identity(self.url) != self._identity:
            raise ReplacedError(
                f"{self.url}: moved or replaced by another file while open; start again"
            )


class _QueueingSession(SqliteSession):
    """The writer: waits its turn among processes at BEGIN IMMEDIATE, and only there."""

    def execute(self, sql: str, params: Mapping[str, object]) -> int:
        if sql != SQLITE.begin:
            return super().execute(sql, params)
        self._connection.set_busy_handler(Waiting(BUSY_MS))
        try:
            for attempt in range(_ATTEMPTS - 1):
                with suppress(BusyError):
                    return super().execute(sql, params)
                time.sleep(random.uniform(0.01, 0.1) * (attempt + 1))  # noqa: S311 - a pause
            return super().execute(sql, params)
        finally:
            self._connection.set_busy_timeout(BUSY_MS)


def is_open(path: str) -> bool:
    """Whether this process has *path* open, so that reading it directly would drop locks."""
    return _open_files[_identity(path)] > 0


def open_writer(path: str) -> apsw.Connection:
    """The connection that may change *path*, which must exist.

    Raises:
        StorageError: the file cannot be opened, or a setting did not take.
    """
    try:
        connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)
    except apsw.Error as error:
        raise translate(error, path) from error
    with _closed_if_it_fails(connection, path):
        _configure(connection)
        connection.pragma("page_size", _PAGE_BYTES)  # of a file that has no page yet
        _expect(connection, "journal_mode", _wal(connection), "wal")
    return connection


def open_alone(path: str, vfs: str, synchronous: str) -> apsw.Connection:
    """A connection to *path* through SQLite's file system *vfs*, which shares no memory.

    Nobody else may have the file open. Thirty pages of log are written back at a time, so that
    what is looked at happens often.

    Raises:
        StorageError: the file cannot be opened, or a setting did not take.
    """
    try:
        connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs)
    except apsw.Error as error:
        raise translate(error, path) from error
    with _closed_if_it_fails(connection, path):
        connection.pragma("locking_mode", "exclusive")
        _configure(connection)
        _expect(connection, "journal_mode", _wal(connection), "wal")
        connection.pragma("synchronous", synchronous)
        connection.pragma("wal_autocheckpoint", 30)
    return connection


def open_reader(path: str) -> apsw.Connection:
    """A connection to *path* that cannot change it.

    Raises:
        StorageError: the file cannot be opened.
    """
    try:
        connection = _first_read(path)
    except apsw.Error as error:
        raise translate(error, path) from error
    with _closed_if_it_fails(connection, path):
        _configure(connection)
        _set(connection, "query_only", 1)
    return connection


def _first_read(path: str) -> apsw.Connection:
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(BUSY_MS)  # another process may be recovering the log
        connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
    except (apsw.CantOpenError, apsw.ReadOnlyError):
        connection.close()
        # A WAL database in a folder we may not write to: without a log to read, its bytes
        # cannot change either, and SQLite may be told so.
        if os.path.exists(path + "-wal") or os.access(os.path.dirname(path) or ".", os.W_OK):
            raise
        return apsw.Connection(immutable(path), flags=READ_ONLY_URI)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _closed_if_it_fails(connection: apsw.Connection, path: str) -> Generator[None]:
    try:
        yield
    except apsw.Error as error:
        connection.close()
        raise translate(error, path) from error
    except BaseException:
        connection.close()
        raise


def _configure(connection: apsw.Connection) -> None:
    connection.set_busy_timeout(BUSY_MS)
    for name, value in _PRAGMAS.items():
        _set(connection, name, value)
    for limit, value in _LIMITS.items():
        connection.limit(limit, value)
    for option in (apsw.SQLITE_DBCONFIG_DQS_DML, apsw.SQLITE_DBCONFIG_DQS_DDL):
        connection.config(option, 0)
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    if sys.platform == "darwin":
        # Only there does fsync return before the drive has written.
        _set(connection, "fullfsync", 1)
        _set(connection, "checkpoint_fullfsync", 1)


def _set(connection: apsw.Connection, name: str, value: int) -> None:
    connection.pragma(name, value)
    _expect(connection, name, connection.pragma(name), value)


def _expect(connection: apsw.Connection, name: str, got: object, wanted: object) -> None:
    if got != wanted:
        raise StorageError(
            f"{connection.db_filename('main')}: SQLite refused {name}={wanted} (it is {got}); "
            "the file system may lack shared memory or locks"
        )


def _wal(connection: apsw.Connection) -> object:
    # Changing the mode takes an exclusive lock that no busy timeout waits for.
    give_up = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            mode = connection.pragma("journal_mode")
            return mode if mode == "wal" else connection.pragma("journal_mode", "wal")
        except apsw.BusyError:
            if time.monotonic() > give_up:
                raise
            time.sleep(random.uniform(0.01, 0.1))  # noqa: S311 - a pause


def _names(cursor: apsw.Cursor) -> list[str]:
    # A statement that gave no row is through, and apsw no longer knows its columns.
    with suppress(apsw.ExecutionCompleteError):
        return [column[0] for column in cursor.get_description()]
    return []


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _forget_the_parent() -> None:
    _carried_over.update(file for file, count in _open_files.items() if count > 0)
    _open_files.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_the_parent)
