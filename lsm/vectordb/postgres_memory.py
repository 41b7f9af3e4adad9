"""The memory index in PostgreSQL: tsvector scored by BM25, and pgvector compared exactly.

Exactly, without a graph: memories are filtered by scope and type nearly always, and a graph that
is filtered afterwards finds too few.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from lsm.vectordb.memory_index import COMMON, Found
from lsm.vectordb.resident_memories import REWRITTEN
from lsm.vectordb.vectors import STORED, checked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import LiteralString

    from lsm.db import Database
    from lsm.vectordb.base import TextQuery, Vector
    from lsm.vectordb.memory_index import MemoryWhere

_K1, _B = 1.2, 0.75  # FTS5's, so that both engines rank alike

# The one place that says what may be found. _BELOW adds a range of the index on scopes.
_ALLOWED = """
  FROM lsm_active_memories m
 WHERE (m.expires_at IS NULL OR m.expires_at > :now)
   AND (:any_type OR m.memory_type IN :types[])
   AND (:any_trust OR m.trust IN :trusts[])
   AND (CAST(:key AS TEXT) IS NULL OR m.memory_key = :key)
   AND (:no_tags OR CAST(m.tags_json AS jsonb) @> CAST(:tags AS jsonb))
   AND (CAST(:value AS TEXT) IS NULL OR CAST(m.value_json AS jsonb) @> CAST(:value AS jsonb))
"""
_BELOW = """
   AND m.scope >= :scope AND m.scope < :scope_end
   AND (m.scope = :scope OR (:below AND substr(m.scope, length(:scope) + 1, 1) = '/'))
"""
_LISTED = "SELECT m.number" + _ALLOWED + " AND m.number < :before"
_NEWEST = " ORDER BY m.number DESC LIMIT :limit"
_SCOPES = "SELECT m.scope, count(*), max(m.created_at)" + _ALLOWED
_BY_SCOPE = " GROUP BY m.scope ORDER BY m.scope"
_LEXEMES = "SELECT unnest(tsvector_to_array(to_tsvector('english', :text)))"
_PHRASE = "SELECT CAST(phraseto_tsquery('english', :text) AS TEXT)"
_FREQUENCY = "SELECT count(*) FROM memories_fts WHERE terms @@ CAST(:match AS tsquery)"
_COLLECTION = "SELECT count(*), coalesce(avg(length), 1) FROM memories_fts"
_MATCHES = """
WITH asked AS (
    SELECT lexeme, weight
      FROM unnest(CAST(:lexemes AS TEXT[]), CAST(:weights AS DOUBLE PRECISION[]))
        AS a(lexeme, weight)
), counted AS MATERIALIZED (
    SELECT f.number, f.length, t.lexeme,
           (SELECT sum(CASE w WHEN 'A' THEN 2.0 WHEN 'B' THEN 1.5 ELSE 1.0 END)
              FROM unnest(t.weights) AS w) AS frequency
      FROM memories_fts f
     CROSS JOIN LATERAL unnest(f.terms) AS t(lexeme, positions, weights)
     WHERE f.terms @@ CAST(:match AS tsquery)
       AND t.lexeme = ANY(CAST(:lexemes AS TEXT[]))
       AND f.number IN (SELECT m.number"""
_BEST_FIRST = """)
)
SELECT number,
       sum(weight * frequency * (:k1 + 1.0)
           / (frequency + :k1 * (1.0 - :b + :b * length / :mean_length))) AS score
  FROM counted JOIN asked USING (lexeme)
 GROUP BY number
 ORDER BY score DESC, number
 LIMIT :k
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
_TAKE = """
UPDATE lsm_counters SET next_value = next_value + :count
 WHERE name = 'memory_vector' RETURNING next_value
"""
_PUT = """
INSERT INTO vec_memories (number, model, changed, embedding)
VALUES (:number, :model, :changed, CAST(:embedding AS halfvec))
    ON CONFLICT (number) DO UPDATE
   SET model = excluded.model, changed = excluded.changed, embedding = excluded.embedding
"""
_WITHOUT = """
SELECT m.number FROM lsm_active_memories m
 WHERE NOT EXISTS (SELECT 1 FROM vec_memories v WHERE v.number = m.number AND v.model = :model)
 ORDER BY m.number LIMIT :limit
"""
_ORPHANS = """
SELECT (SELECT count(*) FROM vec_memories v WHERE NOT EXISTS (
            SELECT 1 FROM lsm_active_memories m WHERE m.number = v.number)),
       (SELECT count(*) FROM lsm_active_memories m WHERE NOT EXISTS (
            SELECT 1 FROM memories_fts f WHERE f.number = m.number)),
       (SELECT count(*) FROM memories_fts f WHERE NOT EXISTS (
            SELECT 1 FROM lsm_active_memories m WHERE m.number = f.number))
"""


