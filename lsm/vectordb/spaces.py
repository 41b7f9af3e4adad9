"""The models whose vectors are kept, each a space of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsm.errors import NotFoundError

if TYPE_CHECKING:
    from lsm.db import Database

_FIND = """
SELECT space_id FROM lsm_vector_spaces
 WHERE embedding_model = :model AND dimension = :dimension
"""
_OTHERS = """
SELECT s.embedding_model FROM lsm_vector_spaces s
 WHERE s.embedding_model <> :model
   AND EXISTS (SELECT 1 FROM vec_chunks v WHERE v.space_id = s.space_id)
"""
_DIMENSIONS = "SELECT dimension FROM lsm_vector_spaces WHERE embedding_model = :model"
_DIMENSION = "SELECT dimension FROM lsm_vector_spaces WHERE space_id = :space_id"
_TAKE = """
UPDATE lsm_counters SET next_value = next_value + 1 WHERE name = 'vector_space'
RETURNING next_value
"""
_ADD = """
INSERT INTO lsm_vector_spaces (space_id, embedding_model, dimension)
VALUES (:space_id, :model, :dimension)
"""


def find_space(db: Database, model: str, dimension: int) -> int | None:
    """The id of the space of *model*, or None if nothing has been embedded with it."""
    rows = db.tuples(_FIND, model=model, dimension=dimension)
    return rows[0][0] if rows else None


def open_space(db: Database, model: str, dimension: int) -> int:
    """The id of the space of *model*, made if it is new. Joins the caller's transaction."""
    with db.transaction():
        found = find_space(db, model, dimension)
        if found is not None:
            return found
        space_id = db.tuples(_TAKE)[0][0] - 1
        db.run(_ADD, space_id=space_id, model=model, dimension=dimension)
        return space_id


def is_only_space(db: Database, model: str) -> bool:
    """Whether no chunk has a vector of another model."""
    return not db.tuples(_OTHERS, model=model)


def known_dimension(db: Database, model: str) -> int | None:
    """The length of the vectors that *model* made before, which saves asking it."""
    rows = db.tuples(_DIMENSIONS, model=model)
    return rows[0][0] if len(rows) == 1 else None


def dimension_of(db: Database, space_id: int) -> int:
    """How long the vectors of a space are.

    Raises:
        NotFoundError: there is no such space.
    """
    rows = db.tuples(_DIMENSION, space_id=space_id)
    if not rows:
        raise NotFoundError("vector space", str(space_id))
    return rows[0][0]
