"""Ingests that are killed: ``python -m tests.test_ingest.kill_child URL FOLDER SEED KILLS``.

One interpreter imports everything once and forks a child for each ingest: it is killed either at
a random moment or right before a statement of its own choosing. Another child then looks at what
is left. Answers with one line of JSON.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import lsm.db.postgres  # imported before the forks
import lsm.ingest.parsers.markdown  # noqa: F401
from lsm.db import Database, open_database
from tests.test_ingest.library import (
    Library,
    Model,
    WatchedDatabase,
    paragraphs,
    problems_of,
    texts_as_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = [f"{folder}{n}.md" for folder in ("", "x/", "x/y/") for n in range(4)]
WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")
STATEMENTS = 120  # in so many there are about three runs
_SOUND = {
    "PRAGMA integrity_check": [("ok",)],
    "PRAGMA foreign_key_check": [],
    "SELECT chunk_id FROM lsm_chunks EXCEPT SELECT id FROM chunks_fts_docsize": [],
    "SELECT id FROM chunks_fts_docsize EXCEPT SELECT chunk_id FROM lsm_chunks": [],
    "SELECT chunk_id FROM lsm_chunks EXCEPT SELECT chunk_id FROM vec_chunks": [],
    "SELECT chunk_id FROM vec_chunks EXCEPT SELECT chunk_id FROM lsm_chunks": [],
}


def main(url: str, folder: str, seed: str, kills: str) -> dict[str, object]:
    chance = random.Random(int(seed))
    root = Path(folder)
    told: dict[str, object] = {"problems": [], "killed": 0, "versions": 0}
    for turn in range(int(kills)):
        written = editions(root)
        change(root, chance)
        told["killed"] += killed(url, root, chance, by_statement=turn % 2 == 0)  # type: ignore[operator]
        found = answer_of(lambda written=written: left_behind(url, root, written))
        told["problems"] += found["problems"]  # type: ignore[operator]
        told["versions"] = found["version"]
    told["end"] = answer_of(lambda: completed(url, root))
    return told


def killed(url: str, root: Path, chance: random.Random, *, by_statement: bool) -> bool:
    """Ingest until it is killed; whether it was, or came to its end before."""
    at = chance.randint(1, STATEMENTS) if by_statement else 0
    pid = forked(lambda: ingest_forever(url, root, at, random.Random(chance.random())))
    if not by_statement:
        time.sleep(chance.uniform(0.02, 0.25))
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def ingest_forever(url: str, root: Path, at: int, chance: random.Random) -> None:
    count = 0

    def before(_: str) -> None:
        nonlocal count
        count += 1
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)

    with open_database(url) as db:
        library = Library(WatchedDatabase(db, before), root, Model())
        while True:
            library.run(confirm_delete=True)
            change(root, chance)


def left_behind(url: str, root: Path, before: dict[str, set[str]]) -> dict[str, object]:
    """What a process finds that opens the database after a kill."""
    with open_database(url) as db:
        problems = unsound(db) + problems_of(db)
        now = editions(root)
        for path, text in texts_as_of(db, 2**40).items():
            if not whole(text):
                problems.append(f"{path} is half of something: {text[:60]!r}")
        version = db.tuples("SELECT coalesce(max(version), 0) FROM lsm_versions")[0][0]
    return {"problems": problems, "version": version, "files": [len(before), len(now)]}


def unsound(db: Database) -> list[str]:
    if db.engine != "sqlite":
        return []
    found = [f"{sql}: {rows}" for sql, good in _SOUND.items() if (rows := db.tuples(sql)) != good]
    # Raises if the index is not what the chunks are.
    db.run("INSERT INTO chunks_fts (chunks_fts, rank) VALUES ('integrity-check', 1)")
    return found


def whole(text: str) -> bool:
    """Whether *text* is one of those that `change` writes, from its first word to its last."""
    return not text or (text.startswith("# The title\n") and text.endswith("the end.\n"))


def change(root: Path, chance: random.Random) -> None:
    """What a person does to files in an hour."""
    for name in chance.sample(NAMES, 5):
        path = root / name
        match chance.randrange(6):
            case 0 if path.exists():
                path.unlink()
            case 1 if path.exists():
                other = root / chance.choice(NAMES)
                other.parent.mkdir(parents=True, exist_ok=True)
                path.rename(other)
            case 2:
                (root / "x").mkdir(exist_ok=True)
                tags = json.dumps({"tags": [chance.choice(WORDS)]})
                (root / "x" / ".lsm_tags.json").write_text(tags)
            case _:
                path.parent.mkdir(parents=True, exist_ok=True)
                words = chance.choices(WORDS, k=chance.randint(1, 6))
                path.write_text(paragraphs(*words) + "the end.\n")


def editions(root: Path) -> dict[str, set[str]]:
    return {str(path): {path.read_text()} for path in root.rglob("*.md")}


def completed(url: str, root: Path) -> dict[str, object]:
    """The library after a run that nobody kills, and a fresh one of the same files."""
    with open_database(url) as db:
        library = Library(db, root, Model())
        first = library.ingest(confirm_delete=True)
        again = library.ingest()
        survived = content(library)
    fresh = root.parent / "fresh.db"
    with open_database(str(fresh)) as db:
        library = Library(db, root, Model())
        library.ingest()
        made_anew = content(library)
    return {
        "errors": [error.reason for error in first.errors + again.errors],
        "nothing_left": again.version is None,
        "files": sum(1 for _ in root.rglob("*.md")),
        "documents": len(survived),
        "same_as_fresh": survived == made_anew,
    }


def content(library: Library) -> dict[str, object]:
    found: dict[str, object] = {}
    for name in library.paths():
        document, state = library.document(name), library.state(name)
        lines = [(place.start_line, place.end_line) for place in document.outline]
        found[name] = (
            library.text(name),
            document.title,
            document.tags,
            lines,
            document.file_hash,
            state.chunk_count,
            state.file_hash,
        )
    return found


def forked(work: Callable[[], object]) -> int:
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - the child must end here, whatever happens
            os.write(2, f"{error!r}\n".encode())
            os._exit(1)
        os._exit(0)
    return pid


def answer_of(work: Callable[[], dict[str, object]]) -> dict[str, object]:
    reader, writer = os.pipe()
    pid = forked(lambda: os.write(writer, json.dumps(work()).encode()))
    os.close(writer)
    with os.fdopen(reader) as file:
        answer = file.read()
    os.waitpid(pid, 0)
    return json.loads(answer)


if __name__ == "__main__":
    url, folder, *rest = sys.argv[1:]
    shutil.rmtree(folder, ignore_errors=True)
    Path(folder).mkdir(parents=True)
    print(json.dumps(main(url, folder, *rest)))  # noqa: T201
