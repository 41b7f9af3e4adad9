"""The one door to the database: SQLite or PostgreSQL behind one small interface."""

from __future__ import annotations

import os
import re
import threading
from typing import TYPE_CHECKING

from lsm.clock import utc_now
from lsm.db.database import Database, Row
from lsm.db.migrate import migrate, newest
from lsm.db.state import Found, State, refuse_unusable
from lsm.errors import ConfigError

if TYPE_CHECKING:
    from lsm.clock import Clock

__all__ = ["Database", "Found", "Row", "State", "inspect_database", "open_database"]

# Between looking at a file and having it open, no other thread may open it: see `sqlite.is_open`.
_opening = threading.Lock()


def open_database(url: str, clock: Clock = utc_now) -> Database:
    """Open the database at *url*; made if nothing is there, migrated if it is older.

    Args:
        url: ``postgresql://...``, ``sqlite:///path``, or the path of a SQLite file.
        clock: stamps what is created.

    Raises:
        ForeignError, NewerError, DamagedError, AccessError: by what stands there; untouched.
        BusyError: another process kept it locked.
        ConfigError: *url* names no engine we know.
    """
    if _is_postgres(url):
        from lsm.db.postgres import PostgresBackend

        return _migrated(Database(PostgresBackend(url)), clock)
    return _open_sqlite(sqlite_path(url), clock)


def inspect_database(url: str) -> Found:
    """What stands at *url*, found out without changing it. PostgreSQL is judged at open."""
    if _is_postgres(url):
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


def _is_postgres(url: str) -> bool:
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
