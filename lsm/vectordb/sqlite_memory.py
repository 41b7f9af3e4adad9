"""The memory index in the SQLite file: FTS5, and vectors as rows that numpy compares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lsm.vectordb.memory_index import COMMON, Found
from lsm.vectordb.resident_memories import REWRITTEN, ResidentMemories
from lsm.vectordb.sqlite_words import betrays, expression, quoted
from lsm.vectordb.stored_memories import NUMBERS, Dialect, StoredMemories
from lsm.vectordb.vectors import STORED, checked, pack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lsm.db import Database
    from lsm.vectordb.base import TextQuery, Vector
    from lsm.vectordb.memory_index import MemoryWhere

FEW = 5000  # so many vectors are read from the file faster than a resident table is checked

_ALLOWED = """
  FROM lsm_active_memories m
 WHERE (m.expires_at IS NULL OR m.expires_at > :now)
   AND (:any_type OR m.memory_type IN :types[])
   AND (:any_trust OR m.trust IN :trusts[])
   AND (:key IS NULL OR m.memory_key = :key)
   AND (:some_tag = '' OR instr(m.tags_json, :some_tag) > 0)
   AND (:some_member = '' OR instr(m.value_json, :some_member) > 0)
   AND (:no_tags OR NOT EXISTS (
        SELECT 1 FROM json_each(:tags) wanted
         WHERE wanted.value NOT IN (SELECT value FROM json_each(m.tags_json))))
   AND (:value IS NULL OR NOT EXISTS (
        SELECT 1 FROM json_each(:value) wanted
         WHERE json_type(m.value_json, '$.' || json_quote(wanted.key)) IS NULL
            OR json_extract(m.value_json, '$.' || json_quote(wanted.key)) IS NOT wanted.value
            OR (json_type(m.value_json, '$.' || json_quote(wanted.key)) IN ('true', 'false'))
               <> (wanted.type IN ('true', 'false'))))
"""
_AMONG = " AND m.number IN :numbers[]"
_AT_MOST = " LIMIT :limit"
_MATCHES = """
WITH matched AS MATERIALIZED (
    SELECT rowid AS number, bm25(memories_fts, 1.0, 2.0, 1.5) AS badness
      FROM memories_fts WHERE memories_fts MATCH :match)
SELECT f.number, -f.badness
  FROM matched f
 WHERE EXISTS (SELECT 1"""
_BEST_FIRST = " AND m.number = f.number) ORDER BY f.badness, f.number LIMIT :k"
_COUNT = """
SELECT count(*) FROM (SELECT 1 FROM memories_fts WHERE memories_fts MATCH :match LIMIT :limit)
"""
_BEST_MATCHES = """
SELECT rowid, -rank FROM memories_fts
 WHERE memories_fts MATCH :match AND rank MATCH 'bm25(1.0, 2.0, 1.5)'
 ORDER BY rank LIMIT :limit
"""
_VECTORS = """
SELECT number, embedding FROM vec_memories WHERE model = :model AND number IN :numbers[]
"""
_VECTOR = """
SELECT v.embedding FROM vec_memories v
 WHERE v.number = :number
   AND NOT EXISTS (SELECT 1 FROM vec_memories o
                    WHERE o.embedding = v.embedding AND o.number <> v.number)
"""
_REBUILD = "INSERT INTO memories_fts (memories_fts) VALUES ('rebuild')"
_ORPHANS = """
SELECT (SELECT count(*) FROM vec_memories
         WHERE number NOT IN (SELECT number FROM lsm_active_memories)),
       (SELECT count(*) FROM lsm_active_memories
         WHERE number NOT IN (SELECT id FROM memories_fts_docsize)),
       (SELECT count(*) FROM memories_fts_docsize
         WHERE id NOT IN (SELECT number FROM lsm_active_memories))
"""
_DIALECT = Dialect(_ALLOWED, ":embedding", pack, _ORPHANS)


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

    def traces(self, number: int) -> list[bytes]:
        return [row[0] for row in self._db.tuples(_VECTOR, number=number)]

    def matching(self, query: TextQuery, k: int, where: MemoryWhere) -> list[Found]:
        match = expression(query.phrases, self._telling(query.words))
        if not match:
            return []
        if not where.narrow:
            # Nearly every match is allowed: the best of all, then a look at which still are.
            best = self._db.tuples(_BEST_MATCHES, match=match, limit=2 * k)
            valid = self._among([row[0] for row in best], where)
            found = [Found(*row) for row in best if row[0] in valid]
            if len(found) >= k or len(best) < 2 * k:
                return sorted(found, key=_rank)[:k]
        rows = self._ask(_MATCHES, where, _BEST_FIRST, match=match, k=k)
        return [Found(*row) for row in rows]

    def nearest(self, query: Vector, model: str, k: int, where: MemoryWhere) -> list[Found]:
        query = checked(query, len(query))
        if self._db.in_transaction:
            # What is not committed yet must not enter a table that outlives the transaction.
            return self._nearest_among(self._allowed(where, limit=2**62), query, model, k)
        if where.narrow:
            allowed = self._allowed(where, FEW + 1)
            if len(allowed) <= FEW:
                return self._nearest_among(allowed, query, model, k)
        resident = self._resident.setdefault(model, ResidentMemories(model))
        numbers, scores = resident.scores(self._db, query)
        return self._nearest_valid(numbers, scores, k, where)

    def _telling(self, words: Sequence[str]) -> list[str]:
        """*words* without those that thousands of memories have, where rarer ones are asked for."""
        counts = {
            word: self._db.tuples(_COUNT, match=quoted(word), limit=COMMON)[0][0] for word in words
        }
        return [word for word in words if counts[word] < COMMON] or list(words)

    def _allowed(self, where: MemoryWhere, limit: int) -> list[int]:
        return [row[0] for row in self._ask(NUMBERS, where, _AT_MOST, limit=limit)]

    def _among(self, numbers: list[int], where: MemoryWhere) -> set[int]:
        return {row[0] for row in self._ask(NUMBERS, where, _AMONG, numbers=numbers)}

    def _nearest_among(self, allowed: list[int], query: Vector, model: str, k: int) -> list[Found]:
        rows = self._db.tuples(_VECTORS, model=model, numbers=allowed)
        if not rows:
            return []
        numbers = np.fromiter((row[0] for row in rows), np.int64, len(rows))
        matrix = np.frombuffer(b"".join(row[1] for row in rows), STORED).astype(np.float32)
        return _best(numbers, matrix.reshape(len(rows), -1) @ query, k)

    def _nearest_valid(
        self, numbers: NDArray[np.int64], scores: NDArray[np.float32], k: int, where: MemoryWhere
    ) -> list[Found]:
        width = 2 * k
        while True:
            best = _best(numbers, scores, width)
            valid = self._among([found.number for found in best], where)
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
