"""Documents and versions in order, page by page, however many there are.

Each method goes on behind the last row of the page before, along an index: the thousandth page
costs what the first did.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.db import Database, Row

_COLUMNS = """
SELECT document_id, version_in AS version, source_path AS path, extension, title, tags_json,
       modified_at, file_size
  FROM lsm_documents
 WHERE version_out IS NULL
"""
_DOCUMENTS = (
    _COLUMNS
    + """
   AND source_path > :after
   AND (CAST(:below AS TEXT) = '' OR substr(source_path, 1, length(:below)) = :below)
 ORDER BY source_path
 LIMIT :most
"""
)
_AT_PATHS = _COLUMNS + " AND source_path IN :paths[]"
_VERSIONS_OF = """
SELECT d.version_in AS version, d.version_out AS ended, d.source_path AS path, d.title,
       d.file_size, d.file_hash, d.modified_at, v.created_at
  FROM lsm_documents d
  LEFT JOIN lsm_versions v ON v.version = d.version_in
 WHERE d.document_id = :document_id AND d.version_in < :before
 ORDER BY d.version_in DESC
 LIMIT :most
"""
_VERSIONS = """
SELECT version, created_at FROM lsm_versions WHERE version < :before ORDER BY version DESC
 LIMIT :most
"""
_ALL = 2**62


@dataclass(frozen=True)
class DocumentLine:
    """A document in a list."""

    document_id: int
    version: int  # since when it is like this
    path: str
    extension: str
    title: str
    tags: tuple[str, ...]
    modified_at: str
    file_size: int  # bytes


@dataclass(frozen=True)
class VersionLine:
    """One state of a document."""

    version: int  # of the library, in which it came
    ended: int | None  # ... and in which another took its place, or none did; None: it still is
    path: str
    title: str
    file_size: int  # bytes
    file_hash: str
    modified_at: str  # the file's own time
    created_at: str | None  # when it was read; None: that version has been pruned


@dataclass(frozen=True)
class LibraryVersion:
    """One run of ingest that changed something."""

    version: int
    created_at: str


class DocumentList:
    """Lists of documents and versions."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def documents(self, after: str = "", below: str = "", most: int = 50) -> list[DocumentLine]:
        """Current documents by path, behind the path *after*, whose path begins with *below*."""
        rows = self._db.rows(_DOCUMENTS, after=after, below=below, most=most)
        return [_line(row) for row in rows]

    def at_paths(self, paths: Sequence[str]) -> list[DocumentLine]:
        """Current documents at *paths*, in that order; what is not there is left out."""
        rows = self._db.rows(_AT_PATHS, paths=list(paths))
        found = {row["path"]: _line(row) for row in rows}
        return [found[path] for path in paths if path in found]

    def versions_of(
        self, document_id: int, before: int | None = None, most: int = 50
    ) -> list[VersionLine]:
        """States of a document that came in before version *before*, the newest first."""
        end = _ALL if before is None else before
        rows = self._db.rows(_VERSIONS_OF, document_id=document_id, before=end, most=most)
        return [VersionLine(**row) for row in rows]

    def versions(self, before: int | None = None, most: int = 50) -> list[LibraryVersion]:
        """Versions of the library earlier than *before*, the newest first."""
        end = _ALL if before is None else before
        return [LibraryVersion(*row) for row in self._db.tuples(_VERSIONS, before=end, most=most)]


def _line(row: Row) -> DocumentLine:
    tags = msgspec.json.decode(row.pop("tags_json"), type=tuple[str, ...])
    return DocumentLine(**row, tags=tags)
