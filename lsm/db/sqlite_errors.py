"""What the driver's errors mean to whoever reads them. Imports nothing that opens a file."""

from __future__ import annotations

import apsw

from lsm.db.locks import holders
from lsm.errors import (
    AccessError,
    BusyError,
    ConflictError,
    DamagedError,
    DiskFullError,
    ForeignError,
    StorageError,
)

_ERRORS: tuple[tuple[type[Exception], type[StorageError]], ...] = (
    (apsw.ConstraintError, ConflictError),
    (apsw.BusyError, BusyError),
    (apsw.LockedError, BusyError),
    (apsw.FullError, DiskFullError),
    (apsw.ReadOnlyError, AccessError),
    (apsw.CantOpenError, AccessError),
    (apsw.PermissionsError, AccessError),
    (apsw.NotADBError, ForeignError),
    (apsw.CorruptError, DamagedError),
)


def translate(error: Exception, path: str) -> StorageError:
    """Our error for the driver's, naming the file."""
    for theirs, ours in _ERRORS:
        if isinstance(error, theirs):
            return ours(f"{path}: {_plain(error, path)}")
    return StorageError(f"{path}: {error}")


def _plain(error: Exception, path: str) -> str:
    if isinstance(error, apsw.FullError):
        return "the disk is full; nothing was changed; free some space and run it again"
    if isinstance(error, (apsw.BusyError, apsw.LockedError)):
        return f"busy: {holders(path)} keeps it locked; wait for it to finish"
    return str(error)
