"""The chunk index in the SQLite file: FTS5, and vectors as rows that numpy scans.

Not sqlite-vec's vec0: its wheels are built without SIMD (55 ms at 100,000 x 256, numpy 14), its k
ends at 4,096, its table has one fixed dimension, and a file that needs an extension cannot be
opened by everything else that opens SQLite. It stays the oracle the tests compare with.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from lsm.vectordb.base import ANYWHERE, Scored
from lsm.vectordb.documents import documents_where
from lsm.vectordb.resident import REWRITTEN, ResidentVectors
from lsm.vectordb.resident_words import ResidentWords
from lsm.vectordb.spaces import dimension_of
from lsm.vectordb.sqlite_words import expression, quoted
from lsm.vectordb.vector_blocks import block_problems, seal, seal_anew, unseal
from lsm.vectordb.vectors import STORED, checked, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from typing import LiteralString

    from numpy.typing import NDArray

    from lsm.db import Database
    from lsm.vectordb.base import IndexEntry, TextQuery, Vector, Where

# Candidates whose cosine is taken exactly besides the k: codes of eight bits swap near neighbours.
_SPARE = 32
MAX_TERMS = 12  # OR-ing every word of a long question costs eight times as much, and ranks worse

_ADD_TEXT = """
INSERT INTO chunks_fts (rowid, title, heading, text) VALUES (:chunk_id, :title, :heading, :text)
"""
_REMOVE_TEXT = """
INSERT INTO chunks_fts (chunks_fts, rowid, title, heading, text)
SELECT 'delete', chunk_id, title, heading, text FROM lsm_chunks
 WHERE chunk_id IN :ids[]
   AND chunk_id IN (SELECT id FROM chunks_fts_docsize)  -- taking out twice damages the index
