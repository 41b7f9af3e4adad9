"""The same operations, in any order, leave the same in a file and on a server: equal digests."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lsm.agents.runtime import Outcome
from lsm.agents.scheduler import AgentScheduler, Terms
from lsm.agents.schedules import Every, Policy, Schedule
from lsm.app import Mind
from lsm.errors import LsmError
from lsm.migration.database.digest import digest
from tests.faults.quick_model import one_model
from tests.test_agents.scheduling import FakeClock, Scripted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lsm.agents.runtime import RunContext

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30)
TEXTS = st.one_of(st.sampled_from(["tide", "Tide ", "kiln\n\nrain"]), WORDS)
NAMES = st.sampled_from(["a", "b", "é"])
NUMBERS = st.integers(0, 5)  # of a memory, from the oldest on
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)
OPERATIONS = st.one_of(
    st.tuples(st.just("write"), NAMES, TEXTS),
    st.tuples(st.just("delete_file"), NAMES),
    st.tuples(st.just("ingest")),
    st.tuples(st.just("remember"), TEXTS, NAMES, VALUES),
    st.tuples(st.just("propose"), TEXTS, NAMES),
    st.tuples(st.just("promote"), NUMBERS),
    st.tuples(st.just("reword"), NUMBERS, TEXTS),
    st.tuples(st.just("forget"), NUMBERS),
    st.tuples(st.just("restore"), NUMBERS),
    st.tuples(st.just("expire")),
    st.tuples(st.just("answer"), NAMES, VALUES),
    st.tuples(st.just("ask"), NAMES),
    st.tuples(st.just("purge")),
    st.tuples(st.just("schedule"), NAMES, st.integers(1, 3)),
    st.tuples(st.just("pause"), NAMES),
    st.tuples(st.just("run_due")),
    st.tuples(st.just("sleep"), st.sampled_from([1, 60, 3600, 86400])),
)
FILES = ("write", "delete_file")
SCRIPTS = st.lists(OPERATIONS, min_size=5, max_size=20)


@dataclass(repr=False)
class World:
    """A mind in which nothing is left to chance: the clock and every number are given."""

    mind: Mind
    notes: Path
    clock: FakeClock = field(default_factory=FakeClock)
    said: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.mind.clock = self.clock
        agent = Scripted(self.write_down)
        terms = Terms(clock=self.clock, monotonic=self.clock.monotonic, parallel=1)
        self.scheduler = AgentScheduler(self.mind.db, lambda _: agent, terms=terms)

    def do(self, name: str, *arguments: Any) -> None:
        """Do it, and note what came back; or what it was refused with."""
        try:
            self.said.append(getattr(self, name)(*arguments))
        except LsmError as error:
            self.said.append(f"{type(error).__name__}: {error}")

    def write(self, name: str, text: str) -> None:
        (self.notes / f"{name}.md").write_text(f"# {name}\n\n{text}\n")

    def delete_file(self, name: str) -> None:
        (self.notes / f"{name}.md").unlink(missing_ok=True)

    def ingest(self) -> object:
        report = self.mind.ingest(str(self.notes), confirm_delete=True)
        hits = self.mind.search("tide kiln rain", 20, mode="text")
        # Both find the same; what stands first is each engine's own weighing of words.
        return report.files, report.chunks, {(hit.path, hit.text) for hit in hits}

    def remember(self, text: str, name: str, value: object) -> object:
        return self.mind.memories.add(text, scope=name, value=value, tags=[name]).id

    def propose(self, text: str, name: str) -> object:
        return self.mind.memories.propose(text, scope=name, key=name).id

    def promote(self, number: int) -> object:
        waiting = self.mind.memories.candidates()
        return self.mind.memories.promote(waiting[number % len(waiting)].id) if waiting else None

    def reword(self, number: int, text: str) -> object:
        return (found := self.memory(number)) and self.mind.memories.update(found, text=text)

    def forget(self, number: int) -> object:
        return (found := self.memory(number)) and self.mind.memories.delete(found)

    def restore(self, number: int) -> object:
        gone = self.mind.memories.list(status="deleted")
        return self.mind.memories.restore(gone[number % len(gone)].id) if gone else None

    def expire(self) -> object:
        return self.mind.memories.expire()

    def answer(self, name: str, value: object) -> None:
        self.mind.cache.put("played", {"q": name}, [value], timedelta(hours=1))

    def ask(self, name: str) -> object:
        return self.mind.cache.get("played", {"q": name})

    def purge(self) -> object:
        return self.mind.cache.purge()

    def schedule(self, name: str, hours: int) -> object:
        policy = Policy(pause_after=0)
        return self.scheduler.add(Schedule(agent=name, trigger=Every(3600 * hours), policy=policy))

    def pause(self, name: str) -> object:
        found = [row for row in self.scheduler.schedules() if row.agent_name == name]
        return self.scheduler.pause(found[0].schedule_id) if found else None

    def run_due(self) -> object:
        return [(run.run_id, run.state, run.report) for run in self.scheduler.run_due()]

    def sleep(self, seconds: int) -> None:
        self.clock.sleep(seconds=seconds)

    def memory(self, number: int) -> str | None:
        found = list(self.mind.memories.list(limit=200))
        return found[-1 - number % len(found)].id if found else None

    def write_down(self, context: RunContext) -> Outcome:
        """What the agent of every schedule does."""
        text = f"{context.agent_name} ran for {context.slot_at}"
        return Outcome(
            report=text, apply=(lambda _: self.mind.memories.add(text, scope="runs") and None,)
        )


@pytest.fixture
def without_chance(monkeypatch: pytest.MonkeyPatch) -> Chance:
    """Ids, times of reading and owners are counted, from the same number on for each engine."""
    chance = Chance()
    monkeypatch.setattr("lsm.embedding.open_embedder", one_model)
    monkeypatch.setattr("lsm.agents.memory.ids.secrets", chance)
    monkeypatch.setattr("lsm.ingest.sorting.time", chance)
    monkeypatch.setattr("lsm.agents.loop.new_owner", lambda: chance.owner)
    return chance


@pytest.fixture
def worlds(
    tmp_path: Path, sqlite_url: str, postgres_url: str, without_chance: Chance
) -> Iterator[list[World]]:
    assert without_chance.owner
    notes = tmp_path / "notes"
    notes.mkdir()
    home = str(tmp_path / "home")
    # One reader of files: of two, it is chance who is first, and that counts the chunks.
    (tmp_path / "home" / "lsm.toml").write_text("[library]\nworkers = 1\n")
    with Mind(home, sqlite_url) as one, Mind(home, postgres_url) as other:
        yield [World(one, notes), World(other, notes)]


@given(SCRIPTS)
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.generate],  # a server is too slow to find the shortest script
)
def test_the_same_operations_leave_the_same_on_both_engines(
    worlds: list[World], without_chance: Chance, script: list[tuple[Any, ...]]
) -> None:
    differences = played(worlds, without_chance, script)

    assert differences == []


@pytest.mark.long
@pytest.mark.timeout(3600)
@given(st.lists(OPERATIONS, min_size=50, max_size=100))
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_many_operations_leave_the_same_on_both_engines(
    worlds: list[World], without_chance: Chance, script: list[tuple[Any, ...]]
) -> None:
    assert played(worlds, without_chance, script) == []


def played(worlds: list[World], chance: Chance, script: list[tuple[Any, ...]]) -> list[object]:
    """Where the two differ after *script*, in what they said or what they hold."""
    found: list[object] = []
    for operation in script:
        if operation[0] in FILES:
            getattr(worlds[0], operation[0])(*operation[1:])
            continue
        # One after the other on the same files, with the same numbers.
        chance.begin()
        for world in worlds:
            chance.again()
            world.do(*operation)
        if worlds[0].said[-1] != worlds[1].said[-1]:
            found.append((operation, [world.said[-1] for world in worlds]))
    one, other = (digest(world.mind.db) for world in worlds)
    return found + [name for name in one.tables if one.tables[name] != other.tables[name]]


class Chance:
    """What is left to chance elsewhere."""

    owner = "host|boot|1|start|token"

    def __init__(self) -> None:
        self._first = self._next = self._now = 0

    def begin(self) -> None:
        self._first, self._now = self._next, time.time_ns()

    def again(self) -> None:
        """Give the same numbers once more."""
        self._next = self._first

    def randbits(self, _: int) -> int:
        self._next += 1
        return self._next

    def time_ns(self) -> int:
        return self._now
