"""The chunk index in PostgreSQL: tsvector scored by BM25, and pgvector with HNSW."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, LiteralString, cast

import numpy as np

from lsm.errors import DiskFullError
from lsm.vectordb.base import ANYWHERE, Scored
from lsm.vectordb.documents import documents_where
from lsm.vectordb.postgres_words import WordTable
from lsm.vectordb.spaces import dimension_of
from lsm.vectordb.spelling import plain
from lsm.vectordb.vectors import checked, halfvec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lsm.db import Database
    from lsm.vectordb.base import IndexEntry, TextQuery, Vector, Where
    from lsm.vectordb.loading import Words

MAX_TERMS = 12  # as on SQLite
MAX_GRAPH_DIMENSION = 4000  # pgvector's, for halfvec; beyond it every search is exact

# Words that are not indexed, but counted: a phrase must not reach from the title into the text.
_GAP = "a a a a a a a a "
_ADD_TEXT = f"""
INSERT INTO chunks_fts (chunk_id, length, terms)
VALUES (:chunk_id, :length,
        setweight(to_tsvector('english', :title), 'A')
        || setweight(to_tsvector('english', '{_GAP}' || :heading), 'B')
        || to_tsvector('english', '{_GAP}' || :text))
"""  # noqa: S608 - a constant of our own
_REMOVE_TEXT = "DELETE FROM chunks_fts WHERE chunk_id IN :ids[]"
_ADD_VECTOR = """
INSERT INTO vec_chunks (chunk_id, space_id, embedding)
VALUES (:chunk_id, :space_id, CAST(:embedding AS halfvec))
"""
_SET_VECTOR = (
    _ADD_VECTOR
    + """
    ON CONFLICT (chunk_id) DO UPDATE
   SET space_id  = excluded.space_id,
       embedding = excluded.embedding
"""
)
_REMOVE_VECTORS = "DELETE FROM vec_chunks WHERE chunk_id IN :ids[]"
_KNOWN = """
SELECT DISTINCT ON (c.text_hash) c.text_hash, halfvec_send(v.embedding)
  FROM lsm_chunks c JOIN vec_chunks v ON v.chunk_id = c.chunk_id
 WHERE c.text_hash IN :hashes[] AND v.space_id = :space_id
"""
_VECTORS_OF = """
SELECT chunk_id, halfvec_send(embedding) FROM vec_chunks
 WHERE chunk_id IN :ids[] AND space_id = :space_id
"""
_OUTDATED = """
(SELECT chunk_id FROM vec_chunks WHERE space_id < :id LIMIT :limit)
UNION ALL
(SELECT chunk_id FROM vec_chunks WHERE space_id > :id LIMIT :limit)
 LIMIT :limit
"""
_OCCURS = """
SELECT word FROM unnest(CAST(:words AS TEXT[])) AS asked(word)
 WHERE EXISTS (SELECT 1 FROM chunks_fts WHERE terms @@ plainto_tsquery('english', word))
"""
# What may be found; also in _EXACT.
_ALLOWED = """
SELECT c.chunk_id FROM lsm_chunks c
 WHERE c.version_in <= :version AND (c.version_out IS NULL OR c.version_out > :version)
   AND (:anywhere OR c.document_id IN :documents[])
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
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(CAST(:lock AS BIGINT))"
_GRAPH_LOCK = 0x6C736D76  # "lsmv" as a number
_USED_SPACES = """
SELECT s.space_id, s.dimension, count(*)
  FROM lsm_vector_spaces s JOIN vec_chunks v ON v.space_id = s.space_id
 GROUP BY s.space_id, s.dimension
"""
_LINKS_BYTES = 700  # a vector's neighbours in the graph, about
_GRAPH_KILOBYTES = 1024 * 1024  # at most
_MORE_MEMORY = """
SELECT set_config('max_parallel_maintenance_workers',
                  coalesce(CAST(CAST(:workers AS BIGINT) AS TEXT),
                           current_setting('max_parallel_maintenance_workers')), true),
       set_config('maintenance_work_mem',
                  greatest(CAST(:kilobytes AS BIGINT), pg_size_bytes(
                      current_setting('maintenance_work_mem')) / 1024) || 'kB', true)
"""
_HAS_INDEX = "SELECT CAST(to_regclass(:name) AS TEXT)"
_SOME_WITHOUT_VECTOR = """
SELECT c.chunk_id FROM lsm_chunks c
 WHERE NOT EXISTS (SELECT 1 FROM vec_chunks v WHERE v.chunk_id = c.chunk_id)
 ORDER BY c.chunk_id LIMIT :limit
"""
_DROP_WRONG = """
DELETE FROM vec_chunks v USING lsm_vector_spaces s
 WHERE s.space_id = v.space_id AND vector_dims(v.embedding) <> s.dimension
"""
_EMPTY = "DELETE FROM chunks_fts"
_CHUNKS_AFTER = """
SELECT chunk_id, title, heading, text FROM lsm_chunks
 WHERE chunk_id > :after ORDER BY chunk_id LIMIT 500
"""
_WITHOUT = """
SELECT (SELECT count(*) FROM lsm_chunks c
         WHERE NOT EXISTS (SELECT 1 FROM vec_chunks v WHERE v.chunk_id = c.chunk_id)),
       (SELECT count(*) FROM lsm_chunks c
         WHERE NOT EXISTS (SELECT 1 FROM chunks_fts f WHERE f.chunk_id = c.chunk_id)),
       (SELECT count(*) FROM vec_chunks v JOIN lsm_vector_spaces s ON s.space_id = v.space_id
         WHERE vector_dims(v.embedding) <> s.dimension)
"""


