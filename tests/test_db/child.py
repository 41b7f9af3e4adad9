"""What the tests of `lsm.db` do in processes of their own: ``python -m tests.test_db.child``.

One interpreter imports the package once and forks, so that eight processes start at the same
moment and cost no start-up time. Answers with one line of JSON.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sys
import time
from typing import TYPE_CHECKING

import lsm.db.backup  # imported before the forks
import lsm.db.postgres  # noqa: F401
from lsm.db import Database, open_database
from lsm.db.migrate import newest
from lsm.errors import LsmError

if TYPE_CHECKING:
    from collections.abc import Callable

NOBODY = 65534


def start_together(url: str, count: str) -> list[str]:
    """What each of *count* processes says that open *url* at the same moment."""
    ready, go = os.pipe()

    def work() -> str:
        os.close(go)
        os.read(ready, 1)  # ends when the parent closes its side
        with open_database(url) as db:
            return seen(db)

    running = [forked(work) for _ in range(int(count))]
    os.close(go)
    return [answer_of(child) for child in running]


def kill_while_making(folder: str, rounds: str) -> list[str]:
    """What the next open says after the making of a database was killed at a random moment."""
    answers: list[str] = []
    for i in range(int(rounds)):
        path = f"{folder}/{i}/mind.db"
        pid, _ = forked(lambda path=path: seen(open_database(path)))
        time.sleep(random.uniform(0.001, 0.025))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        answers.append(answer_of(forked(lambda path=path: seen(open_database(path)))))
    return answers


def hold(path: str) -> list[str]:
    """Keeps the write lock of *path* until its standard input ends."""
    with open_database(path) as db, db.transaction():
        db.run("DELETE FROM lsm_meta WHERE key = 'none'")
        print(json.dumps(["held"]), flush=True)  # noqa: T201
        sys.stdin.read()
    return ["released"]


def as_nobody(path: str, action: str) -> list[str]:
    """What a user without any rights is told."""
    newest("sqlite")  # nobody may not even read the program's files

    def work() -> str:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        db = open_database(path)
        return seen(db) if action == "read" else str(db.run("DELETE FROM lsm_meta"))

    return [answer_of(forked(work))]


def fill(path: str, limit: str) -> list[str]:
    """Commits rows to *path* until no file may grow beyond *limit* bytes; then frees and adds."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    db = open_database(path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
    committed = 0
    try:
        while committed < 10_000:
            with db.transaction():
                for half in (0, 1):
                    add(db, committed * 2 + half)
            committed += 1
    except LsmError as error:
        told = f"{type(error).__name__}: {error}"
    else:
        told = "never full"
    during = seen_rows(db)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    add(db, -1)
    return [told, str(committed), str(during), str(seen_rows(db))]


def add(db: Database, key: int) -> None:
    db.run(
        "INSERT INTO lsm_meta (key, value) VALUES (:key, :value)", key=f"k{key}", value="x" * 9999
    )


def seen_rows(db: Database) -> int:
    return db.tuples("SELECT count(*) FROM lsm_meta WHERE key LIKE 'k%'")[0][0]


def seen(db: Database) -> str:
    """The applied migrations and the identity of a database, after a check of its soundness."""
    if db.engine == "sqlite" and db.rows("PRAGMA integrity_check") != [{"integrity_check": "ok"}]:
        return "not sound"
    names = [name for (name,) in db.tuples("SELECT name FROM lsm_migrations ORDER BY name")]
    (identity,) = db.tuples("SELECT value FROM lsm_meta WHERE key = 'database_id'")
    return f"{len(names)} {identity[0]}"


def forked(work: Callable[[], str]) -> tuple[int, int]:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            answer = work()
        except LsmError as error:
            answer = f"{type(error).__name__}: {error}"
        except BaseException as error:  # noqa: BLE001 - the parent's test is to see it
            answer = repr(error)
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    return pid, reader


def answer_of(child: tuple[int, int]) -> str:
    pid, reader = child
    os.waitpid(pid, 0)
    answer = os.read(reader, 4096).decode()
    os.close(reader)
    return answer


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    print(json.dumps(globals()[command](*arguments)), flush=True)  # noqa: T201
