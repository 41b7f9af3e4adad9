"""A move in a process of its own, to be killed: ``python -m tests.test_migration_database.child``.

Each kill happens at one moment of the same move, which the next process goes on with. One
interpreter imports the package once and forks for each of them.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import TYPE_CHECKING

import lsm.migration.database.loading as loading
import lsm.vectordb.postgresql
import lsm.vectordb.sqlite_vec  # noqa: F401 - imported before the forks
from lsm.db import open_database
from lsm.db import tables as seam
from lsm.errors import LsmError
from lsm.migration.database.digest import Progress, digest
from lsm.migration.database.moving import Move

if TYPE_CHECKING:
    from lsm.db import Database
    from lsm.db.mark import Mark

seam.BATCH_ROWS = 40


def kill(source: str, target: str, *moments: str) -> list[str]:
    """What opening the target says after a kill at each of *moments*, then the digests."""
    said: list[str] = []
    for moment in moments:
        pid = os.fork()
        if pid == 0:
            _move_until(moment, source, target)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        said.append(_opened(target) if killed else "not killed")
    with open_database(source) as db:
        report = Move(db, target).apply()
        said += [str(report.verified), str(report.resumed > 0), digest(db).all]
    with open_database(target) as db:
        said.append(digest(db).all)
    return said


def hold(source: str, target: str) -> list[str]:
    """Stops in the middle of a move, until its standard input ends, and finishes it."""
    waited = False

    def wait(step: Progress) -> None:
        nonlocal waited
        if step.stage == "copying" and not waited:
            waited = True
            print(json.dumps(["in the middle"]), flush=True)  # noqa: T201
            sys.stdin.read()

    with open_database(source) as db:
        return [str(Move(db, target, on_progress=wait).apply().verified)]


def _move_until(moment: str, source: str, target: str) -> None:
    """Move, and be killed: ``STAGE:N`` at its n-th step, ``mark:N`` before the n-th is written."""
    stage, _, count = moment.partition(":")
    left = int(count)

    def die_when_it_is_time() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_progress(step: Progress) -> None:
        if step.stage == stage:
            die_when_it_is_time()

    write = loading.write_mark

    def write_mark(db: Database, mark: Mark) -> None:
        if stage == "mark":  # the rows are there, uncommitted
            die_when_it_is_time()
        write(db, mark)

    loading.write_mark = write_mark
    with open_database(source) as db:
        Move(db, target, on_progress=on_progress).apply()


def _opened(target: str) -> str:
    try:
        open_database(target).close()
    except LsmError as error:
        return type(error).__name__
    return "opened"


if __name__ == "__main__":
    print(json.dumps({"kill": kill, "hold": hold}[sys.argv[1]](*sys.argv[2:])))  # noqa: T201
