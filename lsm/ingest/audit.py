"""Whether manifest and documents tell the same story."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lsm.db import Database

_WITHOUT_DOCUMENT = """
SELECT count(*) FROM lsm_manifest m
 WHERE NOT EXISTS (SELECT 1 FROM lsm_documents d
                    WHERE d.document_id = m.document_id AND d.version_out IS NULL
                      AND d.source_path = m.source_path AND d.file_hash = m.file_hash)
"""
_WITHOUT_MANIFEST = """
SELECT count(*) FROM lsm_documents d
 WHERE d.version_out IS NULL
   AND NOT EXISTS (SELECT 1 FROM lsm_manifest m WHERE m.source_path = d.source_path)
"""
_STRAY_CHUNKS = """
SELECT count(*) FROM lsm_chunks c
 WHERE c.version_out IS NULL
   AND NOT EXISTS (SELECT 1 FROM lsm_documents d
                    WHERE d.document_id = c.document_id AND d.version_out IS NULL)
"""


def manifest_problems(db: Database) -> list[str]:
    """Where they differ, as sentences; empty when they agree."""
    with db.snapshot():
        counts = {
            "files of the manifest have no document": db.tuples(_WITHOUT_DOCUMENT)[0][0],
            "documents are not in the manifest": db.tuples(_WITHOUT_MANIFEST)[0][0],
            "chunks belong to no current document": db.tuples(_STRAY_CHUNKS)[0][0],
        }
    return [f"{count} {what}" for what, count in counts.items() if count]
