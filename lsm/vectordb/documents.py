"""Documents and their chunks, as they are and as they were."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from lsm.vectordb.base import NOW, Where
from lsm.vectordb.pathglob import compiled, fixed_start

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.db import Database, Row

_AT = """
   AND version_in <= :version
   AND (version_out IS NULL OR version_out > :version)
"""
_DOCUMENT_COLUMNS = """
SELECT document_id, version_in, source_path, extension, title, tags_json, own_tags_json,
       metadata_json, flags_json, modified_at, file_size, file_hash, outline_json
  FROM lsm_documents
"""
_BY_ID = _DOCUMENT_COLUMNS + " WHERE document_id IN :ids[]" + _AT
_BY_PATH = _DOCUMENT_COLUMNS + " WHERE source_path = :path" + _AT
_HISTORY = _DOCUMENT_COLUMNS + " WHERE source_path = :path ORDER BY version_in"
_CANDIDATES = (
    """
SELECT document_id, source_path, tags_json
  FROM lsm_documents
 WHERE (CAST(:start AS TEXT) = '' OR substr(source_path, 1, length(:start)) = :start)
   AND (CAST(:since AS TEXT) IS NULL OR modified_at >= :since)
   AND (CAST(:any_extension AS BIGINT) = 1 OR extension IN :extensions[])
"""
    + _AT
)
_CHUNKS = """
SELECT chunk_id, document_id, text_hash, title, heading, text, version_in, version_out
  FROM lsm_chunks
 WHERE chunk_id IN :ids[]
"""


_CHANGED_SINCE = """
SELECT d.source_path, d.title,
       CASE WHEN EXISTS (SELECT 1 FROM lsm_documents o
                          WHERE o.document_id = d.document_id AND o.version_in <= :version)
            THEN 'changed' ELSE 'new' END AS what
  FROM lsm_documents d
 WHERE d.version_out IS NULL AND d.version_in > :version
UNION ALL
SELECT d.source_path, d.title, 'gone'
  FROM lsm_documents d
 WHERE d.version_in <= :version AND d.version_out > :version
   AND NOT EXISTS (SELECT 1 FROM lsm_documents n
                    WHERE n.document_id = d.document_id AND n.version_out IS NULL)
"""
_VERSION_AT = "SELECT max(version) FROM lsm_versions WHERE created_at <= :instant"


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a chunk stands in one version of its document."""

    chunk_id: int
    start_line: int  # 1-based
    end_line: int  # inclusive
    page: int | None


@dataclass(frozen=True)
class DocumentVersion:
    """A document as it was from `version` on."""

    document_id: int
    version: int
    source_path: str
    extension: str
    title: str
    tags: tuple[str, ...]
    own_tags: tuple[str, ...]  # without its folders'
    metadata: dict[str, str]
    flags: tuple[str, ...]
    modified_at: str
    file_size: int  # bytes
    file_hash: str
    outline: tuple[Place, ...]  # in reading order; a repeated text stands more than once


@dataclass(frozen=True)
class StoredChunk:
    """A chunk's row."""

    chunk_id: int
    document_id: int
    text_hash: str
    title: str
    heading: str
    text: str
    version_in: int
    version_out: int | None


class DocumentReader:
    """Reads documents and chunks by id, path and version."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def at_path(self, path: str, version: int = NOW) -> DocumentVersion | None:
        """The document that stood at *path* in *version*, or None."""
        rows = self._db.rows(_BY_PATH, path=path, version=version)
        return _document(rows[0]) if rows else None

    def by_id(self, ids: Sequence[int], version: int = NOW) -> dict[int, DocumentVersion]:
        """Documents of *ids* as they were in *version*, by id; those that were not are left out."""
        rows = self._db.rows(_BY_ID, ids=list(ids), version=version)
        return {row["document_id"]: _document(row) for row in rows}

    def history(self, path: str) -> list[DocumentVersion]:
        """Every version of what stood at *path*, oldest first."""
        return [_document(row) for row in self._db.rows(_HISTORY, path=path)]

    def changed_since(self, version: int) -> list[tuple[str, str, str]]:
        """Path, title and "new", "changed" or "gone" of what is not as it was after *version*."""
        return sorted(self._db.tuples(_CHANGED_SINCE, version=version))

    def version_at(self, instant: str) -> int:
        """The library's version at *instant* (as `lsm.clock` writes it); 0 before the first."""
        return self._db.tuples(_VERSION_AT, instant=instant)[0][0] or 0

    def chunks(self, ids: Sequence[int]) -> dict[int, StoredChunk]:
        """Chunks by id; unknown ids are left out."""
        rows = self._db.rows(_CHUNKS, ids=list(ids))
        return {row["chunk_id"]: StoredChunk(**row) for row in rows}


def documents_where(db: Database, where: Where) -> list[int]:
    """Ids of the documents *where* allows.

    What both engines compare alike is compared in SQL; globs and tags here.
    """
    start = fixed_start(where.path) if where.path else ""
    rows = db.tuples(
        _CANDIDATES,
        start=start if _storable(start) else "",
        since=where.since,
        any_extension=0 if where.extensions else 1,
        extensions=[extension for extension in where.extensions if _storable(extension)],
        version=where.version,
    )
    glob = compiled(where.path) if where.path else None
    wanted = {tag.casefold() for tag in where.tags}
    return [
        document_id
        for document_id, path, tags_json in rows
        if (glob is None or glob.match(path.replace(os.sep, "/")))
        and (not wanted or wanted <= {tag.casefold() for tag in msgspec.json.decode(tags_json)})
    ]


def _storable(text: str) -> bool:
    """Whether any row could hold *text*: NUL and halves of characters never get that far."""
    return "\0" not in text and text.encode("utf-8", "replace").decode() == text


def _document(row: Row) -> DocumentVersion:
    return DocumentVersion(
        document_id=row["document_id"],
        version=row["version_in"],
        source_path=row["source_path"],
        extension=row["extension"],
        title=row["title"],
        tags=msgspec.json.decode(row["tags_json"], type=tuple[str, ...]),
        own_tags=msgspec.json.decode(row["own_tags_json"], type=tuple[str, ...]),
        metadata=msgspec.json.decode(row["metadata_json"], type=dict[str, str]),
        flags=msgspec.json.decode(row["flags_json"], type=tuple[str, ...]),
        modified_at=row["modified_at"],
        file_size=row["file_size"],
        file_hash=row["file_hash"],
        outline=msgspec.json.decode(row["outline_json"], type=tuple[Place, ...]),
    )
