"""Moving memories out of a database and into one, with their history, as JSON Lines."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from lsm.agents.memory.checks import twin_hash
from lsm.agents.memory.history import history_of
from lsm.agents.memory.queue import CandidateRows
from lsm.agents.memory.records import Header, Record, candidate_of, memory_of, record_of
from lsm.agents.memory.rows import Why
from lsm.agents.memory.values import ImportReport, Source
from lsm.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from typing import BinaryIO

    from lsm.agents.memory.desk import Desk
    from lsm.agents.memory.provenance import SourceWatch
    from lsm.agents.memory.sources import Sources
    from lsm.agents.memory.values import Memory
    from lsm.vectordb.base import Vector

_ALL = """
SELECT id FROM lsm_agent_memories
 WHERE number > :after
   AND (:scope = '' OR scope = :scope OR substr(scope, 1, length(:scope) + 1) = :scope || '/')
 ORDER BY number LIMIT 500
"""
_REVISION = """
INSERT INTO lsm_memory_revisions (memory_id, version, changed_at, action, author, reason, run_id,
                                  state_json)
VALUES (:memory_id, :version, :changed_at, :action, :author, :reason, :run_id, :state_json)
"""
# What refers to memories that come later in the file is set when they are all there.
_SUCCESSOR = """
UPDATE lsm_agent_memories SET superseded_by = :successor
 WHERE id = :id AND EXISTS (SELECT 1 FROM lsm_agent_memories s WHERE s.id = :successor)
"""
_REPLACED = """
UPDATE lsm_agent_memory_candidates SET supersedes = :replaced
 WHERE id = :id AND EXISTS (SELECT 1 FROM lsm_agent_memories s WHERE s.id = :replaced)
"""
_MERGE = """
INSERT INTO lsm_agent_memory_merges (candidate_id, position, memory_id)
SELECT :id, :position, s.id FROM lsm_agent_memories s
 WHERE s.id = :merged AND EXISTS (SELECT 1 FROM lsm_agent_memory_candidates c WHERE c.id = :id)
    ON CONFLICT (candidate_id, position) DO NOTHING
"""
_DROP_SOURCES = "DELETE FROM lsm_memory_sources WHERE memory_id = :id"
_DROP_REVISIONS = "DELETE FROM lsm_memory_revisions WHERE memory_id = :id"
_CHUNK = """
SELECT c.chunk_id, c.document_id
  FROM lsm_chunks c
  JOIN lsm_documents d ON d.document_id = c.document_id AND d.version_out IS NULL
 WHERE c.text_hash = :hash AND c.version_out IS NULL
 ORDER BY CASE WHEN d.source_path = :path THEN 0 ELSE 1 END, c.chunk_id
 LIMIT 1
