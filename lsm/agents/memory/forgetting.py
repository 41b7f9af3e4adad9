"""Letting go: what runs out, what is locked away, and what is erased to the last byte."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from lsm.agents.memory.queue import CandidateRows
from lsm.agents.memory.traces import live, pieces, strings
from lsm.agents.memory.values import Expired, PurgeReceipt
from lsm.clock import to_text
from lsm.errors import InvalidError, RefusedError
from lsm.failpoints import reach

if TYPE_CHECKING:
    from datetime import datetime

    from lsm.agents.memory.desk import Desk
    from lsm.agents.memory.values import Memory

_COUNT = """
SELECT (SELECT count(*) FROM lsm_agent_memories WHERE id = :id)
     + (SELECT count(*) FROM lsm_agent_memory_candidates WHERE memory_id = :id)
     + (SELECT count(*) FROM lsm_memory_sources WHERE memory_id = :id OR ref = :id)
     + (SELECT count(*) FROM lsm_memory_revisions WHERE memory_id = :id)
     + (SELECT count(*) FROM lsm_memory_context_uses WHERE memory_id = :id)
     + (SELECT count(*) FROM vec_memories WHERE number = :number)
     + (SELECT count(*) FROM lsm_active_memories WHERE id = :id)
"""
_TEXTS = "SELECT state_json FROM lsm_memory_revisions WHERE memory_id = :id"
# Questions that were answered with the memory, or that quote it.
_DROP_CONTEXTS = """
DELETE FROM lsm_memory_contexts
 WHERE context_id IN (SELECT context_id FROM lsm_memory_context_uses WHERE memory_id = :id)
    OR replace(query, :text, '') <> query
"""
_DROP_POINTERS = "DELETE FROM lsm_memory_sources WHERE kind = 'memory' AND ref = :id"
# What waits to take its place says what it said.
_MERGED = """
SELECT c.memory_id
  FROM lsm_agent_memory_merges g
  JOIN lsm_agent_memory_candidates c ON c.id = g.candidate_id
 WHERE g.memory_id = :id AND c.status <> 'promoted'
"""
_DROP_ALL = "DELETE FROM lsm_agent_memories WHERE id IN :ids[]"
_DROP = "DELETE FROM lsm_agent_memories WHERE id = :id"
_DROP_OLD_CONTEXTS = "DELETE FROM lsm_memory_contexts WHERE created_at <= :before"
_SUSPECTS = """
SELECT DISTINCT m.id
  FROM lsm_agent_memories m
  LEFT JOIN lsm_memory_sources s ON s.memory_id = m.id
 WHERE m.status IN ('active', 'pending')
   AND (CAST(:source AS TEXT) IS NULL OR s.ref = :source OR s.ref = :path)
   AND (CAST(:run_id AS TEXT) IS NULL OR m.source_run_id = :run_id
        OR (s.kind = 'run' AND s.ref = :run_id))
   AND (CAST(:author AS TEXT) IS NULL OR m.author = :author)
   AND (CAST(:since AS TEXT) IS NULL OR m.created_at >= :since)
"""
_DERIVED = """
SELECT DISTINCT s.memory_id
  FROM lsm_memory_sources s JOIN lsm_agent_memories m ON m.id = s.memory_id
 WHERE s.kind = 'memory' AND s.ref IN :ids[] AND m.status IN ('active', 'pending')
