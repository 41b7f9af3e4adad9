"""What each word adds to the score of each chunk, for processes that search more than once.

BM25 is a sum over words. FTS5 computes a word's share over all chunks that have it; kept in memory,
the same word costs the next query an addition. So a long-lived process answers from arrays, with
the scores that FTS5 itself would give, and the words of a subject are asked for again and again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lsm.vectordb.sqlite_words import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lsm.db import Database

_LIMIT_BYTES = 96 << 20  # held for all words together
_GROWTH = 1.02  # of the library; up to it, a word's rarity has hardly changed
_SHARES = """
SELECT rowid, -rank FROM chunks_fts
 WHERE chunks_fts MATCH :match AND rank MATCH 'bm25(2.0, 1.5, 1.0)' AND rowid > :after
"""
# How many chunks there have been, and how often one that was there has been changed or removed.
_STATE = """
SELECT (SELECT max(chunk_id) FROM lsm_chunks),
       (SELECT next_value FROM lsm_counters WHERE name = 'vector_rewrites')
"""


@dataclass(frozen=True)
class _Shares:
    """One word."""

    ids: NDArray[np.int64]  # rising
    shares: NDArray[np.float64]
    computed_at: int  # the newest chunk when all of them were computed
    last: int  # the newest chunk that was looked at

    @property
    def bytes(self) -> int:
        return self.ids.nbytes + self.shares.nbytes


class ResidentWords:
    """Scores by words. Safe between threads.

    They may include chunks that the caller's own snapshot does not hold yet: whoever asks checks
    the ids against the database.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[str, _Shares] = OrderedDict()
        self._bytes = 0
        self._rewrites = -1

    def scores(
        self, db: Database, words: Sequence[str]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Ids, rising, of the chunks that have any of *words*, and the BM25 of each.

        Only outside a write transaction: what it has written could be rolled back.
        """
        with db.snapshot(), self._lock:
            newest, rewrites = db.tuples(_STATE)[0]
            if rewrites != self._rewrites:
                self._held.clear()
                self._bytes = 0
                self._rewrites = rewrites
            shares = [self._of(db, word, newest or 0) for word in words]
        return _added(shares)

    def _of(self, db: Database, word: str, newest: int) -> _Shares:
        held = self._held.pop(word, None)
        if held is not None:
            self._bytes -= held.bytes
        if held is None or newest > held.computed_at * _GROWTH:
            held = _computed(db, word, newest)
        elif newest > held.last:
            held = _with_the_new(db, word, newest, held)
        self._held[word] = held  # the one used last stands last
        self._bytes += held.bytes
        while self._bytes > _LIMIT_BYTES and len(self._held) > 1:
            self._bytes -= self._held.popitem(last=False)[1].bytes
        return held


def _computed(db: Database, word: str, newest: int) -> _Shares:
    return _Shares(*_asked(db, word, 0), newest, newest)


def _with_the_new(db: Database, word: str, newest: int, held: _Shares) -> _Shares:
    ids, shares = _asked(db, word, held.last)
    if not len(ids):
        return _Shares(held.ids, held.shares, held.computed_at, newest)
    return _Shares(
        np.concatenate((held.ids, ids)),
        np.concatenate((held.shares, shares)),
        held.computed_at,
        newest,
    )


def _asked(db: Database, word: str, after: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    rows = db.tuples(_SHARES, match=quoted(word), after=after)
    return (
        np.fromiter((row[0] for row in rows), np.int64, len(rows)),
        np.fromiter((row[1] for row in rows), np.float64, len(rows)),
    )


def _added(parts: Sequence[_Shares]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """One score a chunk."""
    highest = max((int(part.ids[-1]) for part in parts if len(part.ids)), default=0)
    scores = np.zeros(highest + 1, np.float64)
    for part in parts:
        scores[part.ids] += part.shares  # a word has each chunk once
    ids = np.flatnonzero(scores)
    return ids, scores[ids]
