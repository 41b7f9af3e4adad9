"""Vectors of memories kept in this process, brought up to date before each use."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from lsm.vectordb.vectors import STORED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lsm.db import Database
    from lsm.vectordb.base import Vector

_CHANGED = """
SELECT number, changed, embedding FROM vec_memories
 WHERE model = :model AND changed > :last AND length(embedding) = :bytes ORDER BY changed
"""
# Counts what must not stay in any process's memory: vectors that were purged.
_REWRITES = "SELECT next_value FROM lsm_counters WHERE name = 'memory_rewrites'"
REWRITTEN = "UPDATE lsm_counters SET next_value = next_value + 1 WHERE name = 'memory_rewrites'"
# As many as have ever been written.
_MOST = "SELECT next_value - 1 FROM lsm_counters WHERE name = 'memory_vector'"


class ResidentMemories:
    """The vectors of one model. Safe between threads.

    It may still hold memories that have since been deleted or superseded: whoever asks checks
    the numbers against the database.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._lock = threading.Lock()
        self._rewrites = -1
        self._forget()

    def pays(self, db: Database, count: int) -> bool:
        """Whether to compare *count* vectors here rather than to read them from the file.

        Once so many have been read as there are, keeping them would have cost no more.
        """
        with self._lock:
            if not self._at:
                self._read += count
            return bool(self._at) or self._read >= db.tuples(_MOST)[0][0]

    def scores(
        self, db: Database, query: Vector, among: Sequence[int] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Numbers, and the cosine of each with *query* (unit length); both of shape (n,).

        Never called inside a write transaction: what it has seen could be rolled back.

        Args:
            db: where the vectors are.
            query: shape (d,), float32.
            among: only these numbers; those without a vector of the model are left out.
        """
        with self._lock:
            self._refresh(db, len(query))
            # Scored under the lock, because a later refresh writes into the same rows.
            count = len(self._at)
            if not count:
                return self._numbers[:0].copy(), np.zeros(0, np.float32)
            if among is None:
                return self._numbers[:count].copy(), self._matrix[:count] @ query
            rows = [self._at[number] for number in among if number in self._at]
            return self._numbers[rows], self._matrix[rows] @ query

    def _forget(self) -> None:
        self._last = 0
        self._read = 0  # vectors from the file, while none were kept
        self._at: dict[int, int] = {}  # number -> row
        self._numbers = np.zeros(0, np.int64)
        self._matrix = np.zeros((0, 0), np.float32)

    def _refresh(self, db: Database, width: int) -> None:
        with db.snapshot():
            rewrites = db.tuples(_REWRITES)[0][0]
            if rewrites != self._rewrites:
                self._forget()
                self._rewrites = rewrites
            length = width * STORED.itemsize  # a damaged one is the doctor's
            rows = db.tuples(_CHANGED, model=self._model, last=self._last, bytes=length)
        if not rows:
            return
        fresh = np.frombuffer(b"".join(row[2] for row in rows), STORED).astype(np.float32)
        fresh = fresh.reshape(len(rows), -1)
        self._reserve(len(self._at) + len(rows), fresh.shape[1])
        for row in rows:
            self._at.setdefault(row[0], len(self._at))
        places = [self._at[row[0]] for row in rows]
        self._matrix[places] = fresh
        self._numbers[places] = [row[0] for row in rows]
        self._last = rows[-1][1]

    def _reserve(self, rows: int, width: int) -> None:
        """Room for *rows*, doubled when it is short: one new memory must not copy them all."""
        if rows <= len(self._numbers):
            return
        room = max(rows, 2 * len(self._at))
        numbers = np.zeros(room, np.int64)
        matrix = np.zeros((room, width), np.float32)
        count = len(self._at)
        if count:
            numbers[:count] = self._numbers[:count]
            matrix[:count] = self._matrix[:count]
        self._numbers, self._matrix = numbers, matrix
