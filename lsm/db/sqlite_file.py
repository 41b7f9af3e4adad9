"""The database file before it is a database: what stands there, and making a new one."""

from __future__ import annotations

import os
import stat
import struct
from contextlib import suppress

import apsw

from lsm.db.sqlite import READ_ONLY_URI, immutable, is_open, open_reader, translate
from lsm.db.state import APPLICATION_ID, Found, State
from lsm.errors import AccessError, StorageError

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)  # Windows has none


def inspect(path: str, newest: int) -> Found:
    """What stands at *path*, found out without changing a byte there.

    Args:
        path: where the database is, or is to be.
        newest: the schema number this program writes.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return Found(State.NEW)
    except OSError as error:
        return Found(State.UNREADABLE, error.strerror or str(error))
    if stat.S_ISLNK(status.st_mode):
        return _inspect_link(path, newest)
    if not stat.S_ISREG(status.st_mode):
        return Found(State.UNREADABLE, "it is not a regular file")
    if status.st_size == 0:
        # SQLite leaves an empty file behind when it is killed while making one.
        return Found(State.NEW)
    return _inspect_file(path, status.st_size, newest)


def _inspect_link(path: str, newest: int) -> Found:
    if not os.path.exists(path):
        return Found(State.UNREADABLE, "it is a link to nothing")
    return inspect(os.path.realpath(path), newest)


def _inspect_file(path: str, size: int, newest: int) -> Found:
    if is_open(path):
        return _inspect_schema(path, newest)  # looked at when it was opened first
    try:
        with open(path, "rb", buffering=0) as file:
            header = file.read(_HEADER_BYTES)
    except OSError as error:
        return Found(State.UNREADABLE, error.strerror or str(error))
    if header[:16] != _MAGIC:
        return Found(State.FOREIGN, "it is not a SQLite database")
    if size < _HEADER_BYTES or _missing_pages(header, size, path):
        return Found(State.DAMAGED, "its end is missing")
    (application,) = struct.unpack(">i", header[68:72])
    if application not in (0, APPLICATION_ID):
        return Found(State.FOREIGN, "it is another program's SQLite database")
    return _inspect_schema(path, newest, untouched=application == 0)


def _missing_pages(header: bytes, size: int, path: str) -> bool:
    if os.path.exists(path + "-wal") or os.path.exists(path + "-journal"):
        return False  # the log may hold them
    (page_bytes,) = struct.unpack(">H", header[16:18])
    (pages,) = struct.unpack(">I", header[28:32])
    return size < pages * (65536 if page_bytes == 1 else page_bytes)


def _inspect_schema(path: str, newest: int, *, untouched: bool = False) -> Found:
    try:
        connection = _open_to_look(path, untouched=untouched)
        try:
            application = connection.pragma("application_id")
            number = connection.pragma("user_version")
            tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()[0][0]
        finally:
            connection.close()
    except (apsw.NotADBError, apsw.CorruptError) as error:
        return Found(State.DAMAGED, str(error))
    except apsw.Error as error:
        raise translate(error, path) from error
    return _judge(application, number, tables, newest)


def _open_to_look(path: str, *, untouched: bool) -> apsw.Connection:
    if untouched and not os.path.exists(path + "-wal"):
        # Even a read-only connection would make a -shm file beside another program's database.
        return apsw.Connection(immutable(path), flags=READ_ONLY_URI)
    return open_reader(path)


def _judge(application: object, number: object, tables: object, newest: int) -> Found:
    if application != APPLICATION_ID:
        if tables == 0:
            return Found(State.NEW)
        return Found(State.FOREIGN, "it is another program's SQLite database")
    if not isinstance(number, int) or number < newest:
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
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | _NOFOLLOW, 0o600))
    except OSError as error:
        raise AccessError(f"{path}: {error.strerror}") from error


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
