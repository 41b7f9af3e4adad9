"""Puts a backup in the place of the database, whole or not at all.

Under the old file's exclusive lock, its log is folded in, so that it is complete in one file; then
it gets a second name, and the backup, which lies beside it by then, takes the first one in a single
step. Whatever ends the process in between, the old database or the new one stands there, without
a log of the other's.
"""

from __future__ import annotations

import os
import re
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import apsw

from lsm.clock import to_text, utc_now
from lsm.db.backup import make_names_durable, remove_partials
from lsm.db.locks import openers
from lsm.db.migrate import newest
from lsm.db.pages import Contents, copy_pages, expect_sound, remove
from lsm.db.sidecars import sidecar_problems
from lsm.db.sqlite import is_open
from lsm.db.sqlite_bytes import blocks
from lsm.db.sqlite_errors import translate
from lsm.db.sqlite_file import inspect, make_private_file, make_private_folder
from lsm.db.state import State, refuse_unusable
from lsm.errors import AccessError, BusyError, RefusedError
from lsm.failpoints import reach

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from lsm.clock import Clock

_PLAIN = re.compile(r"[-:]|\.\d+")


@dataclass(frozen=True)
class Restored:
    """What stands where now."""

    database: str
    kept: str | None  # what was there before; None if nothing was
    schema: int
    tables: dict[str, int]  # rows, by name


@dataclass(frozen=True)
class RestoreHooks:
    """Whom a restore talks to."""

    on_pages: Callable[[int, int], None] = lambda _done, _total: None
    clock: Clock = utc_now
    reached: Callable[[str], None] = reach  # tests end the process at these points


def restore(path: str, backup: str, hooks: RestoreHooks = RestoreHooks()) -> Restored:
    """Make the database at *path* what *backup* is; what stood there is kept under another name.

    Run again after it was killed, it does what is left to do.

    Args:
        path: the SQLite file; nothing need stand there. This process must not have it open.
        backup: a file that `back_up` wrote, or any database of lsm that is in nobody's use.
        hooks: told how many pages are copied, and asked for the time.

    Raises:
        ForeignError, NewerError, DamagedError: *backup* is not one of ours, or not sound.
        RefusedError: *backup* is a database in use, or the very file it would replace.
        BusyError: another process has the database open; names it.
        AccessError: a folder or file cannot be written to. Nothing was changed in any case.
    """
    path, backup = os.path.abspath(path), os.path.abspath(backup)
    _check_backup(path, backup)
    try:
        make_private_folder(os.path.dirname(path))
        _forget_killed(path)
        incoming = f"{path}.restoring.partial-{os.getpid()}-{uuid4().hex[:8]}"
        try:
            contents = _brought_beside(backup, incoming, hooks)
            hooks.reached("restore.copied")
            kept = _swap(path, incoming, hooks)
        except BaseException:
            remove(incoming)
            raise
    except OSError as error:
        raise AccessError(f"{error.filename or path}: {error.strerror}") from error
    return Restored(path, kept, contents.schema, contents.tables)


def _check_backup(path: str, backup: str) -> None:
    if os.path.exists(path) and os.path.exists(backup) and os.path.samefile(path, backup):
        raise RefusedError(f"{backup}: this is the database itself; name a backup of it")
    found = inspect(backup, newest("sqlite"))
    if found.state is State.NEW:
        raise RefusedError(f"{backup}: there is no backup there")
    refuse_unusable(backup, found)
    log = backup + "-wal"
    if os.path.exists(log) and os.stat(log).st_size:
        # It may be of this moment, of another one, or be written right now.
        raise RefusedError(
            f"{backup}: has a log beside it, so it is a database in use or a raw copy of one; "
            f"make a backup of it: lsm --database {backup} db backup FILE"
        )


def _brought_beside(backup: str, incoming: str, hooks: RestoreHooks) -> Contents:
    """Copy *backup* to where it is to be, and read the copy back."""
    expect_sound(backup)
    contents = copy_pages(backup, incoming, hooks.on_pages)
    assert contents is not None  # noqa: S101 - it was asked to check
    return contents


def _swap(path: str, incoming: str, hooks: RestoreHooks) -> str | None:
    with _alone(path) as fold_in:
        kept = None
        if os.path.exists(path) and os.stat(path).st_size:
            kept = _name_of_lost_log(path) or _free_name(path, hooks.clock)
            if not fold_in(hooks):
                _set_log_aside(path, kept, hooks)
            _name_twice(path, kept)
            hooks.reached("restore.kept")
        else:
            _set_log_aside(path, _free_name(path, hooks.clock), hooks)
        make_names_durable(os.path.dirname(path))
        hooks.reached("restore.before_rename")
        os.replace(incoming, path)
        hooks.reached("restore.after_rename")
        make_names_durable(os.path.dirname(path))
    return kept


