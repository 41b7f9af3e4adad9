"""Asking the sources again: what they said when a memory was made, and what they say now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsm.agents.memory.passages import open_passages, plain
from lsm.agents.memory.values import Finding, VerifyReport
from lsm.errors import RefusedError
from lsm.vectordb.documents import DocumentReader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.agents.memory.desk import Desk
    from lsm.agents.memory.passages import Passages
    from lsm.agents.memory.provenance import SourceWatch
    from lsm.agents.memory.sources import Sources
    from lsm.agents.memory.values import Memory, Source

_HELD = """
SELECT DISTINCT m.id
  FROM lsm_active_memories m JOIN lsm_memory_sources s ON s.memory_id = m.id
 WHERE s.document_id IS NOT NULL AND (m.expires_at IS NULL OR m.expires_at > :now)
   AND (:scope = '' OR m.scope = :scope
        OR substr(m.scope, 1, length(:scope) + 1) = :scope || '/')
 ORDER BY m.id
"""
_WAITING = """
SELECT count(*)
  FROM lsm_active_memories m JOIN lsm_memory_sources s ON s.memory_id = m.id
 WHERE s.document_id IS NULL AND s.kind IN ('chunk', 'document') AND s.stale_since IS NULL
   AND (m.expires_at IS NULL OR m.expires_at > :now)
   AND (:scope = '' OR m.scope = :scope
        OR substr(m.scope, 1, length(:scope) + 1) = :scope || '/')
"""
_VERIFIED = """
UPDATE lsm_agent_memories SET last_verified_at = :now
 WHERE id IN :ids[] AND status = 'active' AND stale_since IS NULL
"""
_OLD_TEXT = "SELECT text FROM lsm_chunks WHERE chunk_id = :chunk_id"
# A person has looked: what the source says now is what the memory rests on from here on.
_ACCEPT = """
UPDATE lsm_memory_sources
   SET stale_since = NULL, kind = :kind, quote = :quote, content_hash = :content_hash,
       document_id = :document_id, chunk_id = NULL, line = NULL
 WHERE memory_id = :memory_id AND position = :position
"""
_SLICE = 200  # memories of one transaction
_SHOWN = 500  # characters of an old text


class Verification:
    """Compares memories with the documents they rest on."""

    def __init__(self, desk: Desk, sources: Sources, watch: SourceWatch) -> None:
        self._desk = desk
        self._sources = sources
        self._watch = watch
        self._documents = DocumentReader(desk.db)

    def verify(self, scope: str | None) -> VerifyReport:
        """Judge every memory that rests on a document; what stands is marked as verified."""
        desk = self._desk
        asked = {"now": desk.now(), "scope": desk.inside(scope)}
        rows = desk.db.tuples(_HELD, **asked)
        ids = [row[0] for row in rows]
        checked, findings = 0, list[Finding]()
        for start in range(0, len(ids), _SLICE):
            part = ids[start : start + _SLICE]
            with desk.db.transaction():
                self._watch.settle(part)
                desk.db.run(_VERIFIED, ids=part, now=desk.now())
            held = self._held(part)
            checked += sum(map(len, held.values()))
            findings += self._findings(held)
        waiting = desk.db.tuples(_WAITING, **asked)[0][0]
        return VerifyReport(checked, checked - len(findings), tuple(findings), waiting)

    def confirm(self, memory_id: str, reason: str) -> Memory:
        """A person says that a stale memory is true all the same."""
        desk = self._desk
        desk.need_person("confirm")
        with desk.db.transaction():
            desk.rows.lock([memory_id])
            was = desk.own(memory_id)
            if was.status != "active":
                raise RefusedError(f"memory {memory_id} is {was.status}; restore it first")
            sources = self._sources.of([memory_id]).get(memory_id, ())
            documents = [each.document_id for each in sources if each.document_id is not None]
            passages = open_passages(self._documents, documents)
            for position, source in enumerate(sources):
                if source.stale_since is not None:
                    self._accept(memory_id, position, source, passages)
            why = desk.why("confirmed", reason)
            return desk.rows.change(was, why, stale_since=None, last_verified_at=why.at)

    def _accept(
        self, memory_id: str, position: int, source: Source, passages: dict[int, Passages]
    ) -> None:
        now = passages.get(source.document_id or 0)
        self._desk.db.run(
            _ACCEPT,
            memory_id=memory_id,
            position=position,
            kind="document",
            quote="",
            content_hash=now.document.file_hash if now else source.content_hash,
            document_id=source.document_id if now else None,
        )

    def _held(self, ids: Sequence[str]) -> dict[str, list[Source]]:
        return {
            memory_id: [each for each in sources if each.document_id is not None]
            for memory_id, sources in self._sources.of(ids).items()
        }

    def _findings(self, held: dict[str, list[Source]]) -> list[Finding]:
        stale = [
            (memory_id, source)
            for memory_id, sources in held.items()
            for source in sources
            if source.stale_since is not None
        ]
        memories = self._desk.rows.by_id([memory_id for memory_id, _ in stale])
        documents = sorted({source.document_id or 0 for _, source in stale})
        passages = open_passages(self._documents, documents)
        return [
            self._finding(memories[memory_id], source, passages.get(source.document_id or 0))
            for memory_id, source in stale
        ]

    def _finding(self, memory: Memory, source: Source, now: Passages | None) -> Finding:
        old = source.quote or self._old_text(source.chunk_id)
        if now is None:
            return Finding(memory, source, "gone", old, "")
        return Finding(memory, source, "changed", old, now.closest(old) if old else "")

    def _old_text(self, chunk_id: int | None) -> str:
        rows = self._desk.db.tuples(_OLD_TEXT, chunk_id=chunk_id) if chunk_id else []
        return plain(rows[0][0])[:_SHOWN] if rows else ""
