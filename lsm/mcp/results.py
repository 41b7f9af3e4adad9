"""What tools answer. Field names are a contract; what stands in them is content of others."""

from __future__ import annotations

from typing import Any

import msgspec

from lsm.mcp.fence import NOTE


class Passage(msgspec.Struct, frozen=True):
    """A passage of a document."""

    id: str  # what `fetch` takes
    title: str
    url: str
    text: str  # fenced
    source: str  # path:first line-last line
    trust: str
    score: float


class SearchResult(msgspec.Struct, frozen=True):
    """Of `search`."""

    results: tuple[Passage, ...]
    omitted: int = 0  # found, but there was no room
    note: str = NOTE


class FetchResult(msgspec.Struct, frozen=True):
    """Of `fetch`."""

    id: str
    title: str
    text: str  # fenced
    url: str
    metadata: dict[str, Any]
    next_offset: int | None = None
    note: str = NOTE


class Remembered(msgspec.Struct, frozen=True):
    """A memory."""

    id: str
    text: str  # fenced
    type: str
    scope: str
    trust: str
    source: str  # who said so
    tags: tuple[str, ...]
    stale: bool
    created_at: str
    expires_at: str | None
    confidence: float
    score: float
    key: str | None = None


class MemorySearchResult(msgspec.Struct, frozen=True):
    """Of `memory_search`."""

    results: tuple[Remembered, ...]
    note: str = NOTE


class MemoryAddResult(msgspec.Struct, frozen=True):
    """Of `memory_add`."""

    outcome: str
    id: str
    candidate_id: str | None
    similar: tuple[Remembered, ...]
    note: str


class MemoryContextResult(msgspec.Struct, frozen=True):
    """Of `memory_context`. The text has its own fence."""

    text: str
    tokens: int
    used: tuple[str, ...]
    dropped: int


class RemoteFound(msgspec.Struct, frozen=True):
    """What a remote source found."""

    title: str
    url: str
    snippet: str  # fenced
    score: float
    published: str | None
    source: str
    trust: str = "untrusted"


class RemoteSearchResult(msgspec.Struct, frozen=True):
    """Of `remote_search`."""

    provider: str
    query: str
    cached: bool
    stale: bool
    results: tuple[RemoteFound, ...]
    problems: tuple[str, ...]
    note: str = NOTE


class Scheduled(msgspec.Struct, frozen=True):
    """A schedule."""

    schedule_id: str
    agent_name: str
    state: str
    next_run_at: str | None
    last_run_at: str | None
    last_status: str
    last_error: str | None
    queued_runs: int


class ScheduleListResult(msgspec.Struct, frozen=True):
    """Of `schedule_list`."""

    schedules: tuple[Scheduled, ...]
    omitted: int = 0
