"""Writes batches into the library, each in one transaction, all of a run under one version."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypedDict

from lsm.failpoints import reach
from lsm.ingest.derivation import Derivation, open_derivation
from lsm.ingest.failures import FailedFile, clear_failures, record_failures
from lsm.ingest.foldertags import merged
from lsm.ingest.incoming import extension_of, folder_tag_list, modified_at, title_from
from lsm.ingest.manifest import (
    forget_files,
    load_manifest,
    newest_version,
    open_version,
    save_manifest,
)
from lsm.vectordb.documents import DocumentReader
from lsm.vectordb.library import Label, LibraryWriter
from lsm.vectordb.spaces import open_space

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lsm.clock import Clock
    from lsm.db import Database
    from lsm.ingest.batches import Arrival, Batch, Move
    from lsm.ingest.manifest import FileState
    from lsm.ingest.scan import Plan
    from lsm.vectordb.base import ChunkIndex
    from lsm.vectordb.documents import DocumentVersion, StoredChunk
    from lsm.vectordb.library import NewDocument


@dataclass
class Outcome:
    """What writing a batch did."""

    new: int = 0
    changed: int = 0
    moved: int = 0
    unchanged: int = 0  # parsed again, to the same result
    added: int = 0
    retired: int = 0
    reused: int = 0


@dataclass(frozen=True)
class Retired:
    """What went out of the library as it is."""

    files: int
    chunks: int


@dataclass(frozen=True)
class WriterContext:
    """What holds for every batch of a run."""

    derivation: Callable[[], Derivation]  # asked once, and only if something is written
    clock: Clock
    # Told, inside the transaction, which documents changed in which version.
    on_changed: Callable[[Sequence[int], int], None]


class BatchWriter:
    """Puts batches into the library. Every method is one transaction."""

    def __init__(self, db: Database, index: ChunkIndex, context: WriterContext) -> None:
        self._db = db
        self._library = LibraryWriter(db, index)
        self._documents = DocumentReader(db)
        self._context = context
        self.version: int | None = None  # of this run, once something has changed

    def write(self, batch: Batch) -> Outcome:
        """All of *batch*, or, if anything raises, nothing of it."""
        outcome = Outcome()
        version = self.version
        reach("ingest.before_batch")
        with self._db.transaction():
            self._library.queue()
            self._drop_overtaken(batch)
            same = self._parsed_to_the_same(batch)
            outcome.unchanged = len(same)
            paths = {arrival.state.source_path for arrival in same}
            arrivals = [a for a in batch.arrivals if a.state.source_path not in paths]
            if arrivals or batch.moves:
                version = self._open_version()
                self._put(arrivals, batch, outcome, version)
                self._move(batch.moves, version)
                outcome.moved = len(batch.moves)
            save_manifest(self._db, self._remade(same), self._context.clock)
            save_manifest(self._db, batch.restamps, self._context.clock)
            clear_failures(self._db, _paths_read(batch))
            record_failures(self._db, batch.failures, self._context.clock)
        self.version = version
        return outcome

    def retire(self, gone: Mapping[str, int]) -> Retired:
        """Take files that are gone out of the library as it is.

        Args:
            gone: by path, when the file was last known to be there; one that somebody else
                has read since is there again, and stays.
        """
        version = self.version
        with self._db.transaction():
            self._library.queue()
            states = load_manifest(self._db, list(gone))
            paths = [path for path, state in states.items() if state.checked_ns == gone[path]]
            ids = [i for path in paths if (i := states[path].document_id) is not None]
            chunks = 0
            if ids:
                version = self._open_version()
                chunks = self._library.retire(ids, version)
                reach("ingest.after_retire")
                self._context.on_changed(ids, version)
            forget_files(self._db, paths)
            clear_failures(self._db, paths)
        self.version = version
        return Retired(len(paths), chunks)

    def retag(self, folder_tags: Mapping[str, str]) -> None:
        """Give documents, by path, the tags that their folders now have."""
        version = self.version
        with self._db.transaction():
            self._library.queue()
            states = load_manifest(self._db, list(folder_tags))
            current = self._current(list(states.values()))
            labels = [
                _label(document, path, folder_tags[path])
                for path, state in states.items()
                if (document := current.get(state.document_id or 0)) is not None
            ]
            # A tag that the document has by itself makes no difference to it.
            labels = [label for label in labels if label.tags != current[label.document_id].tags]
            if labels:
                version = self._open_version()
                self._library.relabel(labels, version)
            changed = [replace(s, folder_tags=folder_tags[p]) for p, s in states.items()]
            save_manifest(self._db, changed, self._context.clock)
        self.version = version

    def note_scan(self, plan: Plan, chunking: str) -> None:
        """Remember what the walk could not look into, and forget what it no longer meets."""
        problems = [problem for problem in plan.problems if problem.code != "tags_ignored"]
        if not problems and not plan.recovered:
            return
        with self._db.transaction():
            clear_failures(self._db, plan.recovered)
            record_failures(
                self._db,
                [FailedFile(p.path, p.code, p.reason, 0, 0, 0, chunking) for p in problems],
                self._context.clock,
            )

    def _open_version(self) -> int:
        # Another run may have opened one since ours: nothing is written below the newest.
        if self.version is not None and newest_version(self._db) == self.version:
            return self.version
        return open_version(self._db, self._context.clock)

    def _current(self, states: Sequence[FileState]) -> dict[int, DocumentVersion]:
        ids = [state.document_id for state in states if state.document_id is not None]
        return self._documents.by_id(ids)

    def _drop_overtaken(self, batch: Batch) -> None:
        """Leave out what another process has written since it was read."""
        paths = [a.state.source_path for a in batch.arrivals]
        paths += [m.old_path for m in batch.moves] + [m.state.source_path for m in batch.moves]
        paths += [state.source_path for state in batch.restamps]
        now = load_manifest(self._db, paths)
        batch.restamps = [s for s in batch.restamps if _same(now.get(s.source_path), s)]
        batch.arrivals = [
            a for a in batch.arrivals if _same(now.get(a.state.source_path), a.before)
        ]
        batch.moves = [
            m
            for m in batch.moves
            if _same(now.get(m.old_path), m.before) and m.state.source_path not in now
        ]

    def _parsed_to_the_same(self, batch: Batch) -> list[Arrival]:
        """Files read again by force or by a newer parser, with nothing new to show for it."""
        again = [
            arrival
            for arrival in batch.arrivals
            if arrival.before is not None and arrival.before.file_hash == arrival.state.file_hash
        ]
        stored = self._current([a.before for a in again if a.before is not None])
        ids = {place.chunk_id for document in stored.values() for place in document.outline}
        chunks = self._documents.chunks(list(ids)) if ids else {}
        return [
            arrival
            for arrival in again
            if (document := stored.get(arrival.document.document_id or 0)) is not None
            and _content(arrival.document) == _stored_content(document, chunks)
        ]

    def _remade(self, arrivals: Sequence[Arrival]) -> list[FileState]:
        if not arrivals:
            return []
        made_by = self._made_by()
        return [
            replace(
                arrival.state,
                version=arrival.before.version,
                document_id=arrival.before.document_id,
                chunk_count=arrival.before.chunk_count,
                **made_by,
            )
            for arrival in arrivals
            if arrival.before is not None
        ]

    def _made_by(self) -> _MadeBy:
        derivation = self._context.derivation()
        schema = open_derivation(self._db, derivation, self._context.clock)
        return {"embedding_model": derivation.embedding_model, "schema_version_id": schema}

    def _put(
        self, arrivals: Sequence[Arrival], batch: Batch, outcome: Outcome, version: int
    ) -> None:
        derivation, made_by = self._context.derivation(), self._made_by()
        space = open_space(self._db, derivation.embedding_model, derivation.dimension)
        documents = [arrival.document for arrival in arrivals]
        written = self._library.put(documents, batch.vectors, version, space)
        reach("ingest.before_manifest")
        states = [
            replace(
                arrival.state,
                version=version,
                document_id=document_id,
                chunk_count=len(arrival.document.pieces),
                **made_by,
            )
            for arrival, document_id in zip(arrivals, written.document_ids, strict=True)
        ]
        save_manifest(self._db, states, self._context.clock)
        known = [d.document_id for d in documents if d.document_id is not None]
        if written.document_ids:
            self._context.on_changed(written.document_ids, version)
        outcome.new = len(documents) - len(known)
        outcome.changed = len(known)
        outcome.added = written.chunks_added
        outcome.retired = written.chunks_retired
        outcome.reused = max(0, written.chunks_added + written.chunks_kept - batch.embedded)

    def _move(self, moves: Sequence[Move], version: int) -> None:
        current = self._current([move.before for move in moves])
        labels = [
            _label(document, move.state.source_path, move.state.folder_tags, move.state.mtime_ns)
            for move in moves
            if (document := current.get(move.before.document_id or 0)) is not None
        ]
        self._library.relabel(labels, version)
        if labels:
            self._context.on_changed([label.document_id for label in labels], version)
        forget_files(self._db, [move.old_path for move in moves])
        states = [_moved_state(move, version) for move in moves]
        save_manifest(self._db, states, self._context.clock)


class _MadeBy(TypedDict):
    embedding_model: str
    schema_version_id: int


def _content(document: NewDocument) -> tuple[object, ...]:
    places = [(p.text_hash, p.start_line, p.end_line, p.page) for p in document.pieces]
    return document.title, document.tags, document.flags, dict(document.metadata), places


def _stored_content(
    document: DocumentVersion, chunks: Mapping[int, StoredChunk]
) -> tuple[object, ...]:
    places = [
        (chunks[p.chunk_id].text_hash, p.start_line, p.end_line, p.page) for p in document.outline
    ]
    return document.title, document.tags, document.flags, document.metadata, places


def _moved_state(move: Move, version: int) -> FileState:
    return replace(
        move.state,
        version=version,
        document_id=move.before.document_id,
        chunk_count=move.before.chunk_count,
        embedding_model=move.before.embedding_model,
        schema_version_id=move.before.schema_version_id,
    )


def _label(
    document: DocumentVersion, path: str, folder_tags: str, mtime_ns: int | None = None
) -> Label:
    """*document* as it is called at *path*: a title taken from the file's name goes with it."""
    named_by_file = document.title == title_from(document.source_path)
    return Label(
        document_id=document.document_id,
        source_path=path,
        extension=extension_of(path),
        title=title_from(path) if named_by_file else document.title,
        tags=merged(document.own_tags, folder_tag_list(folder_tags)),
        modified_at=document.modified_at if mtime_ns is None else modified_at(mtime_ns),
    )


def _same(now: FileState | None, before: FileState | None) -> bool:
    if now is None or before is None:
        return now is before
    return (now.version, now.file_hash) == (before.version, before.file_hash)


def _paths_read(batch: Batch) -> list[str]:
    states = [a.state for a in batch.arrivals] + [m.state for m in batch.moves] + batch.restamps
    return [state.source_path for state in states]