@contextmanager
def _alone(path: str) -> Generator[Callable[[RestoreHooks], bool]]:
    """Nobody else has, or gets, the database at *path*; gives what folds its log in.

    Raises:
        BusyError: somebody has it; names the process.
    """
    if is_open(path):
        raise BusyError(f"{path}: this very process has it open; close it first")
    if not os.path.exists(path):
        yield lambda _: False
        return
    # Before the lock is taken: looking past locks would drop it.
    strange = bool(sidecar_problems(path))
    with closing(_Lock(path)) as lock:
        yield lambda hooks: not strange and lock.fold_in(hooks)


class _Lock:
    """The exclusive lock on a database file, taken whatever its bytes are.

    Whoever has it open holds a shared one as long as it is open, idle or not.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: apsw.Connection | None = None
        self._file: apsw.VFSFile | None = self._locked_file()

    def fold_in(self, hooks: RestoreHooks) -> bool:
        """Write the log into the file and remove it; False if it cannot be read. Once.

        The lock is held all the same.
        """
        if self._file is None:
            return False
        self._file.xClose()
        self._file = None
        try:
            self._connection = apsw.Connection(self._path, flags=apsw.SQLITE_OPEN_READWRITE)
            # Kept from the first page read until the connection is closed.
            self._connection.pragma("locking_mode", "exclusive")
            single = self._connection.pragma("journal_mode", "delete") == "delete"
            self._connection.execute("BEGIN EXCLUSIVE")
        except apsw.BusyError as error:
            raise _busy(self._path) from error
        except apsw.Error:
            self.close()
            self._file = self._locked_file()
            return False
        hooks.reached("restore.folded_in")
        return single and not os.path.exists(self._path + "-wal")

    def close(self) -> None:
        """Let go."""
        if self._connection is not None:
            self._connection.close()
        if self._file is not None:
            self._file.xClose()
        self._connection = self._file = None

    def _locked_file(self) -> apsw.VFSFile:
        flags = apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READWRITE
        try:
            file = apsw.VFSFile("", self._path, [flags, 0])
        except apsw.Error as error:
            raise translate(error, self._path) from error
        try:
            for lock in (
                apsw.SQLITE_LOCK_SHARED,
                apsw.SQLITE_LOCK_RESERVED,
                apsw.SQLITE_LOCK_EXCLUSIVE,
            ):
                file.xLock(lock)
        except apsw.Error as error:
            file.xClose()
            raise _busy(self._path) from error
        return file


def _busy(path: str) -> BusyError:
    return BusyError(f"{path}: {openers(path)} has it open; stop it first, then run this again")


def _set_log_aside(path: str, kept: str, hooks: RestoreHooks) -> None:
    """Keep a log that cannot be folded in beside what is kept, under its name."""
    if os.path.exists(path + "-wal"):
        os.rename(path + "-wal", kept + "-wal")
        hooks.reached("restore.after_unlink_wal")
    for suffix in ("-shm", "-journal"):
        with suppress(FileNotFoundError):
            os.rename(path + suffix, kept + suffix)


def _name_twice(path: str, kept: str) -> None:
    try:
        os.link(path, kept)
    except OSError:  # a file system without links
        partial = f"{kept}.partial"
        with suppress(FileNotFoundError):
            os.unlink(partial)
        make_private_file(partial)
        # Not by opening the database: closing it would drop the lock.
        with open(partial, "r+b") as copy:
            copy.writelines(blocks(path, apsw.SQLITE_OPEN_MAIN_DB))
            copy.flush()
            os.fsync(copy.fileno())
        os.rename(partial, kept)


def _free_name(path: str, clock: Clock) -> str:
    """``lsm.db.before-restore-20260301T120000Z``, or the next that is free."""
    base = f"{path}.before-restore-{_PLAIN.sub('', to_text(clock()))}"
    name, number = base, 1
    while os.path.lexists(name) or os.path.lexists(name + "-wal"):
        number += 1
        name = f"{base}-{number}"
    return name


def _name_of_lost_log(path: str) -> str | None:
    """The name that a killed restore has given to the log of what stands at *path*."""
    folder, name = os.path.split(path)
    for entry in sorted(os.listdir(folder)):
        base = os.path.join(folder, entry.removesuffix("-wal"))
        is_log = entry.startswith(f"{name}.before-restore-") and entry.endswith("-wal")
        if is_log and not os.path.lexists(base):
            return base
    return None


def _forget_killed(path: str) -> None:
    """Remove what a restore left that was killed: copies, and second names of what stands here."""
    remove_partials(f"{path}.restoring")
    folder, name = os.path.split(path)
    for entry in os.listdir(folder):
        other = os.path.join(folder, entry)
        is_kept = entry.startswith(f"{name}.before-restore-") and os.path.exists(path)
        if is_kept and os.path.samefile(other, path):
            os.unlink(other)
