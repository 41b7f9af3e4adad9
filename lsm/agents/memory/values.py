"""What the memory store takes and gives. Times are text, as `lsm.clock` writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypedDict, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

Trust = Literal["untrusted", "agent", "reviewed", "user"]
Status = Literal["pending", "active", "superseded", "expired", "quarantined", "rejected", "deleted"]
SourceKind = Literal["chunk", "document", "run", "url", "person", "memory"]
Outcome = Literal["added", "proposed", "exists"]

TRUSTS: tuple[Trust, ...] = ("untrusted", "agent", "reviewed", "user")  # rising
PERSONAL: tuple[Trust, ...] = ("reviewed", "user")  # whose words are memories without a review

T = TypeVar("T")


@dataclass(frozen=True)
class Source:
    """Where a memory comes from."""

    kind: SourceKind
    ref: str  # path, run id, URL, name or memory id, by `kind`
    quote: str = ""  # the words that support the memory
    content_hash: str | None = None  # of the chunk or file when it last supported the memory
    line: int | None = None  # 1-based
    document_id: int | None = None
    chunk_id: int | None = None
    stale_since: str | None = None  # it no longer says so


@dataclass(frozen=True)
class Memory:
    """A memory as it is now."""

    number: int  # in the order of arrival; of this database only
    id: str
    type: str
    key: str | None
    text: str
    text_hash: str
    value: Any  # anything JSON holds
    scope: str  # a path such as "agents/researcher"
    tags: tuple[str, ...]
    confidence: float  # from 0 to 1
    status: Status
    trust: Trust  # the least of its author's and its sources'
    pinned: bool
    author: str
    source_run_id: str | None
    version: int  # 1 when it came, one more at each change
    created_at: str
    updated_at: str  # when its content last changed
    last_used_at: str | None
    last_verified_at: str | None
    expires_at: str | None
    deleted_at: str | None
    stale_since: str | None
    superseded_by: str | None

    @property
    def stale(self) -> bool:
        """Whether one of its sources no longer says so."""
        return self.stale_since is not None


@dataclass(frozen=True)
class Hit(Memory):
    """A memory that was found."""

    score: float  # higher is better; comparable within one answer only
    # text and vector in [0, 1], then the factors recency, confidence, trust and staleness.
    parts: Mapping[str, float]


@dataclass(frozen=True)
class Candidate:
    """A memory that waits for a person's word, or has had it."""

    id: str
    memory: Memory
    provenance: str  # who or what proposed it
    rationale: str  # why, in the proposer's words
    status: Literal["pending", "promoted", "rejected", "expired"]
    reason: str  # of the reviewer
    reviewer: str
    supersedes: str | None  # the memory it is to take the place of
    created_at: str
    updated_at: str
    flags: tuple[str, ...] = ()  # what a reviewer should look at twice, see `flags`
    merges: tuple[str, ...] = ()  # the memories it is to take the place of, all together


@dataclass(frozen=True)
class AddResult:
    """What became of something that was to be remembered."""

    outcome: Outcome
    memory: Memory | None  # None while it is a candidate
    candidate: Candidate | None
    similar: tuple[Hit, ...] = ()  # never merged: for a person to look at

    @property
    def id(self) -> str:
        """Of the memory, or of what will be it."""
        found = self.memory or (self.candidate and self.candidate.memory)
        assert found  # noqa: S101 - one of the two is always there
        return found.id


@dataclass(frozen=True)
class Page(Sequence[T], Generic[T]):
    """A part of a longer answer."""

    items: tuple[T, ...]
    cursor: str | None = None  # gives the next part; None: there is none

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class Revision:
    """One change. `before` and `after` hold the fields of the memory; None: it was not there."""

    version: int
    changed_at: str
    action: str  # proposed, added, updated, promoted, deleted, stale, anchored, ...
    author: str
    reason: str
    run_id: str | None
    before: Mapping[str, Any] | None
    after: Mapping[str, Any]


@dataclass(frozen=True)
class Context:
    """A block of text for a model, and what went into it."""

    text: str
    tokens: int  # estimated high, at most the budget
    used: tuple[str, ...]  # ids, in the order of the text
    dropped: int  # found, but no room
    needed: int = 0  # the least budget that holds one of them, when there was room for none
    id: str | None = None  # of the record of this use


@dataclass(frozen=True)
class Finding:
    """A source that no longer says what it said."""

    memory: Memory
    source: Source
    state: Literal["changed", "gone"]
    old: str  # what stood there
    new: str  # what comes closest to it now; "" where nothing does


@dataclass(frozen=True)
class VerifyReport:
    """What the sources of memories say today."""

    checked: int  # sources
    fresh: int
    stale: tuple[Finding, ...]
    waiting: int = 0  # sources whose document is not in the library yet


@dataclass(frozen=True)
class Undo:
    """What taking back a run does to one memory."""

    id: str
    action: Literal["delete", "restore", "keep"]
    text: str
    why: str
    version: int | None = None  # the one that is restored


@dataclass(frozen=True)
class ScopeInfo:
    """A scope that holds memories."""

    scope: str
    memories: int
    newest_at: str


@dataclass(frozen=True)
class AlsoIn:
    """Something else that holds the words of a memory that was erased."""

    kind: str  # document, memory, history, candidate, source, context, run, cache, or a table
    path: str | None = None  # of a document
    line: int | None = None  # where they stand in it now; None: in an earlier version, or in parts
    id: str | None = None  # of anything else
    current: bool = True  # False: no search of today finds them there


