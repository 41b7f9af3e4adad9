"""What stands beside a SQLite file: its log (``-wal``) and the log's index (``-shm``).

SQLite takes whatever log has the right name. One that was left by another database, or by this
one before it was replaced, is played into it without a word.
"""

from __future__ import annotations

import os
import struct
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import apsw

from lsm.db.sqlite import is_open
from lsm.db.sqlite_look import READ_ONLY_URI, immutable, look_without_locks

if TYPE_CHECKING:
    from collections.abc import Callable

_WAL_MAGIC = (0x377F0682, 0x377F0683)
_HEADER_BYTES = 32  # of a log
_LOOKS = 3  # another process may be making or removing the files just now
_ID = "SELECT value FROM lsm_meta WHERE key = 'database_id'"
_MOVE_AWAY = "with no lsm running, move {log} away, then run lsm doctor again"


def log_bytes(path: str) -> int:
    """How large the log of the database at *path* is; 0 without one."""
    with suppress(OSError):
        return os.stat(path + "-wal").st_size
    return 0


def sidecar_problems(path: str) -> list[str]:
    """What is wrong with the files beside *path*, as sentences with what to do.

    Nothing is said of a file that this process has open: it was looked at before.
    """
    if is_open(path) or not os.path.isfile(path):
        return []
    problems: list[str] = []
    for _ in range(_LOOKS):
        problems = _problems(path)
        if not problems:
            return []
        time.sleep(0.05)
    return problems


def _problems(path: str) -> list[str]:
    log = path + "-wal"
    if not os.path.exists(log):
        if os.path.exists(path + "-shm") and _keeps_a_log(path):
            lost = "what was written last is lost if somebody deleted it; compare with a backup"
            return [f"{log} is missing although it was in use: {lost}"]
        return []
    if not os.stat(log).st_size:
        return []
    header = _first_bytes(log, apsw.SQLITE_OPEN_WAL)
    if len(header) < _HEADER_BYTES:
        return []  # begun and never finished: SQLite knows that it holds nothing
    magic, _, page_bytes = struct.unpack(">3I", header[:12])
    if magic not in _WAL_MAGIC:
        return [f"{log} is no log of SQLite; {_MOVE_AWAY.format(log=log)}"]
    alone = _look(path, lambda place: apsw.Connection(immutable(place), flags=READ_ONLY_URI))
    if alone is not None and page_bytes != alone[1]:
        return [f"{log} belongs to another database; {_MOVE_AWAY.format(log=log)}"]
    return _compared(log, alone, _look(path, look_without_locks))


def _compared(
    log: str, alone: tuple[str, int] | None, together: tuple[str, int] | None
) -> list[str]:
    """What the log makes of the database that stands there without it."""
    if alone is None:
        return []  # all of it may still be in the log
    if together is None:
        return [
            f"the database can be read without {log} and not with it; {_MOVE_AWAY.format(log=log)}"
        ]
    if alone[0] != together[0]:
        return [f"{log} belongs to another database; {_MOVE_AWAY.format(log=log)}"]
    return []


def _look(path: str, look: Callable[[str], apsw.Connection]) -> tuple[str, int] | None:
    """The database's identity and page size; None if it cannot be read, or has none yet."""
    try:
        connection = look(path)
        try:
            rows = connection.execute(_ID).fetchall()
            return (str(rows[0][0]), int(str(connection.pragma("page_size")))) if rows else None
        finally:
            connection.close()
    except apsw.Error:
        return None


def _keeps_a_log(path: str) -> bool:
    # What the file itself says: a restore that was killed leaves one that keeps none.
    return _first_bytes(path, apsw.SQLITE_OPEN_MAIN_DB)[18:20] == b"\2\2"


def _first_bytes(path: str, kind: int) -> bytes:
    file = apsw.VFSFile("", path, [kind | apsw.SQLITE_OPEN_READONLY, 0])
    try:
        return file.xRead(min(file.xFileSize(), _HEADER_BYTES), 0)
    except apsw.Error:
        return b""  # it has just become shorter
    finally:
        file.xClose()
