"""The library in a few numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from lsm.db import Database

_FILES = "SELECT count(*), coalesce(sum(file_size), 0) FROM lsm_manifest"
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


def library_overview(db: Database) -> LibraryOverview:
    """Count the library; cheap: no text is read."""
    with db.snapshot():
        files, file_bytes = db.tuples(_FILES)[0]
        return LibraryOverview(
            version=db.tuples(_VERSION)[0][0],
            files=files,
            file_bytes=int(file_bytes),
            chunks=db.tuples(_CHUNKS)[0][0],
            errors=db.tuples(_ERRORS)[0][0],
        )
