"""Deciding about candidates. Only a person does; every decision is written down."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lsm.agents.memory import checks, edits
from lsm.agents.memory.queue import CandidateRows
from lsm.agents.memory.values import PERSONAL, Page
from lsm.errors import InvalidError, RefusedError
from lsm.failpoints import reach

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lsm.agents.memory.desk import Desk
    from lsm.agents.memory.provenance import SourceWatch
    from lsm.agents.memory.values import Candidate, Changes, Memory
    from lsm.vectordb.base import Vector


_STATUSES = ("pending", "promoted", "rejected", "expired")


class Review:
    """The queue, and the two ways out of it."""

    def __init__(
        self, desk: Desk, watch: SourceWatch, retire: Callable[[str, str, str], None]
    ) -> None:
        self._desk = desk
        self._watch = watch
        self._retire = retire
        self._queue = CandidateRows(desk.db)

    def page(
        self, status: str, scope: str | None, limit: int, cursor: str | None
    ) -> Page[Candidate]:
        """Candidates of one status, oldest first."""
        checks.choice("status", status, _STATUSES)
        after = number_in(cursor)
        found = self._queue.page(status, self._desk.inside(scope), after or 0, limit + 1)
        more = len(found) > limit
        kept = found[:limit]
        return Page(tuple(kept), str(kept[-1].memory.number) if more else None)

    def one(self, candidate_id: str) -> Candidate:
        """The candidate of that id, or of the memory of that id."""
        candidate = self._queue.one(candidate_id)
        self._desk.own(candidate.memory.id)
        return candidate

    def promote(self, candidate_id: str, changes: Changes, into: str | None, reason: str) -> Memory:
        """Make a candidate a memory, with *changes*, in the place of the memory *into*."""
        return self._promote([self.one(candidate_id)], changes, into, reason)[0]

    def promote_many(self, ids: Sequence[str], reason: str) -> list[Memory]:
        """All of them, or none."""
        return self._promote([self.one(each) for each in ids], {}, None, reason)

    def reject(self, ids: Sequence[str], reason: str) -> list[Candidate]:
        """Refuse candidates, all or none, and remember it: the same words stay out."""
        desk = self._desk
        desk.need_person("reject")
        with desk.db.transaction():
            for each in ids:
                candidate = self._pending(each)
                why = desk.why("rejected", reason)
                desk.rows.change(candidate.memory, why, status="rejected")
                self._queue.decide(candidate.memory.id, "rejected", why)
            return [self._queue.one(each) for each in ids]

    def _promote(
        self, candidates: list[Candidate], changes: Changes, into: str | None, reason: str
    ) -> list[Memory]:
        desk = self._desk
        desk.need_person("promote")
        fields = [edits.edited(desk, each.memory, changes) for each in candidates]
        texts = [str(fields[i].get("text", each.memory.text)) for i, each in enumerate(candidates)]
        vectors = desk.vectors(texts) or [None] * len(texts)
        with desk.db.transaction():
            return [
                self._promote_one(each.id, fields[i], into, (reason, vectors[i]))
                for i, each in enumerate(candidates)
            ]

    def _promote_one(
        self,
        candidate_id: str,
        fields: dict[str, object],
        into: str | None,
        how: tuple[str, Vector | None],
    ) -> Memory:
        desk = self._desk
        reason, vector = how
        candidate = self._pending(candidate_id)
        memory = candidate.memory
        target = into or candidate.supersedes
        replaced = [*candidate.merges, *([target] if target else [])]
        if candidate.merges:
            self._refuse_outdated(candidate)
            # Until now it had that of the merge: the words may be another's, who gives way.
            fields = {"text_hash": checks.text_hash(memory.text), **fields}
        wanted = replace(memory, **fields, status="active")
        self._refuse_expired(wanted)
        edits.refuse_twins(desk, wanted, replaced)
        why = desk.why("promoted", reason)
        for memory_id in dict.fromkeys(candidate.merges):
            self._retire(memory_id, memory.id, reason)
        trust = memory.trust if memory.trust in PERSONAL else "reviewed"
        changed_at = why.at if fields else memory.updated_at
        fields = {**fields, "status": "active", "trust": trust, "updated_at": changed_at}
        memory = desk.rows.change(memory, why, **fields)
        self._queue.decide(memory.id, "promoted", why)
        reach("memory.mid_promotion")
        if target is not None and target not in candidate.merges:
            self._retire(target, memory.id, reason)
        self._watch.settle([memory.id])
        memory = desk.rows.one(memory.id)
        desk.index_vector(memory, vector)
        return memory

    def _pending(self, candidate_id: str) -> Candidate:
        candidate = self.one(candidate_id)
        self._desk.rows.lock([candidate.memory.id])
        candidate = self._queue.one(candidate.id)  # as it is now that nobody else decides
        if candidate.status != "pending" or candidate.memory.status != "pending":
            state = candidate.status if candidate.status != "pending" else candidate.memory.status
            raise RefusedError(f"candidate {candidate.id} is {state} already")
        return candidate

    def _refuse_outdated(self, candidate: Candidate) -> None:
        """A merge is of words as they were: what was changed since would be lost."""
        desk = self._desk
        desk.rows.lock(sorted(candidate.merges))
        found = desk.rows.by_id(candidate.merges)
        for memory in found.values():
            changed = memory.updated_at > candidate.created_at
            if changed or memory.status != "active" or not desk.covers(memory.scope):
                state = "has been changed" if memory.status == "active" else f"is {memory.status}"
                raise RefusedError(
                    f"memory {memory.id} {state} since candidate {candidate.id} proposed to merge "
                    "it; reject the candidate"
                )

    def _refuse_expired(self, wanted: Memory) -> None:
        if wanted.expires_at is not None and wanted.expires_at <= self._desk.now():
            raise RefusedError(
                f"candidate of memory {wanted.id} expired at {wanted.expires_at}; "
                "promote it with a new ttl"
            )


def number_in(cursor: str | None) -> int | None:
    """The number a page ended with.

    Raises:
        InvalidError: it is no cursor of such a page.
    """
    if cursor is None:
        return None
    if not cursor.isascii() or not cursor.isdigit():
        raise InvalidError("cursor", "give back the one that came with the last page")
    return int(cursor)