@dataclass(frozen=True)
class PurgeReceipt:
    """What was removed, and what a search of the file's bytes still found of it."""

    id: str
    rows: int  # in all tables
    bytes_found: int  # occurrences that nothing explains; 0: the memory is gone
    also_in: tuple[AlsoIn, ...] = ()  # what else says the same, and was not to be erased
    note: str = ""


@dataclass(frozen=True)
class Expired:
    """What ran out."""

    memories: int
    candidates: int


@dataclass(frozen=True)
class MemoryStats:
    """How much is remembered."""

    memories: int  # active and not expired
    pinned: int
    stale: int
    candidates: int  # pending
    unembedded: int  # active, found by words alone
    by_type: Mapping[str, int]
    by_status: Mapping[str, int]  # all rows


@dataclass(frozen=True)
class ImportReport:
    """What became of each memory in a file."""

    format: str
    added: int = 0
    identical: int = 0  # here already
    updated: int = 0  # here in an earlier version
    merged: int = 0  # the same words are here under another id
    conflicts: int = 0  # changed on both sides: ours stays
    problems: tuple[str, ...] = field(default=())


class Fields(TypedDict, total=False):
    """What `MemoryStore.add` takes besides the text; see `NewMemory`."""

    type: str
    scope: str
    key: str | None
    value: Any
    tags: Sequence[str]
    confidence: float
    ttl: timedelta | None
    expires_at: datetime | None
    pinned: bool
    trust: Trust
    author: str
    run_id: str | None
    source: str | None
    sources: Sequence[Source]
    provenance: str
    rationale: str
    supersedes: str | None
    merges: Sequence[str]
    review: bool


@dataclass(frozen=True, kw_only=True)
class NewMemory:
    """Something to be remembered."""

    text: str
    type: str = "fact"  # any word; some have a lifetime, see `MemoryConfig`
    scope: str | None = None  # None: the store's own, else "global"
    key: str | None = None  # a name, once in a scope and type
    value: Any = None  # anything JSON holds
    tags: Sequence[str] = ()
    confidence: float = 1.0
    ttl: timedelta | None = None  # the type's lifetime still caps it
    expires_at: datetime | None = None  # aware
    pinned: bool = False  # in every context of its scope; type "pinned" always is
    trust: Trust | None = None  # at most the store's
    author: str | None = None
    run_id: str | None = None
    source: str | None = None  # PATH[#LINE] in the library, URL, run:ID, memory:ID, person:NAME
    sources: Sequence[Source] = ()
    provenance: str | None = None  # of a candidate; None: the author
    rationale: str = ""  # of a candidate
    supersedes: str | None = None  # a candidate's: takes that memory's place when promoted
    merges: Sequence[str] = ()  # a candidate's: takes the place of all of these when promoted
    review: bool = False  # a candidate, whoever says it


@dataclass(frozen=True)
class Name:
    """What a memory with a key goes by."""

    scope: str
    key: str
    type: str


class Changes(TypedDict, total=False):
    """What `MemoryStore.update` and an edit while promoting can change."""

    text: str
    type: str
    scope: str
    key: str | None
    value: Any
    tags: Sequence[str]
    confidence: float
    ttl: timedelta | None
    expires_at: datetime | None
    pinned: bool


class SearchOptions(TypedDict, total=False):
    """What narrows a search; see `MemoryStore.search`."""

    scope: str | None
    types: Sequence[str]
    tags: Sequence[str]
    value: Mapping[str, str | float | bool | None] | None
    min_trust: Trust | None
    as_of: datetime | None
    mode: Literal["hybrid", "text", "vector"]
    limit: int
    cursor: str | None


def as_row(memory: Memory) -> dict[str, Any]:
    """*memory* with the fields of the JSON contract; a hit's score and parts as well."""
    row: dict[str, Any] = {
        "id": memory.id,
        "text": memory.text,
        "type": memory.type,
        "scope": memory.scope,
        "key": memory.key,
        "value": memory.value,
        "tags": list(memory.tags),
        "confidence": memory.confidence,
        "status": memory.status,
        "trust": memory.trust,
        "created_at": memory.created_at,
        "updated_at": memory.updated_at,
        "expires_at": memory.expires_at,
        "last_used_at": memory.last_used_at,
        "last_verified_at": memory.last_verified_at,
        "stale": memory.stale,
        "pinned": memory.pinned,
        "author": memory.author,
        "run_id": memory.source_run_id,
        "version": memory.version,
        "superseded_by": memory.superseded_by,
    }
    if isinstance(memory, Hit):
        row |= {"score": memory.score, "parts": dict(memory.parts)}
    return row


def as_candidate_row(candidate: Candidate) -> dict[str, Any]:
    """*candidate* as one JSON object; its memory's fields, and the id of either."""
    return as_row(candidate.memory) | {
        "id": candidate.id,
        "memory_id": candidate.memory.id,
        "status": candidate.status,
        "provenance": candidate.provenance,
        "rationale": candidate.rationale,
        "reason": candidate.reason,
        "reviewer": candidate.reviewer,
        "supersedes": candidate.supersedes,
        "merges": list(candidate.merges),
        "flags": list(candidate.flags),
        "created_at": candidate.created_at,
        "updated_at": candidate.updated_at,
    }
