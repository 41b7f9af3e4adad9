"""The table of memories and its history: every change of a row writes its revision with it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import msgspec

from lsm.agents.memory.values import Memory
from lsm.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import LiteralString

    from lsm.db import Database
    from lsm.vectordb.memory_index import MemoryWhere

_SELECT = """
SELECT number, id, memory_type, memory_key, text, text_hash, value_json, scope, tags_json,
       confidence, status, trust, pinned, author, source_run_id, version, created_at, updated_at,
       last_used_at, last_verified_at, expires_at, deleted_at, stale_since, superseded_by
"""
_ALL = _SELECT + "  FROM lsm_agent_memories"
_BY_ID = _ALL + " WHERE id IN :ids[]"
_BY_NUMBER = _ALL + " WHERE number IN :numbers[]"
_OF_RUN = _ALL + " WHERE source_run_id = :run_id ORDER BY number"
_SAME = (
    _ALL
    + """
 WHERE text_hash = :text_hash AND scope = :scope AND memory_type = :memory_type
   AND coalesce(memory_key, '') = :memory_key
   AND status IN ('pending', 'active', 'quarantined', 'rejected')
"""
)
_SAME_WORDS = _ALL + " WHERE text_hash = :text_hash AND status = 'active' ORDER BY number LIMIT 1"
_HIDDEN = """
 WHERE status = :status AND status <> 'active' AND number < :before
   AND (:scope = '' OR scope = :scope OR substr(scope, 1, length(:scope) + 1) = :scope || '/')
   AND (:any_type OR memory_type IN :types[])
   AND (:any_trust OR trust IN :trusts[])
   AND (SELECT count(*) FROM memory_labels l
         WHERE l.number = lsm_agent_memories.number AND l.label IN :labels[]) = :label_count
 ORDER BY number DESC LIMIT :limit
"""
_WITH_STATUS = _ALL + _HIDDEN
_OVERDUE = (
    _ALL
    + """
 WHERE expires_at <= :now AND status IN ('active', 'pending') ORDER BY number
"""
)
# Views of the same rows that only ever hold what may be recalled.
_VISIBLE = (
    _SELECT
    + """  FROM lsm_active_memories
 WHERE id = :id AND (expires_at IS NULL OR expires_at > :now)
"""
)
# The newest is chosen here: sorting one row costs the engine more than finding it.
_KEYED = (
    _SELECT
    + """  FROM lsm_active_memories
 WHERE memory_key = :memory_key AND scope = :scope
   AND (CAST(:memory_type AS TEXT) IS NULL OR memory_type = :memory_type)
   AND (expires_at IS NULL OR expires_at > :now)
"""
)
_TAKE = """
UPDATE lsm_counters SET next_value = next_value + :count
 WHERE name = 'memory' RETURNING next_value
"""
_INSERT = """
INSERT INTO lsm_agent_memories (
       number, id, memory_type, memory_key, text, text_hash, value_json, scope, tags_json,
       confidence, status, trust, pinned, author, source_run_id, version, created_at, updated_at,
       last_used_at, last_verified_at, expires_at, deleted_at, stale_since, superseded_by)
VALUES (:number, :id, :memory_type, :memory_key, :text, :text_hash, :value_json, :scope,
        :tags_json, :confidence, :status, :trust, :pinned, :author, :source_run_id, :version,
        :created_at, :updated_at, :last_used_at, :last_verified_at, :expires_at, :deleted_at,
        :stale_since, :superseded_by)
"""
# created_at is not among them: nothing changes it.
_UPDATE = """
UPDATE lsm_agent_memories
   SET memory_type = :memory_type, memory_key = :memory_key, text = :text,
       text_hash = :text_hash, value_json = :value_json, scope = :scope, tags_json = :tags_json,
       confidence = :confidence, status = :status, trust = :trust, pinned = :pinned,
       author = :author, source_run_id = :source_run_id, version = :version,
       updated_at = :updated_at, last_used_at = :last_used_at,
       last_verified_at = :last_verified_at, expires_at = :expires_at, deleted_at = :deleted_at,
       stale_since = :stale_since, superseded_by = :superseded_by
 WHERE id = :id AND version = :was
