"""The table of candidates: what waits for a person's word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsm.agents.memory.flags import flags
from lsm.agents.memory.ids import new_id
from lsm.agents.memory.rows import MemoryRows
from lsm.agents.memory.values import Candidate
from lsm.clock import from_text
from lsm.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import LiteralString

    from lsm.agents.memory.rows import Why
    from lsm.agents.memory.values import Memory
    from lsm.db import Database

_SELECT = """
SELECT c.id, c.memory_id, c.provenance, c.rationale, c.status, c.reason, c.reviewer, c.supersedes,
       c.created_at, c.updated_at
  FROM lsm_agent_memory_candidates c
"""
_BY_ID = _SELECT + " WHERE c.id IN :ids[] OR c.memory_id IN :ids[]"
_PAGE = (
    _SELECT
    + """  JOIN lsm_agent_memories m ON m.id = c.memory_id
 WHERE c.status = :status AND m.number > :after
   AND (:scope = '' OR m.scope = :scope
        OR substr(m.scope, 1, length(:scope) + 1) = :scope || '/')
 ORDER BY m.number LIMIT :limit
"""
)
_UNREVIEWED = _SELECT + " WHERE c.status = 'pending' AND c.created_at <= :before"
_INSERT = """
INSERT INTO lsm_agent_memory_candidates (id, memory_id, provenance, rationale, status, reason,
                                         reviewer, supersedes, created_at, updated_at)
VALUES (:id, :memory_id, :provenance, :rationale, :status, :reason, :reviewer, :supersedes,
        :created_at, :updated_at)
"""
_MERGES_OF = """
SELECT candidate_id, memory_id FROM lsm_agent_memory_merges
 WHERE candidate_id IN :ids[] ORDER BY candidate_id, position
"""
_ADD_MERGE = """
INSERT INTO lsm_agent_memory_merges (candidate_id, position, memory_id)
VALUES (:candidate_id, :position, :memory_id)
"""
_DECIDE = """
UPDATE lsm_agent_memory_candidates
   SET status = :status, reason = :reason, reviewer = :reviewer, updated_at = :at
 WHERE memory_id = :memory_id
"""
_DROP = "DELETE FROM lsm_agent_memory_candidates WHERE memory_id = :memory_id"


@dataclass(frozen=True)
class Replaces:
    """What a candidate is to take the place of."""

    one: str | None = None
    all: tuple[str, ...] = ()  # of a merge


class CandidateRows:
    """Reads and writes `lsm_agent_memory_candidates`."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._memories = MemoryRows(db)

    def add(self, memory: Memory, provenance: str, rationale: str, replaces: Replaces) -> Candidate:
        """Queue a pending memory."""
        candidate = Candidate(
            id=new_id(from_text(memory.created_at)),
            memory=memory,
            provenance=provenance,
            rationale=rationale,
            status="pending",
            reason="",
            reviewer="",
            supersedes=replaces.one,
            created_at=memory.created_at,
            updated_at=memory.created_at,
            flags=flags(memory.text),
            merges=replaces.all,
        )
        self.insert(candidate)
        self.connect(candidate.id, candidate.merges)
        return candidate

    def connect(self, candidate_id: str, merges: Sequence[str]) -> None:
        """Write down which memories it is to take the place of."""
        self._db.many(
            _ADD_MERGE,
            (
                {"candidate_id": candidate_id, "position": position, "memory_id": memory_id}
                for position, memory_id in enumerate(merges)
            ),
        )

    def insert(self, candidate: Candidate) -> None:
        """Add a row as it is; what it merges is connected afterwards."""
        row = {**vars(candidate), "memory_id": candidate.memory.id}
        del row["memory"], row["flags"], row["merges"]
        self._db.run(_INSERT, **row)

    def one(self, candidate_id: str) -> Candidate:
        """The candidate of that id, or of the memory of that id.

        Raises:
            NotFoundError: there is none.
        """
        found = self._found(_BY_ID, ids=[candidate_id])
        if not found:
            raise NotFoundError("candidate", candidate_id)
        return found[0]

    def of_memory(self, memory: Memory) -> Candidate:
        """The candidate of a pending or refused memory."""
        return self.one(memory.id)

    def of_memories(self, memory_ids: Sequence[str]) -> dict[str, Candidate]:
        """Candidates by the id of their memory; the others have none."""
        found = self._found(_BY_ID, ids=list(memory_ids))
        return {candidate.memory.id: candidate for candidate in found}

    def page(self, status: str, scope: str, after: int, limit: int) -> list[Candidate]:
        """Candidates in and below *scope*, after the memory numbered *after*, oldest first."""
        return self._found(_PAGE, status=status, scope=scope, after=after, limit=limit)

    def unreviewed(self, before: str) -> list[Candidate]:
        """Those that have waited since *before* or longer."""
        return self._found(_UNREVIEWED, before=before)

    def decide(self, memory_id: str, status: str, why: Why) -> None:
        """Write down a decision, if the memory has a candidate at all."""
        self._db.run(
            _DECIDE,
            memory_id=memory_id,
            status=status,
            reason=why.reason,
            reviewer=why.author,
            at=why.at,
        )

    def drop(self, memory_id: str) -> None:
        """Take a memory's candidate out of the queue for good."""
        self._db.run(_DROP, memory_id=memory_id)

    def _found(self, sql: LiteralString, **params: object) -> list[Candidate]:
        rows = self._db.rows(sql, **params)
        memories = self._memories.by_id([row["memory_id"] for row in rows])
        merges: dict[str, tuple[str, ...]] = {}
        for candidate_id, memory_id in self._db.tuples(_MERGES_OF, ids=[r["id"] for r in rows]):
            merges[candidate_id] = (*merges.get(candidate_id, ()), memory_id)
        candidates: list[Candidate] = []
        for row in rows:
            memory = memories[row.pop("memory_id")]
            found = merges.get(row["id"], ())
            candidates.append(
                Candidate(memory=memory, flags=flags(memory.text), merges=found, **row)
            )
        return candidates
