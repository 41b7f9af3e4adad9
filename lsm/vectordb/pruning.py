"""Takes old versions out of the library for good, in short transactions.

The horizon is the oldest version that can still be read. It moves first, in a transaction of its
own; what lies before it is then out of reach, so it does not matter when, or whether, the rows go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsm.failpoints import reach

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lsm.db import Database
    from lsm.vectordb.base import ChunkIndex

_HORIZON = "SELECT value FROM lsm_meta WHERE key = 'pruned_before'"
_MOVE = """
INSERT INTO lsm_meta (key, value) VALUES ('pruned_before', :horizon)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value
"""
_VERSIONS = "SELECT version FROM lsm_versions ORDER BY version DESC LIMIT :keep"
_DROP_VERSIONS = "DELETE FROM lsm_versions WHERE version < :horizon"
_COUNT_VERSIONS = "SELECT count(*) FROM lsm_versions WHERE version < :horizon"
_COUNT_DOCUMENTS = "SELECT count(*) FROM lsm_documents WHERE version_out <= :horizon"
# Answered by the index on documents alone, without reading a text.
_COUNT_CHUNKS = "SELECT count(*) FROM lsm_chunks WHERE version_out <= :horizon"
# What a memory rests on without quoting it: the text is all that explains why it went stale.
_COUNT_WITNESSES = """
SELECT count(DISTINCT s.chunk_id)
  FROM lsm_memory_sources s JOIN lsm_chunks c ON c.chunk_id = s.chunk_id
 WHERE s.quote = '' AND c.version_out <= :horizon
"""
_DOCUMENTS = """
SELECT DISTINCT document_id FROM lsm_documents WHERE version_out <= :horizon LIMIT :limit
"""
_DROP_DOCUMENTS = """
DELETE FROM lsm_documents WHERE document_id IN :ids[] AND version_out <= :horizon
"""
_CHUNKS = """
SELECT c.chunk_id FROM lsm_chunks c
 WHERE c.version_out <= :horizon
   AND NOT EXISTS (SELECT 1 FROM lsm_memory_sources s
                    WHERE s.chunk_id = c.chunk_id AND s.quote = '')
 LIMIT :limit
"""
_DROP_CHUNKS = "DELETE FROM lsm_chunks WHERE chunk_id IN :ids[] AND version_out <= :horizon"

_BATCH = 250  # rows of one transaction: about 50 ms, so that nobody waits for it
_LOOKED_UP = 100_000  # ids held at once


@dataclass(frozen=True)
class Prunable:
    """What lies before a horizon."""

    versions: int
    documents: int  # rows: states that documents were in
    chunks: int
    witnesses: int  # chunks that stay, for a memory rests on them and quotes nothing


def pruned_before(db: Database) -> int:
    """The oldest version that can be read; 0 if nothing was ever pruned."""
    rows = db.tuples(_HORIZON)
    return int(rows[0][0]) if rows else 0


def oldest_of(db: Database, keep: int) -> int:
    """The oldest of the newest *keep* versions; 0 in an empty library."""
    rows = db.tuples(_VERSIONS, keep=keep)
    return rows[-1][0] if rows else 0


def prunable(db: Database, horizon: int) -> Prunable:
    """What pruning up to *horizon* takes out."""
    with db.snapshot():
        witnesses = db.tuples(_COUNT_WITNESSES, horizon=horizon)[0][0]
        return Prunable(
            db.tuples(_COUNT_VERSIONS, horizon=horizon)[0][0],
            db.tuples(_COUNT_DOCUMENTS, horizon=horizon)[0][0],
            db.tuples(_COUNT_CHUNKS, horizon=horizon)[0][0] - witnesses,
            witnesses,
        )


def move_horizon(db: Database, horizon: int) -> None:
    """From now on nothing before *horizon* can be read. It never moves back."""
    with db.transaction():
        if horizon > pruned_before(db):
            db.run(_MOVE, horizon=str(horizon))
            db.run(_DROP_VERSIONS, horizon=horizon)


def prune_documents(db: Database, horizon: int) -> Iterator[int]:
    """Delete states of documents from before *horizon*; how many, after each transaction."""
    while ids := _ids(db.tuples(_DOCUMENTS, horizon=horizon, limit=_LOOKED_UP)):
        for part in _parts(ids):
            yield db.run(_DROP_DOCUMENTS, ids=part, horizon=horizon)


def prune_chunks(db: Database, index: ChunkIndex, horizon: int) -> Iterator[int]:
    """Delete chunks from before *horizon* with their vectors and words; how many, as above."""
    while ids := _ids(db.tuples(_CHUNKS, horizon=horizon, limit=_LOOKED_UP)):
        for part in _parts(ids):
            with db.transaction():
                index.remove(part)
                reach("prune.before_delete")
                count = db.run(_DROP_CHUNKS, ids=part, horizon=horizon)
            yield count


def _ids(rows: list[tuple[int]]) -> list[int]:
    return sorted(row[0] for row in rows)


def _parts(ids: Sequence[int]) -> Iterator[list[int]]:
    for start in range(0, len(ids), _BATCH):
        yield list(ids[start : start + _BATCH])
