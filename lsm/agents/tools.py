"""What agents may use of the rest: handed in, so that agents know no other service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from lsm.agents.memory import MemoryStore
    from lsm.agents.watching import Watching
    from lsm.clock import Clock


@dataclass(frozen=True)
class IngestResult:
    """What reading the roots came to."""

    version: int | None  # None: nothing changed
    counts: Mapping[str, int]  # files: seen, new, changed, moved, gone, failed, ...
    errors: Sequence[str]  # one line each
    unconfirmed: int  # gone, but so many that a person is asked first


@dataclass(frozen=True)
class DocumentNews:
    """A document that came, changed or went."""

    path: str
    title: str
    what: str  # "new", "changed", "gone"


@dataclass(frozen=True)
class AgentTools:
    """The tools of every agent that is built in."""

    # Reads the roots; asked now and then whether to stop.
    ingest: Callable[[Callable[[], bool]], IngestResult]
    # What changed after a version of the library: its version now, and the documents.
    news_since: Callable[[int], tuple[int, Sequence[DocumentNews]]]
    # The result of the schedule's latest run that succeeded.
    last_result: Callable[[str], Mapping[str, Any]]
    # A transaction that leaves nothing behind, for dry runs.
    rehearsing: Callable[[], AbstractContextManager[None]]
    # As a person's; `acting` narrows it to a run's. Without a model: nothing is embedded in a
    # transaction, `embed_missing` makes up for it.
    memories: MemoryStore
    clock: Clock
    watching: Watching  # what is new in feeds and saved searches
