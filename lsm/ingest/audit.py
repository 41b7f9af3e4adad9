"""Whether versions, documents, chunks and manifest agree, and mending what derives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lsm.clock import to_text
from lsm.ingest.manifest import FileState, save_manifest
from lsm.vectordb.documents import Place
from lsm.vectordb.pruning import pruned_before

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import LiteralString

    from lsm.clock import Clock
    from lsm.db import Database

_UNKNOWN_FILES = """
  FROM lsm_manifest
 WHERE document_id IS NOT NULL  -- NULL: known from elsewhere, and not read yet
   AND NOT EXISTS (SELECT 1 FROM lsm_documents d
                    WHERE d.document_id = lsm_manifest.document_id AND d.version_out IS NULL
                      AND d.source_path = lsm_manifest.source_path
                      AND d.file_hash = lsm_manifest.file_hash)
"""
_UNLISTED = """
  FROM lsm_documents d
 WHERE d.version_out IS NULL
   AND NOT EXISTS (SELECT 1 FROM lsm_manifest m WHERE m.source_path = d.source_path)
"""
_STRAY_CHUNKS = """
  FROM lsm_chunks
 WHERE NOT EXISTS (SELECT 1 FROM lsm_documents d
                    WHERE d.document_id = lsm_chunks.document_id)
   AND (version_out IS NULL OR version_out > :horizon)
"""
_LEFT_BEHIND = """
  FROM lsm_chunks
 WHERE version_out IS NULL
   AND EXISTS (SELECT 1 FROM lsm_documents d WHERE d.document_id = lsm_chunks.document_id)
   AND NOT EXISTS (SELECT 1 FROM lsm_documents d
                    WHERE d.document_id = lsm_chunks.document_id AND d.version_out IS NULL)
"""
_OVERLAPPING = """
  FROM lsm_documents a JOIN lsm_documents b
    ON b.document_id = a.document_id AND b.version_in > a.version_in
 WHERE a.version_out IS NULL OR a.version_out > b.version_in
"""
_BEYOND = """
  FROM lsm_documents d
 WHERE d.version_in > (SELECT coalesce(max(version), 0) FROM lsm_versions)
    OR d.version_out > (SELECT coalesce(max(version), 0) FROM lsm_versions)
"""
_CHUNKS_BEYOND = """
  FROM lsm_chunks c
 WHERE c.version_in > (SELECT coalesce(max(version), 0) FROM lsm_versions)
    OR c.version_out > (SELECT coalesce(max(version), 0) FROM lsm_versions)
"""
_FILES_BEYOND = """
  FROM lsm_manifest
 WHERE version > (SELECT coalesce(max(version), 0) FROM lsm_versions)
   AND document_id IS NOT NULL  -- what a predecessor knew of a file has the predecessor's version
"""
_BEHIND = """
SELECT name, least FROM (
    SELECT 'chunk' AS name, coalesce(max(chunk_id), 0) + 1 AS least FROM lsm_chunks
    UNION ALL SELECT 'document', coalesce(max(document_id), 0) + 1 FROM lsm_documents
    UNION ALL SELECT 'schema_version', coalesce(max(schema_version_id), 0) + 1
                FROM lsm_schema_versions
    UNION ALL SELECT 'vector_space', coalesce(max(space_id), 0) + 1 FROM lsm_vector_spaces
    UNION ALL SELECT 'memory', coalesce(max(number), 0) + 1 FROM lsm_agent_memories
    UNION ALL SELECT 'memory_vector', coalesce(max(changed), 0) + 1 FROM vec_memories
) needed
 WHERE NOT EXISTS (SELECT 1 FROM lsm_counters c
                    WHERE c.name = needed.name AND c.next_value >= needed.least)
"""
_SET_COUNTER = """
INSERT INTO lsm_counters (name, next_value) VALUES (:name, :least)
    ON CONFLICT (name) DO UPDATE SET next_value = excluded.next_value
"""
_OUTLINES = """
SELECT d.document_id, d.version_in, d.source_path, d.outline_json, m.chunk_count
  FROM lsm_documents d
  LEFT JOIN lsm_manifest m ON m.document_id = d.document_id AND m.source_path = d.source_path
 WHERE d.version_out IS NULL AND d.document_id > :after
 ORDER BY d.document_id LIMIT 500
"""
_PRESENT = "SELECT chunk_id FROM lsm_chunks WHERE chunk_id IN :ids[] AND version_out IS NULL"
_DROP_STRAYS = "DELETE" + _STRAY_CHUNKS + " AND chunk_id IN :ids[]"
_DROP_UNKNOWN = "DELETE" + _UNKNOWN_FILES
_STRAY_IDS = "SELECT chunk_id" + _STRAY_CHUNKS + " LIMIT 500"
_RETIRE = (
    """
