"""Things that a mind does and says it has done; afterwards each must be there, whole, and once.

Every deed has a number, and everything it writes follows from it. So what is found in a database
can be held against what was acknowledged, by somebody who was told only the numbers.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, get_args

from lsm.agents.runtime import Outcome
from lsm.agents.scheduler import AgentScheduler
from lsm.agents.torture_books import queue_problems
from lsm.errors import NotFoundError
from lsm.paths import to_text
from lsm.vectordb.documents import DocumentReader
from lsm.vectordb.memory_index import open_memory_index

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lsm.agents.runtime import Agent, RunContext
    from lsm.app import Mind
    from lsm.db import Database

Kind = Literal["remember", "ingest", "answer", "run"]
KINDS: tuple[Kind, ...] = get_args(Kind)
AGENT = "selftest"
_FILES = 5  # that are written over and over
_TOLD = re.compile(r"edition (\d+)")
_MEMORIES = "SELECT text, status FROM lsm_agent_memories WHERE scope = 'selftest'"
_RUNS = "SELECT report, state FROM lsm_agent_runs WHERE state = 'succeeded'"
_OF_RUNS = "SELECT text FROM lsm_agent_memories WHERE scope = 'selftest/run'"
_ANSWERS = "SELECT response_json FROM lsm_remote_cache WHERE provider = 'selftest'"


@dataclass(frozen=True, order=True)
class Deed:
    """Something done, or about to be."""

    kind: Kind
    number: int

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"

    @classmethod
    def parse(cls, text: str) -> Deed:
        """What `str` wrote."""
        kind, number = text.split()
        return cls(next(each for each in KINDS if each == kind), int(number))


class Doer:
    """Does deeds with the services that everything else uses."""

    def __init__(self, mind: Mind, folder: str) -> None:
        """*folder* is for documents; one for each process."""
        self._mind = mind
        self._folder = folder
        os.makedirs(folder, exist_ok=True)
        self._scheduler = AgentScheduler(mind.db, self._agent)

    def do(self, deed: Deed) -> None:
        """Do *deed*; when this returns, it is acknowledged."""
        match deed.kind:
            case "remember":
                self._mind.memories.add(_memory(deed.number), scope="selftest", tags=["crash"])
            case "ingest":
                self._write(deed.number)
                self._mind.ingest(self._folder)
            case "answer":
                answer = {"answer": deed.number, "text": "x" * 2000}
                self._mind.cache.put("selftest", {"n": deed.number}, answer, timedelta(days=1))
            case "run":
                self._scheduler.run_agent(AGENT, {"number": deed.number})

    def _write(self, number: int) -> None:
        # In one step: whoever dies here must not leave half a document for the next to read.
        unfinished = f"{self._folder}.{os.getpid()}"
        with open(unfinished, "w", encoding="utf-8") as file:
            file.write(edition(number))
        os.replace(unfinished, places(self._folder)[number % _FILES])

    def _agent(self, name: str) -> Agent:
        if name != AGENT:
            raise NotFoundError("agent", name)
        return _Rememberer(self._mind)


class _Rememberer:
    """An agent whose run leaves a report and a memory: both, or neither."""

    def __init__(self, mind: Mind) -> None:
        self._mind = mind

    def run(self, context: RunContext) -> Outcome:
        number = int(context.params["number"])

        def remember(_: Database) -> None:
            self._mind.memories.add(f"run {number}", scope="selftest/run", key=f"run {number}")

        return Outcome(report=f"run {number}", apply=(remember,))


def places(folder: str) -> list[str]:
    """The documents that are written over and over."""
    return [os.path.join(folder, f"{number}.md") for number in range(_FILES)]


def editions_in(text: str) -> set[int]:
    """The numbers of the editions that *text* is of."""
    return {int(number) for number in _TOLD.findall(text)}


def edition(number: int) -> str:
    """A document of several chunks, each of which says which edition it is of."""
    parts = [
        f"# Edition\n\nedition {number} begins. " + "The tide comes in and goes out again. " * 12
    ]
    parts += [
        f"## Part {part}\n\nedition {number} goes on with {part}. " + "Salt, sand and wind. " * 30
        for part in range(4)
    ]
    return "\n\n".join([*parts, f"edition {number} ends.\n"])


def is_whole(text: str) -> bool:
    """Whether *text* is one edition, from its first word to its last."""
    told = editions_in(text)
    return len(told) == 1 and text.split() == edition(next(iter(told))).split()


@dataclass(frozen=True)
class Ledger:
    """What is known of the deeds of processes that have ended."""

    done: frozenset[Deed]  # acknowledged
    begun: frozenset[Deed]  # in the middle of when the process died: done, or not at all


def problems(mind: Mind, ledger: Ledger, folders: Iterable[str], *, ended: bool) -> list[str]:
    """Whatever contradicts itself or *ledger*, as sentences; empty when all is well.

    Args:
        mind: the database that is looked over.
        ledger: what was acknowledged.
        folders: one a process, with its documents.
        ended: whether all processes have: then nothing may be there that nobody began.
    """
    found = contradictions(mind)
    with mind.db.snapshot():
        there = _remembered(mind.db) | _answered(mind.db) | _ran(mind.db)
        halves, editions = _editions(mind.db, folders)
        found += _half_runs(mind.db)
    found += halves
    missing = {deed for deed in ledger.done - there if not _written_over(deed, editions)}
    found += [f"lost: {deed}" for deed in sorted(missing)]
    there |= editions
    if ended:
        stray = {deed for deed in there if deed not in ledger.done | ledger.begun}
        found += [f"there though nobody began it: {deed}" for deed in sorted(stray)]
    return found


def contradictions(mind: Mind) -> list[str]:
    """Where the database does not agree with itself."""
    return [
        *mind.engine_problems(),
        *mind.index_problems(),
        *mind.manifest_problems(),
        *open_memory_index(mind.db).disagreements(),
        *queue_problems(mind.db),
    ]


def _memory(number: int) -> str:
    return f"memory {number}: the harbour light is repainted in year {number}"


def _remembered(db: Database) -> set[Deed]:
    found: set[Deed] = set()
    for text, status in db.tuples(_MEMORIES):
        number = int(text.split(":")[0].removeprefix("memory "))
        if status == "active" and text == _memory(number):
            found.add(Deed("remember", number))
    return found


def _answered(db: Database) -> set[Deed]:
    import msgspec

    rows = db.tuples(_ANSWERS)
    return {Deed("answer", int(msgspec.json.decode(row[0])["answer"])) for row in rows}


def _ran(db: Database) -> set[Deed]:
    reports = [row[0] for row in db.tuples(_RUNS) if row[0]]
    return {Deed("run", int(report.removeprefix("run "))) for report in reports}


def _half_runs(db: Database) -> list[str]:
    """Runs that succeeded without their memory, the other way round, or twice."""
    reports = sorted(row[0] for row in db.tuples(_RUNS) if row[0])
    memories = sorted(row[0] for row in db.tuples(_OF_RUNS))
    if reports == memories:
        return []
    return [f"runs and what they remembered differ: {set(reports) ^ set(memories) or 'twice'}"]


def _editions(db: Database, folders: Iterable[str]) -> tuple[list[str], set[Deed]]:
    """Documents that are not whole, and the editions that are there."""
    problems: list[str] = []
    found: set[Deed] = set()
    reader = DocumentReader(db)
    for place in [to_text(place) for folder in folders for place in places(folder)]:
        document = reader.at_path(place)
        if document is None:
            continue
        chunks = reader.chunks([line.chunk_id for line in document.outline])
        if missing := {line.chunk_id for line in document.outline} - chunks.keys():
            problems.append(f"{place} is without its chunks {sorted(missing)}")
            continue
        text = "".join(chunks[line.chunk_id].text for line in document.outline)
        if is_whole(text):
            found.update(Deed("ingest", number) for number in editions_in(text))
        else:
            problems.append(f"{place} is a mixture of the editions {sorted(editions_in(text))}")
    return problems, found


def _written_over(deed: Deed, there: set[Deed]) -> bool:
    """Whether *deed* is an edition, and it or a later one of its file is there."""
    if deed.kind != "ingest":
        return False
    return any(
        other.number >= deed.number and other.number % _FILES == deed.number % _FILES
        for other in there
    )
