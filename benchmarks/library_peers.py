"""The library beside what else one would keep documents in, each installed by name."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from benchmarks.corpus import Shape, write_corpus
from benchmarks.environments import interpreter_with, version_in
from benchmarks.findings import Finding, Table, interleaved, median, milliseconds, ratio, seconds
from benchmarks.memory_peers import Talking

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SHAPE = Shape(files=2000, words=350, files_per_folder=50, words_per_section=120)
_LARGE = Shape(2500, 7200, 100, 150)  # about 100,000 chunks
_ROUNDS, _COLD_ROUNDS = 5, 3
_RACY = 3  # seconds after a write in which a file's times prove nothing
_LEVELS = (100, 200, 400, 800, 1600)  # candidates that a search by graph looks at
_ENOUGH = 0.99  # recall at which speed is compared
_OURS = "lsm"
_PEERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "Chroma": ("chromadb", ("chromadb",)),
    "LanceDb": ("lancedb", ("lancedb", "pyarrow")),
    "LangChain": (
        "langchain-core",
        # greenlet: its record manager needs it, and nothing it depends on asks for it.
        ("langchain-chroma", "langchain-classic", "langchain-community", "greenlet"),
    ),
    "LlamaIndex": ("llama-index-core", ("llama-index-core", "llama-index-vector-stores-chroma")),
}
_SHOWN = {
    "lsm": "lsm",
    "Chroma": "Chroma",
    "LanceDb": "LanceDB",
    "LangChain": "LangChain index() + Chroma",
    "LlamaIndex": "LlamaIndex pipeline + Chroma",
}
_TXTAI = (
    "txtai is left out: it cannot be installed without torch, with which it fills five gigabytes."
)


class LibraryProcess(Talking):
    """A library of `benchmarks.library_store` in a process of its own."""

    def __init__(self, python: str, name: str, documents: str) -> None:
        super().__init__([python, "-m", "benchmarks.library_store", name, documents])
        assert self.heard() == "ready"

    def ask(self, method: str, *arguments: object) -> Any:
        self.say([method, *arguments])
        return self.heard()


class LibraryPeers:
    """Installs each when it is first asked for; what cannot be had becomes a note."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._environments = os.environ.get("LSM_BENCH_PEERS") or os.path.join(folder, "pythons")
        self.notes: list[str] = [_TXTAI]
        self.versions: list[str] = []

    def started(self, names: list[str], documents: str) -> dict[str, LibraryProcess]:
        """A process each, ours first; those that cannot be had are left out."""
        found = {_OURS: LibraryProcess(sys.executable, _OURS, documents)}
        for name in names:
            package, needed = _PEERS[name]
            try:
                python = interpreter_with(self._environments, name, *needed, ours_behind=True)
                found[name] = LibraryProcess(python, name, documents)
            except (subprocess.CalledProcessError, AssertionError) as error:
                told = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
                self.notes.append(f"{name} is left out: {told[-1] if told else 'no reason given'}")
                continue
            version = f"{package} {version_in(python, package)}"
            if version not in self.versions:
                self.versions.append(version)
        return found


def run(peers: LibraryPeers) -> Finding:
    """2,000 files in each: ingested, looked over, one changed, searched."""
    documents = os.path.join(peers.folder, "documents")
    write_corpus(documents, _SHAPE)
    running = peers.started(list(_PEERS), documents)
    found, chunks = _ingested(peers.folder, documents, running)
    for method in ("dense", "hybrid"):
        tasks = {name: _task(each, method) for name, each in running.items()}
        found[method] = {
            name: times for name, times in interleaved(tasks, _ROUNDS).items() if None not in times
        }
    recall = {name: each.ask("recall") for name, each in running.items()}
    _end(running)
    about = (
        f"{_SHAPE.files:,} Markdown files of about 400 words, the same embedder (`wordllama`, 256 "
        "dimensions) in a process each, imports excluded. LSM parses, cuts and embeds each file in "
        "one durable commit with its words; LangChain and LlamaIndex cut and embed, and keep what "
        "they know of a file beside Chroma; Chroma and LanceDB, which know of no files, are given "
        "a loop that hashes chunks of whole paragraphs and embeds the new ones. Queries embed, "
        "search and fetch ten texts; LSM also folds near-duplicates. recall@10 is of the vector "
        f"index against exact. Medians of {_COLD_ROUNDS} cold and {_ROUNDS} other interleaved "
        f"rounds; in brackets: times LSM. {'; '.join(peers.versions)}."
    )
    rows = tuple(_row(name, found, chunks[name], recall[name]) for name in running)
    head = ("", "chunks", "cold ingest", "nothing changed", "one file changed")
    table = Table((*head, "dense p50", "hybrid p50", "recall@10"), rows)
    return Finding("A library, beside its peers", about, table, tuple(peers.notes))


