"""Everybody at once on one database, for a while: who was told what, and how long a search took.

Commands in processes of their own, threads of one process, an assistant at an MCP server, the
scheduler, writers of memories, and an ingest that does not end before the others do.
"""

from __future__ import annotations

import subprocess
import threading
import time
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

import anyio
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters

from lsm.app import Mind
from lsm.errors import LsmError
from lsm.sample import library_path
from tests.test_cli.command import LSM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

QUERIES = ("telescope mirror", "who repaired the kiln", "battery", "what did the committee decide")
SEARCHERS, WRITERS, COMMANDERS = 4, 2, 2


@dataclass
class Report:
    """What a soak came to. Latencies are in milliseconds."""

    done: dict[str, int] = field(default_factory=dict[str, int])  # how often, by who
    errors: list[str] = field(default_factory=list[str])
    quiet: list[float] = field(default_factory=list[float])  # searches before anybody wrote
    busy: list[float] = field(default_factory=list[float])  # ... and while everybody did
    guard: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def note(self, who: str, error: str = "") -> None:
        """Count one thing done, or refused."""
        with self.guard:
            self.done[who] = self.done.get(who, 0) + 1
            if error:
                self.errors.append(f"{who}: {error}")


def soak(folder: Path, database: str | None, seconds: float) -> Report:
    """Let everybody work for *seconds* in the empty *folder*, the first quarter only readers."""
    return _Soak(folder, database, seconds).run()


def percentile(values: list[float], percent: int) -> float:
    """The value that *percent* of *values* do not exceed."""
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


class _Soak:
    def __init__(self, folder: Path, database: str | None, seconds: float) -> None:
        self._home = str(folder / "home")
        self._notes = folder / "notes"
        self._database = database
        self._seconds = seconds
        self._report = Report()
        self._over = threading.Event()
        self._writing = threading.Event()

    def run(self) -> Report:
        self._notes.mkdir()
        with Mind(self._home, self._database) as mind:
            mind.ingest(str(library_path()))
            mind.search("once")  # loads the model
            everybody = self._everybody(mind)
            for each in everybody:
                each.start()
            time.sleep(self._seconds / 4)
            self._writing.set()
            time.sleep(self._seconds * 3 / 4)
            self._over.set()
            for each in everybody:
                each.join()
        return self._report

    def _everybody(self, mind: Mind) -> list[threading.Thread]:
        parts: list[Callable[[], None]] = [lambda: self._search(mind)] * SEARCHERS
        parts += [lambda i=i: self._remember(mind, i) for i in range(WRITERS)]
        parts += [lambda i=i: self._command(i) for i in range(COMMANDERS)]
        parts += [self._write_notes, self._ingest, self._schedule, self._assist]
        return [threading.Thread(target=part) for part in parts]

    def _search(self, mind: Mind) -> None:
        for number in count():
            if self._over.is_set():
                return
            began, quiet = time.perf_counter(), not self._writing.is_set()
            self._try("search", lambda n=number: mind.search(QUERIES[n % len(QUERIES)]))
            latencies = self._report.quiet if quiet else self._report.busy
            latencies.append((time.perf_counter() - began) * 1000)
            time.sleep(0.01)  # a person reads what was found; the cores are everybody's

    def _remember(self, mind: Mind, writer: int) -> None:
        for number in self._turns():
            text = f"fact {number} of writer {writer}"
            self._try("memory", lambda t=text: mind.memories.add(t, scope="soak"))
            time.sleep(0.02)

    def _command(self, which: int) -> None:
        for number in self._turns():
            self._lsm("memory", "add", f"command {which} says {number}")
            self._lsm("search", QUERIES[number % len(QUERIES)], "-k", "3", "--json")

    def _write_notes(self) -> None:
        for number in self._turns():
            text = f"# Note {number % 500}\n\nEdition {number} of it. " + "More of the same. " * 60
            (self._notes / f"{number % 500}.md").write_text(text)
            time.sleep(0.002)

    def _ingest(self) -> None:
        for _ in self._turns():
            self._lsm("ingest", str(self._notes), accepted=(0, 3))

    def _schedule(self) -> None:
        self._lsm("schedule", "add", "curator", "--every", "1s")
        self._writing.wait()
        with self._started("schedule", "start") as scheduler:
            self._over.wait()
            scheduler.terminate()
            _, told = scheduler.communicate(timeout=60)
            self._report.note("scheduler", told if "busy" in told or "locked" in told else "")

    def _assist(self) -> None:
        self._writing.wait()
        anyio.run(self._talk)

    async def _talk(self) -> None:
        arguments = [*self._words(), "mcp"]
        server = StdioServerParameters(command=str(LSM), args=arguments)
        async with Client(server, mode="legacy", read_timeout_seconds=60) as client:
            for number in self._turns():
                for tool, given in (
                    ("search", {"query": QUERIES[number % len(QUERIES)]}),
                    ("memory_add", {"text": f"the assistant heard {number}"}),
                ):
                    result = await client.call_tool(tool, given)
                    refused = result.is_error and "a day" not in str(result.content)
                    self._report.note(f"mcp {tool}", str(result.content) if refused else "")

    def _turns(self) -> Iterator[int]:
        self._writing.wait()
        for number in count():
            if self._over.is_set():
                return
            yield number

    def _try(self, who: str, work: Callable[[], object]) -> None:
        try:
            work()
        except LsmError as error:
            self._report.note(who, f"{type(error).__name__}: {error}")
        else:
            self._report.note(who)

    def _lsm(self, *words: str, accepted: tuple[int, ...] = (0,)) -> None:
        with self._started(*words) as process:
            _, told = process.communicate()
        wrong = process.returncode not in accepted
        self._report.note(f"lsm {words[0]}", f"{process.returncode}: {told}" if wrong else "")

    def _started(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [LSM, *self._words(), *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _words(self) -> list[str]:
        return ["--home", self._home, *(("--database", self._database) if self._database else ())]
