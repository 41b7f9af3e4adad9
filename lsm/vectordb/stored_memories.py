"""What the memory indexes of both engines have in common: filters, vectors in, what must agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from lsm.vectordb.vectors import checked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import LiteralString

    from lsm.db import Database
    from lsm.vectordb.base import Vector
    from lsm.vectordb.memory_index import MemoryWhere

# A range of the index on scopes.
_BELOW = """
   AND m.scope >= :scope AND m.scope < :scope_end
   AND (m.scope = :scope OR (:below AND substr(m.scope, length(:scope) + 1, 1) = '/'))
"""
NUMBERS = "SELECT m.number"
_OLDER = " AND m.number < :before"
_NEWEST = _OLDER + " ORDER BY m.number DESC LIMIT :limit"
# The plus: sorting the few of a scope beats walking down all memories in search of them.
_NEWEST_OF_SCOPE = _OLDER + " ORDER BY +m.number DESC LIMIT :limit"
# Where a scope holds many, the last ones of all usually hold as many as are asked for.
_LATEST_FIRST = _OLDER + " AND m.number >= :floor ORDER BY m.number DESC LIMIT :limit"
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
_WITHOUT = """
SELECT m.number FROM lsm_active_memories m
 WHERE NOT EXISTS (SELECT 1 FROM vec_memories v WHERE v.number = m.number AND v.model = :model)
 ORDER BY m.number LIMIT :limit
"""


@dataclass(frozen=True)
class Dialect:
    """What an engine writes in its own way."""

    allowed: LiteralString  # FROM and WHERE: the one place that says what may be found
    embedding: LiteralString  # the parameter of that name, as a value of its column
    packed: Callable[[Vector], object]  # what is passed for it
    orphans: LiteralString  # vectors without memory, memories without words, and the reverse


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

    def without_vector(self, model: str, limit: int) -> list[int]:
        """See `MemoryIndex.without_vector`."""
        return [row[0] for row in self._db.tuples(_WITHOUT, model=model, limit=limit)]

    def listed(self, where: MemoryWhere, limit: int, before: int | None = None) -> list[int]:
        """See `MemoryIndex.listed`."""
        before = 2**62 if before is None else before
        if where.scope and self._wide(where):
            found = self._latest(where, limit, before)
            if len(found) == limit:
                return found
        newest = _NEWEST_OF_SCOPE if where.scope else _NEWEST
        return [row[0] for row in self._ask(NUMBERS, where, newest, limit=limit, before=before)]

    def _wide(self, where: MemoryWhere) -> bool:
        """Whether so many memories lie in the scope that sorting them all costs the most."""
        asked = {"scope": where.scope, "scope_end": where.scope + "0", "limit": _WIDE}
        return self._db.tuples(_IN_SCOPE, **asked)[0][0] == _WIDE

    def _latest(self, where: MemoryWhere, limit: int, before: int) -> list[int]:
        """As `listed`, among the last memories before *before* alone."""
        last = min(before, self._db.tuples(_NEXT)[0][0])
        numbers = {"before": before, "floor": last - _LATEST, "limit": limit}
        return [row[0] for row in self._ask(NUMBERS, where, _LATEST_FIRST, **numbers)]

    def scopes(self, where: MemoryWhere) -> list[tuple[str, int, str]]:
        """See `MemoryIndex.scopes`."""
        return [(scope, count, at) for scope, count, at in self._ask(_SCOPES, where, _BY_SCOPE)]

    def disagreements(self) -> list[str]:
        """See `MemoryIndex.disagreements`."""
        vectors, unindexed, orphans = self._db.tuples(self._dialect.orphans)[0]
        counts = {
            "vectors have no active memory": vectors,
            "active memories are not in the full-text index": unindexed,
            "entries of the full-text index have no active memory": orphans,
        }
        return [f"{count} {what}" for what, count in counts.items() if count]

    def _ask(
        self, what: LiteralString, where: MemoryWhere, rest: LiteralString = "", **more: object
    ) -> list[tuple[Any, ...]]:
        """The rows of *what*, a SELECT, from the memories *where* allows; *rest* goes on."""
        sql = what + self._from(where) + rest
        return self._db.tuples(sql, **given(where), **more)

    def _from(self, where: MemoryWhere) -> LiteralString:
        return self._dialect.allowed + (_BELOW if where.scope else "")


def given(where: MemoryWhere) -> dict[str, Any]:
    """*where* as parameters of `Dialect.allowed`."""
    return {
        "now": where.now,
        "scope": where.scope,
        # The character after "/": where what lies below the scope ends.
        "scope_end": where.scope + "0",
        "below": not where.exact_scope,
        "any_type": not where.types,
        "types": list(where.types),
        "any_trust": not where.trusts,
        "trusts": list(where.trusts),
        "key": where.key,
        "no_tags": not where.tags,
        "tags": _json(where.tags),
        "value": None if where.value is None else _json(where.value),
        # Looked for in the JSON's text before it is parsed, which is most of the cost of a filter.
        "some_tag": _json(where.tags[0]) if where.tags else "",
        "some_member": _member(where.value or {}),
    }


def _member(value: Mapping[str, object]) -> str:
    """A member of *value* as it is spelled in stored JSON; "" if it can be spelled otherwise."""
    for name, wanted in value.items():
        if isinstance(wanted, (str, bool)):  # and not numbers: 1 is 1.0
            return f"{_json(name)}:{_json(wanted)}"
    return ""


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
