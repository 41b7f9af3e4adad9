"""What agents and people remember, in the one database.

Four levels of trust decide what a word weighs: ``user`` and ``reviewed`` are remembered as they
come; what an ``agent`` or an ``untrusted`` source writes becomes a candidate that a person promotes
or rejects. Everything that is not active, and everything that has run out, is invisible to every
way of reading, in one view of the database.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Unpack

from lsm.agents.memory.context import Contexts
from lsm.agents.memory.desk import Desk, Writer
from lsm.agents.memory.exchange import Exchange
from lsm.agents.memory.forgetting import Forgetting, Suspicion
from lsm.agents.memory.history import Reverting, history_of
from lsm.agents.memory.importers import read
from lsm.agents.memory.provenance import SourceWatch
from lsm.agents.memory.recall import Recall
from lsm.agents.memory.review import Review
from lsm.agents.memory.rows import MemoryRows
from lsm.agents.memory.similarity import similar
from lsm.agents.memory.sources import Sources
from lsm.agents.memory.statistics import stats_of
from lsm.agents.memory.values import NewMemory, Page
from lsm.agents.memory.verification import Verification
from lsm.agents.memory.writing import Writing
from lsm.clock import utc_now
from lsm.config.models.agents import MemoryConfig
from lsm.vectordb.memory_index import open_memory_index

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence
    from typing import BinaryIO

    from lsm.agents.memory.records import Record
    from lsm.agents.memory.values import (
        AddResult,
        Candidate,
        Changes,
        Context,
        Expired,
        Fields,
        Hit,
        ImportReport,
        Memory,
        MemoryStats,
        Name,
        PurgeReceipt,
        Revision,
        ScopeInfo,
        SearchOptions,
        Source,
        Status,
        Undo,
        VerifyReport,
    )
    from lsm.clock import Clock
    from lsm.db import Database
    from lsm.embedding.base import Embedder


class MemoryStore:
    """Memories in *db*, of either engine. Safe between threads, like the database itself.

    Every method joins the caller's transaction if there is one, and is all or nothing by itself.

    Args:
        db: the shared database.
        clock: stamps what is written, and says what has run out.
        embedder: turns texts into vectors; without one, memories are found by their words.
        config: lifetimes and limits.
        writer: on whose behalf; a person, unless `acting` says otherwise.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock = utc_now,
        embedder: Embedder | None = None,
        config: MemoryConfig | None = None,
        writer: Writer | None = None,
    ) -> None:
        desk = Desk(
            db=db,
            clock=clock,
            rows=MemoryRows(db),
            index=open_memory_index(db),
            embedder=embedder,
            config=config or MemoryConfig(),
            writer=writer or Writer(),
        )
        self._set_up(desk)

    def acting(self, writer: Writer) -> MemoryStore:
        """The same store on behalf of *writer*, who gains nothing: trust and scope only shrink.

        Raises:
            RefusedError: its scope lies outside of this store's.
        """
        scope = self._desk.inside(writer.scope or None)
        store = MemoryStore.__new__(MemoryStore)
        trust = self._desk.least(writer.trust)
        store._set_up(replace(self._desk, writer=replace(writer, scope=scope, trust=trust)))  # noqa: SLF001
        return store

    def scoped(self, scope: str) -> MemoryStore:
        """The same store confined to *scope* and what lies below it."""
        return self.acting(replace(self._desk.writer, scope=scope))

    # -- writing ---------------------------------------------------------------------------

    def add(self, text: str, **fields: Unpack[Fields]) -> AddResult:
        """Remember *text*, or queue it for review when it is not a person's; see `NewMemory`.

        The result's `similar` shows what says nearly the same; nothing is merged.

        Raises:
            InvalidError: a value cannot be remembered.
            RefusedError: its key is taken, its scope is not ours, or its run has proposed too much.
            NotFoundError: its source is not in the library.
        """
        return self._writing.add_one(NewMemory(text=text, **fields))

    def add_many(self, items: Iterable[NewMemory]) -> list[AddResult]:
        """Remember all of *items* or, if one cannot be, none; without looking for similar ones.

        Raises:
            as `add`.
        """
        return self._writing.add(list(items))

    def place(self, items: Iterable[NewMemory], *, gone: Iterable[Name] = ()) -> list[Memory]:
        """Remember *items* in the place of what has their keys, and delete *gone*; all or nothing.

        What *gone* names and is not there is no error. Raises as `add` and `update` do.
        """
        return self._writing.place(list(items), list(gone))

    def propose(self, text: str, **fields: Unpack[Fields]) -> AddResult:
        """Queue *text* for review, whoever says it. Raises as `add` does."""
        fields["review"] = True
        return self.add(text, **fields)

    def update(
        self,
        memory_id: str,
        *,
        expect_version: int | None = None,
        reason: str = "",
        **changes: Unpack[Changes],
    ) -> Memory:
        """Change a memory; what it was stays in its history.

        Raises:
            ConflictError: it is another version than *expect_version*.
            RefusedError: it is not in use, or another memory says the same or has that key.
            InvalidError, NotFoundError: as they say.
        """
        return self._writing.update(memory_id, changes, expect_version, reason)

    def supersede(
        self, memory_id: str, text: str, *, reason: str = "", **fields: Unpack[Fields]
    ) -> Memory:
        """Let *text* take a memory's place; type, scope, key and tags stay unless given.

        Raises:
            as `add` and `update`.
        """
        old = self._desk.own(memory_id)
        new = NewMemory(text=text, type=old.type, scope=old.scope, key=old.key, tags=old.tags)
        return self._writing.supersede(memory_id, replace(new, **fields), reason)

    def delete(self, memory_id: str, *, reason: str = "") -> Memory:
        """Take a memory, and its candidate, out of use; `restore` brings it back."""
        return self._writing.delete(memory_id, reason)

    def restore(self, memory_id: str, *, version: int | None = None, reason: str = "") -> Memory:
        """Bring back what was deleted, superseded, expired or locked away, or an earlier version.

        Raises:
            RefusedError: it is in use and no version is named, or another memory has its place.
            NotFoundError: no such memory or version.
        """
        return self._writing.restore(memory_id, version, reason)

    def purge(self, memory_id: str) -> PurgeReceipt:
        """Erase a memory for good; `bytes_found` above 0: words of it are in the file, in no row.

        Raises:
            RefusedError: inside a transaction, where nothing can be proved.
        """
        return self._forgetting.purge(memory_id)

    def mark_used(self, ids: Sequence[str]) -> int:
        """Note that memories were of use; how many. It makes none of them newer or surer."""
        own = [each.id for each in self._desk.rows.by_id(ids).values() if self._sees(each)]
        return self._desk.rows.used(own, self._desk.now())

    # -- reading ---------------------------------------------------------------------------

    def get(self, memory_id: str, *, hidden: bool = False) -> Memory | None:
        """The memory of that id, or None.

        Args:
            memory_id: its id.
            hidden: also what was deleted, superseded, locked away or has run out. What waits for
                a review or was refused is only ever among the `candidates`.
        """
        if not hidden:
            return self._recall.get(memory_id)
        memory = self._desk.rows.by_id([memory_id]).get(memory_id)
        return memory if memory and self._sees(memory) else None

    def get_by_key(self, scope: str, key: str, memory_type: str | None = None) -> Memory | None:
        """The memory of that name in exactly that scope, or None."""
        return self._recall.keyed(scope, key, memory_type)

    def search(self, query: str, **options: Unpack[SearchOptions]) -> Page[Hit]:
        """Memories that answer *query*, best first, by words and by meaning.

        Filters are applied before anything is counted: ten are found if ten qualify. The page's
        cursor leads on to the last one that matches. `as_of` searches what was known then, by
        words alone and in one page.

        Raises:
            InvalidError: an option cannot be followed.
            RefusedError: the scope lies outside of the store's.
        """
        return self._recall.search(query, options)

    def list(
        self,
        *,
        status: Status = "active",
        **options: Unpack[SearchOptions],
    ) -> Page[Memory]:
        """Memories, newest first; of another status only when it is asked for by name.

        Raises:
            InvalidError: the status is one of the review queue, see `candidates`.
        """
        return self._recall.listed(status, options)

    def similar(self, text: str, scope: str | None = None) -> tuple[Hit, ...]:
        """At most three memories that say nearly the same as *text*."""
        vectors = self._desk.vectors([text])
        vector = vectors[0] if vectors else None
        return similar(self._desk, text, self._desk.home(scope), vector=vector)

    def scopes(self, prefix: str | None = None, types: Sequence[str] = ()) -> Sequence[ScopeInfo]:
        """Scopes that hold memories, of any of *types* if some are named, at and below *prefix*."""
        return self._recall.scopes(prefix, types)

    def sources(self, memory_id: str) -> tuple[Source, ...]:
        """Where a memory comes from."""
        self._desk.own(memory_id)
        return self._sources.of([memory_id]).get(memory_id, ())

    def history(self, memory_id: str) -> Sequence[Revision]:
        """Every change of a memory: who, when, why, by which run, before and after."""
        self._desk.own(memory_id)
        return history_of(self._desk.db, memory_id)

    def context(
        self, query: str, *, budget_tokens: int, scope: str | None = None, record: bool = True
    ) -> Context:
        """A text block for a model, of at most *budget_tokens*: pinned memories and answers.

        Pinned ones have half of it to themselves first; what nobody has reviewed gets at most a
        fifth. With *record*, what was used is written down and marked as used.
        """
        return self._contexts.context(query, budget_tokens, scope, record=record)

    def stats(self) -> MemoryStats:
        """How much is remembered in the store's scope."""
        return stats_of(self._desk)

    # -- review ----------------------------------------------------------------------------

    def candidates(
        self,
        *,
        status: Literal["pending", "promoted", "rejected", "expired"] = "pending",
        scope: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Candidate]:
        """What was proposed, oldest first."""
        return self._review.page(status, scope, limit, cursor)

    def of_run(self, run_id: str) -> Sequence[Memory]:
        """What a run remembered and proposed; a `status` of pending waits for review."""
        covers = self._desk.covers
        return [each for each in self._desk.rows.of_run(run_id) if covers(each.scope)]

    def candidate(self, candidate_id: str) -> Candidate:
        """The candidate of that id, or of the memory of that id."""
        return self._review.one(candidate_id)

    def promote(
        self,
        candidate_id: str,
        *,
        into: str | None = None,
        reason: str = "",
        **changes: Unpack[Changes],
    ) -> Memory:
        """Make a candidate a memory, changed as *changes* say; *into* names one it supersedes.

        Raises:
            RefusedError: it is decided already, has run out, or another memory says the same.
        """
        return self._review.promote(candidate_id, changes, into, reason)

    def promote_many(self, ids: Sequence[str], *, reason: str = "") -> Sequence[Memory]:
        """Promote all of them, or none."""
        return self._review.promote_many(ids, reason)

    def reject(self, candidate_id: str, *, reason: str = "") -> Candidate:
        """Refuse a candidate; the same words are not queued again."""
        return self._review.reject([candidate_id], reason)[0]

    def reject_many(self, ids: Sequence[str], *, reason: str = "") -> Sequence[Candidate]:
        """Refuse all of them, or none."""
        return self._review.reject(ids, reason)

    # -- upkeep ----------------------------------------------------------------------------

    def expire(self) -> Expired:
        """Sweep out what has run out, and candidates nobody has looked at for too long."""
        return self._forgetting.expire()

    def verify(self, *, scope: str | None = None) -> VerifyReport:
        """Compare memories with the documents they rest on: the stale, with old and new text."""
        return self._verification.verify(scope)

    def confirm(self, memory_id: str, *, reason: str = "") -> Memory:
        """Say that a stale memory is true all the same."""
        return self._verification.confirm(memory_id, reason)

    def suspected(self, suspicion: Suspicion) -> Sequence[Memory]:
        """What `quarantine` would lock away."""
        return self._forgetting.suspected(suspicion)

    def quarantine(self, suspicion: Suspicion) -> tuple[str, ...]:
        """Lock away what fits *suspicion* and all that was derived from it; the ids."""
        return self._forgetting.quarantine(suspicion)

    def revert_run(self, run_id: str, *, preview: bool = False) -> tuple[Undo, ...]:
        """Undo what a run did to memories; with *preview* only say what that would be."""
        return self._reverting.revert(run_id, preview=preview)

    def embed_missing(self, limit: int = 256) -> int:
        """Give a vector to at most *limit* memories that have none of this model; how many."""
        return self._writing.embed_missing(limit)

    def export(self, file: BinaryIO, *, scope: str | None = None) -> int:
        """Write memories of every status with their history as JSON Lines; how many."""
        return self._exchange.export(file, scope)

    def load(self, path: str | os.PathLike[str], *, scope: str | None = None) -> ImportReport:
        """Read a file of ours, of the MCP memory server, of mem0, or basic-memory's notes.

        All or nothing, and a second time nothing. *scope* is for memories from elsewhere.

        Raises:
            InvalidError: a line of it is wrong; names the line.
            AccessError: it cannot be read.
        """
        kind, records = read(str(path), self._desk.home(scope), self._desk.clock())
        return self._exchange.load(records, kind)

    def load_records(self, records: Iterable[Record], kind: str = "records") -> ImportReport:
        """As `load`, of records that somebody else has made."""
        return self._exchange.load([*records], kind)

    def _sees(self, memory: Memory) -> bool:
        return self._desk.covers(memory.scope) and memory.status not in ("pending", "rejected")

    def _set_up(self, desk: Desk) -> None:
        self._desk = desk
        self._sources = Sources(desk.db)
        watch = SourceWatch(desk.db, desk.clock)
        self._recall = Recall(desk)
        self._writing = Writing(desk, self._sources, watch)
        self._review = Review(desk, watch, self._writing.retire)
        self._contexts = Contexts(desk, self._recall)
        self._forgetting = Forgetting(desk)
        self._reverting = Reverting(desk, self._writing.delete, self._writing.restore)
        self._verification = Verification(desk, self._sources, watch)
        self._exchange = Exchange(desk, self._sources, watch)

    @property
    def writer(self) -> Writer:
        """On whose behalf the store writes."""
        return self._desk.writer
