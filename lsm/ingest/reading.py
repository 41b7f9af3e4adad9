"""Reads the content of exactly the file that the walk saw, and never waits for one."""

import errno
import hashlib
import os
import stat
from functools import reduce
from operator import or_

from lsm.ingest.document import ParseError
from lsm.ingest.messages import FileFacts, ParseRequest

# Without O_NONBLOCK, opening a FIFO waits for ever. Windows has none of these, but O_BINARY.
_WANTED = ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY")
_FLAGS = reduce(or_, (getattr(os, name, 0) for name in _WANTED), os.O_RDONLY)

_STEP = 2**20
_ATTEMPTS = 2
_REASONS = {
    errno.ENOENT: ("vanished", "it was deleted or renamed before it was read"),
    errno.ENOTDIR: ("vanished", "a folder above it was replaced before it was read"),
    errno.EACCES: ("permission_denied", "you have no permission to read it"),
    errno.EPERM: ("permission_denied", "you have no permission to read it"),
    errno.ELOOP: ("symlink", "it became a symbolic link after the scan"),
    errno.ENAMETOOLONG: ("path_too_long", "its path is too long for this system to open"),
    errno.ENXIO: ("not_regular", "it is not a regular file"),
    errno.EISDIR: ("not_regular", "it is a folder"),
}


def read_file(request: ParseRequest, max_bytes: int) -> tuple[bytes, FileFacts]:
    """The content of the requested file and what it was like while it was read.

    Raises:
        ParseError: vanished, permission_denied, symlink, not_regular, path_too_long,
            too_large, changing or unreadable.
    """
    try:
        descriptor = os.open(request.path, _FLAGS)
    except OSError as error:
        raise _told(error) from error
    try:
        for _ in range(_ATTEMPTS):
            before = os.fstat(descriptor)
            _check(before, request, max_bytes)
            data = _read_all(descriptor, before.st_size)
            after = os.fstat(descriptor)
            if len(data) == after.st_size and _identity(before) == _identity(after):
                return data, _facts(data, after)
    except OSError as error:
        raise _told(error) from error
    finally:
        os.close(descriptor)
    raise ParseError("changing", "it was being written while it was read; it is tried again later")


def _check(found: os.stat_result, request: ParseRequest, max_bytes: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ParseError("not_regular", "it is not a regular file")
    if (found.st_dev, found.st_ino) != (request.device, request.inode):
        raise ParseError("changing", "another file took its place; it is tried again later")
    if found.st_size > max_bytes:
        reason = f"it has {found.st_size:,} bytes; at most {max_bytes:,} are read of this kind"
        raise ParseError("too_large", reason)


def _read_all(descriptor: int, size: int) -> bytes:
    """At most one byte more than *size*: enough to see that the file has grown."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    pieces: list[bytes] = []
    left = size + 1
    while left and (piece := os.read(descriptor, min(left, _STEP))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _identity(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _facts(data: bytes, found: os.stat_result) -> FileFacts:
    return FileFacts(
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        mtime_ns=found.st_mtime_ns,
        ctime_ns=found.st_ctime_ns,
        inode=found.st_ino,
        device=found.st_dev,
    )


def _told(error: OSError) -> ParseError:
    unreadable = ("unreadable", f"the system cannot read it: {error.strerror or error}")
    return ParseError(*_REASONS.get(error.errno or 0, unreadable))
