"""Chunks, vectors and full text: one adapter for each engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lsm.db import Database
    from lsm.vectordb.base import ChunkIndex


def open_chunk_index(db: Database) -> ChunkIndex:
    """The chunk index of *db*, whichever engine it is."""
    if db.engine == "postgres":
        from lsm.vectordb.postgresql import PostgresChunkIndex

        return PostgresChunkIndex(db)
    from lsm.vectordb.sqlite_vec import SqliteChunkIndex

    return SqliteChunkIndex(db)
