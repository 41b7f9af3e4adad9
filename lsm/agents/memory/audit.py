"""Whether memories and all that belongs to them are complete."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import LiteralString

    from lsm.db import Database

_WITHOUT_HISTORY = """
SELECT m.id FROM lsm_agent_memories m
 WHERE NOT EXISTS (SELECT 1 FROM lsm_memory_revisions r
                    WHERE r.memory_id = m.id AND r.version = m.version)
 ORDER BY m.id
"""
_QUEUED = """
SELECT m.id FROM lsm_agent_memories m
 WHERE m.status = 'pending'
   AND NOT EXISTS (SELECT 1 FROM lsm_agent_memory_candidates c
                    WHERE c.memory_id = m.id AND c.status = 'pending')
 ORDER BY m.id
"""
_DECIDED = """
SELECT c.id FROM lsm_agent_memory_candidates c JOIN lsm_agent_memories m ON m.id = c.memory_id
 WHERE c.status = 'pending' AND m.status <> 'pending'
 ORDER BY c.id
"""
_CANDIDATES = """
SELECT id FROM lsm_agent_memory_candidates
 WHERE memory_id NOT IN (SELECT id FROM lsm_agent_memories) ORDER BY id
"""
_SOURCES = """
SELECT memory_id FROM lsm_memory_sources
 WHERE memory_id NOT IN (SELECT id FROM lsm_agent_memories) ORDER BY memory_id
"""
_REVISIONS = """
SELECT memory_id FROM lsm_memory_revisions
 WHERE memory_id NOT IN (SELECT id FROM lsm_agent_memories) ORDER BY memory_id
"""
_NAMED = 3


def memory_problems(db: Database) -> list[str]:
    """What of memories is missing or belongs to none, as sentences; empty when nothing is."""
    with db.snapshot():
        counted = {
            "candidates belong to no memory": _ids(db, _CANDIDATES),
            "sources belong to no memory": _ids(db, _SOURCES),
            "revisions belong to no memory": _ids(db, _REVISIONS),
            "memories have no history": _ids(db, _WITHOUT_HISTORY),
            "memories wait for a review that nobody sees": _ids(db, _QUEUED),
            "candidates wait although they are decided": _ids(db, _DECIDED),
        }
    return [f"{len(ids)} {what} ({_some(ids)})" for what, ids in counted.items() if ids]


def _ids(db: Database, sql: LiteralString) -> list[str]:
    return [row[0] for row in db.tuples(sql)]


def _some(ids: list[str]) -> str:
    few = list(dict.fromkeys(ids))
    return ", ".join(few[:_NAMED]) + (", ..." if len(few) > _NAMED else "")
