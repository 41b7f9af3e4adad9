"""Being the only process that does something to a database file, on any operating system."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import apsw

from lsm.db.locks import holders
from lsm.db.sqlite_errors import translate
from lsm.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def hold(path: str, name: str) -> Generator[None]:
    """Hold *name* for the database at *path* as long as the block runs.

    The lock is SQLite's own, on an empty database ``PATH.NAME`` beside it: it ends with the
    process, however that ends, and holds between containers that share a disk.

    Raises:
        BusyError: another process holds it.
        StorageError: the file cannot be made.
    """
    place = f"{path}.{name}"
    try:
        connection = apsw.Connection(place)
    except apsw.Error as error:
        raise translate(error, place) from error
    try:
        connection.pragma("journal_mode", "memory")  # no second file beside it
        connection.execute("BEGIN EXCLUSIVE")
    except apsw.BusyError as error:
        connection.close()
        raise BusyError(f"{path}: {holders(place)} is busy with it ({name})") from error
    except apsw.Error as error:
        connection.close()
        raise translate(error, place) from error
    try:
        yield
    finally:
        connection.close()
        with suppress(OSError):  # Windows: somebody else is looking whether it is held
            os.unlink(place)
