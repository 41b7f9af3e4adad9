"""The sources of memories: naming them, keeping them, and what they say of trust."""

from __future__ import annotations

import os
import re
from dataclasses import fields
from typing import TYPE_CHECKING, cast

from lsm.agents.memory.passages import Passages, open_passages
from lsm.agents.memory.values import TRUSTS, Source
from lsm.errors import InvalidError, NotFoundError
from lsm.paths import is_address
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

    def named(self, name: str, text: str, *, unseen: bool = False) -> Source:
        """The source that a person names: ``PATH[#LINE]``, a URL, or ``run:``, ``memory:``,
        ``person:`` and a name.

        Args:
            name: what was written.
            text: the memory's words; where they stand in the document, it is quoted there.
            unseen: a path is taken although nothing is there, and nobody looks whether it is:
                what an agent writes must not tell it which files exist.

        Returns:
            For a file that is not in the library yet, a source that waits for it: `SourceWatch`
            holds it to its line when the file is ingested.

        Raises:
            NotFoundError: no document of that path is in the library, and no file on the disk.
            InvalidError: the document has no such line.
        """
        if "\0" in name:
            raise InvalidError("source", "must not hold the character NUL")
        if named := _NAMED.fullmatch(name.strip()):
            return Source(cast("SourceKind", named[1]), named[2].strip())
        if _URL.fullmatch(name.strip()):
            return self._address(name.strip(), text)
        passages = self._passages(name)
        if passages is not None:
            return _whole(passages, text)
        lined = _LINE.fullmatch(name)
        passages = self._passages(lined[1]) if lined else None
        if passages is None or lined is None:
            return _awaited(name, lined, unseen=unseen)
        return _line(passages, int(lined[2]))

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
        levels: list[Trust] = [trust, *map(_ceiling, sources)]
        memories = sorted({source.ref for source in sources if source.kind == "memory"})
        rows = self._db.tuples(_TRUST, ids=memories) if memories else []
        if len(rows) < len(memories):
            raise NotFoundError("memory to be a source", ", ".join(memories))
        levels += [row[0] for row in rows]
        return TRUSTS[min(map(TRUSTS.index, levels))]

    def _address(self, url: str, text: str) -> Source:
        """What was kept of the page at *url*, or of ``URL#LINE``; else the bare address."""
        lined = _LINE.fullmatch(url)
        for place, line in ((url, 0), (lined[1], int(lined[2])) if lined else (url, 0)):
            document = self._documents.at_path(place)
            if document is not None:
                number = document.document_id
                passages = open_passages(self._documents, [number])[number]
                return _line(passages, line) if line else _whole(passages, text)
        return Source("url", url)

    def _passages(self, path: str) -> Passages | None:
        whole = _absolute(path)
        for place in dict.fromkeys((whole, os.path.realpath(whole))):
            document = self._documents.at_path(place)
            if document is not None:
                return open_passages(self._documents, [document.document_id])[document.document_id]
        return None


def _ceiling(source: Source) -> Trust:
    # To have kept a page does not make it true.
    return _CEILING["url" if is_address(source.ref) else source.kind]


def _line(passages: Passages, line: int) -> Source:
    """What stands in *line*, counted from 1. Raises InvalidError if there is no such line."""
    document, anchor = passages.document, passages.at_line(line)
    if anchor is None:
        raise InvalidError("source", f"{document.source_path} has no line {line}")
    return Source(
        "chunk",
        document.source_path,
        quote=anchor.quote,
        content_hash=anchor.content_hash,
        line=anchor.line,
        document_id=document.document_id,
        chunk_id=anchor.chunk_id,
    )


def _awaited(name: str, lined: re.Match[str] | None, *, unseen: bool) -> Source:
    path, line = (lined[1], int(lined[2])) if lined else (name, None)
    if not unseen and os.path.exists(_absolute(name)):
        path, line = name, None  # what looks like a line is the end of its name
    elif not unseen and not os.path.exists(_absolute(path)):
        raise NotFoundError("document in the library, and no file on the disk", path)
    return Source("document", _absolute(path), line=line)


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))


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
