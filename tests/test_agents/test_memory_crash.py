"""A process that dies at any statement leaves the state before or the state after."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from lsm.agents.memory import NewMemory, Record, Suspicion
from tests.test_agents import memories as fixtures
from tests.test_agents.crashing import Crash, crashing
from tests.test_agents.memories import Library, contents, store

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.agents.memory import MemoryStore
    from lsm.db import Database

database_url = fixtures.database_url

NOW = "2026-01-01T12:00:00.000000Z"


def promoting(memories: MemoryStore) -> Callable[[MemoryStore], object]:
    old = memories.add("The port is 8080", key="port")
    proposed = memories.propose("The port is 9090", key="port", source="/notes/keys.md#1")
    return lambda store: store.promote(proposed.candidate.id, into=old.id, tags=["net"])


def promoting_many(memories: MemoryStore) -> Callable[[MemoryStore], object]:
    ids = [memories.propose(f"number {i}").candidate.id for i in range(3)]
    return lambda store: store.promote_many(ids)


def promoting_a_merge(memories: MemoryStore) -> Callable[[MemoryStore], object]:
    old = [memories.add(text) for text in ("The port is 8080", "The port is 8080, says Ana")]
    merged = memories.propose("The port is 8080, says Ana", merges=[each.id for each in old])
    return lambda store: store.promote(merged.candidate.id)


def superseding(memories: MemoryStore) -> Callable[[MemoryStore], object]:
    old = memories.add("The port is 8080", key="port")
    return lambda store: store.supersede(old.id, "The port is 9090", source="/notes/keys.md#1")


def purging(memories: MemoryStore) -> Callable[[MemoryStore], object]:
    added = memories.add("The zebra is striped", source="/notes/keys.md#1")
    memories.add("Told by the zebra", source=f"memory:{added.id}")
    memories.context("zebra", budget_tokens=300)
    memories.update(added.id, text="The zebra is spotted")
    return lambda store: store.purge(added.id)


def importing(memories: MemoryStore) -> Callable[[MemoryStore], object]:
    memories.add("number 1", scope="a")
    records = [
        Record(id=f"id-{i}", text=f"number {i}", scope="a", created_at=NOW, updated_at=NOW)
        for i in range(4)
    ]
    return lambda store: store.load_records(records)


def adding_many(memories: MemoryStore) -> Callable[[MemoryStore], object]:
    items = [NewMemory(text=f"number {i}", review=i == 1) for i in range(3)]
    return lambda store: store.add_many(items)


def updating(memories: MemoryStore) -> Callable[[MemoryStore], object]:
    added = memories.add("The port is 8080")
    return lambda store: store.update(added.id, text="The port is 9090")


def deleting(memories: MemoryStore) -> Callable[[MemoryStore], object]:
    added = memories.propose("The port is 8080")
    return lambda store: store.delete(added.id)


def restoring(memories: MemoryStore) -> Callable[[MemoryStore], object]:
    added = memories.add("The port is 8080", source="/notes/keys.md#1")
    memories.delete(added.id)
    return lambda store: store.restore(added.id)


def quarantining(memories: MemoryStore) -> Callable[[MemoryStore], object]:
    added = memories.add("So they say", source="https://example.com")
    memories.add("So it is", source=f"memory:{added.id}")
    return lambda store: store.quarantine(Suspicion(source="https://example.com"))


def reverting(memories: MemoryStore) -> Callable[[MemoryStore], object]:
    memories.add_many([NewMemory(text=f"number {i}", run_id="run-1") for i in range(3)])
    return lambda store: store.revert_run("run-1")


@pytest.mark.parametrize(
    "deed",
    [promoting, promoting_many, promoting_a_merge, superseding, purging, importing, adding_many,
     updating, deleting, restoring, quarantining, reverting],
)  # fmt: skip
def test_a_crash_at_any_statement_leaves_before_or_after(
    db: Database, deed: Callable[[MemoryStore], Callable[[MemoryStore], object]]
) -> None:
    Library(db).write("/notes/keys.md", "Keys rotate every 90 days.")
    act = deed(store(db))
    before = contents(db)
    doomed_db, backend = crashing(db)
    doomed = store(doomed_db)
    states = []
    statement = 0
    while True:
        backend.crash_at(statement)
        try:
            act(doomed)
        except Crash:
            states.append(contents(db))
            if states[-1] != before:
                break  # it was done already
            statement += 1
        else:
            break

    after = contents(db)

    assert statement >= 4
    assert after != before
    assert all(state in (before, after) for state in states)
    assert doomed._desk.index.disagreements() == []


def test_four_writers_and_one_is_killed(database_url: str, db: Database) -> None:
    write_and_kill(database_url, db, each=40)


@pytest.mark.long
def test_four_writers_of_250_and_one_is_killed(database_url: str, db: Database) -> None:
    write_and_kill(database_url, db, each=250)


_WRITER = """
import sys
from lsm.agents.memory import MemoryStore
from lsm.db import open_database
url, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with open_database(url) as db:
    memories = MemoryStore(db)
    print("ready", flush=True)
    sys.stdin.readline()
    for i in range(count):
        print(memories.add(f"{name} says {i}", scope=f"writers/{name}").id, flush=True)
"""


def write_and_kill(url: str, db: Database, each: int) -> None:
    """Start four writers, kill one in the midst, and compare what was acknowledged."""
    names = ("a", "b", "c", "d")
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, url, name, str(each)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.flush()
    first = [writers[0].stdout.readline().strip() for _ in range(each // 3)]
    writers[0].kill()
    outputs = [writer.communicate() for writer in writers]

    acknowledged = first + [each for out, _ in outputs for each in out.split()]
    memories = store(db, embedded=False)
    found = {memory.id for memory in memories.list(scope="writers", limit=1000)}
    assert [errors for _, errors in outputs] == [""] * 4
    assert [writer.returncode for writer in writers[1:]] == [0, 0, 0]
    assert set(acknowledged) <= found
    assert 3 * each <= len(found) <= len(acknowledged) + 1  # one may have been on its way
    assert memories._desk.index.disagreements() == []
    for _ in range(20):  # a server notices the loss of a client in its own time
        memories.add(f"after all {time.monotonic_ns()}")