UPDATE lsm_chunks
   SET version_out = (SELECT max(d.version_out) FROM lsm_documents d
                       WHERE d.document_id = lsm_chunks.document_id)
 WHERE chunk_id IN (SELECT chunk_id
"""  # noqa: S608 - constants of our own
    + _LEFT_BEHIND
    + ")"
)
_RECOUNT = "UPDATE lsm_manifest SET chunk_count = :count WHERE source_path = :path"
_DOCUMENTS_UNLISTED = """
SELECT d.source_path, d.file_size, d.file_hash, d.version_in, d.document_id, d.outline_json
""" + (_UNLISTED + " ORDER BY d.source_path")


def manifest_problems(db: Database) -> list[str]:
    """Where manifest and documents differ, as sentences; empty when they agree."""
    with db.snapshot():
        wrong = sum(1 for _ in _miscounted(db))
        return _told(
            {
                "files of the manifest have no document": _count(db, _UNKNOWN_FILES),
                "documents are not in the manifest": _count(db, _UNLISTED),
                "files of the manifest have another number of chunks": wrong,
            }
        )


def document_problems(db: Database) -> list[str]:
    """Where documents and chunks differ in a way that can be mended from the rest."""
    with db.snapshot():
        horizon = pruned_before(db)
        return _told(
            {
                "chunks belong to no document": _count(db, _STRAY_CHUNKS, horizon=horizon),
                "chunks are current and their documents are not": _count(db, _LEFT_BEHIND),
            }
        )


def version_problems(db: Database) -> list[str]:
    """Where the order of versions is broken, as sentences; empty when it is not."""
    with db.snapshot():
        gone = sum(1 for row in _outlines(db) if row[2] is None)
        return _told(
            {
                "documents are in two states at once": _count(db, _OVERLAPPING),
                "states of documents are of versions that never were": _count(db, _BEYOND),
                "chunks are of versions that never were": _count(db, _CHUNKS_BEYOND),
                "files of the manifest are of versions that never were": _count(db, _FILES_BEYOND),
                "documents lack chunks": gone,
            }
        )


def counters_behind(db: Database) -> list[str]:
    """Counters that would give a number out twice, as sentences; empty when none would."""
    return [f"counter {name} is behind {least}" for name, least in db.tuples(_BEHIND)]


def mend_counters(db: Database) -> int:
    """Let every counter begin after what was given out; how many were behind."""
    with db.transaction():
        behind = db.tuples(_BEHIND)
        db.many(_SET_COUNTER, ({"name": name, "least": least} for name, least in behind))
    return len(behind)


def stray_chunks(db: Database) -> list[int]:
    """At most 500 chunks that belong to no document at all."""
    return [row[0] for row in db.tuples(_STRAY_IDS, horizon=pruned_before(db))]


def drop_stray_chunks(db: Database, chunk_ids: Sequence[int]) -> int:
    """Delete those of *chunk_ids* that belong to no document; how many. The index goes first."""
    return db.run(_DROP_STRAYS, horizon=pruned_before(db), ids=list(chunk_ids))


def retire_left_behind(db: Database) -> int:
    """Take chunks out with their documents; how many."""
    return db.run(_RETIRE)


def mend_manifest(db: Database, clock: Clock) -> dict[str, int]:
    """Make the manifest what the documents say. What is added is read again by the next ingest."""
    with db.transaction():
        dropped = db.run(_DROP_UNKNOWN)
        counted = [{"path": path, "count": count} for path, count in _miscounted(db)]
        db.many(_RECOUNT, counted)
        states = [_state(row, clock) for row in db.tuples(_DOCUMENTS_UNLISTED)]
        save_manifest(db, states, clock)
    return {
        "files without document forgotten": dropped,
        "documents listed again": len(states),
        "numbers of chunks set right": len(counted),
    }


def _count(db: Database, what: LiteralString, **given: object) -> int:
    return db.tuples("SELECT count(*)" + what, **given)[0][0]


def _told(counts: dict[str, int]) -> list[str]:
    return [f"{count} {what}" for what, count in counts.items() if count]


def _miscounted(db: Database) -> Iterator[tuple[str, int]]:
    """Files whose manifest row has another number of chunks than their document."""
    for path, expected, found in _outlines(db):
        if found is not None and expected is not None and expected != found:
            yield path, found


def _outlines(db: Database) -> Iterator[tuple[str, int | None, int | None]]:
    """Path, chunks by the manifest, and chunks by the document; None: some are not there."""
    after = -(2**62)
    while rows := db.tuples(_OUTLINES, after=after):
        after = rows[-1][0]
        outlines = {row[0]: _decoded(row[3]) for row in rows}
        ids = sorted({place.chunk_id for each in outlines.values() for place in each or ()})
        present = {row[0] for row in db.tuples(_PRESENT, ids=ids)}
        for document_id, _, path, _, count in rows:
            places = outlines[document_id]
            if places is None:
                continue  # it is no JSON, which is told elsewhere
            complete = all(place.chunk_id in present for place in places)
            yield path, count, len(places) if complete else None


def _decoded(outline: str) -> tuple[Place, ...] | None:
    try:
        return msgspec.json.decode(outline, type=tuple[Place, ...])
    except msgspec.MsgspecError:
        return None


def _state(row: tuple[str, int, str, int, int, str], clock: Clock) -> FileState:
    path, size, digest, version, document_id, outline = row
    return FileState(
        source_path=path,
        mtime_ns=0,  # not trusted: hashed at the next ingest
        file_size=size,
        file_hash=digest,
        version=version,
        document_id=document_id,
        chunk_count=len(_decoded(outline) or ()),
        updated_at=to_text(clock()),
    )
