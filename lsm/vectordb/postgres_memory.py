"""The memory index in PostgreSQL: tsvector scored by BM25, and pgvector compared exactly.

Exactly, without a graph: memories are filtered by scope and type nearly always, and a graph that
is filtered afterwards finds too few.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsm.vectordb.memory_index import COMMON, Found
from lsm.vectordb.postgres_words import WordTable
from lsm.vectordb.resident_memories import REWRITTEN
from lsm.vectordb.stored_memories import (
    DROP_STRAYS,
    LABELS_THAT_DIFFER,
    NUMBERS,
    Dialect,
    StoredMemories,
)
from lsm.vectordb.vectors import checked, halfvec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.db import Database
    from lsm.vectordb.base import TextQuery, Vector
    from lsm.vectordb.memory_index import MemoryWhere, Question

_MEMBERS = """
   AND (:some_member = '' OR strpos(m.value_json, :some_member) > 0)
   AND CAST(m.value_json AS jsonb) @> CAST(:value AS jsonb)
"""
_NEAREST = """
WITH allowed AS MATERIALIZED (
    SELECT v.number, v.embedding
      FROM vec_memories v
     WHERE v.model = :model AND vector_dims(v.embedding) = vector_dims(CAST(:query AS halfvec))
       AND v.number IN (SELECT m.number"""
_CLOSEST_FIRST = """)
)
SELECT number, 1.0 - (embedding <=> CAST(:query AS halfvec)) AS score
  FROM allowed ORDER BY score DESC, number LIMIT :k
"""
# The trigger does it; the words and the vector of a text that stays the same are the same.
_INDEX_AGAIN = "UPDATE lsm_agent_memories SET text = text WHERE status = 'active'"
_ORPHANS = """
SELECT (SELECT count(*) FROM vec_memories v WHERE NOT EXISTS (
            SELECT 1 FROM lsm_active_memories m WHERE m.number = v.number)),
       (SELECT count(*) FROM lsm_active_memories m WHERE NOT EXISTS (
            SELECT 1 FROM memories_fts f WHERE f.number = m.number)),
       (SELECT count(*) FROM memories_fts f WHERE NOT EXISTS (
            SELECT 1 FROM lsm_active_memories m WHERE m.number = f.number)),
"""
_DIALECT = Dialect(
    _MEMBERS,
    "CAST(:embedding AS halfvec)",
    halfvec,
    "2 * vector_dims(v.embedding)",
    _ORPHANS + LABELS_THAT_DIFFER,
)


class PostgresMemoryIndex(StoredMemories):
    """`MemoryIndex` in PostgreSQL."""

    def __init__(self, db: Database) -> None:
        super().__init__(db, _DIALECT)
        self._words = WordTable(db, "memories_fts", "number")

    def forget(self, texts: Sequence[str]) -> None:  # noqa: ARG002 - vacuuming sees to words
        # Nothing is kept here; the counter is for whoever reads a copy of this database.
        self._db.run(REWRITTEN)

    def mend(self) -> dict[str, int]:
        with self._db.transaction():
            strays = self._db.run(DROP_STRAYS) + self.drop_misfits()
            self._db.run("DELETE FROM memories_fts")
            rows = self._db.run(_INDEX_AGAIN)
            self.label_again()
            self._db.run(REWRITTEN)
        return {"unfit vectors of memories dropped": strays, "memories indexed": rows}

    def traces(self, number: int) -> list[bytes]:  # noqa: ARG002 - the files are the server's
        return []

    def matching(self, query: TextQuery, k: int, where: MemoryWhere) -> list[Found]:
        with self._db.snapshot():
            allowed = self._filter(where)
            chosen = self._chosen(query)
            among = NUMBERS + allowed.sql
            rows = self._words.best(query.phrases, chosen, among, **allowed.params, k=k)
        return [Found(*row) for row in rows]

    def nearest(self, query: Vector, model: str, k: int, where: MemoryWhere) -> list[Found]:
        literal = halfvec(checked(query, len(query)))
        allowed = self._filter(where)
        rows = self._ask(_NEAREST, allowed, _CLOSEST_FIRST, model=model, query=literal, k=k)
        return [Found(number, float(score)) for number, score in rows]

    def answers(
        self, question: Question, k: int, where: MemoryWhere
    ) -> tuple[list[Found], list[Found]]:
        text = self.matching(question.words, k, where) if question.words else []
        if question.vector is None:
            return text, []
        return text, self.nearest(question.vector, question.model, k, where)

    def _chosen(self, query: TextQuery) -> dict[str, int]:
        """The lexemes that count, with how many memories have each.

        Those of words that thousands have are left out where there are rarer ones, but never a
        phrase's: a memory that has none of the counted ones is not found.
        """
        asked = self._words.counts(query.words)
        rare = {lexeme: count for lexeme, count in asked.items() if count < COMMON}
        in_phrases = self._words.counts(word for words in query.phrases for word in words)
        return (rare or asked) | in_phrases