"""

TABLES = (
    "lsm_agent_memories", "lsm_agent_memory_candidates", "lsm_memory_sources",
    "lsm_memory_revisions", "lsm_memory_contexts", "lsm_memory_context_uses", "vec_memories",
    "memories_fts", "memory_labels", "lsm_agent_memory_merges", "lsm_legacy_originals",
    "lsm_legacy_quarantine",
)  # fmt: skip
_TOO_SHORT = "its words are too short to be looked for in the file's bytes"
_SERVER = "the server's files were vacuumed; its log and backups are its own"
_UNEXPLAINED = (
    "words of it stand in the file and in no row: close every program that has the database open, "
    "then run lsm db vacuum"
)
_SLICE = 500  # rows of one transaction, so that others get their turn


@dataclass(frozen=True)
class Suspicion:
    """What memories have in common that are no longer trusted. All of it must fit.

    Raises:
        InvalidError: nothing is named, which would be everything.
    """

    source: str | None = None  # a path, URL or other reference of their source
    run_id: str | None = None
    author: str | None = None
    since: datetime | None = None  # created then or later
    reason: str = ""

    def __post_init__(self) -> None:
        if not (self.source or self.run_id or self.author or self.since):
            raise InvalidError("quarantine", "name a source, run, author or time")


class Forgetting:
    """Takes memories out of use, and out of the database."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._queue = CandidateRows(desk.db)

    def expire(self) -> Expired:
        """Mark what has run out; it was invisible from that instant on anyway."""
        memories = self._expire_each(self._desk.rows.overdue(self._desk.now()))
        waited = self._desk.config.span("candidate_lifetime")
        candidates = 0
        if waited is not None:
            before = to_text(self._desk.clock() - waited)
            unreviewed = [each.memory for each in self._queue.unreviewed(before)]
            candidates = self._expire_each(unreviewed)[1]
        kept = self._desk.config.span("context_record")
        if kept is not None:
            self._desk.db.run(_DROP_OLD_CONTEXTS, before=to_text(self._desk.clock() - kept))
        return Expired(memories[0], memories[1] + candidates)

    def suspected(self, suspicion: Suspicion) -> list[Memory]:
        """What `quarantine` would lock away."""
        desk = self._desk
        with desk.db.snapshot():
            found = desk.rows.by_id(sorted(self._suspects(suspicion)))
        return [memory for memory in found.values() if desk.covers(memory.scope)]

    def quarantine(self, suspicion: Suspicion) -> tuple[str, ...]:
        """Lock away what fits *suspicion*, and what was derived from it, all or nothing."""
        desk = self._desk
        desk.need_person("quarantine")
        with desk.db.transaction():
            found = self._suspects(suspicion)
            desk.rows.lock(sorted(found))
            locked = [
                memory
                for memory in desk.rows.by_id(sorted(found)).values()
                if desk.covers(memory.scope)
            ]
            for memory in locked:
                why = desk.why("quarantined", suspicion.reason)
                desk.rows.change(memory, why, status="quarantined")
            return tuple(memory.id for memory in locked)

    def purge(self, memory_id: str) -> PurgeReceipt:
        """Erase a memory and every trace of it, then look for its words in the file's bytes.

        The same words in a document or another memory are no trace of it: they are named.
        """
        desk = self._desk
        desk.need_person("purge")
        if desk.db.in_transaction:
            raise RefusedError("purge by itself: inside a transaction nothing can be proved gone")
        with desk.db.transaction():
            memory = desk.own(memory_id)
            texts = self._texts(memory)
            needles = pieces(texts)
            traces = desk.index.traces(memory.number)
            rows = self._erase(memory, texts)
        reach("memory.before_reclaim")
        desk.db.reclaim(TABLES)
        found = desk.db.count_bytes([*needles, *traces])
        if found == 0:
            return PurgeReceipt(memory_id, rows, 0, note="" if needles else _TOO_SHORT)
        others = live(desk.db, needles, texts)
        if found is None:
            return PurgeReceipt(memory_id, rows, 0, others.places, _SERVER)
        # What rows of today hold accounts for as many; whatever is more should not be there.
        unexplained = max(0, found - others.explained)
        note = _UNEXPLAINED if unexplained else ""
        return PurgeReceipt(memory_id, rows, unexplained, others.places, note)

    def _expire_each(self, memories: list[Memory]) -> tuple[int, int]:
        """How many were active, and how many were candidates."""
        desk, active, pending = self._desk, 0, 0
        for start in range(0, len(memories), _SLICE):
            with desk.db.transaction():
                ids = [memory.id for memory in memories[start : start + _SLICE]]
                desk.rows.lock(ids)
                for memory in desk.rows.by_id(ids).values():
                    if memory.status not in ("active", "pending"):
                        continue
                    why = desk.why("expired")
                    desk.rows.change(memory, why, status="expired")
                    self._queue.decide(memory.id, "expired", why)
                    active += memory.status == "active"
                    pending += memory.status == "pending"
        return active, pending

    def _suspects(self, suspicion: Suspicion) -> set[str]:
        source = suspicion.source
        rows = self._desk.db.tuples(
            _SUSPECTS,
            source=source,
            path=os.path.abspath(os.path.expanduser(source)) if source else None,
            run_id=suspicion.run_id,
            author=suspicion.author,
            since=to_text(suspicion.since) if suspicion.since else None,
        )
        found = fresh = {row[0] for row in rows}
        while fresh:
            derived = self._desk.db.tuples(_DERIVED, ids=sorted(fresh))
            fresh = {row[0] for row in derived} - found
            found = found | fresh
        return found

    def _texts(self, memory: Memory) -> list[str]:
        """Every wording the memory ever had, and long texts of its value."""
        states = [msgspec.json.decode(row[0]) for row in self._desk.db.tuples(_TEXTS, id=memory.id)]
        texts = [memory.text, *(state["text"] for state in states)]
        for value in (memory.value, *(state["value"] for state in states)):
            texts += strings(value)
        return list(dict.fromkeys(texts))

    def _erase(self, memory: Memory, texts: list[str]) -> int:
        db = self._desk.db
        rows = db.tuples(_COUNT, id=memory.id, number=memory.number)[0][0]
        db.run(_DROP_CONTEXTS, id=memory.id, text=memory.text)
        db.run(_DROP_POINTERS, id=memory.id)
        rows += db.run(_DROP_ALL, ids=[row[0] for row in db.tuples(_MERGED, id=memory.id)])
        db.run(_DROP, id=memory.id)
        self._desk.index.forget([*texts, memory.key or "", *memory.tags])
        return rows
