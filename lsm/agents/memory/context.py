"""A block of memories that fits a budget, and the record of what was handed out."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from lsm.agents.memory import fence
from lsm.agents.memory.ids import new_id
from lsm.agents.memory.values import Context
from lsm.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.agents.memory.desk import Desk
    from lsm.agents.memory.recall import Recall
    from lsm.agents.memory.values import Memory

_PINNED = """
SELECT m.number
  FROM lsm_active_memories m
 WHERE m.pinned AND (m.expires_at IS NULL OR m.expires_at > :now)
   AND (:scope = '' OR m.scope = :scope
        OR substr(m.scope, 1, length(:scope) + 1) = :scope || '/')
 ORDER BY m.number DESC
 LIMIT 200
"""
_RECORD = """
INSERT INTO lsm_memory_contexts (context_id, created_at, query, scope, run_id, tokens)
VALUES (:context_id, :created_at, :query, :scope, :run_id, :tokens)
"""
_USE = """
INSERT INTO lsm_memory_context_uses (context_id, position, memory_id, version)
VALUES (:context_id, :position, :memory_id, :version)
"""
_PINNED_SHARE = 0.5  # of the budget goes to pinned ones first; what is left over, too, at the end
_DOUBTFUL_SHARE = 0.2  # of the budget is the most for what nobody has reviewed
_DOUBTFUL = ("agent", "untrusted")
_FENCE = fence.tokens(fence.HEAD) + fence.tokens(fence.TAIL) + 2  # tokens around the entries
_LOOKED_AT = 60  # answers of a search that are tried for room
_RELEVANT = 0.35  # of the best answer's relevance; what is further off is not worth its tokens


class Contexts:
    """Makes contexts and keeps what went into them."""

    def __init__(self, desk: Desk, recall: Recall) -> None:
        self._desk = desk
        self._recall = recall

    def context(
        self, query: str, budget_tokens: int, scope: str | None, *, record: bool
    ) -> Context:
        """Pinned memories and what answers *query*, in at most *budget_tokens*."""
        if isinstance(budget_tokens, bool) or budget_tokens < 1:
            raise InvalidError("budget", f"{budget_tokens} is no number of tokens")
        pinned = self._pinned(scope)
        found = self._relevant(query, scope)
        chosen = _Chosen(budget_tokens)
        chosen.take(pinned, round(budget_tokens * _PINNED_SHARE))
        chosen.take(found, budget_tokens)
        chosen.take(pinned, budget_tokens)
        everything = {memory.id for memory in (*pinned, *found)}
        text = fence.block(chosen.entries)
        context_id = None
        if record and chosen.memories:
            context_id = self._record(query, scope, chosen)
        return Context(
            text=text,
            tokens=fence.tokens(text),
            used=tuple(memory.id for memory in chosen.memories),
            dropped=len(everything) - len(chosen.memories),
            needed=0 if chosen.memories else _needed([*pinned, *found]),
            id=context_id,
        )

    def _pinned(self, scope: str | None) -> list[Memory]:
        path = self._desk.inside(scope)
        rows = self._desk.db.tuples(_PINNED, now=self._desk.now(), scope=path)
        return self._desk.rows.by_number([row[0] for row in rows])

    def _relevant(self, query: str, scope: str | None) -> list[Memory]:
        if not query.strip():
            return []
        hits = self._recall.search(query, {"scope": scope, "limit": _LOOKED_AT})
        relevance = [max(hit.parts["text"], hit.parts["vector"] ** 2) for hit in hits]
        least = _RELEVANT * max(relevance, default=0.0)
        return [hit for hit, worth in zip(hits, relevance, strict=True) if worth >= least]

    def _record(self, query: str, scope: str | None, chosen: _Chosen) -> str:
        desk = self._desk
        context_id = new_id(desk.clock())
        with desk.db.transaction():
            desk.db.run(
                _RECORD,
                context_id=context_id,
                created_at=desk.now(),
                query=query.replace("\0", ""),
                scope=desk.inside(scope),
                run_id=desk.writer.run_id,
                tokens=fence.tokens(fence.block(chosen.entries)),
            )
            # A memory that was purged while this was put together is not written down again.
            still = desk.rows.by_id([memory.id for memory in chosen.memories])
            desk.db.many(
                _USE,
                (
                    {
                        "context_id": context_id,
                        "position": position,
                        "memory_id": memory.id,
                        "version": memory.version,
                    }
                    for position, memory in enumerate(chosen.memories)
                    if memory.id in still
                ),
            )
            desk.rows.used(list(still), desk.now())
        return context_id


def _cost(entry: str) -> int:
    return fence.tokens(entry) + 1  # and its line end


def _needed(memories: Sequence[Memory]) -> int:
    """The least budget in which one of *memories* has room; 0 without any."""
    budgets: list[int] = []
    for memory in memories:
        cost = _cost(fence.entry(memory))
        share = ceil(cost / _DOUBTFUL_SHARE) if memory.trust in _DOUBTFUL else 0
        budgets.append(max(_FENCE + cost, share))
    return min(budgets, default=0)


class _Chosen:
    """Memories that fit, in their order."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._used = _FENCE
        self._doubtful = 0
        self.memories: list[Memory] = []
        self.entries: list[str] = []

    def take(self, memories: Sequence[Memory], limit: int) -> None:
        """Add those of *memories* that fit into *limit* and are not in yet."""
        for memory in memories:
            entry = fence.entry(memory)
            cost = _cost(entry)
            if self._used + cost > min(limit, self._budget) or memory in self.memories:
                continue
            if memory.trust in _DOUBTFUL:
                if self._doubtful + cost > self._budget * _DOUBTFUL_SHARE:
                    continue
                self._doubtful += cost
            self._used += cost
            self.memories.append(memory)
            self.entries.append(entry)