class PostgresMemoryIndex:
    """`MemoryIndex` in PostgreSQL."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def put(self, model: str, vectors: Sequence[tuple[int, Vector]]) -> None:
        if not vectors:
            return
        beyond = self._db.tuples(_TAKE, count=len(vectors))[0][0]
        self._db.many(
            _PUT,
            (
                {
                    "number": number,
                    "model": model,
                    "changed": changed,
                    "embedding": _literal(checked(vector, len(vector))),
                }
                for changed, (number, vector) in enumerate(vectors, beyond - len(vectors))
            ),
        )

    def forget(self, texts: Sequence[str]) -> None:  # noqa: ARG002 - vacuuming sees to words
        # Nothing is kept here; the counter is for whoever reads a copy of this database.
        self._db.run(REWRITTEN)

    def traces(self, number: int) -> list[bytes]:  # noqa: ARG002 - the files are the server's
        return []

    def without_vector(self, model: str, limit: int) -> list[int]:
        return [row[0] for row in self._db.tuples(_WITHOUT, model=model, limit=limit)]

    def listed(self, where: MemoryWhere, limit: int, before: int | None = None) -> list[int]:
        sql = _LISTED + (_BELOW + _NEWEST if where.scope else _NEWEST)
        before = 2**62 if before is None else before
        return [row[0] for row in self._ask(sql, where, limit=limit, before=before)]

    def scopes(self, where: MemoryWhere) -> list[tuple[str, int, str]]:
        sql = _SCOPES + (_BELOW + _BY_SCOPE if where.scope else _BY_SCOPE)
        return [(scope, count, newest) for scope, count, newest in self._ask(sql, where)]

    def matching(self, query: TextQuery, k: int, where: MemoryWhere) -> list[Found]:
        with self._db.snapshot():
            phrases = [self._phrase(" ".join(words)) for words in query.phrases]
            lexemes = self._occurring(query)
            match = _expression([text for text in phrases if text], list(lexemes))
            if not match:
                return []
            count, mean_length = self._db.tuples(_COLLECTION)[0]
            rows = self._ask(
                _MATCHES + _ALLOWED + (_BELOW + _BEST_FIRST if where.scope else _BEST_FIRST),
                where,
                lexemes=list(lexemes),
                weights=[_rarity(count, frequency) for frequency in lexemes.values()],
                match=match,
                k1=_K1,
                b=_B,
                mean_length=float(mean_length) or 1.0,
                k=k,
            )
        return [Found(number, float(score)) for number, score in rows]

    def nearest(self, query: Vector, model: str, k: int, where: MemoryWhere) -> list[Found]:
        sql = _NEAREST + _ALLOWED + (_BELOW + _CLOSEST_FIRST if where.scope else _CLOSEST_FIRST)
        literal = _literal(checked(query, len(query)))
        rows = self._ask(sql, where, model=model, query=literal, k=k)
        return [Found(number, float(score)) for number, score in rows]

    def disagreements(self) -> list[str]:
        vectors, unindexed, orphans = self._db.tuples(_ORPHANS)[0]
        counts = {
            "vectors have no active memory": vectors,
            "active memories are not in the full-text index": unindexed,
            "entries of the full-text index have no active memory": orphans,
        }
        return [f"{count} {what}" for what, count in counts.items() if count]

    def _ask(self, sql: LiteralString, where: MemoryWhere, **more: object) -> list[tuple[Any, ...]]:
        return self._db.tuples(
            sql,
            now=where.now,
            scope=where.scope,
            scope_end=where.scope + "0",  # the character after "/"
            below=not where.exact_scope,
            any_type=not where.types,
            types=list(where.types),
            any_trust=not where.trusts,
            trusts=list(where.trusts),
            key=where.key,
            no_tags=not where.tags,
            tags=_json(where.tags),
            value=None if where.value is None else _json(where.value),
            **more,
        )

    def _occurring(self, query: TextQuery) -> dict[str, int]:
        """The lexemes of *query* that occur, each with how many memories have it.

        Those that thousands have are left out where there are rarer ones.
        """
        words = [*query.words, *(word for words in query.phrases for word in words)]
        lexemes = [row[0] for row in self._db.tuples(_LEXEMES, text=" ".join(words))]
        counts = {
            lexeme: self._db.tuples(_FREQUENCY, match=_quoted(lexeme))[0][0] for lexeme in lexemes
        }
        occurring = {lexeme: count for lexeme, count in counts.items() if count}
        rare = {lexeme: count for lexeme, count in occurring.items() if count < COMMON}
        return rare or occurring

    def _phrase(self, text: str) -> str:
        return self._db.tuples(_PHRASE, text=text)[0][0]


def _expression(phrases: Sequence[str], lexemes: Sequence[str]) -> str:
    """All of *phrases*; without any, one of *lexemes* is enough."""
    if phrases:
        return " & ".join(f"({phrase})" for phrase in phrases)
    return " | ".join(_quoted(lexeme) for lexeme in lexemes)


def _rarity(count: int, frequency: int) -> float:
    """BM25's weight of a term, as FTS5 computes it: never zero or less."""
    return max(math.log((count - frequency + 0.5) / (frequency + 0.5)), 1e-6)


def _quoted(lexeme: str) -> str:
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"


def _literal(vector: Vector) -> str:
    # float16 first: what is stored is then the same on both engines, to the bit.
    return "[" + ",".join(map(str, vector.astype(STORED).astype(np.float32).tolist())) + "]"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
