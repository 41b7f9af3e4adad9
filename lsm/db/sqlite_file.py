"""The database file before it is a database: what stands there, and making a new one."""

from __future__ import annotations

import os
import stat
import struct
import time
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import apsw

from lsm.db.sqlite import is_open, open_reader
from lsm.db.sqlite_errors import translate
from lsm.db.sqlite_look import look_without_locks
from lsm.db.state import APPLICATION_ID, Found, State
from lsm.errors import AccessError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_LOOKS = 4  # before bytes that make no sense are called damaged
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)  # Windows has none


def inspect(path: str, newest: int) -> Found:
    """What stands at *path*, found out without changing a byte there.

    Args:
        path: where the database is, or is to be.
        newest: the schema number this program writes.
    """
    try:
        path.encode()
        status = os.lstat(path)
    except FileNotFoundError:
        return Found(State.NEW)
    except ValueError:  # bytes that are not UTF-8, or NUL
        return Found(State.UNREADABLE, "SQLite takes only a path that is UTF-8 text")
    except OSError as error:
        return Found(State.UNREADABLE, error.strerror or str(error))
    if stat.S_ISLNK(status.st_mode):
        return _inspect_link(path, newest)
    if not stat.S_ISREG(status.st_mode):
        return Found(State.UNREADABLE, "it is not a regular file")
    if status.st_size == 0:
        # SQLite leaves an empty file behind when it is killed while making one.
        return Found(State.NEW)
    return _inspect_file(path, newest)


def _inspect_link(path: str, newest: int) -> Found:
    if not os.path.exists(path):
        return Found(State.UNREADABLE, "it is a link to nothing")
    return inspect(os.path.realpath(path), newest)


def _inspect_file(path: str, newest: int) -> Found:
    if is_open(path):  # its header was looked at when it was opened first
        return _inspect_schema(path, newest, open_reader)
    try:
        with open(path, "rb", buffering=0) as file:
            header = file.read(_HEADER_BYTES)
            logged = os.path.exists(path + "-wal") or os.path.exists(path + "-journal")
            # Asked last: a checkpoint in between has then written all of its pages.
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        return Found(State.UNREADABLE, error.strerror or str(error))
    application = int.from_bytes(header[68:72], "big", signed=True)
    if header[:16] != _MAGIC:
        if application == APPLICATION_ID:
            return Found(State.DAMAGED, "its first bytes are not what was written")
        return Found(State.FOREIGN, "it is not a SQLite database")
    if len(header) < _HEADER_BYTES or (not logged and _missing_pages(header, size)):
        return Found(State.DAMAGED, "its end is missing")
    if application not in (0, APPLICATION_ID):
        return Found(State.FOREIGN, "it is another program's SQLite database")
    return _inspect_schema(path, newest, look_without_locks)


def _missing_pages(header: bytes, size: int) -> bool:
    (page_bytes,) = struct.unpack(">H", header[16:18])
    (pages,) = struct.unpack(">I", header[28:32])
    return size < pages * (65536 if page_bytes == 1 else page_bytes)


def _inspect_schema(path: str, newest: int, look: Callable[[str], apsw.Connection]) -> Found:
    try:
        for _ in range(_LOOKS):
            with suppress(apsw.NotADBError, apsw.CorruptError):
                return _judge(*_identity(path, look), newest)
            time.sleep(0.02)  # another process may have been writing just there
        return _judge(*_identity(path, look), newest)
    except (apsw.NotADBError, apsw.CorruptError) as error:
        return Found(State.DAMAGED, str(error))
    except apsw.Error as error:
        raise translate(error, path) from error


def _identity(path: str, look: Callable[[str], apsw.Connection]) -> tuple[int, int, bool]:
    """Application id, schema number, and whether there is a single table; of one commit."""
    connection = look(path)
    try:
        connection.execute("BEGIN")
        application = connection.pragma("application_id")
        number = connection.pragma("user_version")
        ours = application == APPLICATION_ID
        tables = ours or connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
        return cast("int", application), cast("int", number), bool(tables)
    finally:
        connection.close()


def _judge(application: int, number: int, tables: bool, newest: int) -> Found:  # noqa: FBT001
    if application == 0 and not tables:
        return Found(State.NEW)
    if application != APPLICATION_ID:
        return Found(State.FOREIGN, "it is another program's SQLite database")
    if number < newest:
        return Found(State.OLDER, f"its schema is {number}, this lsm writes {newest}")
    if number > newest:
        return Found(
            State.NEWER, f"a newer lsm wrote it (schema {number}, this one knows {newest})"
        )
    return Found(State.CURRENT)


def create(path: str) -> None:
    """Make an empty database file at *path* that only its owner can read, in its folder.

    Raises:
        AccessError: the folder or file cannot be made.
    """
    try:
        make_private_folder(os.path.dirname(path) or ".")
        # Before SQLite makes it with the umask's mode; -wal and -shm then get the same mode.
        with suppress(FileExistsError):
            make_private_file(path)
    except OSError as error:
        raise AccessError(f"{path}: {error.strerror}") from error


def make_private_file(path: str) -> None:
    """Make *path*, empty, for its owner alone.

    Raises:
        OSError: it cannot be made; FileExistsError where there is one.
    """
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | _NOFOLLOW, 0o600))


def make_durable(path: str) -> None:
    """Wait until the bytes of *path*, which no connection has open, are on the disk.

    Raises:
        OSError: the disk refused.
    """
    file = os.open(path, os.O_RDWR | _NOFOLLOW)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def make_private_folder(path: str) -> None:
    """Make *path* and its parents; only its owner may enter it.

    Raises:
        OSError: it cannot be made.
        StorageError: another user owns it.
    """
    if not os.path.isdir(path):
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o700)
    status = os.stat(path)
    if hasattr(os, "getuid") and status.st_uid not in (os.getuid(), 0) and os.getuid() != 0:
        raise StorageError(f"{path}: belongs to another user; choose your own with --home")


def writable(path: str) -> bool:
    """Whether the file, and the folder for its log, may be written; tightens a loose mode."""
    if not (os.access(path, os.W_OK) and os.access(os.path.dirname(path), os.W_OK)):
        return False
    if os.name == "posix" and stat.S_IMODE(os.stat(path).st_mode) & 0o077:
        with suppress(PermissionError):  # another user's file in a shared folder
            os.chmod(path, 0o600)
    return True
