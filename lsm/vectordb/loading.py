"""What is made of chunks that were copied from another database with their vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.db import Database

_ADD = """
INSERT INTO chunks_fts (rowid, title, heading, text) VALUES (:chunk_id, :title, :heading, :text)
"""
_EMPTY = "INSERT INTO chunks_fts (chunks_fts) VALUES ('delete-all')"
_DIMENSIONS = "SELECT space_id, dimension FROM lsm_vector_spaces"


@dataclass(frozen=True)
class Words:
    """What the full-text index has to know of a chunk."""

    chunk_id: int
    title: str
    heading: str
    text: str


def put_words(db: Database, chunks: Sequence[Words]) -> None:
    """Index the words of *chunks*, whose rows are there; joins the caller's transaction."""
    if db.engine == "postgres":
        from lsm.vectordb.postgresql import PostgresChunkIndex

        PostgresChunkIndex(db).put_words(chunks)
    else:
        db.many(_ADD, (vars(chunk) for chunk in chunks))


def make_graphs(db: Database) -> None:
    """Make what a search for vectors needs, of the vectors that are there.

    On PostgreSQL: an HNSW graph for each model, and statistics for the planner. On SQLite: blocks
    of coded vectors.
    """
    if db.engine == "postgres":
        from lsm.vectordb.postgresql import PostgresChunkIndex

        PostgresChunkIndex(db).make_graphs()
    else:
        from lsm.vectordb.vector_blocks import seal_anew

        with db.transaction():
            seal_anew(db)


def forget_words(db: Database) -> None:
    """Empty the full-text index of the chunks, whose rows are about to go.

    On PostgreSQL the words go with their rows.
    """
    if db.engine == "sqlite":
        db.run(_EMPTY)


def dimensions(db: Database) -> dict[int, int]:
    """How long the vectors of each space are, by `space_id`."""
    return dict(db.tuples(_DIMENSIONS))
