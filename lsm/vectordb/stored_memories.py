"""What the memory indexes of both engines have in common: filters, vectors in, what must agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsm.vectordb.memory_filters import compiled
from lsm.vectordb.vectors import checked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import LiteralString

    from lsm.db import Database
    from lsm.vectordb.base import Vector
    from lsm.vectordb.memory_filters import Filter
    from lsm.vectordb.memory_index import MemoryWhere

NUMBERS = "SELECT m.number"
_NEWEST = " AND {number} < :before ORDER BY {number} DESC LIMIT :limit"
# The plus: sorting the few of a scope beats walking down all memories in search of them.
_NEWEST_OF_SCOPE = " AND m.number < :before ORDER BY +m.number DESC LIMIT :limit"
# Where a scope holds many, the last ones of all usually hold as many as are asked for.
_LATEST_FIRST = """
   AND m.number < :before AND m.number >= :floor ORDER BY m.number DESC LIMIT :limit
"""
_WIDE, _LATEST = 2000, 10_000
_IN_SCOPE = """
SELECT count(*) FROM (SELECT 1 FROM lsm_active_memories
                       WHERE scope >= :scope AND scope < :scope_end LIMIT :limit) AS part
"""
_NEXT = "SELECT next_value FROM lsm_counters WHERE name = 'memory'"
_SCOPES = "SELECT m.scope, count(*), max(m.created_at)"
_BY_SCOPE = " GROUP BY m.scope ORDER BY m.scope"
_TAKE = """
UPDATE lsm_counters SET next_value = next_value + :count
 WHERE name = 'memory_vector' RETURNING next_value
"""
_PUT = """
INSERT INTO vec_memories (number, model, changed, embedding)
VALUES (:number, :model, :changed, {embedding})
    ON CONFLICT (number) DO UPDATE
   SET model = excluded.model, changed = excluded.changed, embedding = excluded.embedding
"""
DROP_STRAYS = """
DELETE FROM vec_memories
 WHERE number NOT IN (SELECT number FROM lsm_active_memories)
"""
# Of one model they are all as long, and where the library has vectors of it, as long as those.
_LENGTHS = """
SELECT v.model, {bytes} AS bytes, count(*),
       (SELECT 2 * max(s.dimension) FROM lsm_vector_spaces s WHERE s.embedding_model = v.model)
  FROM vec_memories v GROUP BY v.model, {bytes} ORDER BY count(*) DESC, bytes DESC
"""
_DROP_LENGTH = "DELETE FROM vec_memories AS v WHERE v.model = :model AND {bytes} = :bytes"
_DROP_LABELS = "DELETE FROM memory_labels"
_WRITE_LABELS = """
INSERT INTO memory_labels (number, label) SELECT number, label FROM lsm_memory_labels
"""
LABELS_THAT_DIFFER = """
       (SELECT count(*) FROM (SELECT number, label FROM memory_labels
                              EXCEPT SELECT number, label FROM lsm_memory_labels) AS extra)
     + (SELECT count(*) FROM (SELECT number, label FROM lsm_memory_labels
                              EXCEPT SELECT number, label FROM memory_labels) AS missing)
"""
_WITHOUT = """
SELECT m.number FROM lsm_active_memories m
 WHERE NOT EXISTS (SELECT 1 FROM vec_memories v WHERE v.number = m.number AND v.model = :model)
 ORDER BY m.number LIMIT :limit
