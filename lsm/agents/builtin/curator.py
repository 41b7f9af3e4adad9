"""Looks after memory: clears what has run out, proposes merges, says what waits for a person.

It has no model and rewords nothing; see `lsm.agents.memory.merging`. What it proposes is a
candidate like any other: promoting it puts one memory in the place of two, rejecting it settles
the matter.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from lsm.agents.memory import Source, Writer
from lsm.agents.memory.merging import merge
from lsm.agents.runtime import Outcome
from lsm.clock import from_text
from lsm.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from lsm.agents.memory import Candidate, Memory, MemoryStore
    from lsm.agents.memory.merging import Merge
    from lsm.agents.memory.values import Finding
    from lsm.agents.params import Param
    from lsm.agents.runtime import RunContext
    from lsm.agents.tools import AgentTools
    from lsm.clock import Clock
    from lsm.db import Database

_MOST = 20  # pairs in one run: a list nobody can work off is no help, and a run may propose no more
_PAGE = 200
_SHOWN = 160  # characters of a memory


@dataclass(frozen=True)
class Pair:
    """Two memories that nearly say the same, the older one first."""

    first: Memory
    second: Memory
    merge: Merge


class Curator:
    """Keeps memory small and true; a person decides what becomes of what it finds."""

    DESCRIPTION: ClassVar[str] = (
        "clears expired memories, finds stale ones, proposes to merge what is said twice"
    )
    PARAMS: ClassVar[Mapping[str, Param]] = {}

    def __init__(self, tools: AgentTools) -> None:
        self._tools = tools

    def run(self, context: RunContext, /) -> Outcome:
        """Look at every memory once."""
        memories = self._tools.memories
        if context.dry_run:
            return self._rehearsed(context)
        stale = memories.verify().stale
        context.check()
        pairs = self._pairs(context)
        waiting = _waiting(memories)

        def apply(_: Database) -> None:
            memories.expire()
            _propose(memories, pairs, context.run_id)

        return Outcome(
            report=_report(stale, pairs, waiting, self._tools.clock),
            result=_result(stale, pairs, waiting),
            apply=(apply,),
        )

    def _rehearsed(self, context: RunContext) -> Outcome:
        """The same report, and what it would change, with nothing changed."""
        memories = self._tools.memories
        with self._tools.rehearsing():
            stale = memories.verify().stale
            waiting = _waiting(memories)
            gone = memories.expire()
        pairs = self._pairs(context)
        merges = [
            f"propose to merge {pair.first.id} and {pair.second.id}"
            for pair in pairs
            if pair.merge.text
        ]
        cleared = f"clear {gone.memories} memories and {gone.candidates} candidates that ran out"
        return Outcome(
            report=_report(stale, pairs, waiting, self._tools.clock),
            plan=(cleared, *merges),
        )

    def _pairs(self, context: RunContext) -> list[Pair]:
        """Memories that nearly say the same, each in one pair only, without settled merges."""
        memories = self._tools.memories
        settled = _settled(memories)
        pairs: list[Pair] = []
        paired: set[str] = set()
        for memory in _all(memories):
            context.check()
            if memory.id in paired:
                continue
            for near in memories.similar(memory.text, memory.scope):
                together = frozenset({memory.id, near.id})
                if len(together) < 2 or near.id in paired or together in settled:
                    continue
                found = merge(memory, near)
                if found is not None:
                    paired |= together
                    pairs.append(_pair(memory, near, found))
                    break
            if len(pairs) == _MOST:
                break
        return pairs


def _pair(one: Memory, other: Memory, found: Merge) -> Pair:
    first, second = sorted((one, other), key=lambda each: each.number)
    return Pair(first, second, found)


def _all(memories: MemoryStore) -> Iterator[Memory]:
    cursor = None
    while True:
        page = memories.list(limit=_PAGE, cursor=cursor)
        yield from page
        cursor = page.cursor
        if cursor is None:
            return


def _candidates(
    memories: MemoryStore, status: Literal["pending", "rejected"]
) -> Iterator[Candidate]:
    cursor = None
    while True:
        page = memories.candidates(status=status, limit=_PAGE, cursor=cursor)
        yield from page
        cursor = page.cursor
        if cursor is None:
            return


def _waiting(memories: MemoryStore) -> list[Candidate]:
    return list(_candidates(memories, "pending"))


def _settled(memories: MemoryStore) -> set[frozenset[str]]:
    """Sets of memories whose merge waits for a decision, or was refused."""
    decided = (*_candidates(memories, "pending"), *_candidates(memories, "rejected"))
    return {frozenset(candidate.merges) for candidate in decided if candidate.merges}


def _propose(memories: MemoryStore, pairs: Sequence[Pair], run_id: str) -> None:
    proposer = memories.acting(Writer(trust="agent", author="curator", run_id=run_id))
    # What is too much for a run or a day is proposed by a later one.
    with suppress(RefusedError):
        for pair in pairs:
            if pair.merge.text:
                _propose_one(proposer, pair)


def _propose_one(memories: MemoryStore, pair: Pair) -> None:
    both = (pair.first, pair.second)
    sources = [source for each in both for source in memories.sources(each.id)]
    lineage = [Source("memory", each.id) for each in both]
    memories.propose(
        pair.merge.text,
        type=pair.first.type,
        scope=pair.first.scope,
        key=pair.first.key or pair.second.key,
        value=pair.first.value if pair.second.value is None else pair.second.value,
        tags=tuple(dict.fromkeys((*pair.first.tags, *pair.second.tags))),
        confidence=min(each.confidence for each in both),
        pinned=any(each.pinned for each in both),
        expires_at=_expiry(both),
        sources=tuple(dict.fromkeys((*sources, *lineage))),
        merges=tuple(each.id for each in both),
        rationale=pair.merge.why,
    )


def _expiry(both: Sequence[Memory]) -> datetime | None:
    """The later one; None if one of them is kept for good."""
    ends = [each.expires_at for each in both if each.expires_at is not None]
    return from_text(max(ends)) if len(ends) == len(both) else None


def _result(
    stale: Sequence[Finding], pairs: Sequence[Pair], waiting: Sequence[Candidate]
) -> dict[str, int]:
    merges = sum(bool(pair.merge.text) for pair in pairs)
    return {
        "stale": len(stale),
        "merges": merges,
        "at_odds": len(pairs) - merges,
        "waiting": len(waiting),
        "flagged": sum(bool(candidate.flags) for candidate in waiting),
    }


def _report(
    stale: Sequence[Finding], pairs: Sequence[Pair], waiting: Sequence[Candidate], clock: Clock
) -> str:
    lines = ["# Memory", "", _said_of(waiting, clock)]
    if stale:
        lines += ["", "## Their sources have changed", ""]
        lines += [
            f"- {_shown(each.memory)} ({each.state} in `{each.source.ref}`)" for each in stale
        ]
    merges = [pair for pair in pairs if pair.merge.text]
    if merges:
        lines += ["", "## Could be merged", ""]
        for pair in merges:
            lines += [f"- {_shown(pair.first)}", f"  {_shown(pair.second)}", f"  {pair.merge.why}"]
    at_odds = [pair for pair in pairs if not pair.merge.text]
    if at_odds:
        lines += ["", "## Perhaps at odds", ""]
        for pair in at_odds:
            lines += [f"- {_shown(pair.first)}", f"  {_shown(pair.second)}", f"  {pair.merge.why}"]
    return "\n".join(lines) + "\n"


def _said_of(waiting: Sequence[Candidate], clock: Clock) -> str:
    """What waits for a review: how many, since when, from whom, and what stands out."""
    if not waiting:
        return "Nothing waits for a review."
    days = (clock() - from_text(min(each.created_at for each in waiting))).days
    by = Counter(each.provenance or "an unnamed author" for each in waiting)
    told = ", ".join(f"{count} by {name}" for name, count in by.most_common(10))
    flags = Counter(flag for each in waiting for flag in each.flags)
    flagged = ", ".join(f"{count} {name}" for name, count in flags.most_common())
    twice = f" Look twice at: {flagged}." if flagged else ""
    return (
        f"{len(waiting)} wait for `lsm memory review`, the oldest for {days} days: {told}.{twice}"
    )


def _shown(memory: Memory) -> str:
    return f"`{memory.id}` {' '.join(memory.text.split())[:_SHOWN]}"
