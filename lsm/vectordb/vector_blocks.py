"""Coded vectors in the file, a thousand at a time: a process need not code them all anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lsm.vectordb.codes import coded
from lsm.vectordb.vectors import STORED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from lsm.db import Database

Coded = tuple["NDArray[np.int64]", "NDArray[np.int8]", "NDArray[np.float32]"]

BLOCK = 1024  # chunks
_PAGE = 4096  # rows read at a time where there is no block
# "+": nearly always every row is of this model, and walking the table beats walking its index.
_ROWS = """
SELECT chunk_id, embedding
  FROM vec_chunks
 WHERE +space_id = :space_id AND chunk_id > :after AND chunk_id < :before
 ORDER BY chunk_id LIMIT :limit
"""
_ENOUGH = """
SELECT count(*) FROM (
    SELECT 1 FROM vec_chunks WHERE +space_id = :space_id AND chunk_id > :after LIMIT :limit)
"""
_LAST = "SELECT coalesce(max(last_id), 0) FROM lsm_vector_blocks WHERE space_id = :space_id"
_ADD = """
INSERT INTO lsm_vector_blocks (space_id, first_id, last_id, scales, chunk_ids, codes)
VALUES (:space_id, :first_id, :last_id, :scales, :chunk_ids, :codes)
"""
_DROP = "DELETE FROM lsm_vector_blocks WHERE last_id >= :first"
_SPACES = "SELECT space_id FROM lsm_vector_spaces ORDER BY space_id"
_NEXT = """
SELECT first_id, chunk_ids, codes, scales FROM lsm_vector_blocks
 WHERE space_id = :space_id AND first_id > :after
 ORDER BY first_id LIMIT 1
"""
_COUNT = "SELECT count(*) FROM vec_chunks WHERE space_id = :space_id AND chunk_id > :after"
_BEYOND = 2**62
_WRONG = """
SELECT count(*) FROM lsm_vector_blocks b
 WHERE length(b.chunk_ids) <> 8 * (SELECT count(*) FROM vec_chunks v
                                    WHERE v.space_id = b.space_id
                                      AND v.chunk_id BETWEEN b.first_id AND b.last_id)
"""


def seal(db: Database, space_id: int) -> None:
    """Put the vectors of a model that are in no block into blocks, as far as they fill some.

    In the transaction that added them.
    """
    last = db.tuples(_LAST, space_id=space_id)[0][0]
    while db.tuples(_ENOUGH, space_id=space_id, after=last, limit=BLOCK)[0][0] == BLOCK:
        rows = db.tuples(_ROWS, space_id=space_id, after=last, before=_BEYOND, limit=BLOCK)
        ids, codes, scales = _coded(rows)
        last = int(ids[-1])
        db.run(
            _ADD,
            space_id=space_id,
            first_id=int(ids[0]),
            last_id=last,
            scales=scales.tobytes(),
            chunk_ids=ids.tobytes(),
            codes=codes.tobytes(),
        )


def seal_anew(db: Database) -> None:
    """Write every block anew from the vectors."""
    db.run(_DROP, first=0)
    for (space_id,) in db.tuples(_SPACES):
        seal(db, space_id)


def unseal(db: Database, chunk_ids: Sequence[int]) -> None:
    """Drop every block from the first of *chunk_ids* on: their vectors are others, or gone."""
    if chunk_ids:
        db.run(_DROP, first=min(chunk_ids))


def count_after(db: Database, space_id: int, after: int) -> int:
    """How many vectors of a model have a higher chunk id than *after*."""
    return db.tuples(_COUNT, space_id=space_id, after=after)[0][0]


def coded_after(db: Database, space_id: int, dimension: int, after: int) -> Iterator[Coded]:
    """The coded vectors of a model with a higher chunk id than *after*, by id, in parts."""
    while True:
        block = db.tuples(_NEXT, space_id=space_id, after=after)
        before = block[0][0] if block else _BEYOND
        for part in _from_rows(db, space_id, after, before):
            yield part
            after = int(part[0][-1])
        if not block:
            return
        _, chunk_ids, codes, scales = block[0]
        ids = np.frombuffer(chunk_ids, np.int64)
        yield (
            ids,
            np.frombuffer(codes, np.int8).reshape(len(ids), dimension),
            np.frombuffer(scales, np.float32),
        )
        after = int(ids[-1])


def block_problems(db: Database) -> list[str]:
    """Blocks that do not hold the vectors they stand for, as sentences."""
    count = db.tuples(_WRONG)[0][0]
    return [f"{count} blocks of vectors differ from the vectors"] if count else []


def _from_rows(db: Database, space_id: int, after: int, before: int) -> Iterator[Coded]:
    while True:
        rows = db.tuples(_ROWS, space_id=space_id, after=after, before=before, limit=_PAGE)
        if not rows:
            return
        yield _coded(rows)
        after = rows[-1][0]


def _coded(rows: list[tuple[int, bytes]]) -> Coded:
    matrix = np.frombuffer(b"".join([row[1] for row in rows]), STORED).astype(np.float32)
    matrix = matrix.reshape(len(rows), -1)
    # float16 has moved their lengths by up to 0.0005, which is as much as two neighbours differ.
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    codes, scales = coded(matrix)
    return np.array([row[0] for row in rows], np.int64), codes, scales