"""
# Taking words out of their pages at once costs 1 ms a chunk; noting that they are out costs a
# tenth of it, and `compact` then writes the pages anew without them.
_AT_ONCE = "INSERT INTO chunks_fts (chunks_fts, rank) VALUES ('secure-delete', :on)"
# Negative: everything into one, from here on; FTS5 goes on with what is begun at each call.
_MERGE_ALL = "INSERT INTO chunks_fts (chunks_fts, rank) VALUES ('merge', -:pages)"
_MERGE_ON = "INSERT INTO chunks_fts (chunks_fts, rank) VALUES ('merge', :pages)"
_CHANGES = "SELECT total_changes()"
_MERGED_PAGES = 1000  # about 50 ms
_REBUILD = "INSERT INTO chunks_fts (chunks_fts) VALUES ('rebuild')"
_ADD_VECTOR = """
INSERT INTO vec_chunks (chunk_id, space_id, embedding) VALUES (:chunk_id, :space_id, :embedding)
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
# CROSS JOIN fixes the order: left to choose, SQLite walks all vectors for every batch of hashes.
_KNOWN = """
SELECT c.text_hash, v.embedding
  FROM lsm_chunks c CROSS JOIN vec_chunks v ON v.chunk_id = c.chunk_id
 WHERE c.text_hash IN :hashes[] AND v.space_id = :space_id
"""
_VECTORS_OF = """
SELECT chunk_id, embedding FROM vec_chunks
 WHERE chunk_id IN :ids[] AND space_id = :space_id
"""
_VALID_VECTORS = """
SELECT v.chunk_id, v.embedding
  FROM lsm_chunks c CROSS JOIN vec_chunks v ON v.chunk_id = c.chunk_id
 WHERE c.chunk_id IN :ids[] AND v.space_id = :space_id
   AND c.version_in <= :version AND (c.version_out IS NULL OR c.version_out > :version)
"""
_OUTDATED = """
SELECT chunk_id FROM vec_chunks WHERE space_id < :id
UNION ALL
SELECT chunk_id FROM vec_chunks WHERE space_id > :id
 LIMIT :limit
"""
# The weights: a word in the title says more about a chunk than one in its text.
# The best of all matches, whatever version they belong to: nearly always enough of them are valid.
_BEST_MATCHES = """
SELECT rowid, -rank FROM chunks_fts
 WHERE chunks_fts MATCH :match AND rank MATCH 'bm25(2.0, 1.5, 1.0)'
 ORDER BY rank LIMIT :limit
"""
_ALL_MATCHES = """
WITH matched AS MATERIALIZED (
    SELECT rowid AS chunk_id, bm25(chunks_fts, 2.0, 1.5, 1.0) AS badness
      FROM chunks_fts WHERE chunks_fts MATCH :match)
SELECT m.chunk_id, -m.badness
  FROM matched m JOIN lsm_chunks c ON c.chunk_id = m.chunk_id
 WHERE c.version_in <= :version AND (c.version_out IS NULL OR c.version_out > :version)
   AND (:anywhere OR c.document_id IN :documents[])
 ORDER BY m.badness, m.chunk_id LIMIT :k
"""
_VALID = """
SELECT chunk_id FROM lsm_chunks
 WHERE chunk_id IN :ids[]
   AND version_in <= :version AND (version_out IS NULL OR version_out > :version)
"""
_OF_DOCUMENTS = """
SELECT chunk_id FROM lsm_chunks
 WHERE document_id IN :documents[]
   AND version_in <= :version AND (version_out IS NULL OR version_out > :version)
"""
_OCCURS = "SELECT 1 FROM chunks_fts WHERE chunks_fts MATCH :match LIMIT 1"
_COUNT_MATCHES = """
SELECT count(*) FROM (SELECT 1 FROM chunks_fts WHERE chunks_fts MATCH :match LIMIT 50000)
"""
_WITHOUT_VECTOR = """
SELECT count(*) FROM lsm_chunks WHERE chunk_id NOT IN (SELECT chunk_id FROM vec_chunks)
"""
_SOME_WITHOUT_VECTOR = """
SELECT c.chunk_id FROM lsm_chunks c
 WHERE NOT EXISTS (SELECT 1 FROM vec_chunks v WHERE v.chunk_id = c.chunk_id)
 ORDER BY c.chunk_id LIMIT :limit
"""
_DROP_STRAYS = "DELETE FROM vec_chunks WHERE chunk_id NOT IN (SELECT chunk_id FROM lsm_chunks)"
_DROP_WRONG = """
DELETE FROM vec_chunks
 WHERE NOT EXISTS (SELECT 1 FROM lsm_vector_spaces s
                    WHERE s.space_id = vec_chunks.space_id
                      AND length(vec_chunks.embedding) = 2 * s.dimension)
"""
_WITHOUT_ROW = """
SELECT count(*) FROM vec_chunks WHERE chunk_id NOT IN (SELECT chunk_id FROM lsm_chunks)
"""
_WRONG_LENGTH = """
SELECT count(*)
  FROM vec_chunks v JOIN lsm_vector_spaces s ON s.space_id = v.space_id
 WHERE length(v.embedding) <> 2 * s.dimension
"""
_WITHOUT_TEXT = """
SELECT (SELECT count(*) FROM lsm_chunks WHERE chunk_id NOT IN (SELECT id FROM chunks_fts_docsize))
     + (SELECT count(*) FROM chunks_fts_docsize WHERE id NOT IN (SELECT chunk_id FROM lsm_chunks))
"""


