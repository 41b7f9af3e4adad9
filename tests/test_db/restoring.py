"""Children of the restore tests: ``python -m tests.test_db.restoring WHAT ...``."""

from __future__ import annotations

import os
import signal
import sys
import time

from lsm.db import open_database
from lsm.db.restore import RestoreHooks, restore


def tell(word: str) -> None:
    """A line for the test that listens."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def kill_self(wanted: str, reached: str) -> None:
    """End here as a power cut would, if this is the place."""
    if wanted == reached:
        os.kill(os.getpid(), signal.SIGKILL)


def restore_and_die(path: str, backup: str, place: str) -> None:
    """Restore, killed at *place*: a labelled point, or ``page N``."""

    def on_pages(done: int, _total: int) -> None:
        kill_self(place, "copying" if done else "")

    hooks = RestoreHooks(on_pages=on_pages, reached=lambda point: kill_self(place, point))
    restore(path, backup, hooks)


def write_and_die(path: str, key: str) -> None:
    """Commit something and leave it in the log."""
    db = open_database(path)
    db.run("INSERT INTO lsm_meta (key, value) VALUES (:key, 'logged')", key=key)
    tell("written")
    os.kill(os.getpid(), signal.SIGKILL)


def stay_open(path: str) -> None:
    """Have the database open and do nothing."""
    db = open_database(path)
    db.tuples("SELECT 1 FROM lsm_meta")
    tell("open")
    time.sleep(60)


def remember(path: str, scope: str) -> None:
    """Remember numbered facts for ever; each is told once it is on the disk."""
    from lsm.agents.memory import MemoryStore

    with open_database(path) as db:
        memories = MemoryStore(db)
        number = 0
        while True:
            number += 1
            with db.transaction():
                memories.add(f"fact {number} of {scope}", scope=scope, tags=[f"n{number}"])
                db.run(
                    "INSERT INTO lsm_meta (key, value) VALUES (:key, :value)",
                    key=f"{scope}-{number}",
                    value="x" * 500,
                )
            tell(str(number))


if __name__ == "__main__":
    doing = {f.__name__: f for f in (restore_and_die, write_and_die, stay_open, remember)}
    doing[sys.argv[1]](*sys.argv[2:])
