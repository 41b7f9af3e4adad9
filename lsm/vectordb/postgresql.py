"""The chunk index in PostgreSQL: tsvector scored by BM25, and pgvector with HNSW."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, LiteralString, cast

import numpy as np

from lsm.vectordb.base import ANYWHERE, Scored
from lsm.vectordb.documents import documents_where
from lsm.vectordb.vectors import STORED, checked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.db import Database
    from lsm.vectordb.base import IndexEntry, TextQuery, Vector, Where

MAX_TERMS = 12  # as on SQLite
MAX_GRAPH_DIMENSION = 4000  # pgvector's, for halfvec; beyond it every search is exact
_K1, _B = 1.2, 0.75  # FTS5's, so that both engines rank alike

_ADD_TEXT = """
INSERT INTO chunks_fts (chunk_id, terms, length)
SELECT :chunk_id, terms, (SELECT coalesce(sum(cardinality(positions)), 0) FROM unnest(terms))
  FROM (SELECT setweight(to_tsvector('english', :title), 'A')
            || setweight(to_tsvector('english', :heading), 'B')
            || to_tsvector('english', :text) AS terms) made
"""
_REMOVE_TEXT = "DELETE FROM chunks_fts WHERE chunk_id IN :ids[]"
_ADD_VECTOR = """
INSERT INTO vec_chunks (chunk_id, space_id, embedding)
VALUES (:chunk_id, :space_id, CAST(:embedding AS halfvec))
    ON CONFLICT (chunk_id) DO UPDATE
   SET space_id = excluded.space_id,
       embedding         = excluded.embedding
"""
_REMOVE_VECTORS = "DELETE FROM vec_chunks WHERE chunk_id IN :ids[]"
_DIMENSION = "SELECT dimension FROM lsm_vector_spaces WHERE space_id = :id"
_KNOWN = """
SELECT DISTINCT ON (c.text_hash) c.text_hash, halfvec_send(v.embedding)
  FROM lsm_chunks c JOIN vec_chunks v ON v.chunk_id = c.chunk_id
 WHERE c.text_hash IN :hashes[] AND v.space_id = :space_id
"""
_OUTDATED = """
(SELECT chunk_id FROM vec_chunks WHERE space_id < :id LIMIT :limit)
UNION ALL
(SELECT chunk_id FROM vec_chunks WHERE space_id > :id LIMIT :limit)
 LIMIT :limit
"""
_LEXEMES = "SELECT unnest(tsvector_to_array(to_tsvector('english', :text)))"
_PHRASE = "SELECT CAST(phraseto_tsquery('english', :text) AS TEXT)"
_FREQUENCY = "SELECT count(*) FROM chunks_fts WHERE terms @@ CAST(:match AS tsquery)"
_COLLECTION = "SELECT count(*), coalesce(avg(length), 1) FROM chunks_fts"
_MATCHES = """
WITH asked AS (
    SELECT lexeme, weight
      FROM unnest(CAST(:lexemes AS TEXT[]), CAST(:weights AS DOUBLE PRECISION[]))
        AS a(lexeme, weight)
), counted AS MATERIALIZED (
    SELECT f.chunk_id, f.length, t.lexeme,
           (SELECT sum(CASE w WHEN 'A' THEN 2.0 WHEN 'B' THEN 1.5 ELSE 1.0 END)
              FROM unnest(t.weights) AS w) AS frequency
      FROM chunks_fts f
      JOIN lsm_chunks c ON c.chunk_id = f.chunk_id
     CROSS JOIN LATERAL unnest(f.terms) AS t(lexeme, positions, weights)
     WHERE f.terms @@ CAST(:match AS tsquery)
       AND t.lexeme = ANY(CAST(:lexemes AS TEXT[]))
       AND c.version_in <= :version AND (c.version_out IS NULL OR c.version_out > :version)
       AND (:anywhere OR c.document_id IN :documents[])
)
SELECT chunk_id,
       sum(weight * frequency * (:k1 + 1.0)
           / (frequency + :k1 * (1.0 - :b + :b * length / :mean_length))) AS score
  FROM counted JOIN asked USING (lexeme)
 GROUP BY chunk_id
 ORDER BY score DESC, chunk_id
 LIMIT :k