"""


@dataclass(frozen=True)
class Dialect:
    """What an engine writes in its own way."""

    members: LiteralString  # the condition that a value has the members in :value, a JSON object
    embedding: LiteralString  # the parameter of that name, as a value of its column
    packed: Callable[[Vector], object]  # what is passed for it
    bytes: LiteralString  # how long the vector of v is, two bytes a number
    # Vectors without memory, memories without words, and the reverse; labels that are wrong.
    orphans: LiteralString


class StoredMemories:
    """The part of `MemoryIndex` that is alike on both engines."""

    def __init__(self, db: Database, dialect: Dialect) -> None:
        self._db = db
        self._dialect = dialect

    def put(self, model: str, vectors: Sequence[tuple[int, Vector]]) -> None:
        """See `MemoryIndex.put`."""
        if not vectors:
            return
        beyond = self._db.tuples(_TAKE, count=len(vectors))[0][0]
        self._db.many(
            _PUT.format(embedding=self._dialect.embedding),
            (
                {
                    "number": number,
                    "model": model,
                    "changed": changed,
                    "embedding": self._dialect.packed(checked(vector, len(vector))),
                }
                for changed, (number, vector) in enumerate(vectors, beyond - len(vectors))
            ),
        )

    def label_again(self) -> None:
        """Write every label anew, in the caller's transaction."""
        self._db.run(_DROP_LABELS)
        self._db.run(_WRITE_LABELS)

    def without_vector(self, model: str, limit: int) -> list[int]:
        """See `MemoryIndex.without_vector`."""
        return [row[0] for row in self._db.tuples(_WITHOUT, model=model, limit=limit)]

    def listed(self, where: MemoryWhere, limit: int, before: int | None = None) -> list[int]:
        """See `MemoryIndex.listed`."""
        before = 2**62 if before is None else before
        allowed = self._filter(where)
        if where.scope and not allowed.labelled and self._wide(where):
            found = self._latest(where, limit, before)
            if len(found) == limit:
                return found
        newest = _NEWEST.format(number=allowed.number)
        if where.scope and not allowed.labelled:
            newest = _NEWEST_OF_SCOPE
        return [row[0] for row in self._ask(NUMBERS, allowed, newest, limit=limit, before=before)]

    def _wide(self, where: MemoryWhere) -> bool:
        """Whether so many memories lie in the scope that sorting them all costs the most."""
        asked = {"scope": where.scope, "scope_end": where.scope + "0", "limit": _WIDE}
        return self._db.tuples(_IN_SCOPE, **asked)[0][0] == _WIDE

    def _latest(self, where: MemoryWhere, limit: int, before: int) -> list[int]:
        """As `listed`, among the last memories before *before* alone."""
        last = min(before, self._db.tuples(_NEXT)[0][0])
        numbers = {"before": before, "floor": last - _LATEST, "limit": limit}
        return [row[0] for row in self._ask(NUMBERS, self._filter(where), _LATEST_FIRST, **numbers)]

    def scopes(self, where: MemoryWhere) -> list[tuple[str, int, str]]:
        """See `MemoryIndex.scopes`."""
        rows = self._ask(_SCOPES, self._filter(where), _BY_SCOPE)
        return [(scope, count, at) for scope, count, at in rows]

    def disagreements(self) -> list[str]:
        """See `MemoryIndex.disagreements`."""
        vectors, unindexed, orphans, labels = self._db.tuples(self._dialect.orphans)[0]
        counts = {
            "vectors have no active memory": vectors,
            "active memories are not in the full-text index": unindexed,
            "entries of the full-text index have no active memory": orphans,
            "labels of memories are missing, or too many": labels,
            "vectors of memories are not as long as their model's": sum(
                count for _, _, count in self._misfits()
            ),
        }
        return [f"{count} {what}" for what, count in counts.items() if count]

    def drop_misfits(self) -> int:
        """Drop vectors that are not as long as their model's, in the caller's transaction."""
        drop = _DROP_LENGTH.format(bytes=self._dialect.bytes)
        return sum(
            self._db.run(drop, model=model, bytes=length) for model, length, _ in self._misfits()
        )

    def _misfits(self) -> list[tuple[str, int, int]]:
        """Model, bytes and number of vectors that are not as long as their model's."""
        right: dict[str, int] = {}
        found: list[tuple[str, int, int]] = []
        lengths = self._db.tuples(_LENGTHS.format(bytes=self._dialect.bytes))
        for model, length, count, known in lengths:
            if length != right.setdefault(model, known or length):
                found.append((model, length, count))
        return found

    def _ask(
        self, what: LiteralString, allowed: Filter, rest: LiteralString = "", **more: object
    ) -> list[tuple[Any, ...]]:
        """The rows of *what*, a SELECT, from the memories that are allowed; *rest* goes on."""
        return self._db.tuples(what + allowed.sql + rest, **allowed.params, **more)

    def _filter(self, where: MemoryWhere) -> Filter:
        return compiled(self._db, where, self._dialect.members)
