"""What programs build on: every documented name, on both engines, in threads and in async code."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

import lsm
from lsm.agents.cron import CronError, next_fires
from lsm.agents.memory import MemoryStore
from lsm.agents.runtime import Outcome, RunContext
from lsm.agents.scheduler import AgentScheduler
from lsm.agents.schedules import Every, Schedule
from lsm.ingest.manifest import FileState, get_next_version, load_manifest, save_manifest
from lsm.ingest.stats_cache import StatsCache
from lsm.remote.storage import RemoteCache

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lsm.app import Mind
    from lsm.db import Database


@pytest.fixture
def mind(database_url: str, tmp_path: Path) -> Iterator[Mind]:
    """A mind on either engine, with two documents."""
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "keys.md").write_text("# Keys\n\nWe rotate keys every 90 days.\n")
    (notes / "kiln.md").write_text("# Kiln\n\nThe kiln is fired on Fridays.\n")
    with lsm.open(tmp_path / "mind", database=database_url) as opened:
        opened.ingest(notes)
        yield opened


def test_the_example_of_the_interface_does_what_it_says(mind: Mind, tmp_path: Path) -> None:
    keys = tmp_path / "notes" / "keys.md"

    hits = mind.search("how do we rotate keys", k=5)
    added = mind.memories.add("Keys rotate every 90 days", scope="team", source=f"{keys}#3")

    assert (hits[0].path, hits[0].rank) == (str(keys), 1)
    assert (added.outcome, added.candidate, added.similar) == ("added", None, ())
    assert added.memory is not None
    assert mind.memories.get(added.memory.id) == added.memory


def test_paths_may_be_objects(mind: Mind, tmp_path: Path) -> None:
    kiln = tmp_path / "notes" / "kiln.md"

    assert mind.ingest(tmp_path / "notes").files.unchanged == 2
    assert mind.show(kiln).text == kiln.read_text()
    with lsm.open(tmp_path / "other", database=tmp_path / "elsewhere.db") as other:
        assert other.db.url == str(tmp_path / "elsewhere.db")


def test_what_happens_in_a_transaction_happens_together(mind: Mind) -> None:
    with regretted(mind.db):
        mind.memories.add("The kiln is green", scope="studio")
        mind.cache.put("weather", "Skarvey", {"wind": 6}, ttl=None)

    assert list(mind.memories.list(scope="studio")) == []
    assert mind.cache.get("weather", "Skarvey") is None


def test_every_store_takes_a_database_and_nothing_else(db: Database) -> None:
    file = FileState("/notes/a.md", mtime_ns=1, file_size=1, file_hash="0" * 64, version=1)

    added = MemoryStore(db).add("Found by its words")
    save_manifest(db, {file.source_path: file})
    RemoteCache(db).put("weather", "Skarvey", {"wind": 6}, ttl=timedelta(hours=1))

    assert [hit.id for hit in MemoryStore(db).search("words")] == [added.id]
    assert load_manifest(db)["/notes/a.md"].file_hash == "0" * 64
    assert get_next_version(db) == 2
    assert RemoteCache(db).get("weather", "Skarvey") == {"wind": 6}
    assert StatsCache(db).get().documents == 0
    assert AgentScheduler(db).schedules() == []


def test_an_agent_of_one_s_own_writes_with_its_success(db: Database) -> None:
    class Counter:
        def run(self, context: RunContext, /) -> Outcome:
            def write(db: Database) -> None:
                MemoryStore(db).add(f"{context.params['what']} counted")

            return Outcome(report="done", apply=(write,))

    scheduler = AgentScheduler(db, lambda _: Counter())
    row = scheduler.add(Schedule(agent="counter", trigger=Every(3600), params={"what": "stars"}))

    run = scheduler.run_here(row.schedule_id)

    assert (run.state, run.report) == ("succeeded", "done")
    assert [memory.text for memory in MemoryStore(db).list()] == ["stars counted"]


def test_next_fires_is_strictly_after_and_aware() -> None:
    at_nine = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    found = next_fires("0 9 * * MON", "UTC", at_nine, 2)

    assert [fire.isoformat() for fire in found] == [
        "2026-03-09T09:00:00+00:00",
        "2026-03-16T09:00:00+00:00",
    ]
    with pytest.raises(CronError, match="never fires"):
        next_fires("0 0 31 2 *", "UTC", at_nine, 1)


def test_threads_that_write_take_turns_and_lose_nothing(mind: Mind) -> None:
    def remember(number: int) -> str:
        with mind.db.transaction():
            return mind.memories.add(f"fact {number:03}", scope="threads").id

    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(remember, range(40)))

    kept = mind.memories.list(scope="threads", limit=100)
    assert len(set(ids)) == 40
    assert {memory.id for memory in kept} == set(ids)


def test_a_transaction_is_its_thread_s_alone(mind: Mind) -> None:
    opened, looked = threading.Event(), threading.Event()

    def change_and_regret() -> None:
        with regretted(mind.db):
            mind.memories.add("Nobody sees this", scope="threads")
            opened.set()
            assert looked.wait(30)

    with ThreadPoolExecutor(1) as pool:
        changing = pool.submit(change_and_regret)
        assert opened.wait(30)
        seen = (mind.db.in_transaction, list(mind.memories.list(scope="threads")))
        looked.set()
        changing.result()

    assert seen == (False, [])
    assert list(mind.memories.list(scope="threads")) == []


def test_async_code_calls_it_in_threads(mind: Mind) -> None:
    def both() -> None:
        with mind.db.transaction():
            mind.memories.add("one", scope="async")
            mind.memories.add("two", scope="async")

    async def main() -> list[int]:
        hits, _, memories = await asyncio.gather(
            asyncio.to_thread(mind.search, "rotate keys", k=1),
            asyncio.to_thread(both),
            asyncio.to_thread(mind.memories.search, "nothing like it"),
        )
        return [len(hits), len(memories)]

    assert asyncio.run(main())[0] == 1
    assert len(mind.memories.list(scope="async")) == 2


def test_async_code_stops_an_ingest_that_goes_on_later(mind: Mind, tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / "notes" / f"{number}.md").write_text(f"# Note {number}\n\nSomething.\n")
    stop = threading.Event()
    stop.set()

    stopped = asyncio.run(asyncio.to_thread(mind.ingest, should_stop=stop.is_set))
    rest = mind.ingest()

    assert stopped.interrupted
    assert stopped.files.new + rest.files.new == 30


class ChangedMyMindError(Exception):
    """Raised inside a transaction."""


@contextmanager
def regretted(db: Database) -> Iterator[None]:
    """A transaction that is given up at its end."""
    with suppress(ChangedMyMindError), db.transaction():
        yield
        raise ChangedMyMindError
