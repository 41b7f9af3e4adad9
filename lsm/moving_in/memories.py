"""Memories and the review queue of a predecessor, in the tables of ours."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from lsm.agents.memory import checks
from lsm.agents.memory.queue import CandidateRows
from lsm.agents.memory.rows import MemoryRows, Why
from lsm.agents.memory.values import Candidate, Memory
from lsm.clock import to_text
from lsm.moving_in.digests import digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.agents.memory.values import Status
    from lsm.clock import Clock
    from lsm.db import Database
    from lsm.migration.legacy.records import LegacyCandidate, LegacyMemory

_BACKDATE = "UPDATE lsm_agent_memories SET created_at = :created_at WHERE id = :id"
# What nobody had queued was shown to nobody: it waits where a person can bring it back.
_STANDING: dict[str, Status] = {"promoted": "active", "pending": "pending", "rejected": "rejected"}
_OURS = ("number", "text_hash", "author", "version", "updated_at", "last_verified_at")
_LATER = ("deleted_at", "stale_since", "superseded_by")
_CONTENT = [each.name for each in fields(Memory) if each.name not in (*_OURS, *_LATER)]
_CANDIDATE = ("id", "provenance", "rationale", "status", "created_at", "updated_at")


class MemoryShelf:
    """Keeps `LegacyMemory`; none of our limits applies, and none of our lifetimes."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._now = clock
        self._rows = MemoryRows(db)

    def key(self, item: LegacyMemory) -> str:
        return item.id

    def digest(self, item: LegacyMemory) -> str:
        return _content(memory_of(item))

    def held(self, items: Sequence[LegacyMemory]) -> list[str | None]:
        here = self._rows.by_id([item.id for item in items])
        return [_content(here[item.id]) if item.id in here else None for item in items]

    def present(self, keys: Sequence[str]) -> set[str]:
        return set(self._rows.by_id(keys))

    def remark(self, item: LegacyMemory) -> str:  # noqa: ARG002 - it is what it was
        return ""

    def flaw(self, item: LegacyMemory) -> str:  # noqa: ARG002 - what cannot be used is not typed
        return ""

    def insert(self, item: LegacyMemory) -> None:
        # Taken first: until commit nobody else adds a memory, on either engine.
        number = self._rows.take_number()
        memory = self._apart(memory_of(item))
        self._rows.insert(replace(memory, number=number), self._why())

    def replace(self, item: LegacyMemory) -> None:
        self._rows.lock([item.id])
        was, new = self._rows.one(item.id), self._apart(memory_of(item))
        kept = ("number", "id", "version", "created_at")
        changes = {name: value for name, value in vars(new).items() if name not in kept}
        self._rows.change(was, self._why(), **changes)
        self._db.run(_BACKDATE, id=item.id, created_at=new.created_at)

    def absorb(self, item: LegacyMemory) -> str | None:  # noqa: ARG002 - nothing is merged
        return None

    def _apart(self, memory: Memory) -> Memory:
        """*memory* beside others of the same words: the predecessor showed each of them."""
        same = self._rows.same(memory)
        if same is None or same.id == memory.id:
            return memory
        return replace(memory, text_hash=checks.twin_hash(memory.text_hash, memory.id))

    def _why(self) -> Why:
        return Why(to_text(self._now()), "imported", "", "from the predecessor's memory")


class CandidateShelf:
    """Keeps `LegacyCandidate`, one a memory."""

    def __init__(self, db: Database) -> None:
        self._memories = MemoryRows(db)
        self._queue = CandidateRows(db)

    def key(self, item: LegacyCandidate) -> str:
        return item.memory_id

    def digest(self, item: LegacyCandidate) -> str:
        return digest(item.memory_id, *(getattr(item, name) for name in _CANDIDATE))

    def held(self, items: Sequence[LegacyCandidate]) -> list[str | None]:
        here = self._queue.of_memories([item.memory_id for item in items])
        return [_queued(here[item.memory_id]) if item.memory_id in here else None for item in items]

    def present(self, keys: Sequence[str]) -> set[str]:
        return set(self._queue.of_memories(keys))

    def remark(self, item: LegacyCandidate) -> str:  # noqa: ARG002 - it is what it was
        return ""

    def flaw(self, item: LegacyCandidate) -> str:  # noqa: ARG002 - what cannot be used is not typed
        return ""

    def insert(self, item: LegacyCandidate) -> None:
        memory = self._memories.by_id([item.memory_id]).get(item.memory_id)
        if memory is None:
            raise ValueError("the memory it is about is not here")
        known = {name: getattr(item, name) for name in _CANDIDATE}
        self._queue.insert(
            Candidate(memory=memory, reason="", reviewer="", supersedes=None, **known)
        )

    def replace(self, item: LegacyCandidate) -> None:
        self._queue.drop(item.memory_id)
        self.insert(item)

    def absorb(self, item: LegacyCandidate) -> str | None:  # noqa: ARG002 - nothing is merged
        return None


def memory_of(item: LegacyMemory) -> Memory:
    """*item* as a row of ours, its number still to be taken."""
    text = words_of(item.key, item.value)
    return Memory(
        number=0,
        id=item.id,
        type=item.type,
        key=item.key,
        text=text,
        text_hash=checks.text_hash(text),
        value=item.value,
        scope=item.scope,
        tags=item.tags,
        confidence=item.confidence,
        status=_STANDING.get(item.standing, "quarantined"),
        trust="reviewed" if item.standing == "promoted" else "agent",
        pinned=item.type == "pinned",
        author="",
        source_run_id=item.source_run_id,
        version=1,
        created_at=item.created_at,
        updated_at=item.created_at,
        last_used_at=item.last_used_at,
        last_verified_at=None,
        expires_at=item.expires_at,
        deleted_at=None,
        stale_since=None,
        superseded_by=None,
    )


def words_of(key: str, value: Any) -> str:
    """What a memory is found and recalled by: its name and its value, which stays beside it."""
    said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"{key}: {said}"[: checks.MAX_TEXT].strip()


def _content(memory: Memory) -> str:
    return digest(*(getattr(memory, name) for name in _CONTENT))


def _queued(candidate: Candidate) -> str:
    return digest(candidate.memory.id, *(getattr(candidate, name) for name in _CANDIDATE))
