"""How much may be proposed: by a run, out of one source, and by one author within a day.

A poisoned page, or an agent in a loop, then fills neither the queue nor a reviewer's day. What was
promoted no longer counts: it was worth the look.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lsm.clock import to_text
from lsm.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import LiteralString

    from lsm.agents.memory.desk import Desk
    from lsm.agents.memory.values import Source

_OF_RUN = """
SELECT count(*) FROM lsm_agent_memory_candidates c
  JOIN lsm_agent_memories m ON m.id = c.memory_id
 WHERE m.source_run_id = :run_id
"""
_OF_SOURCE = """
SELECT count(DISTINCT c.id)
  FROM lsm_memory_sources s
  JOIN lsm_agent_memory_candidates c ON c.memory_id = s.memory_id
 WHERE s.ref = :ref AND s.kind IN ('chunk', 'document', 'url')
   AND c.created_at > :since AND c.status <> 'promoted'
"""
_OF_AUTHOR = """
SELECT count(*) FROM lsm_agent_memory_candidates
 WHERE provenance = :author AND created_at > :since AND status <> 'promoted'
"""
_DAY = timedelta(days=1)
_WORDS_OF = ("chunk", "document", "url")  # kinds of sources that can be written by a stranger


class Quota:
    """Refuses what would be one candidate too many."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def check_run(self, run_id: str) -> None:
        """See that the run may queue one more, in the transaction that does it.

        Raises:
            RefusedError: it has had its share.
        """
        most = self._desk.config.candidates_per_run
        if self._count(_OF_RUN, run_id=run_id) >= most:
            raise _refusal(f"run {run_id} has proposed {most} memories", "run")

    def check_day(self, author: str, sources: Sequence[Source]) -> None:
        """See that *author* may queue one more out of *sources*, in that transaction.

        Raises:
            RefusedError: a limit of this day is reached; names it.
        """
        config, since = self._desk.config, to_text(self._desk.clock() - _DAY)
        most = config.candidates_per_source
        for ref in {source.ref for source in sources if source.kind in _WORDS_OF}:
            if self._count(_OF_SOURCE, ref=ref, since=since) >= most:
                raise _refusal(f"{most} memories out of {ref} were proposed in a day", "source")
        most = config.candidates_per_author
        if self._count(_OF_AUTHOR, author=author, since=since) >= most:
            who = author or "an agent without a name"
            raise _refusal(f"{who} has proposed {most} memories in a day", "author")

    def _count(self, sql: LiteralString, **asked: object) -> int:
        return self._desk.db.tuples(sql, **asked)[0][0]


def _refusal(problem: str, what: str) -> RefusedError:
    return RefusedError(f"{problem}; review them, or raise agents.memory.candidates_per_{what}")