"""
# Changes nothing: on PostgreSQL the rows are ours until commit, so that a check made now holds.
_LOCK = "UPDATE lsm_agent_memories SET version = version WHERE id IN :ids[]"
_USED = """
UPDATE lsm_agent_memories SET last_used_at = :now WHERE id IN :ids[] AND status = 'active'
"""
_REVISION = """
INSERT INTO lsm_memory_revisions (memory_id, version, changed_at, action, author, reason, run_id,
                                  state_json)
VALUES (:memory_id, :version, :changed_at, :action, :author, :reason, :run_id, :state_json)
"""

# What a revision keeps: everything that can change, but for the times of use and verification.
STATE = (
    "type", "key", "text", "value", "scope", "tags", "confidence", "status", "trust", "pinned",
    "author", "source_run_id", "updated_at", "expires_at", "deleted_at", "stale_since",
    "superseded_by",
)  # fmt: skip
_COLUMNS = tuple(each.name for each in fields(Memory))
_VALUE, _TAGS, _PINNED = map(_COLUMNS.index, ("value", "tags", "pinned"))


@dataclass(frozen=True)
class Why:
    """Who changes something, when and what for."""

    at: str
    action: str
    author: str = ""
    reason: str = ""
    run_id: str | None = None


class MemoryRows:
    """Reads and writes rows of `lsm_agent_memories`, whatever their status."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def of_run(self, run_id: str) -> list[Memory]:
        """What a run wrote, whatever became of it since, in order."""
        return [_memory(row) for row in self._db.tuples(_OF_RUN, run_id=run_id)]

    def by_id(self, ids: Iterable[str]) -> dict[str, Memory]:
        """Memories of *ids*, by id; unknown ones are left out."""
        found = map(_memory, self._db.tuples(_BY_ID, ids=list(ids)))
        return {memory.id: memory for memory in found}

    def one(self, memory_id: str) -> Memory:
        """The memory, whatever its status.

        Raises:
            NotFoundError: there is none of that id.
        """
        found = self.by_id([memory_id])
        if memory_id not in found:
            raise NotFoundError("memory", memory_id)
        return found[memory_id]

    def visible(self, memory_id: str, now: str) -> Memory | None:
        """The memory, if it may be recalled."""
        return self._first(_VISIBLE, id=memory_id, now=now)

    def keyed(self, key: str, scope: str, memory_type: str | None, now: str) -> Memory | None:
        """The newest memory of that name that may be recalled."""
        rows = self._db.tuples(
            _KEYED, memory_key=key, scope=scope, memory_type=memory_type, now=now
        )
        return _memory(max(rows)) if rows else None  # the number is the first column

    def by_number(self, numbers: Sequence[int]) -> list[Memory]:
        """Memories in the order of *numbers*; those that have just gone are left out."""
        rows = self._db.tuples(_BY_NUMBER, numbers=list(numbers))
        found = {row[0]: _memory(row) for row in rows}
        return [found[number] for number in numbers if number in found]

    def same(self, memory: Memory) -> Memory | None:
        """The one other row that stands for the same words in the same scope, type and key."""
        return self._first(
            _SAME,
            text_hash=memory.text_hash,
            scope=memory.scope,
            memory_type=memory.type,
            memory_key=memory.key or "",
        )

    def same_words(self, text_hash: str) -> Memory | None:
        """An active memory of the same words in any scope."""
        return self._first(_SAME_WORDS, text_hash=text_hash)

    def with_status(self, status: str, where: MemoryWhere, before: int, limit: int) -> list[Memory]:
        """Memories of one status, numbered below *before*, newest first.

        Of *where*, scope, types, tags and trusts count.
        """
        rows = self._db.tuples(
            _WITH_STATUS,
            status=status,
            scope=where.scope,
            any_type=not where.types,
            types=list(where.types),
            any_trust=not where.trusts,
            trusts=list(where.trusts),
            labels=[f"t:{tag}" for tag in where.tags],
            label_count=len(where.tags),
            before=before,
            limit=limit,
        )
        return [_memory(row) for row in rows]

    def overdue(self, now: str) -> list[Memory]:
        """Active and pending rows whose time is over."""
        return [_memory(row) for row in self._db.tuples(_OVERDUE, now=now)]

    def take_number(self, count: int = 1) -> int:
        """The first of *count* new numbers. Until commit, nobody else on any engine takes one."""
        return self._db.tuples(_TAKE, count=count)[0][0] - count

    def lock(self, ids: Sequence[str]) -> None:
        """Until commit, nobody else changes these rows."""
        self._db.run(_LOCK, ids=list(ids))

    def insert(self, memory: Memory, why: Why) -> None:
        """Add a row and its first revision."""
        self._db.run(_INSERT, **columns(memory))
        self._revise(memory, why)

    def restore_row(self, memory: Memory) -> None:
        """Add a row whose revisions are brought along."""
        self._db.run(_INSERT, **columns(memory))

    def overwrite(self, memory: Memory) -> None:
        """Put another version in a row's place; its revisions are brought along."""
        row = columns(memory)
        del row["number"], row["created_at"]
        was = self.one(memory.id).version
        self._db.run(_UPDATE, **row, was=was)

    def change(self, was: Memory, why: Why, **changes: Any) -> Memory:
        """Change a row and write the revision; the memory as it is now.

        Raises:
            ConflictError: somebody else has changed it since *was* was read.
        """
        memory = replace(was, **changes, version=was.version + 1)
        row = columns(memory)
        del row["number"], row["created_at"]
        if not self._db.run(_UPDATE, **row, was=was.version):
            raise ConflictError(f"memory {was.id}: it has been changed by somebody else; read it")
        self._revise(memory, why)
        return memory

    def used(self, ids: Sequence[str], now: str) -> int:
        """Note that memories were used; how many of them are active."""
        return self._db.run(_USED, ids=list(ids), now=now)

    def _first(self, sql: LiteralString, **params: object) -> Memory | None:
        rows = self._db.tuples(sql, **params)
        return _memory(rows[0]) if rows else None

    def _revise(self, memory: Memory, why: Why) -> None:
        self._db.run(
            _REVISION,
            memory_id=memory.id,
            version=memory.version,
            changed_at=why.at,
            action=why.action,
            author=why.author,
            reason=why.reason,
            run_id=why.run_id,
            state_json=msgspec.json.encode(state(memory)).decode(),
        )


def state(memory: Memory) -> dict[str, Any]:
    """What a revision keeps of *memory*."""
    return {name: getattr(memory, name) for name in STATE}


def columns(memory: Memory) -> dict[str, object]:
    """*memory* as the parameters of a statement."""
    row = dict(vars(memory))
    row["memory_type"], row["memory_key"] = row.pop("type"), row.pop("key")
    row["value_json"] = msgspec.json.encode(row.pop("value")).decode()
    row["tags_json"] = msgspec.json.encode(row.pop("tags")).decode()
    return row


def _memory(row: tuple[Any, ...]) -> Memory:
    """The memory in a row of `_SELECT`, whose columns are in the order of the fields."""
    found = list(row)
    value, tags = found[_VALUE], found[_TAGS]
    found[_VALUE] = None if value == "null" else msgspec.json.decode(value)
    found[_TAGS] = () if tags == "[]" else tuple(msgspec.json.decode(tags))
    found[_PINNED] = bool(found[_PINNED])
    # Half the time of the constructor of a frozen class, and a get does hardly anything else.
    memory = object.__new__(Memory)
    vars(memory).update(zip(_COLUMNS, found, strict=True))
    return memory
