"""The memory index in the SQLite file: FTS5, and vectors as rows that numpy compares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lsm.vectordb.memory_index import COMMON, Found
from lsm.vectordb.resident_memories import REWRITTEN, ResidentMemories
from lsm.vectordb.sqlite_words import betrays, expression, quoted
from lsm.vectordb.stored_memories import (
    DROP_STRAYS,
    LABELS_THAT_DIFFER,
    NUMBERS,
    Dialect,
    StoredMemories,
)
from lsm.vectordb.vectors import STORED, checked, pack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lsm.db import Database
    from lsm.vectordb.base import TextQuery, Vector
    from lsm.vectordb.memory_filters import Filter
    from lsm.vectordb.memory_index import MemoryWhere, Question

FEW = 5000  # so few memories are compared one by one; of more, the best of all are looked through

_MEMBERS = """
   AND (:some_member = '' OR instr(m.value_json, :some_member) > 0)
   AND NOT EXISTS (
        SELECT 1 FROM json_each(:value) wanted
         WHERE json_type(m.value_json, '$.' || json_quote(wanted.key)) IS NULL
            OR json_extract(m.value_json, '$.' || json_quote(wanted.key)) IS NOT wanted.value
            OR (json_type(m.value_json, '$.' || json_quote(wanted.key)) IN ('true', 'false'))
               <> (wanted.type IN ('true', 'false')))
"""
_AMONG = " AND m.number IN :numbers[]"
_WIDTH = 2  # times as many as are asked for are looked at first
_NARROW_WIDTH = 8  # where some of them will not be allowed
_AT_MOST = " LIMIT :limit"
_MATCHES = """
WITH matched AS MATERIALIZED (
    SELECT rowid AS number, bm25(memories_fts, 1.0, 2.0, 1.5) AS badness
      FROM memories_fts WHERE memories_fts MATCH :match)
