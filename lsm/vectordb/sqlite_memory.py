"""The memory index in the SQLite file: FTS5, and vectors as rows that numpy compares."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from lsm.vectordb.memory_index import COMMON, Found
from lsm.vectordb.resident_memories import REWRITTEN, ResidentMemories
from lsm.vectordb.vectors import STORED, checked, pack

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import LiteralString

    from numpy.typing import NDArray

    from lsm.db import Database
    from lsm.vectordb.base import TextQuery, Vector
    from lsm.vectordb.memory_index import MemoryWhere

_WORD = re.compile(r"\w+")

FEW = 5000  # so many vectors are read from the file faster than a resident table is checked

# The one place that says what may be found. _BELOW adds a range of the index on scopes.
_ALLOWED = """
  FROM lsm_active_memories m
 WHERE (m.expires_at IS NULL OR m.expires_at > :now)
   AND (:any_type OR m.memory_type IN :types[])
   AND (:any_trust OR m.trust IN :trusts[])
   AND (:key IS NULL OR m.memory_key = :key)
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
_BELOW = """
   AND m.scope >= :scope AND m.scope < :scope_end
   AND (m.scope = :scope OR (:below AND substr(m.scope, length(:scope) + 1, 1) = '/'))
"""
_LISTED = "SELECT m.number" + _ALLOWED + " AND m.number < :before"
_NEWEST = " ORDER BY m.number DESC LIMIT :limit"
# The plus: sorting the few of a scope beats walking down all memories in search of them.
_NEWEST_OF_SCOPE = " ORDER BY +m.number DESC LIMIT :limit"
_SOME = "SELECT m.number" + _ALLOWED
_AMONG = " AND m.number IN :numbers[]"
_AT_MOST = " LIMIT :limit"
_SCOPES = "SELECT m.scope, count(*), max(m.created_at)" + _ALLOWED
_BY_SCOPE = " GROUP BY m.scope ORDER BY m.scope"
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
# Beginnings of words, by which FTS5 finds the page of a word: they outlive the words themselves.
_SIGNPOSTS = "SELECT DISTINCT substr(CAST(term AS TEXT), 2) FROM memories_fts_idx"
_REBUILD = "INSERT INTO memories_fts (memories_fts) VALUES ('rebuild')"
_TAKE = """
UPDATE lsm_counters SET next_value = next_value + :count
 WHERE name = 'memory_vector' RETURNING next_value
"""
_PUT = """
INSERT INTO vec_memories (number, model, changed, embedding)
VALUES (:number, :model, :changed, :embedding)
    ON CONFLICT (number) DO UPDATE
   SET model = excluded.model, changed = excluded.changed, embedding = excluded.embedding
"""
_WITHOUT = """
SELECT m.number FROM lsm_active_memories m
 WHERE NOT EXISTS (SELECT 1 FROM vec_memories v WHERE v.number = m.number AND v.model = :model)
 ORDER BY m.number LIMIT :limit
"""
_ORPHANS = """
SELECT (SELECT count(*) FROM vec_memories
         WHERE number NOT IN (SELECT number FROM lsm_active_memories)),
       (SELECT count(*) FROM lsm_active_memories
         WHERE number NOT IN (SELECT id FROM memories_fts_docsize)),
       (SELECT count(*) FROM memories_fts_docsize
         WHERE id NOT IN (SELECT number FROM lsm_active_memories))
"""