class PostgresChunkIndex:
    """`ChunkIndex` in PostgreSQL."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._words = WordTable(db, "chunks_fts", "chunk_id")

    def put(self, entries: Sequence[IndexEntry]) -> None:
        # Looked at before anything is written: a caller may catch the error and go on.
        vectors = self._rows((e.chunk_id, e.space_id, e.vector) for e in entries)
        with self._db.transaction():
            self._prepare({e.space_id for e in entries})
            self._db.many(_ADD_VECTOR, vectors)
            self._db.many(_ADD_TEXT, map(_text_row, entries))

    def put_words(self, chunks: Sequence[Words]) -> None:
        """Index the words of chunks whose rows and vectors are there."""
        self._db.many(_ADD_TEXT, map(_text_row, chunks))

    def make_graphs(self) -> None:
        """Make the graph over each model's vectors, which are there already, all at once."""
        used = {row[0]: row[1:] for row in self._db.tuples(_USED_SPACES)}
        for space_id, (dimension, count) in used.items():
            # With less memory than the graph takes, it takes ten times as long.
            kilobytes = min(count * (2 * dimension + _LINKS_BYTES) // 1024, _GRAPH_KILOBYTES)
            try:
                self._make_graph(space_id, kilobytes)
            except DiskFullError:
                # Several processes share that memory, and many a container has little to share.
                self._make_graph(space_id, kilobytes, workers=0)
        for table in ("lsm_chunks", "vec_chunks", "chunks_fts", "lsm_documents"):
            self._db.run(f"ANALYZE {table}")

    def _make_graph(self, space_id: int, kilobytes: int, *, workers: int | None = None) -> None:
        with self._db.transaction():
            self._db.be_patient()
            self._db.tuples(_MORE_MEMORY, kilobytes=kilobytes, workers=workers)
            self._prepare({space_id})

    def replace_vectors(self, space_id: int, vectors: Sequence[tuple[int, Vector]]) -> None:
        rows = self._rows((chunk_id, space_id, vector) for chunk_id, vector in vectors)
        with self._db.transaction():
            self._prepare({space_id})
            self._db.many(_SET_VECTOR, rows)

    def remove(self, chunk_ids: Sequence[int]) -> None:
        with self._db.transaction():
            self._db.run(_REMOVE_TEXT, ids=list(chunk_ids))
            self._db.run(_REMOVE_VECTORS, ids=list(chunk_ids))

    def compact(self) -> Iterator[None]:
        yield from ()  # the server's own vacuuming sees to it

    def without_vector(self, limit: int) -> list[int]:
        return [row[0] for row in self._db.tuples(_SOME_WITHOUT_VECTOR, limit=limit)]

    def mend(self) -> dict[str, int]:
        after, rows = 0, 0
        with self._db.transaction():
            wrong = self._db.run(_DROP_WRONG)
            self._db.run(_EMPTY)
            while part := self._db.tuples(_CHUNKS_AFTER, after=after):
                self._db.many(_ADD_TEXT, (_spelled(chunk_id, *texts) for chunk_id, *texts in part))
                after, rows = part[-1][0], rows + len(part)
        return {"vectors without chunk": 0, "wrong vectors": wrong, "texts indexed": rows}

    def matching(self, query: TextQuery, k: int, where: Where = ANYWHERE) -> list[Scored]:
        with self._db.snapshot():
            rows = self._words.best(
                query.phrases,
                self._chosen(query),
                _ALLOWED,
                version=where.version,
                anywhere=not where.by_document,
                documents=documents_where(self._db, where) if where.by_document else [],
                k=k,
            )
        return [Scored(*row) for row in rows]

    def occurring(self, words: Sequence[str]) -> set[str]:
        asked = {word: plain(word) for word in words}
        known = {row[0] for row in self._db.tuples(_OCCURS, words=list(set(asked.values())))}
        return {word for word, spelled in asked.items() if spelled in known}

    def nearest(
        self, query: Vector, space_id: int, k: int, where: Where = ANYWHERE
    ) -> list[Scored]:
        dimension = self._dimension(space_id)
        literal = halfvec(checked(query, dimension))
        with self._db.snapshot():
            if not where.by_document and dimension <= MAX_GRAPH_DIMENSION:
                found = self._nearest_by_index(literal, space_id, dimension, k + 1, where)
                if len(found) >= k and not _tied(found, k):
                    return found[:k]
            # Few qualify, the graph ran dry before k of them, or it chose among equals by luck:
            # compare them all.
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
        return {text_hash: _received(data) for text_hash, data in rows}

    def vectors_of(self, chunk_ids: Sequence[int], space_id: int) -> dict[int, Vector]:
        rows = self._db.tuples(_VECTORS_OF, ids=list(chunk_ids), space_id=space_id)
        return {chunk_id: _received(data) for chunk_id, data in rows}

    def outdated(self, space_id: int, limit: int) -> list[int]:
        return [row[0] for row in self._db.tuples(_OUTDATED, id=space_id, limit=limit)]

    def disagreements(self) -> list[str]:
        # Vectors and text without a chunk cannot be: the foreign keys see to it.
        vectors, texts, lengths = self._db.tuples(_WITHOUT)[0]
        counts = {
            "chunks have no vector": vectors,
            "chunks are not in the full-text index": texts,
            "vectors are not as long as their model's": lengths,
        }
        return [f"{count} {what}" for what, count in counts.items() if count]

    def _rows(self, vectors: Iterable[tuple[int, int, Vector]]) -> list[dict[str, object]]:
        dimension = cache(self._dimension)  # for this call: a space may yet be rolled back
        return [
            {
                "chunk_id": chunk_id,
                "space_id": space_id,
                "embedding": halfvec(checked(vector, dimension(space_id))),
            }
            for chunk_id, space_id, vector in vectors
        ]

    def _prepare(self, space_ids: set[int]) -> None:
        """Make the graph over each model's vectors: its dimension is not known before."""
        for space_id in space_ids:
            dimension = self._dimension(space_id)
            if dimension <= MAX_GRAPH_DIMENSION and not self._has_graph(space_id):
                # Two at once would wait for each other's lock on the table, for ever.
                self._db.tuples(_ONE_AT_A_TIME, lock=_GRAPH_LOCK)
                self._db.script(
                    f"CREATE INDEX IF NOT EXISTS vec_chunks_hnsw_{space_id} ON vec_chunks"
                    f" USING hnsw ((CAST(embedding AS halfvec({dimension}))) halfvec_cosine_ops)"
                    f" WHERE space_id = {space_id}"
                )

    def _has_graph(self, space_id: int) -> bool:
        # IF NOT EXISTS alone would take a lock that stops every other writer.
        return self._db.tuples(_HAS_INDEX, name=f"vec_chunks_hnsw_{space_id}")[0][0] is not None

    def _dimension(self, space_id: int) -> int:
        return dimension_of(self._db, space_id)

    def _chosen(self, query: TextQuery) -> dict[str, int]:
        """The lexemes that count, with how many chunks have each: the rarest, and every phrase's.

        A phrase's are never left out: a chunk that has none of the counted ones is not found.
        """
        asked = self._words.counts(query.words)
        rarest = sorted(asked, key=asked.__getitem__)[:MAX_TERMS]
        in_phrases = self._words.counts(word for words in query.phrases for word in words)
        return {lexeme: asked[lexeme] for lexeme in rarest} | in_phrases

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
        found = [Scored(chunk_id, float(score)) for chunk_id, score in rows]
        return sorted(found, key=lambda scored: (-scored.score, scored.chunk_id))


def _text_row(entry: IndexEntry | Words) -> dict[str, object]:
    return _spelled(entry.chunk_id, entry.title, entry.heading, entry.text)


def _spelled(chunk_id: int, title: str, heading: str, text: str) -> dict[str, object]:
    parts = {"title": plain(title), "heading": plain(heading), "text": plain(text)}
    # Every word, the ones that are not indexed too: as FTS5 counts, so that both rank alike.
    length = sum(len(part.split()) for part in parts.values())
    return {"chunk_id": chunk_id, "length": length, **parts}


def _tied(found: Sequence[Scored], k: int) -> bool:
    """Whether the *k*-th is no better than the one after it."""
    return len(found) > k and found[k - 1].score == found[k].score


def _received(data: bytes) -> Vector:
    # On the wire: length and flags in two bytes each, then big-endian halves.
    return np.frombuffer(data, ">f2", offset=4).astype(np.float32)
