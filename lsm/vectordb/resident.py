"""All vectors of one model in memory, for processes that search more than once.

A scan of 100,000 vectors of 256 numbers takes numpy 5 to 15 ms; reading them from the file takes
ten times that. Chunk ids only grow, so what is new is read from the last id on.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lsm.vectordb.vectors import STORED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lsm.db import Database
    from lsm.vectordb.base import Vector

# Few enough for the processor's cache: converted all at once, 100,000 vectors cost four times this.
_PAGE = 4096
# "+": nearly always every row is of this model, and walking the table beats walking its index.
_AFTER = """
SELECT chunk_id, embedding
  FROM vec_chunks
 WHERE +space_id = :space_id AND chunk_id > :last
 ORDER BY chunk_id LIMIT :page
"""
_COUNT_AFTER = """
SELECT count(*) FROM vec_chunks WHERE space_id = :space_id AND chunk_id > :last
"""
# Changed whenever a vector that was there is replaced or removed.
_REWRITES = "SELECT next_value FROM lsm_counters WHERE name = 'vector_rewrites'"
REWRITTEN = "UPDATE lsm_counters SET next_value = next_value + 1 WHERE name = 'vector_rewrites'"


@dataclass(frozen=True)
class _Held:
    """Vectors as one commit had them. Rows below `count` are never written again."""

    rewrites: int
    count: int
    ids: NDArray[np.int64]  # shape (room,), rising
    matrix: NDArray[np.float32]  # shape (room, d), rows of unit length

    @property
    def last(self) -> int:
        return int(self.ids[self.count - 1]) if self.count else 0


class ResidentVectors:
    """The vectors of one model, brought up to date before each use. Safe between threads.

    They may include chunks that the caller's own snapshot does not hold yet: whoever asks checks
    the ids against the database.
    """

    def __init__(self, space_id: int) -> None:
        self._space_id = space_id
        self._lock = threading.Lock()
        self._held: _Held | None = None

    def scores(self, db: Database, query: Vector) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Ids, rising, and the cosine of each with *query* (unit length); both of shape (n,)."""
        with db.snapshot(), self._lock:
            held = self._as_of_now(db, len(query))
        return held.ids[: held.count], held.matrix[: held.count] @ query

    def _as_of_now(self, db: Database, dimension: int) -> _Held:
        rewrites = db.tuples(_REWRITES)[0][0]
        held = self._held
        # A write transaction may be rolled back, and its chunk ids be given out again; a snapshot
        # may be older than what others have read. What either sees is for its own thread alone.
        shared = not db.in_transaction and (held is None or rewrites >= held.rewrites)
        if held is None or rewrites != held.rewrites:
            nothing = np.zeros((0, dimension), np.float32)
            held = _Held(rewrites, 0, np.zeros(0, np.int64), nothing)
        elif not shared:  # without spare room, which belongs to the others
            ids, matrix = held.ids[: held.count], held.matrix[: held.count]
            held = _Held(rewrites, held.count, ids, matrix)
        held = self._extended(db, held)
        if shared:
            self._held = held
        return held

    def _extended(self, db: Database, held: _Held) -> _Held:
        """*held* and every vector after its last."""
        while True:
            rows = db.tuples(_AFTER, space_id=self._space_id, last=held.last, page=_PAGE)
            if not rows:
                return held
            if held.count + len(rows) > len(held.ids):
                held = _with_room(held, self._count_after(db, held.last))
            held = _with_rows(held, rows)

    def _count_after(self, db: Database, last: int) -> int:
        return db.tuples(_COUNT_AFTER, space_id=self._space_id, last=last)[0][0]


def _with_room(held: _Held, more: int) -> _Held:
    """Space for *more* rows and some: one new chunk must not copy all the others every time."""
    room = (held.count + more) * 9 // 8
    ids = np.empty(room, np.int64)
    matrix = np.empty((room, held.matrix.shape[1]), np.float32)
    ids[: held.count] = held.ids[: held.count]
    matrix[: held.count] = held.matrix[: held.count]
    return _Held(held.rewrites, held.count, ids, matrix)


def _with_rows(held: _Held, rows: list[tuple[int, bytes]]) -> _Held:
    end = held.count + len(rows)
    held.ids[held.count : end] = [row[0] for row in rows]
    block = np.frombuffer(b"".join([row[1] for row in rows]), STORED).astype(np.float32)
    block = block.reshape(len(rows), -1)
    # float16 has moved their lengths by up to 0.0005, which is as much as two neighbours differ.
    block /= np.linalg.norm(block, axis=1, keepdims=True)
    held.matrix[held.count : end] = block
    return _Held(held.rewrites, end, held.ids, held.matrix)