"""
_DOCUMENT = """
SELECT document_id FROM lsm_documents WHERE source_path = :path AND version_out IS NULL
"""
_UNIQUE = ("pending", "active", "quarantined", "rejected")


class Exchange:
    """Writes memories to a file and reads them back."""

    def __init__(self, desk: Desk, sources: Sources, watch: SourceWatch) -> None:
        self._desk = desk
        self._sources = sources
        self._watch = watch
        self._queue = CandidateRows(desk.db)

    def export(self, file: BinaryIO, scope: str | None) -> int:
        """Write every memory of any status, oldest first; how many."""
        count = 0
        with self._desk.db.snapshot():
            file.write(msgspec.json.encode(Header()) + b"\n")
            for record in self._records(scope):
                file.write(msgspec.json.encode(record) + b"\n")
                count += 1
        return count

    def load(self, records: Sequence[Record], kind: str) -> ImportReport:
        """Bring in *records*, all or nothing; what is here already stays as it is."""
        desk = self._desk
        desk.need_person("import")
        incoming = [memory_of(record, 0) for record in records]
        told = frozenset(record.id for record in records if record.revisions)
        for memory in incoming:
            if not desk.covers(memory.scope):
                raise RefusedError(f"scope {memory.scope} lies outside of {desk.writer.scope}")
        vectors = self._vectors(incoming)
        outcomes: Counter[str] = Counter()
        problems: list[str] = []
        with desk.db.transaction():
            for record, given in zip(records, incoming, strict=True):
                memory = self._apart(given, told)
                outcome = self._take(record, memory, vectors.get(memory.id))
                outcomes[outcome] += 1
                if outcome == "conflicts":
                    problems.append(f"memory {memory.id}: changed here as well; ours stays")
            self._connect(records)
            self._watch.settle([memory.id for memory in incoming])
        return ImportReport(format=kind, problems=tuple(problems), **outcomes)

    def _records(self, scope: str | None) -> Iterator[Record]:
        desk, after = self._desk, 0
        path = desk.inside(scope)
        while rows := desk.db.tuples(_ALL, after=after, scope=path):
            ids = [row[0] for row in rows]
            memories = desk.rows.by_id(ids)
            candidates = self._queue.of_memories(ids)
            sources = self._sources.of(ids)
            for each in ids:
                history = history_of(desk.db, each)
                memory = memories[each]
                yield record_of(memory, candidates.get(each), sources.get(each, ()), history)
            after = memories[ids[-1]].number

    def _take(self, record: Record, memory: Memory, vector: Vector | None) -> str:
        here = self._desk.rows.by_id([record.id]).get(record.id)
        if here is not None:
            return self._reconcile(record, memory, here, vector)
        if memory.status in _UNIQUE and self._desk.rows.same(memory) is not None:
            return "merged"
        self._insert(record, memory, vector)
        return "added"

    def _apart(self, memory: Memory, told: Collection[str]) -> Memory:
        """*memory* beside another of the same words, if both stood side by side where *told*."""
        same = self._desk.rows.same(memory) if memory.id in told else None
        if same is None or same.id == memory.id or same.id not in told:
            return memory
        return replace(memory, text_hash=twin_hash(memory.text_hash, memory.id))

    def _insert(self, record: Record, memory: Memory, vector: Vector | None) -> None:
        desk = self._desk
        number = desk.rows.take_number()
        memory = replace(memory, number=number, superseded_by=None)
        if record.revisions:
            desk.rows.restore_row(memory)
            self._write_history(record)
        else:
            desk.rows.insert(memory, Why(desk.now(), "imported", desk.writer.author))
        if record.candidate is not None:
            self._queue.insert(replace(candidate_of(record.candidate, memory), supersedes=None))
        self._sources.keep(memory.id, [self._linked(each) for each in _sources(record)])
        desk.index_vector(memory, vector)

    def _reconcile(
        self, record: Record, memory: Memory, here: Memory, vector: Vector | None
    ) -> str:
        if not record.revisions:
            if memory.text_hash == here.text_hash:
                return "identical"
            if here.version > 1:
                return "conflicts"
            why = self._desk.why("imported")
            changes = {"text": memory.text, "text_hash": memory.text_hash, "value": memory.value}
            changed = self._desk.rows.change(here, why, **changes, updated_at=why.at)
            self._desk.index_vector(changed, vector)
            return "updated"
        ours = self._record_of(here)
        shorter = min(len(ours.revisions), len(record.revisions))
        if ours.revisions[:shorter] != record.revisions[:shorter]:
            return "conflicts"
        if len(record.revisions) <= len(ours.revisions):
            return "identical"
        self._replace(record, replace(memory, number=here.number), vector)
        return "updated"

    def _record_of(self, memory: Memory) -> Record:
        sources = self._sources.of([memory.id]).get(memory.id, ())
        return record_of(memory, None, sources, history_of(self._desk.db, memory.id))

    def _replace(self, record: Record, memory: Memory, vector: Vector | None) -> None:
        """Put a later version of a memory in the place of ours."""
        db = self._desk.db
        self._queue.drop(memory.id)
        db.run(_DROP_SOURCES, id=memory.id)
        db.run(_DROP_REVISIONS, id=memory.id)
        self._desk.rows.overwrite(replace(memory, superseded_by=None))
        self._write_history(record)
        if record.candidate is not None:
            self._queue.insert(replace(candidate_of(record.candidate, memory), supersedes=None))
        self._sources.keep(memory.id, [self._linked(each) for each in _sources(record)])
        self._desk.index_vector(memory, vector)

    def _write_history(self, record: Record) -> None:
        rows: list[dict[str, Any]] = []
        for revision in record.revisions:
            row = msgspec.structs.asdict(revision)
            row["state_json"] = msgspec.json.encode(row.pop("state")).decode()
            rows.append(row | {"memory_id": record.id})
        self._desk.db.many(_REVISION, rows)

    def _linked(self, source: Source) -> Source:
        """*source* held to the chunk or document of this library that it names, if it is here."""
        db = self._desk.db
        if source.kind == "chunk" and source.content_hash:
            rows = db.tuples(_CHUNK, hash=source.content_hash, path=source.ref)
            if rows:
                return replace(source, chunk_id=rows[0][0], document_id=rows[0][1])
        if source.kind in ("chunk", "document"):
            rows = db.tuples(_DOCUMENT, path=source.ref)
            return replace(source, document_id=rows[0][0] if rows else None)
        return source

    def _connect(self, records: Sequence[Record]) -> None:
        db = self._desk.db
        db.many(
            _SUCCESSOR,
            (
                {"id": record.id, "successor": record.superseded_by}
                for record in records
                if record.superseded_by is not None
            ),
        )
        db.many(
            _REPLACED,
            (
                {"id": record.candidate.id, "replaced": record.candidate.supersedes}
                for record in records
                if record.candidate is not None and record.candidate.supersedes is not None
            ),
        )

        db.many(
            _MERGE,
            (
                {"id": record.candidate.id, "position": position, "merged": merged}
                for record in records
                if record.candidate is not None
                for position, merged in enumerate(record.candidate.merges)
            ),
        )

    def _vectors(self, incoming: list[Memory]) -> dict[str, Vector]:
        """Of what is new here and may be recalled."""
        known = self._desk.rows.by_id([memory.id for memory in incoming])
        fresh = [
            memory
            for memory in incoming
            if memory.status == "active"
            and (memory.id not in known or known[memory.id].text != memory.text)
        ]
        made = self._desk.vectors([memory.text for memory in fresh]) if fresh else None
        return {
            memory.id: vector for memory, vector in zip(fresh, made or (), strict=made is not None)
        }


def _sources(record: Record) -> list[Source]:
    return [Source(**msgspec.structs.asdict(each)) for each in record.sources]
