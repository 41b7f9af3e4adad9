"""What is read from a predecessor's home, typed. Times are `lsm.clock` texts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Literal, TypeVar

T = TypeVar("T")
Kind = Literal[
    "memories", "candidates", "schedules", "manifest", "stats_cache", "remote_cache", "feeds"
]
KINDS: tuple[Kind, ...] = (
    "memories",
    "candidates",
    "schedules",
    "manifest",
    "stats_cache",
    "remote_cache",
    "feeds",
)


@dataclass(frozen=True)
class LegacyMemory:
    """A row of `memories`."""

    id: str
    type: str
    key: str
    value: Any  # anything JSON holds
    scope: str
    tags: tuple[str, ...]
    confidence: float  # from 0 to 1
    created_at: str
    last_used_at: str
    expires_at: str | None
    source_run_id: str
    standing: str  # of its candidate: pending, promoted, rejected; "" without one


@dataclass(frozen=True)
class LegacyCandidate:
    """A row of `memory_candidates`."""

    id: str
    memory_id: str
    provenance: str
    rationale: str
    status: Literal["pending", "promoted", "rejected"]
    created_at: str
    updated_at: str


@dataclass(frozen=True)
class LegacySchedule:
    """An entry of `schedules`. What cannot be used is told in `problems`."""

    agent: str
    interval: str  # "hourly", "90s", a cron expression
    enabled: bool
    policy: str  # skip, queue, cancel
    mode: str  # auto, confirm, deny
    params: dict[str, Any]
    number: int  # 1; 2 for the second entry that asks for the same, and so on
    mark: str  # 12 hex digits that no other entry has
    last_run_at: str | None
    next_run_at: str | None
    last_status: str
    last_error: str | None
    queued_runs: int
    running: bool
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class LegacyFile:
    """An entry of the manifest."""

    source_path: str  # as `lsm.paths` writes it; the real spelling where the file is there
    mtime_ns: int
    file_size: int
    file_hash: str
    version: int
    updated_at: str


@dataclass(frozen=True)
class LegacyAnswer:
    """What a remote source answered."""

    provider: str
    query: str
    saved_at: str
    ttl_s: float
    results: list[dict[str, Any]]


@dataclass(frozen=True)
class LegacyFeed:
    """Which items of a feed have been shown."""

    feed_url: str
    saved_at: str
    seen_ids: tuple[str, ...]


@dataclass(frozen=True)
class Record(Generic[T]):
    """One record: what it says, or why it cannot be said."""

    kind: Kind
    key: str  # for people: an id, a path
    original: bytes  # as it stood there
    value: T | None  # None: `trouble` says why
    trouble: str = ""
    note: str = ""  # taken over, and yet worth telling
    identity: str = ""  # what makes it the same record in a later state of the file; else `key`
    context: str = ""  # what it says in other places of the file

    @cached_property
    def item_id(self) -> str:
        """64 hex digits, the same at every reading."""
        return hashed(self.kind, self.identity or self.key)

    @cached_property
    def source_hash(self) -> str:
        """64 hex digits that change with the record."""
        return hashlib.sha256(self.original + b"\0" + self.context.encode()).hexdigest()


def hashed(*parts: str) -> str:
    """SHA-256 of *parts*, 64 hex digits."""
    text = "\0".join(parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