class SqliteChunkIndex:
    """`ChunkIndex` in the SQLite file."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._resident: dict[int, ResidentVectors] = {}
        self._words = ResidentWords()
        self._asked_before = False

    def put(self, entries: Sequence[IndexEntry]) -> None:
        # Looked at before anything is written: a caller may catch the error and go on.
        vectors = self._rows((e.chunk_id, e.space_id, e.vector) for e in entries)
        texts = (
            {"chunk_id": e.chunk_id, "title": e.title, "heading": e.heading, "text": e.text}
            for e in entries
        )
        with self._db.transaction():
            self._db.many(_ADD_VECTOR, vectors)
            self._db.many(_ADD_TEXT, texts)
            for space_id in dict.fromkeys(entry.space_id for entry in entries):
                seal(self._db, space_id)

    def replace_vectors(self, space_id: int, vectors: Sequence[tuple[int, Vector]]) -> None:
        rows = self._rows((chunk_id, space_id, vector) for chunk_id, vector in vectors)
        with self._db.transaction():
            self._db.many(_SET_VECTOR, rows)
            unseal(self._db, [chunk_id for chunk_id, _ in vectors])
            seal(self._db, space_id)
            self._db.run(REWRITTEN)

    def remove(self, chunk_ids: Sequence[int]) -> None:
        ids = list(chunk_ids)
        with self._db.transaction():
            self._db.run(_AT_ONCE, on=0)
            self._db.run(_REMOVE_TEXT, ids=ids)
            self._db.run(_AT_ONCE, on=1)
            self._db.run(_REMOVE_VECTORS, ids=ids)
            unseal(self._db, ids)
            self._db.run(REWRITTEN)

    def compact(self) -> Iterator[None]:
        merge = _MERGE_ALL
        while self._merged(merge):
            merge = _MERGE_ON
            yield

    def without_vector(self, limit: int) -> list[int]:
        return [row[0] for row in self._db.tuples(_SOME_WITHOUT_VECTOR, limit=limit)]

    def mend(self) -> dict[str, int]:
        with self._db.transaction():
            strays = self._db.run(_DROP_STRAYS)
            wrong = self._db.run(_DROP_WRONG)
            self._db.run(_AT_ONCE, on=1)  # an index that was made anew does not have it yet
            self._db.run(_REBUILD)
            seal_anew(self._db)
            self._db.run(REWRITTEN)
            rows = self._db.tuples("SELECT count(*) FROM chunks_fts_docsize")[0][0]
        return {"vectors without chunk": strays, "wrong vectors": wrong, "texts indexed": rows}

    def matching(self, query: TextQuery, k: int, where: Where = ANYWHERE) -> list[Scored]:
        with self._db.snapshot():
            if self._answers_from_memory(query):
                return self._remembered(query, k, where)
            match = self._match(query)
            if not match:
                return []
            if where.by_document:
                return self._all_matching(match, k, where)
            best = self._db.tuples(_BEST_MATCHES, match=match, limit=4 * k)
            valid = self._valid([row[0] for row in best], where)
            found = [Scored(*row) for row in best if row[0] in valid]
            if len(found) < k and len(best) == 4 * k:
                return self._all_matching(match, k, where)  # old versions crowd the top
        return sorted(found, key=lambda scored: (-scored.score, scored.chunk_id))[:k]

    def occurring(self, words: Sequence[str]) -> set[str]:
        return {word for word in words if self._db.tuples(_OCCURS, match=quoted(word))}

    def nearest(
        self, query: Vector, space_id: int, k: int, where: Where = ANYWHERE
    ) -> list[Scored]:
        with self._db.snapshot():
            query = checked(query, self._dimension(space_id))
            resident = self._resident.setdefault(space_id, ResidentVectors(space_id))
            codes = resident.codes(self._db, len(query))
            among = None
            if where.by_document:
                allowed = self._allowed(where)
                among = np.flatnonzero(np.isin(codes.ids[: codes.count], allowed))
            width = k + _SPARE
            while True:
                ids, _ = codes.closest(query, width, among)
                found = self._exactly(query, space_id, ids, where)
                if len(found) >= k or len(ids) < width:
                    return found[:k]
                width *= 8  # old versions crowd the top: look further down

    def known_vectors(self, text_hashes: Sequence[str], space_id: int) -> dict[str, Vector]:
        rows = self._db.tuples(_KNOWN, hashes=list(text_hashes), space_id=space_id)
        return {text_hash: unpack(data) for text_hash, data in rows}

    def vectors_of(self, chunk_ids: Sequence[int], space_id: int) -> dict[int, Vector]:
        rows = self._db.tuples(_VECTORS_OF, ids=list(chunk_ids), space_id=space_id)
        return {chunk_id: unpack(data) for chunk_id, data in rows}

    def outdated(self, space_id: int, limit: int) -> list[int]:
        return [row[0] for row in self._db.tuples(_OUTDATED, id=space_id, limit=limit)]

    def disagreements(self) -> list[str]:
        counts = {
            "chunks have no vector": self._db.tuples(_WITHOUT_VECTOR)[0][0],
            "vectors have no chunk": self._db.tuples(_WITHOUT_ROW)[0][0],
            "vectors are not as long as their model's": self._db.tuples(_WRONG_LENGTH)[0][0],
            "chunks differ from the full-text index": self._db.tuples(_WITHOUT_TEXT)[0][0],
        }
        found = [f"{count} {what}" for what, count in counts.items() if count]
        return found + block_problems(self._db)

    def _rows(self, vectors: Iterable[tuple[int, int, Vector]]) -> list[dict[str, object]]:
        dimension = cache(self._dimension)  # for this call: a space may yet be rolled back
        return [
            {
                "chunk_id": chunk_id,
                "space_id": space_id,
                "embedding": pack(checked(vector, dimension(space_id))),
            }
            for chunk_id, space_id, vector in vectors
        ]

    def _merged(self, merge: LiteralString) -> bool:
        """Whether another step makes sense."""
        with self._db.transaction():
            before = self._db.tuples(_CHANGES)[0][0]
            self._db.run(merge, pages=_MERGED_PAGES)
            # What FTS5's documentation says to go by: fewer than two means that all is done.
            return self._db.tuples(_CHANGES)[0][0] - before >= 2

    def _dimension(self, space_id: int) -> int:
        return dimension_of(self._db, space_id)

    def _match(self, query: TextQuery) -> str:
        """*query* as an FTS5 expression in which every word is a quoted string."""
        return expression(query.phrases, self._rarest(dict.fromkeys(query.words)))

    def _rarest(self, words: Collection[str]) -> list[str]:
        if len(words) <= MAX_TERMS:
            return list(words)
        counts = {word: self._db.tuples(_COUNT_MATCHES, match=quoted(word))[0][0] for word in words}
        return sorted((word for word in words if counts[word]), key=counts.__getitem__)[:MAX_TERMS]

    def _answers_from_memory(self, query: TextQuery) -> bool:
        """Whether the shares of each word are worth having: not in a process that asks once."""
        before, self._asked_before = self._asked_before, True
        return before and not query.phrases and not self._db.in_transaction

    def _remembered(self, query: TextQuery, k: int, where: Where) -> list[Scored]:
        words = self._rarest(dict.fromkeys(query.words))
        ids, scores = self._words.scores(self._db, words)
        if where.by_document:
            among = np.isin(ids, self._allowed(where))
            return _best(ids[among], scores[among], k)
        width = 2 * k
        while True:
            best = _best(ids, scores, width)
            valid = self._valid([scored.chunk_id for scored in best], where)
            found = [scored for scored in best if scored.chunk_id in valid]
            if len(found) >= k or len(best) < width:
                return found[:k]
            width *= 8  # old versions crowd the top: look further down

    def _all_matching(self, match: str, k: int, where: Where) -> list[Scored]:
        rows = self._db.tuples(
            _ALL_MATCHES,
            match=match,
            version=where.version,
            anywhere=not where.by_document,
            documents=documents_where(self._db, where) if where.by_document else [],
            k=k,
        )
        return [Scored(*row) for row in rows]

    def _valid(self, ids: list[int], where: Where) -> set[int]:
        return {row[0] for row in self._db.tuples(_VALID, ids=ids, version=where.version)}

    def _allowed(self, where: Where) -> NDArray[np.int64]:
        documents = documents_where(self._db, where)
        rows = self._db.tuples(_OF_DOCUMENTS, documents=documents, version=where.version)
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))

    def _exactly(
        self, query: Vector, space_id: int, ids: NDArray[np.int64], where: Where
    ) -> list[Scored]:
        """Those of *ids* that are valid, by the cosine of what is stored, closest first."""
        rows = self._db.tuples(
            _VALID_VECTORS, ids=ids.tolist(), space_id=space_id, version=where.version
        )
        if not rows:
            return []
        matrix = np.frombuffer(b"".join([row[1] for row in rows]), STORED).astype(np.float32)
        matrix = matrix.reshape(len(rows), -1)
        # float16 has moved their lengths by up to 0.0005: as much as two neighbours differ.
        scores = (matrix @ query) / np.linalg.norm(matrix, axis=1)
        # Rounding may take the cosine of a vector with itself a little beyond 1.
        scores = np.clip(scores, -1.0, 1.0)
        found = np.array([row[0] for row in rows])
        return [Scored(int(found[i]), float(scores[i])) for i in np.lexsort((found, -scores))]


def _best(ids: NDArray[np.int64], scores: NDArray[np.float64], k: int) -> list[Scored]:
    if len(ids) > k:
        # All that are as good as the k-th, so that ties are broken by id and not by luck.
        border = np.partition(scores, len(scores) - k)[len(scores) - k]
        among = np.flatnonzero(scores >= border)
        ids, scores = ids[among], scores[among]
    order = np.lexsort((ids, -scores))[:k]
    return [Scored(int(ids[i]), float(scores[i])) for i in order]
