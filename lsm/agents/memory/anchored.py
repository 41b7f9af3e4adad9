"""Memories that rest on a document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsm.clock import to_text, utc_now

if TYPE_CHECKING:
    from lsm.clock import Clock
    from lsm.db import Database

_ON_DOCUMENT = """
SELECT m.id, m.text, m.memory_type AS type, m.scope, m.trust, s.line, s.quote, s.chunk_id,
       s.stale_since
  FROM lsm_memory_sources s
  JOIN lsm_active_memories m ON m.id = s.memory_id
 WHERE s.document_id = :document_id AND (m.expires_at IS NULL OR m.expires_at > :now)
 ORDER BY coalesce(s.line, 0), m.number
 LIMIT :most
"""


@dataclass(frozen=True)
class Anchored:
    """A memory in use, and where in the document it is held."""

    id: str
    text: str
    type: str
    scope: str
    trust: str
    line: int | None  # from 1; None: it rests on the document as a whole
    quote: str
    chunk_id: int | None
    stale_since: str | None  # the document no longer says so

    @property
    def stale(self) -> bool:
        """Whether the document no longer says so."""
        return self.stale_since is not None


def anchored_in(
    db: Database, document_id: int, clock: Clock = utc_now, most: int = 200
) -> list[Anchored]:
    """Memories in use that rest on a document, in its order."""
    now = to_text(clock())
    rows = db.rows(_ON_DOCUMENT, document_id=document_id, now=now, most=most)
    return [Anchored(**row) for row in rows]
