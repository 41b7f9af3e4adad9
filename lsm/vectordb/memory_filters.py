"""What a `MemoryWhere` is in SQL: only the conditions it has, the rarest label leading.

Tags, and short texts and truths in a value, are rows of `memory_labels`: a filter by them reads
the memories it allows and no others. What no label says is compared in the JSON of what is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import LiteralString

    from lsm.db import Database
    from lsm.vectordb.memory_index import MemoryWhere

_ALLOWED = """
  FROM lsm_active_memories m
 WHERE (m.expires_at IS NULL OR m.expires_at > :now)
"""
_LABELLED = """
  FROM memory_labels l JOIN lsm_active_memories m ON m.number = l.number
 WHERE l.label = :label AND (m.expires_at IS NULL OR m.expires_at > :now)
"""
_EVERY_LABEL = """
   AND (SELECT count(*) FROM memory_labels o
         WHERE o.number = l.number AND o.label IN :labels[]) = :label_count
"""
_OF_TYPE = " AND m.memory_type = :type"
_OF_TYPES = " AND m.memory_type IN :types[]"
_OF_TRUSTS = " AND m.trust IN :trusts[]"
_KEYED = " AND m.memory_key = :key"
# A range of the index on scopes.
_BELOW = """
   AND m.scope >= :scope AND m.scope < :scope_end
   AND (m.scope = :scope OR (:below AND substr(m.scope, length(:scope) + 1, 1) = '/'))
"""
_COUNT = """
SELECT count(*) FROM (SELECT 1 FROM memory_labels WHERE label = :label LIMIT :limit) AS part
"""
_LONGEST = 100  # characters of a name or text that has a label, as migration 0007 says
_MANY = 1000  # rows of a label: whether it is more does not matter any more


@dataclass(frozen=True)
class Filter:
    """FROM and WHERE of the memories that may be found, aliased `m`."""

    sql: LiteralString
    params: Mapping[str, Any]
    number: LiteralString  # the column that is read in order
    labelled: bool


def compiled(db: Database, where: MemoryWhere, members: LiteralString) -> Filter:
    """*where* as SQL.

    Args:
        db: is asked which of several labels is the rarest.
        where: what may be found.
        members: the engine's condition that the value has the members in `:value`, as JSON.
    """
    labels, rest = _labels(where)
    sql = _LABELLED if labels else _ALLOWED
    if len(labels) > 1:
        labels = _rarest_first(db, labels)
        sql += _EVERY_LABEL
    if where.types:
        sql += _OF_TYPE if len(where.types) == 1 else _OF_TYPES
    if where.trusts:
        sql += _OF_TRUSTS
    if where.key is not None:
        sql += _KEYED
    if where.scope:
        sql += _BELOW
    if rest:
        sql += members
    number = "l.number" if labels else "m.number"
    return Filter(sql, _given(where, labels, rest), number, bool(labels))


def _given(where: MemoryWhere, labels: list[str], rest: Mapping[str, Any]) -> dict[str, Any]:
    params: dict[str, Any] = {"now": where.now}
    if labels:
        params |= {"label": labels[0], "labels": labels[1:], "label_count": len(labels) - 1}
    if where.types:
        params |= {"type": where.types[0], "types": list(where.types)}
    if where.trusts:
        params["trusts"] = list(where.trusts)
    if where.key is not None:
        params["key"] = where.key
    if where.scope:
        # The character after "/": where what lies below the scope ends.
        params |= {"scope": where.scope, "scope_end": where.scope + "0"}
        params["below"] = not where.exact_scope
    if rest:
        # Looked for in the JSON's text before it is parsed, which is most of the cost.
        params |= {"value": _json(rest), "some_member": _member(rest)}
    return params


def _labels(where: MemoryWhere) -> tuple[list[str], dict[str, Any]]:
    """The labels that are asked for, and the members of the value that have none."""
    labels = {f"t:{tag}" for tag in where.tags}
    rest: dict[str, Any] = {}
    for name, wanted in (where.value or {}).items():
        label = _label(name, wanted)
        if label is None:
            rest[name] = wanted
        else:
            labels.add(label)
    return sorted(labels), rest


def _label(name: str, wanted: object) -> str | None:
    if "=" in name or len(name) > _LONGEST:
        return None
    if isinstance(wanted, bool):
        return f"b:{name}={'true' if wanted else 'false'}"
    if isinstance(wanted, str) and len(wanted) <= _LONGEST:
        return f"v:{name}={wanted}"
    return None


def _rarest_first(db: Database, labels: Sequence[str]) -> list[str]:
    counts = {label: db.tuples(_COUNT, label=label, limit=_MANY)[0][0] for label in labels}
    return sorted(labels, key=counts.__getitem__)


def _member(value: Mapping[str, object]) -> str:
    """A member of *value* as it is spelled in stored JSON; "" if it can be spelled otherwise."""
    for name, wanted in value.items():
        if isinstance(wanted, (str, bool)):  # and not numbers: 1 is 1.0
            return f"{_json(name)}:{_json(wanted)}"
    return ""


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
