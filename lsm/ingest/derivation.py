"""What chunks and vectors were made by: parsers, chunker, sizes and model.

Three versions are kept apart: the database's schema (migrations), this, and the program's. Only
this one decides what has to be made again: other parsers or sizes, the files are read again;
another model, the chunks at hand are embedded again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsm.clock import to_text, utc_now

if TYPE_CHECKING:
    from lsm.clock import Clock
    from lsm.db import Database

_WITH_CHUNKING = "SELECT schema_version_id FROM lsm_schema_versions WHERE chunking = :chunking"
_FIND = """
SELECT schema_version_id FROM lsm_schema_versions
 WHERE embedding_model = :embedding_model AND dimension = :dimension AND chunking = :chunking
"""
_TAKE = """
UPDATE lsm_counters SET next_value = next_value + 1 WHERE name = 'schema_version'
RETURNING next_value
"""
_ADD = """
INSERT INTO lsm_schema_versions (schema_version_id, embedding_model, dimension, chunking,
                                 created_at)
VALUES (:schema_version_id, :embedding_model, :dimension, :chunking, :created_at)
"""


@dataclass(frozen=True)
class Derivation:
    """A row of `lsm_schema_versions`, without its id."""

    embedding_model: str
    dimension: int
    chunking: str


def ids_with_chunking(db: Database, chunking: str) -> frozenset[int]:
    """Schema versions whose files need not be read again while *chunking* is in force."""
    return frozenset(row[0] for row in db.tuples(_WITH_CHUNKING, chunking=chunking))


def open_derivation(db: Database, derivation: Derivation, clock: Clock = utc_now) -> int:
    """The id of *derivation*, made if it is new. Joins the caller's transaction."""
    with db.transaction():
        rows = db.tuples(_FIND, **vars(derivation))
        if rows:
            return rows[0][0]
        taken = db.tuples(_TAKE)[0][0] - 1
        db.run(_ADD, schema_version_id=taken, created_at=to_text(clock()), **vars(derivation))
        return taken