def large(peers: LibraryPeers) -> Finding:
    """100,000 chunks in LSM and in Chroma: ingest, and search at equal recall."""
    documents = os.path.join(peers.folder, "large-documents")
    write_corpus(documents, _LARGE)
    running = peers.started(["Chroma"], documents)
    place = os.path.join(peers.folder, "large")
    colds = {name: each.ask("cold", os.path.join(place, name)) for name, each in running.items()}
    recall = {name: each.ask("recall") for name, each in running.items()}
    level = _LEVELS[0]
    if "Chroma" in running:
        for level in _LEVELS:
            running["Chroma"].ask("accuracy", level)
            recall["Chroma"] = running["Chroma"].ask("recall")
            if recall["Chroma"] >= min(_ENOUGH, recall[_OURS]):
                break
    tasks = {name: _task(each, "dense") for name, each in running.items()}
    times = interleaved(tasks, _ROUNDS)
    _end(running)
    rows = tuple(
        (
            _SHOWN[name],
            f"{cold['chunks']:,.0f}",
            _cell([cold["seconds"]], [colds[_OURS]["seconds"]], seconds),
            _cell(times[name], times[_OURS], milliseconds),
            f"{recall[name]:.3f}",
        )
        for name, cold in colds.items()
    )
    about = (
        f"{_LARGE.files:,} Markdown files, each library in a process of its own, ingested one "
        f"after the other, once; `ef_search` of Chroma raised to {level}, where its recall is at "
        f"least {_ENOUGH} or LSM's. Queries as above, medians of {_ROUNDS} interleaved rounds; in "
        "brackets: times LSM."
    )
    table = Table(("", "chunks", "cold ingest", "dense p50", "recall@10"), rows)
    return Finding("100,000 chunks, beside Chroma", about, table)


def _ingested(
    folder: str, documents: str, running: dict[str, LibraryProcess]
) -> tuple[dict[str, dict[str, list[float]]], dict[str, int]]:
    """Seconds by task and library, and the chunks of each."""
    places = iter(range(10**6))
    chunks: dict[str, int] = {}

    def cold(name: str) -> Callable[[], float]:
        def task() -> float:
            told = running[name].ask("cold", os.path.join(folder, f"{name}-{next(places)}"))
            chunks[name] = told["chunks"]
            return told["seconds"]

        return task

    found = {"cold": interleaved({name: cold(name) for name in running}, _COLD_ROUNDS)}
    time.sleep(_RACY)
    again = {name: _task(each, "again") for name, each in running.items()}
    interleaved(again, 1)  # once more, so that every file is known to be older than its check
    found["nothing"] = interleaved(again, _ROUNDS)
    found["one"] = {name: [] for name in running}
    for number in range(_ROUNDS):
        with open(os.path.join(documents, "folder-000", "note-000007.md"), "a") as file:
            file.write(f"\n\nA paragraph that was added in round {number}, about other things.\n")
        for name, times in interleaved(again, 1).items():
            found["one"][name] += times
    return found, chunks


def _task(process: LibraryProcess, method: str) -> Callable[[], float]:
    return lambda: process.ask(method)


def _row(
    name: str, found: dict[str, dict[str, list[float]]], chunks: int, recall: float
) -> tuple[str, ...]:
    def cell(task: str, spelled: Callable[[float], str]) -> str:
        times = found[task]
        return _cell(times[name], times[_OURS], spelled) if name in times else "-"

    return (
        _SHOWN[name],
        f"{chunks:,}",
        *(cell(task, seconds) for task in ("cold", "nothing", "one")),
        *(cell(task, milliseconds) for task in ("dense", "hybrid")),
        f"{recall:.3f}",
    )


def _cell(times: list[float], ours: list[float], spelled: Callable[[float], str]) -> str:
    taken = spelled(median(times))
    return taken if times is ours or times == ours else f"{taken} ({ratio(times, ours):.1f}x)"


def _end(running: dict[str, LibraryProcess]) -> None:
    for each in running.values():
        each.__exit__(None, None, None)