"""
_EXACT = """
WITH allowed AS MATERIALIZED (
    SELECT v.chunk_id, v.embedding
      FROM vec_chunks v JOIN lsm_chunks c ON c.chunk_id = v.chunk_id
     WHERE v.space_id = :space_id
       AND c.version_in <= :version AND (c.version_out IS NULL OR c.version_out > :version)
       AND (:anywhere OR c.document_id IN :documents[])
)
SELECT chunk_id, 1.0 - (embedding <=> CAST(:query AS halfvec)) AS score
  FROM allowed ORDER BY score DESC, chunk_id LIMIT :k
"""
_HAS_INDEX = "SELECT CAST(to_regclass(:name) AS TEXT)"
_WITHOUT = """
SELECT (SELECT count(*) FROM lsm_chunks c
         WHERE NOT EXISTS (SELECT 1 FROM vec_chunks v WHERE v.chunk_id = c.chunk_id)),
       (SELECT count(*) FROM lsm_chunks c
         WHERE NOT EXISTS (SELECT 1 FROM chunks_fts f WHERE f.chunk_id = c.chunk_id))
"""


class PostgresChunkIndex:
    """`ChunkIndex` in PostgreSQL."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._dimensions: dict[int, int] = {}

    def put(self, entries: Sequence[IndexEntry]) -> None:
        self._db.many(
            _ADD_TEXT,
            (
                {
                    "chunk_id": entry.chunk_id,
                    "title": entry.title,
                    "heading": entry.heading,
                    "text": entry.text,
                }
                for entry in entries
            ),
        )
        self._add_vectors([(e.chunk_id, e.space_id, e.vector) for e in entries])

    def replace_vectors(self, space_id: int, vectors: Sequence[tuple[int, Vector]]) -> None:
        self._add_vectors([(chunk_id, space_id, vector) for chunk_id, vector in vectors])

    def remove(self, chunk_ids: Sequence[int]) -> None:
        self._db.run(_REMOVE_TEXT, ids=list(chunk_ids))
        self._db.run(_REMOVE_VECTORS, ids=list(chunk_ids))

    def matching(self, query: TextQuery, k: int, where: Where = ANYWHERE) -> list[Scored]:
        with self._db.snapshot():
            phrases = [self._phrase(words) for words in query.phrases]
            chosen = self._rarest(self._lexemes(query))
            match = _expression([text for text in phrases if text], list(chosen))
            if not match:
                return []
            count, mean_length = self._db.tuples(_COLLECTION)[0]
            rows = self._db.tuples(
                _MATCHES,
                lexemes=list(chosen),
                weights=[_rarity(count, frequency) for frequency in chosen.values()],
                match=match,
                version=where.version,
                anywhere=not where.by_document,
                documents=documents_where(self._db, where) if where.by_document else [],
                k1=_K1,
                b=_B,
                mean_length=float(mean_length) or 1.0,
                k=k,
            )
        return [Scored(chunk_id, float(score)) for chunk_id, score in rows]

    def nearest(
        self, query: Vector, space_id: int, k: int, where: Where = ANYWHERE
    ) -> list[Scored]:
        dimension = self._dimension(space_id)
        literal = _literal(checked(query, dimension))
        with self._db.snapshot():
            if not where.by_document and dimension <= MAX_GRAPH_DIMENSION:
                found = self._nearest_by_index(literal, space_id, dimension, k, where)
                if len(found) >= k:
                    return found
            # Few qualify, or the graph ran dry before k of them: compare them all.
            rows = self._db.tuples(
                _EXACT,
                query=literal,
                space_id=space_id,
                version=where.version,
                anywhere=not where.by_document,
                documents=documents_where(self._db, where) if where.by_document else [],
                k=k,
            )
        return [Scored(chunk_id, float(score)) for chunk_id, score in rows]

    def known_vectors(self, text_hashes: Sequence[str], space_id: int) -> dict[str, Vector]:
        rows = self._db.tuples(_KNOWN, hashes=list(text_hashes), space_id=space_id)
        # On the wire: length and flags in two bytes each, then big-endian halves.
        return {
            text_hash: np.frombuffer(data, ">f2", offset=4).astype(np.float32)
            for text_hash, data in rows
        }

    def outdated(self, space_id: int, limit: int) -> list[int]:
        return [row[0] for row in self._db.tuples(_OUTDATED, id=space_id, limit=limit)]

    def disagreements(self) -> list[str]:
        # Vectors and text without a chunk cannot be: the foreign keys see to it.
        vectors, texts = self._db.tuples(_WITHOUT)[0]
        counts = {"chunks have no vector": vectors, "chunks are not in the full-text index": texts}
        return [f"{count} {what}" for what, count in counts.items() if count]

    def _add_vectors(self, vectors: list[tuple[int, int, Vector]]) -> None:
        for schema in {schema for _, schema, _ in vectors}:
            self._prepare(schema)
        self._db.many(
            _ADD_VECTOR,
            (
                {
                    "chunk_id": chunk_id,
                    "space_id": schema,
                    "embedding": _literal(checked(vector, self._dimension(schema))),
                }
                for chunk_id, schema, vector in vectors
            ),
        )

    def _prepare(self, space_id: int) -> None:
        """Make the graph over one model's vectors: its dimension is not known before."""
        name = f"vec_chunks_hnsw_{space_id}"
        dimension = self._dimension(space_id)
        # IF NOT EXISTS alone would take a lock that stops every other writer.
        missing = self._db.tuples(_HAS_INDEX, name=name)[0][0] is None
        if missing and dimension <= MAX_GRAPH_DIMENSION:
            self._db.script(
                f"CREATE INDEX IF NOT EXISTS {name} ON vec_chunks"
                f" USING hnsw ((CAST(embedding AS halfvec({dimension}))) halfvec_cosine_ops)"
                f" WHERE space_id = {space_id}"
            )

    def _dimension(self, space_id: int) -> int:
        if space_id not in self._dimensions:
            rows = self._db.tuples(_DIMENSION, id=space_id)
            self._dimensions[space_id] = rows[0][0]
        return self._dimensions[space_id]

    def _lexemes(self, query: TextQuery) -> list[str]:
        words = [*query.words, *(word for words in query.phrases for word in words)]
        return [row[0] for row in self._db.tuples(_LEXEMES, text=" ".join(words))]

    def _phrase(self, words: Sequence[str]) -> str:
        return self._db.tuples(_PHRASE, text=" ".join(words))[0][0]

    def _rarest(self, lexemes: list[str]) -> dict[str, int]:
        """At most `MAX_TERMS` of *lexemes* that occur, each with how many chunks have it."""
        counts = {
            lexeme: self._db.tuples(_FREQUENCY, match=_quoted(lexeme))[0][0] for lexeme in lexemes
        }
        occurring = sorted((lexeme for lexeme in lexemes if counts[lexeme]), key=counts.__getitem__)
        return {lexeme: counts[lexeme] for lexeme in occurring[:MAX_TERMS]}

    def _nearest_by_index(
        self, literal: str, space_id: int, dimension: int, k: int, where: Where
    ) -> list[Scored]:
        # The planner uses a graph only for its very expression, numbers included.
        sql = f"""
SELECT v.chunk_id, 1.0 - (CAST(v.embedding AS halfvec({dimension})) <=> CAST(:query AS halfvec))
  FROM vec_chunks v JOIN lsm_chunks c ON c.chunk_id = v.chunk_id
 WHERE v.space_id = {space_id}
   AND c.version_in <= :version AND (c.version_out IS NULL OR c.version_out > :version)
 ORDER BY CAST(v.embedding AS halfvec({dimension})) <=> CAST(:query AS halfvec)
 LIMIT :k
"""  # noqa: S608 - two integers of our own
        self._db.tuples("SELECT set_config('hnsw.iterative_scan', 'strict_order', true)")
        self._db.tuples("SELECT set_config('hnsw.ef_search', '100', true)")
        rows = self._db.tuples(
            cast("LiteralString", sql), query=literal, version=where.version, k=k
        )
        return [Scored(chunk_id, float(score)) for chunk_id, score in rows]


def _expression(phrases: Sequence[str], lexemes: Sequence[str]) -> str:
    """All of *phrases* and, for the rank alone or when there are none, any of *lexemes*."""
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