class SqliteMemoryIndex:
    """`MemoryIndex` in the SQLite file."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._resident: dict[str, ResidentMemories] = {}

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
                    "embedding": pack(checked(vector, len(vector))),
                }
                for changed, (number, vector) in enumerate(vectors, beyond - len(vectors))
            ),
        )

    def forget(self, texts: Sequence[str]) -> None:
        self._db.run(REWRITTEN)
        self._resident.clear()
        words = {word for text in texts for word in _WORD.findall(_plain(text))}
        if any(self._betrays(row[0], words) for row in self._db.tuples(_SIGNPOSTS)):
            self._db.run(_REBUILD)

    def traces(self, number: int) -> list[bytes]:
        return [row[0] for row in self._db.tuples(_VECTOR, number=number)]

    def without_vector(self, model: str, limit: int) -> list[int]:
        return [row[0] for row in self._db.tuples(_WITHOUT, model=model, limit=limit)]

    def listed(self, where: MemoryWhere, limit: int, before: int | None = None) -> list[int]:
        sql = _LISTED + (_BELOW + _NEWEST_OF_SCOPE if where.scope else _NEWEST)
        before = 2**62 if before is None else before
        return [row[0] for row in self._ask(sql, where, limit=limit, before=before)]

    def scopes(self, where: MemoryWhere) -> list[tuple[str, int, str]]:
        sql = _SCOPES + (_BELOW + _BY_SCOPE if where.scope else _BY_SCOPE)
        return [(scope, count, newest) for scope, count, newest in self._ask(sql, where)]

    def matching(self, query: TextQuery, k: int, where: MemoryWhere) -> list[Found]:
        match = _expression(query.phrases, self._telling(query.words))
        if not match:
            return []
        if not where.narrow:
            # Nearly every match is allowed: the best of all, then a look at which still are.
            best = self._db.tuples(_BEST_MATCHES, match=match, limit=2 * k)
            valid = self._among([row[0] for row in best], where)
            found = [Found(*row) for row in best if row[0] in valid]
            if len(found) >= k or len(best) < 2 * k:
                return sorted(found, key=_rank)[:k]
        sql = _MATCHES + _ALLOWED + (_BELOW + _BEST_FIRST if where.scope else _BEST_FIRST)
        return [Found(*row) for row in self._ask(sql, where, match=match, k=k)]

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
            # The character after "/": where what lies below the scope ends.
            scope_end=where.scope + "0",
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

    def _betrays(self, signpost: str, words: set[str]) -> bool:
        """Whether *signpost* begins one of *words* and no word that is still there."""
        # Its last letter may be the stemmer's.
        start = signpost[:-1] or signpost
        if not signpost or not any(word.startswith(start) for word in words):
            return False
        return not self._db.tuples(_COUNT, match=_quoted(signpost) + "*", limit=1)[0][0]

    def _telling(self, words: Sequence[str]) -> list[str]:
        """*words* without those that thousands of memories have, where rarer ones are asked for."""
        counts = {
            word: self._db.tuples(_COUNT, match=_quoted(word), limit=COMMON)[0][0] for word in words
        }
        return [word for word in words if counts[word] < COMMON] or list(words)

    def _allowed(self, where: MemoryWhere, limit: int) -> list[int]:
        sql = _SOME + (_BELOW + _AT_MOST if where.scope else _AT_MOST)
        return [row[0] for row in self._ask(sql, where, limit=limit)]

    def _among(self, numbers: list[int], where: MemoryWhere) -> set[int]:
        sql = _SOME + (_BELOW + _AMONG if where.scope else _AMONG)
        return {row[0] for row in self._ask(sql, where, numbers=numbers)}

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


def _plain(text: str) -> str:
    """*text* in small letters without accents, as the index spells it."""
    apart = unicodedata.normalize("NFD", text)
    return "".join(c for c in apart if not unicodedata.combining(c)).casefold()


def _rank(found: Found) -> tuple[float, int]:
    return -found.score, found.number


def _expression(phrases: Sequence[Sequence[str]], words: Sequence[str]) -> str:
    """An FTS5 expression in which every word is a quoted string."""
    every = " AND ".join(_quoted(" ".join(phrase)) for phrase in phrases)
    some = " OR ".join(_quoted(word) for word in words)
    if every and some:
        return f"({every}) OR (({every}) AND ({some}))"
    return every or some


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
