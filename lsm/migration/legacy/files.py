"""A file of the predecessor, read whole while it stands still."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from dataclasses import dataclass

from lsm.errors import AccessError, BusyError
from lsm.paths import shown, to_text

_ATTEMPTS = 5
_PAUSE_S = 0.2


@dataclass(frozen=True)
class SourceFile:
    """Bytes and what they were hashed to."""

    path: str
    data: bytes
    sha256: str


def read_file(path: str) -> SourceFile:
    """The file at *path*, which is not changed.

    Raises:
        AccessError: it cannot be read.
        BusyError: somebody keeps writing to it.
    """
    name = shown(to_text(path))
    for _ in range(_ATTEMPTS):
        try:
            # Not waiting for a pipe's other end.
            descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
            with os.fdopen(descriptor, "rb") as file:
                before = os.fstat(file.fileno())
                if not stat.S_ISREG(before.st_mode):
                    raise AccessError(f"{name}: it is not a file")
                data = file.read()
                after = os.fstat(file.fileno())
        except OSError as error:
            raise AccessError(f"{name}: {error.strerror}") from error
        if (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, len(data)):
            return SourceFile(path, data, hashlib.sha256(data).hexdigest())
        time.sleep(_PAUSE_S)
    raise BusyError(f"{name}: it keeps changing; stop the program that writes to it")
