"""The one door to the database: SQLite or PostgreSQL behind one small interface."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lsm.clock import utc_now
from lsm.db.database import Database, Row
from lsm.db.migrate import migrate, newest
from lsm.db.state import Found, State, refuse_unusable

if TYPE_CHECKING:
    from lsm.clock import Clock

__all__ = ["Database", "Found", "Row", "State", "inspect_database", "open_database"]


def open_database(url: str, clock: Clock = utc_now) -> Database:
    """Open the database at *url*; made if nothing is there, migrated if it is older.

    Args:
        url: ``postgresql://...``, ``sqlite:///path``, or the path of a SQLite file.
        clock: stamps what is created.

    Raises:
        ForeignError, NewerError, DamagedError, AccessError: by what stands there; untouched.
        BusyError: another process kept it locked.
    """
    if _is_postgres(url):
        from lsm.db.postgres import PostgresBackend

        db = Database(PostgresBackend(url))
        migrate(db, clock)
        return db
    return _open_sqlite(sqlite_path(url), clock)


def inspect_database(url: str) -> Found:
    """What stands at *url*, found out without changing it. PostgreSQL is judged at open."""
    if _is_postgres(url):
        return Found(State.CURRENT)
    from lsm.db.sqlite_file import inspect

    return inspect(sqlite_path(url), newest("sqlite"))


def sqlite_path(url: str) -> str:
    """The absolute path in ``sqlite:///path``, or *url* itself, which is a path."""
    path = url.removeprefix("sqlite://") if url.startswith("sqlite://") else url
    return os.path.abspath(os.path.expanduser(path))


def _is_postgres(url: str) -> bool:
    return url.startswith(("postgresql://", "postgres://"))


def _open_sqlite(path: str, clock: Clock) -> Database:
    from lsm.db import sqlite_file
    from lsm.db.sqlite import SqliteBackend

    found = sqlite_file.inspect(path, newest("sqlite"))
    refuse_unusable(path, found)
    if found.state is State.NEW:
        sqlite_file.create(path)
    db = Database(SqliteBackend(path, read_only=not sqlite_file.writable(path)))
    if found.state is not State.CURRENT:
        try:
            migrate(db, clock)
        except BaseException:
            db.close()
            raise
    return db