SELECT f.number, -f.badness
  FROM matched f
 WHERE EXISTS (SELECT 1"""
_BEST_FIRST = " AND m.number = f.number) ORDER BY f.badness, f.number LIMIT :k"
# As many as there have ever been: words of fewer memories than `COMMON` need no counting.
_MOST = "SELECT next_value - 1 FROM lsm_counters WHERE name = 'memory'"
_COUNT = """
SELECT count(*) FROM (SELECT 1 FROM memories_fts WHERE memories_fts MATCH :match LIMIT :limit)
"""
_BEST_MATCHES = """
SELECT rowid, -rank FROM memories_fts
 WHERE memories_fts MATCH :match AND rank MATCH 'bm25(1.0, 2.0, 1.5)'
 ORDER BY rank LIMIT :limit
"""
_VECTORS = """
SELECT number, embedding FROM vec_memories
 WHERE model = :model AND number IN :numbers[] AND length(embedding) = :bytes
"""
_VECTOR = """
SELECT v.embedding FROM vec_memories v
 WHERE v.number = :number
   AND NOT EXISTS (SELECT 1 FROM vec_memories o
                    WHERE o.embedding = v.embedding AND o.number <> v.number)
"""
_REBUILD = "INSERT INTO memories_fts (memories_fts) VALUES ('rebuild')"
_AT_ONCE = "INSERT INTO memories_fts (memories_fts, rank) VALUES ('secure-delete', 1)"
_ORPHANS = """
SELECT (SELECT count(*) FROM vec_memories
         WHERE number NOT IN (SELECT number FROM lsm_active_memories)),
       (SELECT count(*) FROM lsm_active_memories
         WHERE number NOT IN (SELECT id FROM memories_fts_docsize)),
       (SELECT count(*) FROM memories_fts_docsize
         WHERE id NOT IN (SELECT number FROM lsm_active_memories)),
"""
_DIALECT = Dialect(
    _MEMBERS, ":embedding", pack, "length(v.embedding)", _ORPHANS + LABELS_THAT_DIFFER
)


@dataclass(frozen=True)
class _Among:
    """The memories that may be found."""

    allowed: Filter
    narrow: bool
    few: list[int] | None  # their numbers, where they are few enough to name


class SqliteMemoryIndex(StoredMemories):
    """`MemoryIndex` in the SQLite file."""

    def __init__(self, db: Database) -> None:
        super().__init__(db, _DIALECT)
        self._resident: dict[str, ResidentMemories] = {}

    def forget(self, texts: Sequence[str]) -> None:
        self._db.run(REWRITTEN)
        self._resident.clear()
        if betrays(self._db, "memories_fts", texts):
            self._db.run(_REBUILD)

    def mend(self) -> dict[str, int]:
        with self._db.transaction():
            strays = self._db.run(DROP_STRAYS) + self.drop_misfits()
            self._db.run(_AT_ONCE)  # an index that was made anew does not have it yet
            self._db.run(_REBUILD)
            self.label_again()
            self._db.run(REWRITTEN)
            rows = self._db.tuples("SELECT count(*) FROM memories_fts_docsize")[0][0]
        return {"unfit vectors of memories dropped": strays, "memories indexed": rows}

    def traces(self, number: int) -> list[bytes]:
        return [row[0] for row in self._db.tuples(_VECTOR, number=number)]

    def matching(self, query: TextQuery, k: int, where: MemoryWhere) -> list[Found]:
        return self._matching(query, k, self._scope_of(where))

    def nearest(self, query: Vector, model: str, k: int, where: MemoryWhere) -> list[Found]:
        return self._nearest(query, model, k, self._scope_of(where))

    def answers(
        self, question: Question, k: int, where: MemoryWhere
    ) -> tuple[list[Found], list[Found]]:
        among = self._scope_of(where)  # read once for both
        text = self._matching(question.words, k, among) if question.words else []
        if question.vector is None:
            return text, []
        return text, self._nearest(question.vector, question.model, k, among)

    def _scope_of(self, where: MemoryWhere) -> _Among:
        allowed = self._filter(where)
        if not where.narrow:
            return _Among(allowed, narrow=False, few=None)
        few = self._allowed(allowed, FEW + 1)
        return _Among(allowed, narrow=True, few=few if len(few) <= FEW else None)

    def _matching(self, query: TextQuery, k: int, among: _Among) -> list[Found]:
        match = expression(query.phrases, self._telling(query.words))
        if not match or among.few == []:
            return []
        # Ranking is the cost: the best of all first, then a look at which of them are allowed.
        most = (_NARROW_WIDTH if among.narrow else _WIDTH) * k
        best = self._db.tuples(_BEST_MATCHES, match=match, limit=most)
        if among.few is None:
            valid = self._among([row[0] for row in best], among.allowed)
        else:
            valid = set(among.few)
        found = [Found(*row) for row in best if row[0] in valid]
        if len(found) >= k or len(best) < most:
            return sorted(found, key=_rank)[:k]
        rows = self._ask(_MATCHES, among.allowed, _BEST_FIRST, match=match, k=k)
        return [Found(*row) for row in rows]

    def _nearest(self, query: Vector, model: str, k: int, among: _Among) -> list[Found]:
        query = checked(query, len(query))
        if self._db.in_transaction:
            # What is not committed yet must not enter a table that outlives the transaction.
            every = self._allowed(among.allowed, 2**62) if among.few is None else among.few
            return self._nearest_among(every, query, model, k)
        resident = self._resident.setdefault(model, ResidentMemories(model))
        if among.few is not None:
            if resident.pays(self._db, len(among.few)):
                return _best(*resident.scores(self._db, query, among.few), k)
            return self._nearest_among(among.few, query, model, k)
        numbers, scores = resident.scores(self._db, query)
        return self._nearest_valid(numbers, scores, k, among.allowed)

    def _telling(self, words: Sequence[str]) -> list[str]:
        """*words* without those that thousands of memories have, where rarer ones are asked for."""
        if self._db.tuples(_MOST)[0][0] < COMMON:
            return list(words)
        counts = {
            word: self._db.tuples(_COUNT, match=quoted(word), limit=COMMON)[0][0] for word in words
        }
        return [word for word in words if counts[word] < COMMON] or list(words)

    def _allowed(self, allowed: Filter, limit: int) -> list[int]:
        return [row[0] for row in self._ask(NUMBERS, allowed, _AT_MOST, limit=limit)]

    def _among(self, numbers: list[int], allowed: Filter) -> set[int]:
        return {row[0] for row in self._ask(NUMBERS, allowed, _AMONG, numbers=numbers)}

    def _nearest_among(self, allowed: list[int], query: Vector, model: str, k: int) -> list[Found]:
        length = len(query) * STORED.itemsize
        rows = self._db.tuples(_VECTORS, model=model, numbers=allowed, bytes=length)
        if not rows:
            return []
        numbers = np.fromiter((row[0] for row in rows), np.int64, len(rows))
        matrix = np.frombuffer(b"".join(row[1] for row in rows), STORED).astype(np.float32)
        return _best(numbers, matrix.reshape(len(rows), -1) @ query, k)

    def _nearest_valid(
        self, numbers: NDArray[np.int64], scores: NDArray[np.float32], k: int, allowed: Filter
    ) -> list[Found]:
        width = _WIDTH * k
        while True:
            best = _best(numbers, scores, width)
            valid = self._among([found.number for found in best], allowed)
            kept = [found for found in best if found.number in valid]
            if len(kept) >= k or len(best) < width:
                return kept[:k]
            width *= 8  # what is filtered out crowds the top: look further down


def _best(numbers: NDArray[np.int64], scores: NDArray[np.float32], k: int) -> list[Found]:
    if len(numbers) > k:
        # The ties at the border are broken by number and not by luck.
        border = np.partition(scores, len(scores) - k)[len(scores) - k]
        among = np.flatnonzero(scores >= border)
        numbers, scores = numbers[among], scores[among]
    order = np.lexsort((numbers, -scores))[:k]
    return [Found(int(numbers[i]), float(scores[i])) for i in order]


def _rank(found: Found) -> tuple[float, int]:
    return -found.score, found.number
