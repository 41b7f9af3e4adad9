"""The memory index in PostgreSQL: tsvector scored by BM25, and pgvector compared exactly.

Exactly, without a graph: memories are filtered by scope and type nearly always, and a graph that
is filtered afterwards finds too few.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsm.vectordb.memory_index import COMMON, Found
from lsm.vectordb.postgres_words import WordTable
from lsm.vectordb.resident_memories import REWRITTEN
from lsm.vectordb.stored_memories import NUMBERS, Dialect, StoredMemories, given
from lsm.vectordb.vectors import checked, halfvec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.db import Database
    from lsm.vectordb.base import TextQuery, Vector
    from lsm.vectordb.memory_index import MemoryWhere

_ALLOWED = """
  FROM lsm_active_memories m
 WHERE (m.expires_at IS NULL OR m.expires_at > :now)
   AND (:any_type OR m.memory_type IN :types[])
   AND (:any_trust OR m.trust IN :trusts[])
   AND (CAST(:key AS TEXT) IS NULL OR m.memory_key = :key)
   AND (:some_tag = '' OR strpos(m.tags_json, :some_tag) > 0)
   AND (:some_member = '' OR strpos(m.value_json, :some_member) > 0)
   AND (:no_tags OR CAST(m.tags_json AS jsonb) @> CAST(:tags AS jsonb))
   AND (CAST(:value AS TEXT) IS NULL OR CAST(m.value_json AS jsonb) @> CAST(:value AS jsonb))
"""
_NEAREST = """
WITH allowed AS MATERIALIZED (
    SELECT v.number, v.embedding
      FROM vec_memories v
     WHERE v.model = :model AND v.number IN (SELECT m.number"""
_CLOSEST_FIRST = """)
)
SELECT number, 1.0 - (embedding <=> CAST(:query AS halfvec)) AS score
  FROM allowed ORDER BY score DESC, number LIMIT :k
"""
_ORPHANS = """
SELECT (SELECT count(*) FROM vec_memories v WHERE NOT EXISTS (
            SELECT 1 FROM lsm_active_memories m WHERE m.number = v.number)),
       (SELECT count(*) FROM lsm_active_memories m WHERE NOT EXISTS (
            SELECT 1 FROM memories_fts f WHERE f.number = m.number)),
       (SELECT count(*) FROM memories_fts f WHERE NOT EXISTS (
            SELECT 1 FROM lsm_active_memories m WHERE m.number = f.number))
"""
_DIALECT = Dialect(_ALLOWED, "CAST(:embedding AS halfvec)", halfvec, _ORPHANS)


class PostgresMemoryIndex(StoredMemories):
    """`MemoryIndex` in PostgreSQL."""

    def __init__(self, db: Database) -> None:
        super().__init__(db, _DIALECT)
        self._words = WordTable(db, "memories_fts", "number")

    def forget(self, texts: Sequence[str]) -> None:  # noqa: ARG002 - vacuuming sees to words
        # Nothing is kept here; the counter is for whoever reads a copy of this database.
        self._db.run(REWRITTEN)

    def traces(self, number: int) -> list[bytes]:  # noqa: ARG002 - the files are the server's
        return []

    def matching(self, query: TextQuery, k: int, where: MemoryWhere) -> list[Found]:
        allowed = NUMBERS + self._from(where)
        with self._db.snapshot():
            chosen = self._chosen(query)
            rows = self._words.best(query.phrases, chosen, allowed, **given(where), k=k)
        return [Found(*row) for row in rows]

    def nearest(self, query: Vector, model: str, k: int, where: MemoryWhere) -> list[Found]:
        literal = halfvec(checked(query, len(query)))
        rows = self._ask(_NEAREST, where, _CLOSEST_FIRST, model=model, query=literal, k=k)
        return [Found(number, float(score)) for number, score in rows]

    def _chosen(self, query: TextQuery) -> dict[str, int]:
        """The lexemes that count, with how many memories have each.

        Those of words that thousands have are left out where there are rarer ones, but never a
        phrase's: a memory that has none of the counted ones is not found.
        """
        asked = self._words.counts(query.words)
        rare = {lexeme: count for lexeme, count in asked.items() if count < COMMON}
        in_phrases = self._words.counts(word for words in query.phrases for word in words)
        return (rare or asked) | in_phrases
