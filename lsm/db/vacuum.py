"""Gives back to the disk what a database holds and no longer needs."""

from __future__ import annotations

import os
import shutil
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import apsw
import msgspec

from lsm.db.locks import openers
from lsm.db.sqlite import open_writer
from lsm.db.sqlite_errors import translate
from lsm.errors import DiskFullError
from lsm.failpoints import reach

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from lsm.db.database import Database

_TICK = 100_000  # steps of the engine between two looks at whether to go on
_SCRATCH = "SQLITE_TMPDIR"  # where the engine puts what does not fit into memory


class Vacuumed(msgspec.Struct, frozen=True):
    """What a vacuum did. The fields are those of the JSON."""

    before: int  # bytes on disk
    after: int
    waits_for: str | None  # who still reads an older state, which keeps the log from shrinking


def vacuum(db: Database, keep_on: Callable[[], bool] = lambda: True) -> Vacuumed:
    """Write the database anew without what is free in it. Others may have it open meanwhile.

    Readers go on; whoever wants to write waits until it is done. Stopped, nothing has changed.

    Args:
        db: no transaction of this thread is open.
        keep_on: asked many times a second; on SQLite, False stops it.

    Raises:
        DiskFullError: there is no room for a second copy.
        BusyError: another process is writing; names it.
    """
    before = db.size()
    if db.engine == "postgres":
        db.reclaim(sorted(db.tables()))  # pyright: ignore[reportArgumentType] - names of our own
        return Vacuumed(before, db.size(), None)
    _expect_room(db)
    with db.writer_turn():
        shrunk = _rewrite(db.url, keep_on)
    return Vacuumed(before, db.size(), None if shrunk else openers(db.url))


def _rewrite(path: str, keep_on: Callable[[], bool]) -> bool:
    """Do it; whether the file has its new size, and no reader keeps its log."""
    with closing(open_writer(path)) as connection, _scratch_beside(path):
        # It writes the new file beside the old one and attaches it; in memory it may not fit.
        connection.limit(apsw.SQLITE_LIMIT_ATTACHED, 1)
        connection.pragma("temp_store", 1)
        connection.set_progress_handler(lambda: not keep_on(), _TICK)
        try:
            connection.execute("VACUUM")
            reach("vacuum.before_checkpoint")
            connection.set_progress_handler(None)
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0][0]
        except apsw.InterruptError:
            raise KeyboardInterrupt from None
        except apsw.Error as error:
            raise translate(error, path) from error
    return not busy


@contextmanager
def _scratch_beside(path: str) -> Generator[None]:
    """Temporary files of the engine, which have no name, lie on the disk of the database."""
    before = os.environ.get(_SCRATCH)
    os.environ[_SCRATCH] = os.path.dirname(path)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SCRATCH]
        else:
            os.environ[_SCRATCH] = before


def _expect_room(db: Database) -> None:
    # The new file, and the log through which it takes the old one's place.
    free, needed = shutil.disk_usage(os.path.dirname(db.url)).free, 2 * db.size()
    if free < needed:
        raise DiskFullError(
            f"{db.url}: to write it anew takes {needed // 2**20 + 1} MiB, {free // 2**20} MiB are "
            "free; nothing was changed"
        )
