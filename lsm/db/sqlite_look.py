"""Reading a SQLite file without locks, logs or any file beside it."""

from __future__ import annotations

import os
from urllib.parse import quote

import apsw

READ_ONLY_URI = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
_NO_LOCKS = "win32-none" if os.name == "nt" else "unix-none"


def immutable(path: str) -> str:
    """The URI by which SQLite reads *path* without locks, logs or any file beside it."""
    return f"file://{quote(path)}?immutable=1"


def look_without_locks(path: str) -> apsw.Connection:
    """A connection that reads *path* and its log as they are, and changes no byte beside them.

    What it reads may be torn while another process writes. Only for a file this process has not
    open: closing it drops our locks.
    """
    if not os.path.exists(path + "-wal"):
        return apsw.Connection(immutable(path), flags=READ_ONLY_URI)
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY, vfs=_NO_LOCKS)
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    # In this mode the index of the log is kept in memory, not in a -shm file.
    connection.pragma("locking_mode", "exclusive")
    return connection
