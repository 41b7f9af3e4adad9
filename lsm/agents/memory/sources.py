"""The sources of memories: naming them, keeping them, and what they say of trust."""

from __future__ import annotations

import os
import re
from dataclasses import fields
from typing import TYPE_CHECKING, cast

from lsm.agents.memory.passages import Passages, open_passages
from lsm.agents.memory.values import TRUSTS, Source
from lsm.errors import InvalidError, NotFoundError
from lsm.vectordb.documents import DocumentReader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lsm.agents.memory.values import SourceKind, Trust
    from lsm.db import Database

_INSERT = """
INSERT INTO lsm_memory_sources (memory_id, position, kind, ref, quote, content_hash, line,
                                document_id, chunk_id, stale_since)
VALUES (:memory_id, :position, :kind, :ref, :quote, :content_hash, :line, :document_id, :chunk_id,
        :stale_since)
"""
_OF = """
SELECT memory_id, kind, ref, quote, content_hash, line, document_id, chunk_id, stale_since
  FROM lsm_memory_sources
 WHERE memory_id IN :ids[]
 ORDER BY memory_id, position
"""
_TRUST = "SELECT trust FROM lsm_agent_memories WHERE id IN :ids[]"

_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_NAMED = re.compile(r"(run|memory|person):(\S.*)")
_LINE = re.compile(r"(.+)#L?(\d{1,9})")

# The most a memory can be trusted that rests on such a source.
_CEILING: Mapping[SourceKind, Trust] = {
    "chunk": "user",  # the library holds what its owner put there
    "document": "user",
    "person": "user",
    "memory": "user",  # and as that memory itself, see `least_trust`
    "run": "agent",
    "url": "untrusted",
}


class Sources:
    """Rows of `lsm_memory_sources`."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._documents = DocumentReader(db)

    def named(self, name: str, text: str) -> Source:
        """The source that a person names: ``PATH[#LINE]``, a URL, or ``run:``, ``memory:``,
        ``person:`` and a name.

        Args:
            name: what was written.
            text: the memory's words; where they stand in the document, it is quoted there.

        Raises:
            NotFoundError: no document of that path is in the library.
            InvalidError: the document has no such line.
        """
        if named := _NAMED.fullmatch(name.strip()):
            return Source(cast("SourceKind", named[1]), named[2].strip())
        if _URL.fullmatch(name.strip()):
            return Source("url", name.strip())
        passages = self._passages(name)
        if passages is not None:
            return _whole(passages, text)
        lined = _LINE.fullmatch(name)
        passages = self._passages(lined[1]) if lined else None
        if passages is None or lined is None:
            path = lined[1] if lined else name
            raise NotFoundError("document in the library; ingest it first", path)
        anchor = passages.at_line(int(lined[2]))
        if anchor is None:
            raise InvalidError("source", f"{lined[1]} has no line {lined[2]}")
        return Source(
            "chunk",
            passages.document.source_path,
            quote=anchor.quote,
            content_hash=anchor.content_hash,
            line=anchor.line,
            document_id=passages.document.document_id,
            chunk_id=anchor.chunk_id,
        )

    def keep(self, memory_id: str, sources: Sequence[Source]) -> None:
        """Write the sources of a new memory, in the caller's transaction."""
        self._db.many(
            _INSERT,
            (
                {"memory_id": memory_id, "position": position}
                | {each.name: getattr(source, each.name) for each in fields(Source)}
                for position, source in enumerate(sources)
            ),
        )

    def of(self, memory_ids: Sequence[str]) -> dict[str, tuple[Source, ...]]:
        """The sources of each memory that has any, in their order."""
        found: dict[str, tuple[Source, ...]] = {}
        for row in self._db.rows(_OF, ids=list(memory_ids)):
            memory_id = row.pop("memory_id")
            found[memory_id] = (*found.get(memory_id, ()), Source(**row))
        return found

    def least_trust(self, trust: Trust, sources: Sequence[Source]) -> Trust:
        """*trust*, or less where a source deserves less: what is repeated gains no authority.

        Raises:
            NotFoundError: a source names a memory that does not exist.
        """
        levels: list[Trust] = [trust, *(_CEILING[source.kind] for source in sources)]
        memories = sorted({source.ref for source in sources if source.kind == "memory"})
        rows = self._db.tuples(_TRUST, ids=memories) if memories else []
        if len(rows) < len(memories):
            raise NotFoundError("memory to be a source", ", ".join(memories))
        levels += [row[0] for row in rows]
        return TRUSTS[min(map(TRUSTS.index, levels))]

    def _passages(self, path: str) -> Passages | None:
        whole = os.path.abspath(os.path.expanduser(path))
        for place in dict.fromkeys((whole, os.path.realpath(whole))):
            document = self._documents.at_path(place)
            if document is not None:
                return open_passages(self._documents, [document.document_id])[document.document_id]
        return None


def _whole(passages: Passages, text: str) -> Source:
    document = passages.document
    anchor = passages.find(text)
    if anchor is None:
        return Source(
            "document",
            document.source_path,
            content_hash=document.file_hash,
            document_id=document.document_id,
        )
    return Source(
        "chunk",
        document.source_path,
        quote=anchor.quote,
        content_hash=anchor.content_hash,
        line=anchor.line,
        document_id=document.document_id,
        chunk_id=anchor.chunk_id,
    )
