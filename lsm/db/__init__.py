"""The one door to the database: SQLite or PostgreSQL behind one small interface."""

from __future__ import annotations

import os
import re
import threading
from typing import TYPE_CHECKING

from lsm.clock import utc_now
from lsm.db.database import Database, Row
from lsm.db.mark import refuse_marked
from lsm.db.migrate import migrate, newest
from lsm.db.state import Found, State, refuse_unusable
from lsm.errors import AccessError, ConfigError

if TYPE_CHECKING:
    from lsm.clock import Clock

__all__ = [
    "Database",
    "Found",
    "Row",
    "State",
    "file_of",
    "inspect_database",
    "is_server",
    "open_as_it_is",
    "open_database",
    "open_unfinished",
    "sqlite_path",
]

# Between looking at a file and having it open, no other thread may open it: see `sqlite.is_open`.
_opening = threading.Lock()


def open_database(url: str, clock: Clock = utc_now) -> Database:
    """Open the database at *url*; made if nothing is there, migrated if it is older.

    Args:
        url: ``postgresql://...``, ``sqlite:///path``, or the path of a SQLite file.
        clock: stamps what is created.

    Raises:
        ForeignError, NewerError, DamagedError, AccessError: by what stands there; untouched.
        UnfinishedError: another database is being moved into it.
        BusyError: another process kept it locked.
        ConfigError: *url* names no engine we know.
    """
    db = open_unfinished(url, clock)
    try:
        refuse_marked(db)
    except BaseException:
        db.close()
        raise
    return db


def open_unfinished(url: str, clock: Clock = utc_now) -> Database:
    """`open_database`, also where a move has not come to its end: for the move itself."""
    if is_server(url):
        from lsm.db.postgres import PostgresBackend

        return _migrated(Database(PostgresBackend(url)), clock)
    return _open_sqlite(sqlite_path(url), clock)


def open_as_it_is(url: str, *, writable: bool = False, patient: bool = True) -> Database:
    """The database at *url*, of which nothing is made, upgraded or tightened.

    Args:
        url: as for `open_database`.
        writable: otherwise transactions are refused on SQLite.
        patient: otherwise they are refused at once while another process writes.

    Raises:
        StorageError: there is none, or one that cannot be used.
    """
    if is_server(url):
        from lsm.db.postgres import PostgresBackend

        return Database(PostgresBackend(url, prepare=False))
    from lsm.db.sqlite import SqliteBackend

    path = sqlite_path(url)
    with _opening:
        found = inspect_database(path)
        refuse_unusable(path, found)
        if found.state is State.NEW:
            raise AccessError(f"{path}: there is no database yet; lsm init makes it")
        return Database(SqliteBackend(path, read_only=not writable, patient=patient))


def inspect_database(url: str) -> Found:
    """What stands at *url*, found out without changing it. PostgreSQL is judged at open."""
    if is_server(url):
        return Found(State.CURRENT)
    from lsm.db.sqlite_file import inspect

    return inspect(sqlite_path(url), newest("sqlite"))


def sqlite_path(url: str) -> str:
    """The absolute path in ``sqlite:///path``, or *url* itself, which is a path.

    Raises:
        ConfigError: *url* begins with the name of another engine.
    """
    path = url.removeprefix("sqlite://")
    if path == url and (scheme := re.match(r"[a-z][a-z0-9+.-]*://", url)):
        raise ConfigError("database", f"{scheme[0]} is neither postgresql:// nor sqlite:///")
    path = os.path.abspath(os.path.expanduser(path))
    # The log stands beside the file, not beside a link to it.
    return os.path.realpath(path) if os.path.islink(path) and os.path.exists(path) else path


def file_of(url: str) -> str | None:
    """The path of the database file at *url*; None where a server keeps it.

    Raises:
        ConfigError: *url* names no engine we know.
    """
    return None if is_server(url) else sqlite_path(url)


def is_server(url: str) -> bool:
    """Whether *url* is the address of a server and not of a file."""
    return url.startswith(("postgresql://", "postgres://"))


def _open_sqlite(path: str, clock: Clock) -> Database:
    from lsm.db import sqlite_file
    from lsm.db.sqlite import SqliteBackend

    with _opening:
        found = sqlite_file.inspect(path, newest("sqlite"))
        refuse_unusable(path, found)
        if found.state is State.NEW:
            sqlite_file.create(path)
        db = Database(SqliteBackend(path, read_only=not sqlite_file.writable(path)))
    return _migrated(db, clock, current=found.state is State.CURRENT)


def _migrated(db: Database, clock: Clock, *, current: bool = False) -> Database:
    try:
        # Looked at without locks, a commit shows a moment before any connection may see it.
        if not (current and db.tuples("PRAGMA user_version") == [(newest("sqlite"),)]):
            migrate(db, clock)
    except BaseException:
        db.close()
        raise
    return db
