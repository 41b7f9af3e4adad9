"""What is remembered, as tools: found, proposed, and put together for a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsm.config.models.agents import duration
from lsm.mcp import fence
from lsm.mcp.results import (
    MemoryAddResult,
    MemoryContextResult,
    MemorySearchResult,
    Remembered,
)

if TYPE_CHECKING:
    from lsm.agents.memory import Hit
    from lsm.agents.memory.values import Fields, SearchOptions
    from lsm.mcp.arguments import MemoryAdd, MemoryContext, MemorySearch
    from lsm.mcp.caller import Caller

_NOTES = {
    "proposed": "It waits for the user's review: lsm memory review.",
    "added": "It is remembered.",
    "exists": "It was known, proposed or refused already; nothing changed.",
}


def search(caller: Caller, given: MemorySearch) -> MemorySearchResult:
    """Memories that answer, best first."""
    options: SearchOptions = {"limit": given.limit, "tags": given.tag}
    if given.scope:
        options["scope"] = given.scope
    if given.type:
        options["types"] = (given.type,)
    found = caller.mind.memories.search(given.query, **options)
    return MemorySearchResult(tuple(map(_remembered, found)))


def add(caller: Caller, given: MemoryAdd) -> MemoryAddResult:
    """Queue it for review, or remember it where the user trusts this server.

    Raises:
        InvalidError, NotFoundError, RefusedError: as `MemoryStore.add`.
        ConfigError: the ttl is no duration.
    """
    fields: Fields = {
        "type": given.type,
        "scope": given.scope or caller.scope,
        "key": given.key or None,
        "tags": given.tags,
        "ttl": duration("ttl", given.ttl) if given.ttl else None,
        "source": given.source or None,
        "provenance": caller.provenance,
        "rationale": given.rationale,
    }
    done = caller.memories().add(given.text, **fields)
    return MemoryAddResult(
        outcome=done.outcome,
        id=done.id,
        candidate_id=done.candidate.id if done.candidate else None,
        similar=tuple(map(_remembered, done.similar)),
        note=f"{_NOTES[done.outcome]} {fence.NOTE}",
    )


def context(caller: Caller, given: MemoryContext) -> MemoryContextResult:
    """A fenced block of memories within a budget."""
    # Not recorded: a tool that says it only reads leaves no row behind.
    found = caller.mind.memories.context(
        given.query, budget_tokens=given.budget, scope=given.scope or None, record=False
    )
    return MemoryContextResult(found.text, found.tokens, found.used, found.dropped)


def _remembered(found: Hit) -> Remembered:
    source = found.author or "the user"
    text = fence.shortened(found.text, fence.MAX_PASSAGE)
    return Remembered(
        id=found.id,
        text=fence.fenced(text, f"memory of {source}", found.trust),
        type=fence.line(found.type),
        scope=fence.line(found.scope),
        trust=found.trust,
        source=fence.line(source),
        tags=tuple(map(fence.line, found.tags)),
        stale=found.stale,
        created_at=found.created_at,
        expires_at=found.expires_at,
        confidence=found.confidence,
        score=found.score,
        key=fence.line(found.key) if found.key else None,
    )
