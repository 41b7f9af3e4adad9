"""The library in a few numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from lsm.db import Database

# What was kept of the web has its address where files have their path.
_FILES = """
SELECT count(*), coalesce(sum(file_size), 0),
       coalesce(sum(CASE WHEN substr(source_path, 1, 8) = 'https://'
                           OR substr(source_path, 1, 7) = 'http://' THEN 1 ELSE 0 END), 0)
  FROM lsm_manifest
 WHERE checked_ns <> 0 OR document_id IS NOT NULL
"""
# A predecessor knew them; none of their words is in the library until they are ingested.
_UNREAD = "SELECT count(*) FROM lsm_manifest WHERE checked_ns = 0 AND document_id IS NULL"
_CHUNKS = "SELECT count(*) FROM lsm_chunks WHERE version_out IS NULL"
_VERSION = "SELECT coalesce(max(version), 0) FROM lsm_versions"
_ERRORS = "SELECT count(*) FROM lsm_ingest_errors"


class LibraryOverview(msgspec.Struct, frozen=True):
    """How much there is, as it is."""

    version: int  # 0: nothing has been ingested
    files: int
    file_bytes: int
    chunks: int
    errors: int  # files that could not be read
    kept: int = 0  # documents that are no files, but were kept from the web
    unread: int = 0  # files that a predecessor knew, and that have not been ingested


def library_overview(db: Database) -> LibraryOverview:
    """Count the library; cheap: no text is read."""
    with db.snapshot():
        documents, file_bytes, kept = db.tuples(_FILES)[0]
        return LibraryOverview(
            version=db.tuples(_VERSION)[0][0],
            files=documents - int(kept),
            file_bytes=int(file_bytes),
            chunks=db.tuples(_CHUNKS)[0][0],
            errors=db.tuples(_ERRORS)[0][0],
            kept=int(kept),
            unread=db.tuples(_UNREAD)[0][0],
        )
