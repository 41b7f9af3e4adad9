"""Memories follow their sources: when a document changes, so does what rests on it, at once.

`SourceWatch.chunks_changed` is called by ingest inside the transaction that changes the document,
so that no reader ever sees the new text beside a memory that still claims to rest on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsm.agents.memory.passages import Anchor, Passages, open_passages
from lsm.agents.memory.rows import MemoryRows, Why
from lsm.clock import to_text, utc_now
from lsm.vectordb.documents import DocumentReader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.clock import Clock
    from lsm.db import Database, Row

_LOOSE = """
SELECT s.memory_id, s.position, s.kind, s.ref, s.quote, s.content_hash, s.document_id,
       s.stale_since, s.line, m.text
  FROM lsm_memory_sources s
  JOIN lsm_agent_memories m ON m.id = s.memory_id
  LEFT JOIN lsm_chunks c ON c.chunk_id = s.chunk_id AND c.version_out IS NULL
"""
# Held to a chunk that is no longer there, to no chunk, or stale and perhaps mended now.
_UNSETTLED = " AND (c.chunk_id IS NULL OR s.stale_since IS NOT NULL)"
# Named before their document came, or stale since an earlier document of that path went.
_AWAITED = """
 UNION ALL
SELECT s.memory_id, s.position, s.kind, s.ref, s.quote, s.content_hash, d.document_id,
       s.stale_since, s.line, m.text
  FROM lsm_documents d
  JOIN lsm_memory_sources s ON s.ref = d.source_path
  JOIN lsm_agent_memories m ON m.id = s.memory_id
 WHERE d.document_id IN :ids[] AND d.version_out IS NULL AND s.kind IN ('chunk', 'document')
   AND (s.document_id IS NULL OR (s.stale_since IS NOT NULL AND s.document_id <> d.document_id))
"""
_OF_DOCUMENTS = _LOOSE + " WHERE s.document_id IN :ids[]" + _UNSETTLED + _AWAITED
_OF_MEMORIES = _LOOSE + " WHERE s.memory_id IN :ids[] AND s.document_id IS NOT NULL" + _UNSETTLED
_ANCHOR = """
UPDATE lsm_memory_sources
   SET kind = 'chunk', document_id = :document_id, chunk_id = :chunk_id, quote = :quote,
       content_hash = :content_hash, line = :line, ref = :ref, stale_since = NULL
 WHERE memory_id = :memory_id AND position = :position
"""
_FRESH = """
UPDATE lsm_memory_sources
   SET document_id = :document_id, content_hash = :content_hash, stale_since = NULL
 WHERE memory_id = :memory_id AND position = :position
"""
_STALE = """
UPDATE lsm_memory_sources SET document_id = :document_id, stale_since = :at
 WHERE memory_id = :memory_id AND position = :position AND stale_since IS NULL
"""
_SINCE = """
SELECT memory_id, min(stale_since) AS since
  FROM lsm_memory_sources
 WHERE memory_id IN :ids[] AND stale_since IS NOT NULL
 GROUP BY memory_id
"""


class SourceWatch:
    """Keeps memories true to the documents they rest on."""

    def __init__(self, db: Database, clock: Clock = utc_now) -> None:
        self._db = db
        self._clock = clock
        self._rows = MemoryRows(db)
        self._documents = DocumentReader(db)

    def chunks_changed(self, document_ids: Sequence[int], version: int) -> None:
        """Judge the memories that rest on these documents, in the caller's transaction.

        Called when their new chunks are written and the old ones have gone out. One indexed
        query when no memory names any of them.

        Args:
            document_ids: documents that came, lost a chunk, were renamed or left the library.
            version: the running ingest's, named in the history of the memories.
        """
        rows = self._db.rows(_OF_DOCUMENTS, ids=list(document_ids))
        self._settle(rows, f"ingest {version}")

    def settle(self, memory_ids: Sequence[str]) -> None:
        """Judge these memories by their documents as they are now, in the caller's transaction."""
        self._settle(self._db.rows(_OF_MEMORIES, ids=list(memory_ids)), "check")

    def _settle(self, rows: list[Row], author: str) -> None:
        if not rows:
            return
        at = to_text(self._clock())
        passages = open_passages(self._documents, sorted({row["document_id"] for row in rows}))
        for row in rows:
            self._judge(row, passages.get(row["document_id"]), at)
        self._mark({row["memory_id"]: row["ref"] for row in rows}, at, author)

    def _judge(self, row: Row, passages: Passages | None, at: str) -> None:
        key = {name: row[name] for name in ("memory_id", "position", "document_id")}
        anchor = _anchor(row, passages) if passages else None
        if anchor and passages:
            self._db.run(
                _ANCHOR,
                **key,
                chunk_id=anchor.chunk_id,
                quote=anchor.quote,
                content_hash=anchor.content_hash,
                line=anchor.line,
                ref=passages.document.source_path,
            )
        elif passages and _whole(row, passages):
            self._db.run(_FRESH, **key, content_hash=passages.document.file_hash)
        else:
            self._db.run(_STALE, **key, at=at)

    def _mark(self, refs: dict[str, str], at: str, author: str) -> None:
        """Let each memory be stale exactly if one of its sources is."""
        ids = sorted(refs)
        self._rows.lock(ids)
        since = {row["memory_id"]: row["since"] for row in self._db.rows(_SINCE, ids=ids)}
        for memory in self._rows.by_id(ids).values():
            stale = since.get(memory.id)
            if (stale is None) == (memory.stale_since is None):
                continue
            action = "anchored" if stale is None else "stale"
            said = "says so again" if stale is None else "no longer says so"
            why = Why(at, action, author, f"{refs[memory.id]} {said}")
            self._rows.change(memory, why, stale_since=stale)


def _anchor(row: Row, passages: Passages) -> Anchor | None:
    if _new(row):  # named by its line, or as a whole
        return passages.at_line(row["line"]) if row["line"] else passages.find(row["text"])
    unchanged = passages.same(row["content_hash"], row["quote"]) if row["content_hash"] else None
    return unchanged or passages.find(row["quote"])


def _whole(row: Row, passages: Passages) -> bool:
    """Whether the document as a whole is the source, and has not changed since."""
    if _new(row):
        return row["line"] is None
    return not row["quote"] and row["content_hash"] == passages.document.file_hash


def _new(row: Row) -> bool:
    """Whether the source has never been held to its document."""
    return not row["quote"] and row["content_hash"] is None
