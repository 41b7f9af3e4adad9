"""How much is remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsm.agents.memory.values import MemoryStats

if TYPE_CHECKING:
    from lsm.agents.memory.desk import Desk

_VISIBLE = """
SELECT m.memory_type, count(*) AS memories,
       sum(CASE WHEN m.pinned THEN 1 ELSE 0 END) AS pinned,
       sum(CASE WHEN m.stale_since IS NULL THEN 0 ELSE 1 END) AS stale,
       sum(CASE WHEN v.number IS NULL THEN 1 ELSE 0 END) AS unembedded
  FROM lsm_active_memories m
  LEFT JOIN vec_memories v ON v.number = m.number AND v.model = :model
 WHERE (m.expires_at IS NULL OR m.expires_at > :now)
   AND (:scope = '' OR m.scope = :scope
        OR substr(m.scope, 1, length(:scope) + 1) = :scope || '/')
 GROUP BY m.memory_type
 ORDER BY m.memory_type
"""
_BY_STATUS = """
SELECT status, count(*) AS rows_found
  FROM lsm_agent_memories
 WHERE :scope = '' OR scope = :scope OR substr(scope, 1, length(:scope) + 1) = :scope || '/'
 GROUP BY status
 ORDER BY status
"""


def stats_of(desk: Desk) -> MemoryStats:
    """Counts over what the store may see."""
    scope = desk.writer.scope
    model = desk.embedder.model if desk.embedder else ""
    with desk.db.snapshot():
        types = desk.db.rows(_VISIBLE, now=desk.now(), scope=scope, model=model)
        statuses = desk.db.tuples(_BY_STATUS, scope=scope)
    by_status = {status: int(count) for status, count in statuses}
    return MemoryStats(
        memories=sum(int(row["memories"]) for row in types),
        pinned=sum(int(row["pinned"]) for row in types),
        stale=sum(int(row["stale"]) for row in types),
        candidates=by_status.get("pending", 0),
        unembedded=sum(int(row["unembedded"]) for row in types),
        by_type={row["memory_type"]: int(row["memories"]) for row in types},
        by_status=by_status,
    )
