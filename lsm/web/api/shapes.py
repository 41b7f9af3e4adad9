"""What operations answer, where no type of the services says it: rows of the JSON contract."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Instant = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")]
Count = Annotated[int, Meta(ge=0)]
MemoryStatus = Literal[
    "pending", "active", "superseded", "expired", "quarantined", "rejected", "deleted"
]
Trust = Literal["untrusted", "agent", "reviewed", "user"]


class MemoryRow(msgspec.Struct, frozen=True, kw_only=True):
    """A memory."""

    id: str
    text: str
    type: str
    scope: str
    key: str | None
    value: Any
    tags: tuple[str, ...]
    confidence: Annotated[float, Meta(ge=0, le=1)]
    status: MemoryStatus
    trust: Trust
    created_at: Instant
    updated_at: Instant
    expires_at: Instant | None
    last_used_at: Instant | None
    last_verified_at: Instant | None
    stale: bool
    pinned: bool
    author: str
    run_id: str | None
    version: Annotated[int, Meta(ge=1)]
    superseded_by: str | None


class MemoryHit(MemoryRow, frozen=True, kw_only=True):
    """A memory that was found."""

    score: float
    parts: dict[str, float]


class MemorySource(msgspec.Struct, frozen=True):
    """Where a memory comes from."""

    kind: Literal["chunk", "document", "run", "url", "person", "memory"]
    ref: str
    quote: str
    line: int | None
    stale_since: Instant | None


class MemoryDetail(MemoryRow, frozen=True, kw_only=True):
    """A memory and its sources."""

    sources: tuple[MemorySource, ...]


class CandidateRow(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate, with the fields of the memory it would be."""

    id: str
    memory_id: str
    text: str
    type: str
    scope: str
    status: Literal["pending", "promoted", "rejected", "expired"]
    provenance: str
    rationale: str
    reason: str
    reviewer: str
    supersedes: str | None
    flags: tuple[str, ...]
    created_at: Instant
    updated_at: Instant


class Added(msgspec.Struct, frozen=True):
    """What became of something that was to be remembered."""

    outcome: Literal["added", "proposed", "exists"]
    id: str
    candidate_id: str | None
    similar: tuple[MemoryHit, ...]


class MemoryRevision(msgspec.Struct, frozen=True):
    """One change of a memory."""

    version: int
    changed_at: Instant
    action: str
    author: str
    reason: str
    run_id: str | None
    before: dict[str, Any] | None
    after: dict[str, Any]


class MemoryCounts(msgspec.Struct, frozen=True):
    """Memories in numbers."""

    memories: Count
    pinned: Count
    stale: Count
    candidates: Count
    unembedded: Count
    by_type: dict[str, int]
    by_status: dict[str, int]


class Verified(msgspec.Struct, frozen=True):
    """What the sources of memories say today."""

    checked: Count
    fresh: Count
    stale: tuple[dict[str, Any], ...]


class DatabaseInfo(msgspec.Struct, frozen=True):
    """The database."""

    engine: str
    path_or_url: str
    bytes: Count


class StatusInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Everything in a few numbers."""

    version: Count
    files: Count
    chunks: Count
    memories: dict[str, Any]
    schedules: dict[str, Any]
    cache: dict[str, Any]
    database: DatabaseInfo
    roots: tuple[str, ...]
    errors: Count


class RunDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A run, its report, and what it remembered or proposed."""

    run_id: str
    schedule_id: str
    state: str
    slot_at: Instant
    origin: str
    attempt: int
    report: str | None
    error: str | None
    memories: tuple[dict[str, Any], ...]
    candidates: tuple[dict[str, Any], ...]


class AgentRow(msgspec.Struct, frozen=True):
    """An agent."""

    name: str
    description: str
    kind: str
    problem: str | None  # why it cannot be run


class Upcoming(msgspec.Struct, frozen=True):
    """When something fires next."""

    next: tuple[str, ...]


class Purged(msgspec.Struct, frozen=True):
    """How many answers were deleted."""

    purged: Count


class Event(msgspec.Struct, frozen=True):
    """One event of a stream."""

    event: Literal["progress", "completed", "failed"]
    data: str  # the job's row, as JSON


class Problem(msgspec.Struct, frozen=True):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str  # stable
    detail: str  # one line that names what to change
    request_id: str
