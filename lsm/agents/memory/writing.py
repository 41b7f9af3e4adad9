"""Adding and changing memories. Texts are embedded before a transaction begins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lsm.agents.memory import checks, edits
from lsm.agents.memory.history import history_of, last_active
from lsm.agents.memory.queue import CandidateRows, Replaces
from lsm.agents.memory.quota import Quota
from lsm.agents.memory.rows import Why
from lsm.agents.memory.similarity import similar
from lsm.agents.memory.values import PERSONAL, AddResult, Name, NewMemory
from lsm.errors import ConflictError, InvalidError, RefusedError
from lsm.failpoints import reach

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from lsm.agents.memory.desk import Desk
    from lsm.agents.memory.provenance import SourceWatch
    from lsm.agents.memory.sources import Sources
    from lsm.agents.memory.values import Candidate, Changes, Memory, Source
    from lsm.vectordb.base import Vector


@dataclass(frozen=True)
class _Draft:
    """A memory that is about to be written."""

    memory: Memory
    sources: tuple[Source, ...]
    new: NewMemory

    @property
    def proposed(self) -> bool:
        return self.memory.status == "pending"

    @property
    def merges(self) -> tuple[str, ...]:
        """The memories it is to take the place of, each once."""
        return tuple(dict.fromkeys(self.new.merges))

    @property
    def provenance(self) -> str:
        """Who or what proposes it."""
        new = self.new.provenance
        return self.memory.author if new is None else new


class Writing:
    """Puts memories into the store and changes them."""

    def __init__(self, desk: Desk, sources: Sources, watch: SourceWatch) -> None:
        self._desk = desk
        self._sources = sources
        self._watch = watch
        self._queue = CandidateRows(desk.db)
        self._quota = Quota(desk)

    def add_one(self, new: NewMemory) -> AddResult:
        """Remember or queue *new*, and look for what says nearly the same."""
        draft = self._draft(new)
        known = self._known(draft)
        if known is not None:
            return known
        vector = self._vector_of(draft.memory.text)
        with self._desk.db.transaction():
            result = self._put(draft, vector, self._desk.rows.take_number())
        words, scope = draft.memory.text, draft.memory.scope
        alike = similar(self._desk, words, scope, vector=vector, but=result.id)
        return replace(result, similar=alike)

    def add(self, items: Sequence[NewMemory]) -> list[AddResult]:
        """All of *items*, or none of them."""
        drafts = [self._draft(item) for item in items]
        vectors = self._vectors(drafts)
        with self._desk.db.transaction():
            # Taken first: from here on nobody else adds anything, on either engine.
            number = self._desk.rows.take_number(len(drafts))
            return [
                self._put(draft, vector, number + i)
                for i, (draft, vector) in enumerate(zip(drafts, vectors, strict=True))
            ]

    def place(self, items: Sequence[NewMemory], gone: Sequence[Name]) -> list[Memory]:
        """Each of *items* under its key, whatever had it before; delete *gone*. All, or nothing."""
        desk = self._desk
        desk.need_person("change")
        drafts = [self._draft(item) for item in items]
        if any(draft.proposed or draft.memory.key is None for draft in drafts):
            raise InvalidError("items", "each needs a key, and none may wait for a review")
        vectors = self._vectors(drafts)
        with desk.db.transaction():
            # Taken first: what is found under a key is then still there when it is changed.
            number = desk.rows.take_number(len(drafts))
            for name in gone:
                held = self._held(replace(name, scope=desk.home(name.scope)))
                if held is not None:
                    self.delete(held.id, "")
            return [
                self._place(draft, vector, number + i)
                for i, (draft, vector) in enumerate(zip(drafts, vectors, strict=True))
            ]

    def update(
        self, memory_id: str, changes: Changes, expect_version: int | None, reason: str
    ) -> Memory:
        """Change what *changes* names; the rest stays."""
        desk = self._desk
        desk.need_person("change")
        fields = edits.edited(desk, desk.own(memory_id), changes)
        if not fields:
            raise InvalidError("changes", "name something to change")
        vector = self._vector_of(fields.get("text"))
        with desk.db.transaction():
            desk.rows.lock([memory_id])
            was = self._live(memory_id)
            if expect_version is not None and was.version != expect_version:
                raise ConflictError(
                    f"memory {memory_id} is version {was.version}, not {expect_version}: "
                    "read it again"
                )
            edits.refuse_twins(desk, replace(was, **fields))
            why = desk.why("updated", reason)
            memory = desk.rows.change(was, why, **fields, updated_at=why.at)
            desk.index_vector(memory, vector)
            return memory

    def supersede(self, old_id: str, new: NewMemory, reason: str) -> Memory:
        """Put *new* in the place of a memory, which stays in its history."""
        desk = self._desk
        desk.need_person("supersede")
        draft = self._draft(new)
        if draft.proposed:
            raise RefusedError("a memory is superseded at once or by promoting a candidate")
        vector = self._vectors([draft])[0]
        with desk.db.transaction():
            desk.rows.lock([old_id])
            old = self._live(old_id)
            if old.text_hash == draft.memory.text_hash:
                raise InvalidError("text", "says the same as the memory it is to supersede")
            number = desk.rows.take_number()
            memory = self._put(draft, vector, number, replaced=[old_id]).memory
            assert memory is not None  # noqa: S101 - it is no candidate
            self.retire(old_id, memory.id, reason)
            return memory

    def retire(self, old_id: str, new_id: str, reason: str) -> None:
        """Mark a memory as superseded by another, in the caller's transaction."""
        old = self._live(old_id)
        why = self._desk.why("superseded", reason)
        self._desk.rows.change(old, why, status="superseded", superseded_by=new_id)

    def delete(self, memory_id: str, reason: str) -> Memory:
        """Take a memory out of every answer; `restore` brings it back."""
        desk = self._desk
        desk.need_person("delete")
        with desk.db.transaction():
            desk.rows.lock([memory_id])
            was = desk.own(memory_id)
            if was.status == "deleted":
                raise RefusedError(f"memory {memory_id} is deleted already")
            self._queue.drop(memory_id)
            why = desk.why("deleted", reason)
            return desk.rows.change(was, why, status="deleted", deleted_at=why.at)

    def restore(self, memory_id: str, version: int | None, reason: str) -> Memory:
        """Bring a memory back: as it last was in use, or as it was in *version*."""
        desk = self._desk
        desk.need_person("restore")
        fields = self._restored(desk.own(memory_id), version)
        vector = self._vector_of(fields["text"])
        with desk.db.transaction():
            desk.rows.lock([memory_id])
            was = desk.own(memory_id)
            edits.refuse_twins(desk, replace(was, **fields))
            why = desk.why("restored", reason or (f"to version {version}" if version else ""))
            desk.rows.change(was, why, **fields, updated_at=why.at)
            self._watch.settle([memory_id])
            memory = desk.rows.one(memory_id)
            desk.index_vector(memory, vector)
            return memory

    def embed_missing(self, limit: int) -> int:
        """Give a vector to at most *limit* memories that have none of this model; how many."""
        desk = self._desk
        if desk.embedder is None:
            return 0
        numbers = desk.index.without_vector(desk.embedder.model, limit)
        memories = desk.rows.by_number(numbers)
        vectors = desk.vectors([memory.text for memory in memories]) or []
        ids = [memory.id for memory in memories]
        with desk.db.transaction():
            desk.rows.lock(ids)
            now = desk.rows.by_id(ids)
            for memory, vector in zip(memories, vectors, strict=True):
                still = now.get(memory.id)
                if still is not None and still.text == memory.text:
                    desk.index_vector(still, vector)
        return len(memories)

    def _draft(self, new: NewMemory) -> _Draft:
        desk = self._desk
        trust = desk.least(new.trust)
        sources = list(new.sources)
        if new.source is not None:
            unseen = trust not in PERSONAL
            sources.append(self._sources.named(new.source, new.text, unseen=unseen))
        least = self._sources.least_trust(trust, sources)
        status = "pending" if new.review or trust not in PERSONAL else "active"
        memory = edits.drafted(desk, new, status, least)
        if new.merges:
            if status != "pending":
                raise InvalidError("merges", "only a candidate merges; propose it")
            memory = replace(memory, text_hash=checks.merge_hash(memory.text, new.merges))
        return _Draft(memory, tuple(sources), new)

    def _known(self, draft: _Draft) -> AddResult | None:
        # A loop that says one thing over and over costs a read each time, and no write.
        same = self._same(draft)
        if same is None or self._overdue(same) or self._revives(draft, same):
            return None
        return self._exists(same)

    def _same(self, draft: _Draft) -> Memory | None:
        same = self._desk.rows.same(draft.memory)
        if same is None and draft.proposed:
            # Recalled words come back in other scopes and types; they are still no news.
            same = self._desk.rows.same_words(draft.memory.text_hash)
            if same is not None and not self._desk.covers(same.scope):
                return None
        return same

    def _put(
        self, draft: _Draft, vector: Vector | None, number: int, *, replaced: Sequence[str] = ()
    ) -> AddResult:
        desk = self._desk
        same = self._same(draft)
        if same is not None and self._overdue(same):
            self._expire(same)
            same = None
        if same is not None:
            if not self._revives(draft, same):
                return self._exists(same)
            edits.refuse_taken_key(desk, same, replaced)
            return self._revive(draft, same, vector)
        memory = replace(draft.memory, number=number)
        if not draft.proposed:
            edits.refuse_taken_key(desk, memory, replaced)
        if draft.proposed:
            self._refuse_flood(draft)
        action = "proposed" if draft.proposed else "added"
        why = Why(memory.created_at, action, memory.author, "", memory.source_run_id)
        desk.rows.insert(memory, why)
        reach("memory.after_insert")
        if draft.sources:
            self._sources.keep(memory.id, draft.sources)
            self._watch.settle([memory.id])
            memory = desk.rows.one(memory.id)
        if draft.proposed:
            return AddResult("proposed", None, self._enqueue(draft, memory))
        desk.index_vector(memory, vector)
        return AddResult("added", memory, None)

    def _place(self, draft: _Draft, vector: Vector | None, number: int) -> Memory:
        desk, new = self._desk, draft.memory
        was = self._held(Name(new.scope, new.key or "", new.type))
        if was is None:
            memory = self._put(draft, vector, number).memory
            assert memory is not None  # noqa: S101 - it is no candidate
            return memory
        edits.refuse_twins(desk, replace(new, id=was.id))
        why = desk.why("updated")
        memory = desk.rows.change(was, why, **_said(new), updated_at=why.at)
        desk.index_vector(memory, vector)
        return memory

    def _held(self, name: Name) -> Memory | None:
        """The memory of that name, which nobody else changes until commit."""
        rows, now = self._desk.rows, self._desk.now()
        seen = rows.keyed(name.key, name.scope, name.type, now)
        if seen is None:
            return None
        rows.lock([seen.id])
        return rows.keyed(name.key, name.scope, name.type, now)

    def _enqueue(self, draft: _Draft, memory: Memory) -> Candidate:
        new = draft.new
        for memory_id in (*draft.merges, *((new.supersedes,) if new.supersedes else ())):
            self._desk.own(memory_id)
        replaces = Replaces(new.supersedes, draft.merges)
        return self._queue.add(memory, draft.provenance, new.rationale, replaces)

    def _refuse_flood(self, draft: _Draft) -> None:
        run_id = draft.memory.source_run_id
        if run_id is not None:
            self._quota.check_run(run_id)
        if self._desk.least(draft.new.trust) not in PERSONAL:
            self._quota.check_day(draft.provenance, draft.sources)

    def _revives(self, draft: _Draft, same: Memory) -> bool:
        """Whether a person says what so far was only proposed, refused or locked away."""
        return not draft.proposed and same.status != "active"

    def _revive(self, draft: _Draft, same: Memory, vector: Vector | None) -> AddResult:
        why = self._desk.why("added", "said by a person")
        said = _said(draft.memory)
        memory = self._desk.rows.change(same, why, **said, status="active", updated_at=why.at)
        self._queue.decide(same.id, "promoted", why)
        self._desk.index_vector(memory, vector)
        return AddResult("added", memory, None)

    def _exists(self, same: Memory) -> AddResult:
        if same.status in ("pending", "rejected"):
            return AddResult("exists", None, self._queue.of_memory(same))
        return AddResult("exists", same, None)

    def _overdue(self, memory: Memory) -> bool:
        expires = memory.expires_at
        return expires is not None and expires <= self._desk.now() and memory.status != "rejected"

    def _expire(self, memory: Memory) -> None:
        why = self._desk.why("expired")
        self._desk.rows.change(memory, why, status="expired")
        self._queue.decide(memory.id, "expired", why)

    def _live(self, memory_id: str) -> Memory:
        memory = self._desk.own(memory_id)
        if memory.status != "active":
            raise RefusedError(f"memory {memory_id} is {memory.status}; restore it first")
        if self._overdue(memory):
            raise RefusedError(f"memory {memory_id} expired at {memory.expires_at}; restore it")
        return memory

    def _restored(self, memory: Memory, version: int | None) -> dict[str, Any]:
        if memory.status == "pending":
            raise RefusedError(f"memory {memory.id} waits for a review; promote it")
        if memory.status == "active" and version is None and not self._overdue(memory):
            raise RefusedError(f"memory {memory.id} is in use; name the version to go back to")
        revisions = history_of(self._desk.db, memory.id)
        state = last_active(memory.id, revisions, version)
        if not self._desk.covers(state["scope"]):
            raise RefusedError(f"memory {memory.id} was in {state['scope']} then, out of reach")
        kept = ("type", "key", "text", "value", "scope", "confidence", "pinned")
        trust = memory.trust if memory.trust in PERSONAL else "reviewed"
        return {name: state[name] for name in kept} | {
            "text_hash": edits.checks.text_hash(state["text"]),
            "tags": tuple(state["tags"]),
            "status": "active",
            "trust": trust,
            "expires_at": edits.revived_expiry(self._desk, state["type"], state["expires_at"]),
            "deleted_at": None,
            "superseded_by": None,
        }

    def _vector_of(self, text: object) -> Vector | None:
        vectors = self._desk.vectors([text]) if isinstance(text, str) else None
        return vectors[0] if vectors else None

    def _vectors(self, drafts: list[_Draft]) -> list[Vector | None]:
        """One a draft; candidates get theirs when they are promoted."""
        direct = [draft.memory.text for draft in drafts if not draft.proposed]
        made = iter(self._desk.vectors(direct) or []) if direct else iter(())
        return [None if draft.proposed else next(made, None) for draft in drafts]


def _said(new: Memory) -> dict[str, Any]:
    """What a memory takes over from one that is said in its place."""
    names = ("text", "text_hash", "value", "tags", "confidence", "trust", "pinned", "expires_at")
    return {name: getattr(new, name) for name in names}
