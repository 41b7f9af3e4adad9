"""Looks after memory: clears what has run out, finds what is stale and what is said twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from lsm.agents.memory import MemoryStore
from lsm.agents.runtime import Outcome

if TYPE_CHECKING:
    from lsm.agents.memory import Hit, Memory
    from lsm.agents.runtime import RunContext
    from lsm.agents.tools import AgentTools
    from lsm.db import Database

_MOST_PAIRS = 20  # in one report: a list nobody can work off is no help
_ALIKE = 0.85  # cosine, or words in common; a person decides which one stays


class Curator:
    """Keeps memory small and true: clears what has run out, and reports the rest."""

    DESCRIPTION: ClassVar[str] = "clears expired memories, finds stale ones and what is said twice"

    def __init__(self, tools: AgentTools) -> None:
        self._tools = tools

    def run(self, context: RunContext, /) -> Outcome:
        """Look at every memory once."""
        memories = self._tools.memories
        stale = memories.verify().stale
        context.check()
        pairs = self._pairs(context)
        waiting = memories.stats().candidates

        def apply(db: Database) -> None:
            MemoryStore(db, self._tools.clock).expire()

        return Outcome(
            report=_report(len(stale), pairs, waiting),
            result={"stale": len(stale), "pairs": len(pairs), "waiting": waiting},
            apply=(apply,),
        )

    def _pairs(self, context: RunContext) -> list[tuple[Memory, Hit]]:
        """Memories that nearly say the same, the older one first, each in one pair only."""
        pairs: list[tuple[Memory, Hit]] = []
        paired: set[str] = set()
        for memory in _all(self._tools.memories):
            context.check()
            if memory.id in paired:
                continue
            for near in self._tools.memories.similar(memory.text, memory.scope):
                if near.id != memory.id and near.id not in paired and near.score >= _ALIKE:
                    paired |= {memory.id, near.id}
                    pairs.append((memory, near))
                    break
            if len(pairs) == _MOST_PAIRS:
                break
        return pairs


def _all(memories: MemoryStore) -> list[Memory]:
    found: list[Memory] = []
    cursor = None
    while True:
        page = memories.list(limit=200, cursor=cursor)
        found += page
        cursor = page.cursor
        if cursor is None:
            return found


def _report(stale: int, pairs: list[tuple[Memory, Hit]], waiting: int) -> str:
    lines = ["# Memory", "", f"{stale} rest on documents that have changed since."]
    lines += [f"{waiting} candidates wait for `lsm memory review`."]
    if pairs:
        lines += ["", "## Nearly the same", ""]
        for first, second in pairs:
            lines += [f"- `{each.id}` {each.text[:160]}" for each in (first, second)]
            lines += [""]
    return "\n".join(lines) + "\n"
