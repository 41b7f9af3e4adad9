"""A memory on its way between databases: one JSON line, with its history, and nothing lost.

Numbers, vectors and the ids of chunks belong to one database; they are made anew by the other.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from lsm.agents.memory import checks
from lsm.agents.memory.values import (
    Candidate,
    Memory,
    Revision,
    Source,
    SourceKind,
    Status,
    Trust,
)

FORMAT = "lsm-memory"
VERSION = 1

_PATTERN = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"
Time = Annotated[str, Meta(pattern=_PATTERN)]
Text = Annotated[str, Meta(min_length=1, max_length=checks.MAX_TEXT)]
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1)]


class Header(msgspec.Struct, frozen=True):
    """The first line of a file."""

    format: Literal["lsm-memory"] = FORMAT
    version: int = VERSION


class State(msgspec.Struct, frozen=True):
    """What a revision keeps; the names and order of `rows.STATE`."""

    type: str
    key: str | None
    text: Text
    value: Any
    scope: str
    tags: tuple[str, ...]
    confidence: Share
    status: Status
    trust: Trust
    pinned: bool
    author: str
    source_run_id: str | None
    updated_at: Time
    expires_at: Time | None
    deleted_at: Time | None
    stale_since: Time | None
    superseded_by: str | None


class RevisionRecord(msgspec.Struct, frozen=True):
    """One change."""

    version: Count
    changed_at: Time
    action: str
    author: str
    reason: str
    run_id: str | None
    state: State


class SourceRecord(msgspec.Struct, frozen=True):
    """One source."""

    kind: SourceKind
    ref: str
    quote: str = ""
    content_hash: str | None = None
    line: int | None = None
    stale_since: Time | None = None


class CandidateRecord(msgspec.Struct, frozen=True):
    """What the review queue knows of a memory."""

    id: str
    provenance: str
    rationale: str
    status: Literal["pending", "promoted", "rejected", "expired"]
    reason: str
    reviewer: str
    supersedes: str | None
    created_at: Time
    updated_at: Time
    merges: tuple[str, ...] = ()


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A memory and all that hangs on it.

    Without revisions it comes from elsewhere, and its history begins with its import.
    """

    id: Annotated[str, Meta(min_length=1, max_length=checks.MAX_INDEXED)]
    type: str = "fact"
    key: str | None = None
    text: Text
    value: Any = None
    scope: str = "global"
    tags: tuple[str, ...] = ()
    confidence: Share = 1.0
    status: Status = "active"
    trust: Trust = "agent"
    pinned: bool = False
    author: str = ""
    source_run_id: str | None = None
    version: Count = 1
    created_at: Time
    updated_at: Time
    last_used_at: Time | None = None
    last_verified_at: Time | None = None
    expires_at: Time | None = None
    deleted_at: Time | None = None
    stale_since: Time | None = None
    superseded_by: str | None = None
    candidate: CandidateRecord | None = None
    sources: tuple[SourceRecord, ...] = ()
    revisions: tuple[RevisionRecord, ...] = ()


_MEMORY = tuple(each.name for each in fields(Memory) if each.name not in ("number", "text_hash"))


def record_of(
    memory: Memory,
    candidate: Candidate | None,
    sources: tuple[Source, ...],
    revisions: list[Revision],
) -> Record:
    """Everything that is known of a memory."""
    return Record(
        **{name: getattr(memory, name) for name in _MEMORY},
        candidate=_candidate_record(candidate) if candidate else None,
        sources=tuple(_source_record(source) for source in sources),
        revisions=tuple(_revision_record(revision) for revision in revisions),
    )


def memory_of(record: Record, number: int) -> Memory:
    """The memory in *record*, checked as one that is added; one with its history, as it was.

    Raises:
        InvalidError: a value cannot be remembered.
    """
    given = {name: getattr(record, name) for name in _MEMORY}
    checks.kept("id", record.id)
    if record.revisions:
        # Our limits are for what is new: a predecessor's memories go beyond them.
        for each in (record, *(revision.state for revision in record.revisions)):
            _check_kept(each)
    else:
        given |= _checked(record)
    merges = record.candidate.merges if record.candidate else ()
    waits = bool(merges) and record.status in ("pending", "rejected")
    hashed = checks.merge_hash(given["text"], merges) if waits else checks.text_hash(given["text"])
    return Memory(number=number, text_hash=hashed, **given)


def candidate_of(record: CandidateRecord, memory: Memory) -> Candidate:
    """The candidate in *record*."""
    return Candidate(memory=memory, **msgspec.structs.asdict(record))


def _checked(record: Record) -> dict[str, Any]:
    checks.value(record.value)
    return {
        "text": checks.text(record.text),
        "type": checks.name("type", record.type),
        "key": None if record.key is None else checks.name("key", record.key),
        "scope": checks.scope(record.scope),
        "tags": checks.tags(record.tags),
    }


def _check_kept(each: Record | State) -> None:
    checks.kept_text(each.text)
    checks.kept("type", each.type)
    checks.kept_scope(each.scope)
    checks.kept_value(each.value)
    if each.key is not None:
        checks.kept("key", each.key)
    for tag in each.tags:
        checks.kept("tag", tag)


def _candidate_record(candidate: Candidate) -> CandidateRecord:
    given = vars(candidate)
    return CandidateRecord(**{name: given[name] for name in CandidateRecord.__struct_fields__})


def _source_record(source: Source) -> SourceRecord:
    given = vars(source)
    return SourceRecord(**{name: given[name] for name in SourceRecord.__struct_fields__})


def _revision_record(revision: Revision) -> RevisionRecord:
    state = msgspec.convert(revision.after, State)
    given = vars(revision)
    names = [name for name in RevisionRecord.__struct_fields__ if name != "state"]
    return RevisionRecord(**{name: given[name] for name in names}, state=state)
