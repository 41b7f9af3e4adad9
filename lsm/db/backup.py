"""A copy of the whole database that has been read back before anyone relies on it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from lsm.db import file_of
from lsm.db.pages import copy_pages, remove
from lsm.errors import AccessError, DamagedError, DiskFullError, RefusedError
from lsm.failpoints import reach
from lsm.processes import process_start

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.db.database import Database


@dataclass(frozen=True)
class Backup:
    """A backup that was made and read back."""

    file: str
    bytes: int
    schema: int  # number of the newest migration in it
    tables: dict[str, int]  # rows, by name


def _silent(_done: int, _total: int) -> None: ...


def back_up(
    db: Database, path: str, on_pages: Callable[[int, int], None] = _silent, *, check: bool = True
) -> Backup:
    """Copy the newest commit of *db* to the new file *path*, for its owner alone.

    The copy is complete in one file. It takes its name only once it has been read back and is on
    the disk. Writers may go on meanwhile.

    Args:
        db: on SQLite.
        path: where nothing stands.
        on_pages: told how many pages of how many are copied; what it raises ends it.
        check: without, the copy is what it is: of a damaged database, to mend it afterwards.

    Raises:
        RefusedError: something stands at *path*, or *db* is on PostgreSQL, which has its own
            tool; names the command.
        DiskFullError: there is no room for it; nothing is left behind.
        DamagedError: the copy does not read back as a sound database.
        AccessError: the folder cannot be written to.
    """
    return _backed_up(db, path, on_pages, check=check, replace=False)


def backup_to(db: Database, path: str) -> int:
    """As `back_up`, but replacing what stands at *path*; the copy's bytes."""
    return _backed_up(db, path, _silent, check=True, replace=True).bytes


def _backed_up(
    db: Database, path: str, on_pages: Callable[[int, int], None], *, check: bool, replace: bool
) -> Backup:
    path = os.path.abspath(path)
    _refuse(db, path, replace=replace)
    partial = f"{path}.partial-{os.getpid()}-{uuid4().hex[:8]}"
    try:
        remove_partials(path)
        _expect_room(db, path)
        try:
            contents = copy_pages(db.url, partial, on_pages, check=check)
            size = os.stat(partial).st_size
            reach("backup.before_rename")
            take_name(partial, path, replace=replace)
        except BaseException:
            remove(partial)
            raise
    except DamagedError as error:
        raise DamagedError(f"{error}; no backup was made; lsm doctor says what to do") from error
    except OSError as error:
        raise AccessError(f"{path}: {error.strerror}") from error
    found = contents.tables if contents else {}
    return Backup(path, size, contents.schema if contents else 0, found)


def take_name(partial: str, path: str, *, replace: bool) -> None:
    """Give the finished file *partial* its name, for good.

    Raises:
        RefusedError: another file has taken it meanwhile, and *replace* is not said.
        OSError: the folder cannot be written to.
    """
    if replace:
        os.replace(partial, path)
    else:
        try:
            os.link(partial, path)  # which, unlike a rename, replaces nothing
        except FileExistsError:
            raise RefusedError(f"{path}: is there already; name a new file") from None
        except OSError:  # a file system without links
            if os.path.lexists(path):
                raise RefusedError(f"{path}: is there already; name a new file") from None
            os.rename(partial, path)
        else:
            os.unlink(partial)
    make_names_durable(os.path.dirname(path))


def make_names_durable(folder: str) -> None:
    """Wait until the names in *folder* are on the disk, where the system can say so."""
    if os.name == "posix":
        opened = os.open(folder, os.O_RDONLY)
        try:
            # Some file systems have no fsync for folders, and write names in order anyway.
            with suppress(OSError):
                os.fsync(opened)
        finally:
            os.close(opened)


def remove_partials(path: str) -> None:
    """Remove what copies to *path* left that were killed; those still being made stay."""
    folder, name = os.path.split(path)
    left = re.compile(re.escape(name) + r"\.partial(?:-(\d+)-[0-9a-f]{8})?(?:-journal|-wal|-shm)?")
    for entry in os.listdir(folder):
        found = left.fullmatch(entry)
        if found and (found[1] is None or process_start(int(found[1])) is None):
            left_over = os.path.join(folder, entry)
            if os.path.isdir(left_over) and not os.path.islink(left_over):
                shutil.rmtree(left_over)
            else:
                os.unlink(left_over)


def _refuse(db: Database, path: str, *, replace: bool) -> None:
    if db.engine != "sqlite":
        raise RefusedError(f"PostgreSQL has its own tool for this: {dump_command(db, path)}")
    if os.path.isdir(path):
        raise RefusedError(f"{path}: is a folder; name a new file in it")
    if os.path.lexists(path) and not replace:
        raise RefusedError(f"{path}: is there already; name a new file")


def dump_command(db: Database, path: str) -> str:
    """The command that writes *db*, on PostgreSQL, to *path*; it asks for the password."""
    from lsm.db.postgres import split_schema

    address, schema = split_schema(db.url)
    words = ("pg_dump", "--format=custom", f"--schema={schema}", f"--file={path}", address)
    return " ".join(map(shlex.quote, words))


def file_to_restore(url: str, backup: str) -> str:
    """The database file at *url*.

    Raises:
        RefusedError: a server keeps it; names the command that restores *backup* there.
    """
    path = file_of(url)
    if path is not None:
        return path
    from lsm.db.postgres import split_schema, without_password

    address, _ = split_schema(without_password(url))
    words = ("pg_restore", "--clean", "--if-exists", f"--dbname={address}", backup)
    raise RefusedError(f"PostgreSQL has its own tool for this: {' '.join(map(shlex.quote, words))}")


def _expect_room(db: Database, path: str) -> None:
    free = shutil.disk_usage(os.path.dirname(path)).free
    if free < db.size():
        raise DiskFullError(
            f"{path}: a backup needs {db.size() // 2**20 + 1} MiB, {free // 2**20} MiB are free; "
            "nothing was changed"
        )
