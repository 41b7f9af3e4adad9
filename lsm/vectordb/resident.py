"""All vectors of one model in memory, coded, for processes that search more than once.

Chunk ids only grow, so what is new is read from the last id on.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsm.vectordb.codes import Codes
from lsm.vectordb.vector_blocks import coded_after, count_after

if TYPE_CHECKING:
    from lsm.db import Database

# Changed whenever a vector that was there is replaced or removed.
_REWRITES = "SELECT next_value FROM lsm_counters WHERE name = 'vector_rewrites'"
REWRITTEN = "UPDATE lsm_counters SET next_value = next_value + 1 WHERE name = 'vector_rewrites'"


@dataclass(frozen=True)
class _Held:
    """Vectors as one commit had them."""

    rewrites: int
    codes: Codes


class ResidentVectors:
    """The vectors of one model, brought up to date before each use. Safe between threads.

    They may include chunks that the caller's own snapshot does not hold yet: whoever asks checks
    the ids against the database.
    """

    def __init__(self, space_id: int) -> None:
        self._space_id = space_id
        self._lock = threading.Lock()
        self._held: _Held | None = None

    def codes(self, db: Database, dimension: int) -> Codes:
        """What there is at least at this moment; never written again."""
        with db.snapshot(), self._lock:
            return self._as_of_now(db, dimension).codes

    def _as_of_now(self, db: Database, dimension: int) -> _Held:
        rewrites = db.tuples(_REWRITES)[0][0]
        held = self._held
        # A write transaction may be rolled back, and its chunk ids be given out again; a snapshot
        # may be older than what others have read. What either sees is for its own thread alone.
        shared = not db.in_transaction and (held is None or rewrites >= held.rewrites)
        if held is None or rewrites != held.rewrites:
            held = _Held(rewrites, Codes.none(dimension))
        elif not shared:  # without spare room, which belongs to the others
            held = _Held(rewrites, held.codes.fixed())
        held = _Held(rewrites, self._extended(db, held.codes))
        if shared:
            self._held = held
        return held

    def _extended(self, db: Database, held: Codes) -> Codes:
        """*held* and every vector after its last."""
        dimension = held.codes.shape[1]
        for ids, codes, scales in coded_after(db, self._space_id, dimension, held.last):
            if held.count + len(ids) > len(held.ids):
                held = held.with_room(count_after(db, self._space_id, held.last))
            held = held.added(ids, codes, scales)
        return held
