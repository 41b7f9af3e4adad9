"""Operations on what is remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import UNSET

from lsm.agents.memory import Context, Writer, as_candidate_row, as_row
from lsm.agents.memory.fence import MARK
from lsm.agents.memory.values import Expired, PurgeReceipt
from lsm.config.models.agents import duration
from lsm.errors import NotFoundError, RefusedError
from lsm.web.api.memory_inputs import (
    Because,
    CandidatesQuery,
    Change,
    ContextBody,
    ListQuery,
    New,
    Promote,
    Restore,
    ScopeBody,
    SearchQuery,
)
from lsm.web.api.operations import (
    Begun,
    Call,
    Listing,
    Nothing,
    Operation,
    delete,
    get,
    patch,
    post,
)
from lsm.web.api.shapes import (
    Added,
    CandidateRow,
    MemoryCounts,
    MemoryDetail,
    MemoryHit,
    MemoryRevision,
    MemoryRow,
    Verified,
)

if TYPE_CHECKING:
    from lsm.agents.memory import MemoryStore

T = TypeVar("T")


def _list(call: Call[ListQuery, None]) -> Listing:
    asked = call.query
    options = _given(scope=asked.scope, cursor=asked.cursor) | _filters(asked)
    page = call.mind.memories.list(status=asked.status, limit=asked.limit, **options)
    return Listing([as_row(each) for each in page], page.cursor)


def _search(call: Call[SearchQuery, None]) -> list[dict[str, Any]]:
    asked = call.query
    options = _given(scope=asked.scope) | _filters(asked)
    return [as_row(h) for h in call.mind.memories.search(asked.query, limit=asked.limit, **options)]


def _filters(asked: ListQuery | SearchQuery) -> dict[str, Any]:
    return {"tags": asked.tag, "types": () if asked.type is UNSET else (asked.type,)}


def _add(call: Call[Nothing, New]) -> Begun:
    new = call.body
    fields = _given(scope=new.scope, key=new.key, source=new.source)
    if new.ttl is not UNSET:
        fields["ttl"] = duration("ttl", new.ttl)
    done = _store(call).add(
        _words(new.text),
        type=new.type,
        value=new.value,
        tags=new.tags,
        confidence=new.confidence,
        pinned=new.pinned,
        author=new.author,
        review=new.propose,
        **fields,
    )
    row = Added(
        outcome=done.outcome,
        id=done.id,
        candidate_id=done.candidate.id if done.candidate else None,
        similar=tuple(msgspec.convert(as_row(hit), MemoryHit) for hit in done.similar),
    )
    return Begun(row, f"/memories/{done.id}")


def _get(call: Call[Nothing, Any]) -> dict[str, Any]:
    memory_id = call.place["memory_id"]
    found = call.mind.memories.get(memory_id, hidden=True)
    if found is None:
        raise NotFoundError("memory", memory_id)
    return as_row(found) | {"sources": call.mind.memories.sources(memory_id)}


def _edit(call: Call[Nothing, Change]) -> dict[str, Any]:
    body = call.body
    changes = _given(
        text=_words(body.text),
        type=body.type,
        tags=body.tags,
        confidence=body.confidence,
        pinned=body.pinned,
        expect_version=body.expect_version,
    )
    if body.ttl is not UNSET:
        changes["ttl"] = duration("ttl", body.ttl)
    if not changes.keys() - {"expect_version"}:
        return _get(call)
    found = _store(call).update(call.place["memory_id"], reason=body.reason, **changes)
    return as_row(found)


def _delete(call: Call[Nothing, None]) -> dict[str, Any]:
    return as_row(_store(call).delete(call.place["memory_id"]))


def _restore(call: Call[Nothing, Restore]) -> dict[str, Any]:
    given = _given(version=call.body.version)
    memory_id, reason = call.place["memory_id"], call.body.reason
    return as_row(_store(call).restore(memory_id, reason=reason, **given))


def _purge(call: Call[Nothing, Nothing]) -> PurgeReceipt:
    return _store(call).purge(call.place["memory_id"])


def _history(call: Call[Nothing, None]) -> list[Any]:
    return [vars(each) for each in call.mind.memories.history(call.place["memory_id"])]


def _stats(call: Call[Nothing, None]) -> Any:
    return call.mind.memories.stats()


def _context(call: Call[Nothing, ContextBody]) -> Context:
    asked = call.body
    options = _given(scope=asked.scope)
    return call.mind.memories.context(asked.query, budget_tokens=asked.budget, **options)


def _verify(call: Call[Nothing, ScopeBody]) -> Verified:
    report = call.mind.memories.verify(**_given(scope=call.body.scope))
    stale = tuple(vars(each) | {"memory": as_row(each.memory)} for each in report.stale)
    return Verified(report.checked, report.fresh, stale)


def _expire(call: Call[Nothing, Nothing]) -> Expired:
    return call.mind.memories.expire()


def _candidates(call: Call[CandidatesQuery, None]) -> Listing:
    asked = call.query
    options = _given(scope=asked.scope, cursor=asked.cursor)
    page = call.mind.memories.candidates(status=asked.status, limit=asked.limit, **options)
    return Listing([as_candidate_row(each) for each in page], page.cursor)


def _candidate(call: Call[Nothing, None]) -> dict[str, Any]:
    return as_candidate_row(call.mind.memories.candidate(call.place["candidate_id"]))


def _promote(call: Call[Nothing, Promote]) -> dict[str, Any]:
    body = call.body
    options = _given(text=_words(body.text), into=body.into)
    return as_row(_store(call).promote(call.place["candidate_id"], reason=body.reason, **options))


def _reject(call: Call[Nothing, Because]) -> dict[str, Any]:
    reason = call.body.reason
    return as_candidate_row(_store(call).reject(call.place["candidate_id"], reason=reason))


def _store(call: Call[Any, Any]) -> MemoryStore:
    """The store on behalf of whoever holds the token: the user."""
    return call.mind.memories.acting(Writer(author="user"))


def _words(text: T) -> T:
    """*text*, if it can be remembered, as far as the schema does not say so.

    Raises:
        RefusedError: it holds what no text can, or it is what `context` made: that would be
            recalled, and learned again, for ever.
    """
    if isinstance(text, str) and ("\0" in text or not text.strip()):
        raise RefusedError("text: it must hold words, and no character NUL")
    if isinstance(text, str) and MARK in text:
        raise RefusedError("text: it is a block of recalled memories; add only what is new")
    return text


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not UNSET}


_ONE = "/memories/{memory_id}"
_CANDIDATE = "/candidates/{candidate_id}"
OPERATIONS: tuple[Operation, ...] = (
    get(
        "/memories",
        "listMemories",
        "Memories, newest first.",
        _list,
        list[MemoryRow],
        query=ListQuery,
        paged=True,
    ),
    post("/memories", "addMemory", "Remember something.", _add, Added, body=New, status=201),
    get(
        "/memories/search",
        "searchMemories",
        "Memories that fit, best first.",
        _search,
        list[MemoryHit],
        query=SearchQuery,
    ),
    get("/memories/stats", "memoryStats", "Memories in numbers.", _stats, MemoryCounts),
    post(
        "/memories/context",
        "memoryContext",
        "A block of memories for a model's prompt, within a budget; recorded.",
        _context,
        Context,
        body=ContextBody,
    ),
    post(
        "/memories/verify",
        "verifyMemories",
        "Which memories no longer stand in their sources.",
        _verify,
        Verified,
        body=ScopeBody,
    ),
    post(
        "/memories/expire",
        "expireMemories",
        "Clear away what has run out.",
        _expire,
        Expired,
        body=Nothing,
    ),
    get(_ONE, "getMemory", "A memory of any status, and where it comes from.", _get, MemoryDetail),
    patch(
        _ONE,
        "editMemory",
        "Change a memory; what it was stays in its history.",
        _edit,
        MemoryRow,
        body=Change,
    ),
    delete(
        _ONE,
        "deleteMemory",
        "Take a memory out of use; restore brings it back.",
        _delete,
        MemoryRow,
    ),
    post(
        f"{_ONE}/restore",
        "restoreMemory",
        "Bring a memory back, or back to a version.",
        _restore,
        MemoryRow,
        body=Restore,
    ),
    post(
        f"{_ONE}/purge",
        "purgeMemory",
        "Forget a memory for good, and prove it.",
        _purge,
        PurgeReceipt,
        body=Nothing,
    ),
    get(
        f"{_ONE}/history",
        "memoryHistory",
        "Every change of a memory.",
        _history,
        list[MemoryRevision],
    ),
    get(
        "/candidates",
        "listCandidates",
        "What waits for a review, oldest first.",
        _candidates,
        list[CandidateRow],
        query=CandidatesQuery,
        paged=True,
    ),
    get(_CANDIDATE, "getCandidate", "A candidate.", _candidate, CandidateRow),
    post(
        f"{_CANDIDATE}/promote",
        "promoteCandidate",
        "Make a candidate a memory.",
        _promote,
        MemoryRow,
        body=Promote,
    ),
    post(
        f"{_CANDIDATE}/reject",
        "rejectCandidate",
        "Refuse a candidate; the same words do not come back.",
        _reject,
        CandidateRow,
        body=Because,
    ),
)
