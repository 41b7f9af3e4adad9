"""One run of ingest: scan, read, embed, write.

Files are parsed in children, texts are embedded in a thread while the batch before them is being
written, and a batch is one transaction. Stopped anywhere, the next run goes on from there.
"""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import msgspec

from lsm.clock import utc_now
from lsm.ingest.batches import batched
from lsm.ingest.caution import deletions_on_hold, hold_deletions
from lsm.ingest.chunking import CHUNKER_VERSION
from lsm.ingest.derivation import Derivation, ids_with_chunking
from lsm.ingest.failures import load_failures
from lsm.ingest.messages import Startup
from lsm.ingest.parsers import PARSERS_VERSION
from lsm.ingest.reembedding import Reembedding
from lsm.ingest.report import FileError, IngestReport, Progress
from lsm.ingest.sandbox import ParserPool
from lsm.ingest.scan import Rule, doubtful, scan
from lsm.ingest.sorting import Reading
from lsm.ingest.vectorizing import Vectorizer
from lsm.ingest.writing import BatchWriter, WriterContext

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lsm.clock import Clock
    from lsm.db import Database
    from lsm.embedding.base import Embedder
    from lsm.ingest.batches import Batch
    from lsm.ingest.chunking import ChunkOptions
    from lsm.ingest.messages import Limits
    from lsm.ingest.scan import Plan
    from lsm.ingest.selection import Selection
    from lsm.ingest.walk import Start
    from lsm.vectordb.base import ChunkIndex

WRITE_EVERY = 2.0  # seconds: what is read is written at least so often


@dataclass(frozen=True)
class PipelineSettings:
    """What the user has set, for every run."""

    selection: Selection
    chunking: ChunkOptions
    limits: Limits
    workers: int  # children that parse
    own_files: frozenset[tuple[int, int]] = frozenset()  # (device, inode) of the database


@dataclass(frozen=True)
class IngestOptions:
    """What the user asks of one run."""

    dry_run: bool = False  # say what would be done
    force: bool = False  # read and parse everything
    verify: bool = False  # read everything, parse what differs
    confirm_delete: bool = False  # take out what is gone, however much it is


@dataclass(frozen=True)
class Hooks:
    """Whom a run talks to."""

    # Told inside the transaction which documents changed, and in which version.
    on_changed: Callable[[Sequence[int], int], None] = lambda _ids, _version: None
    on_progress: Callable[[Progress], None] = lambda _: None
    should_stop: Callable[[], bool] = lambda: False
    clock: Clock = field(default=utc_now)


class Pipeline:
    """Brings the library up to date with the disk."""

    def __init__(
        self,
        db: Database,
        index: ChunkIndex,
        embedder: Embedder,
        settings: PipelineSettings,
        hooks: Hooks = Hooks(),
    ) -> None:
        self._db = db
        self._index = index
        self._embedder = embedder
        self._settings = settings
        self._hooks = hooks
        self._chunking = chunking_name(settings.chunking)
        self._conditions = f"{self._chunking}, {limits_name(settings.limits)}"

    def run(
        self, starts: Sequence[Start], options: IngestOptions = IngestOptions()
    ) -> IngestReport:
        """Read what is new or changed below *starts*, and take out what is gone.

        Raises:
            EmbeddingError: the model refuses everything; what was written before stays.
            StorageError: the database cannot be written; what was written before stays.
        """
        began = time.monotonic()
        report = IngestReport(dry_run=options.dry_run)
        rule = Rule(
            schemas=ids_with_chunking(self._db, self._chunking),
            chunking=self._conditions,
            own_files=self._settings.own_files,
            force=options.force,
            verify=options.verify,
        )
        plan = scan(self._db, starts, self._settings.selection, rule, self._on_scanned)
        self._count_scan(report, plan)
        reading = Reading(self._db, rule, plan, report, hash_only=options.dry_run)
        if options.dry_run:
            self._try(reading, options)
        else:
            self._do(reading, options)
        report.errors.sort(key=lambda error: error.path)
        report.seconds = round(time.monotonic() - began, 3)
        return report

    def _try(self, reading: Reading, options: IngestOptions) -> None:
        """Read what would be read, and write nothing."""
        total = len(reading.plan.to_read)
        if total:
            with self._pool(reading) as pool:
                for number, result in enumerate(pool.results(reading.requests(self._stopped)), 1):
                    reading.accept(result)
                    self._progress("reading", number, total)
            _count_as_tried(reading.next_batch(), reading.report)
        reading.report.interrupted = self._stopped()
        reading.report.files.gone = len(self._leaving(reading, options))

    def _do(self, reading: Reading, options: IngestOptions) -> None:
        context = WriterContext(
            lambda: Derivation(self._embedder.model, self._embedder.dimension, self._chunking),
            self._hooks.clock,
            self._hooks.on_changed,
        )
        writer = BatchWriter(self._db, self._index, context)
        plan, report = reading.plan, reading.report
        if plan.to_read:
            self._read(reading, writer, len(plan.to_read))
        report.interrupted = self._stopped()
        if not report.interrupted:
            writer.note_scan(plan, self._conditions)
            self._retag(reading, writer)
            self._retire(reading, writer, options)
            self._embed_again(report)
        report.version = writer.version

    def _read(self, reading: Reading, writer: BatchWriter, total: int) -> None:
        vectorizer = Vectorizer(self._db, self._index, self._embedder, self._conditions)
        stage = _Stage(vectorizer, writer, reading.report)
        done = 0
        with self._pool(reading) as pool, stage:
            while True:
                for result in pool.results(reading.requests(self._stopped)):
                    reading.accept(result)
                    done += 1
                    self._progress("reading", min(done, total), total)
                    if reading.batch.is_full or stage.is_due():
                        stage.take(reading.next_batch())
                stage.take(reading.next_batch())
                if not reading.has_more():
                    return

    def _retag(self, reading: Reading, writer: BatchWriter) -> None:
        for part in batched(sorted(reading.plan.to_retag), 1000):
            writer.retag(dict(part))

    def _retire(self, reading: Reading, writer: BatchWriter, options: IngestOptions) -> None:
        for part in batched(self._leaving(reading, options), 500):
            retired = writer.retire({path: reading.plan.gone[path] for path in part})
            reading.report.files.gone += retired.files
            reading.report.chunks.retired += retired.chunks
        if options.confirm_delete:
            hold_deletions(self._db, None)

    def _leaving(self, reading: Reading, options: IngestOptions) -> list[str]:
        """The files that are gone for good; where that is doubtful, the user is asked first."""
        gone = reading.left_behind()
        if options.confirm_delete:
            return gone
        held = deletions_on_hold(self._db) is not None
        doubted = set(gone) if held else doubtful(reading.plan, gone)
        reading.report.unconfirmed = len(doubted)
        return [path for path in gone if path not in doubted]

    def _embed_again(self, report: IngestReport) -> None:
        """Give chunks whose vector another model made one of today's."""
        again = Reembedding(self._db, self._index, self._embedder)
        done = 0
        for count in again.batches():
            done += count
            self._progress("embedding", done, None)
            if self._stopped():
                report.interrupted = True
                break
        else:
            again.restate(self._hooks.clock)
        report.chunks.embedded += done

    def _count_scan(self, report: IngestReport, plan: Plan) -> None:
        files = report.files
        files.seen, files.unchanged, files.skipped = plan.seen, plan.unchanged, plan.skipped
        told = [FileError(p.path, p.code, p.reason) for p in plan.problems]
        report.warnings += [error for error in told if error.code == "tags_ignored"]
        failed = [error for error in told if error.code != "tags_ignored"]
        if plan.still_failing:
            before = load_failures(self._db, plan.still_failing)
            failed += [FileError(f.source_path, f.code, f.reason) for f in before]
        report.errors += failed
        files.failed = len(failed)

    def _pool(self, reading: Reading) -> ParserPool:
        startup = Startup(
            chunking=self._settings.chunking,
            limits=self._settings.limits,
            known=reading.gone_digests(),
        )
        return ParserPool(self._settings.workers, startup)

    def _progress(self, stage: str, done: int, total: int | None) -> None:
        self._hooks.on_progress(Progress(stage, done, total))

    def _on_scanned(self, seen: int) -> None:
        self._progress("scanning", seen, None)

    def _stopped(self) -> bool:
        return self._hooks.should_stop()


class _Stage:
    """Embeds one batch while the one before it is written."""

    def __init__(self, vectorizer: Vectorizer, writer: BatchWriter, report: IngestReport) -> None:
        self._vectorizer = vectorizer
        self._writer = writer
        self._report = report
        self._pending: deque[Future[Batch]] = deque()
        self._executor = ThreadPoolExecutor(1, "lsm-embed")
        self._last = time.monotonic()

    def is_due(self) -> bool:
        """Whether what is at hand should be written although it is little: files may be slow."""
        return time.monotonic() - self._last > WRITE_EVERY

    def take(self, batch: Batch) -> None:
        """Embed *batch*, and write the one before."""
        self._last = time.monotonic()
        if batch.files:
            self._pending.append(self._executor.submit(self._vectorizer.fill, batch))
        while len(self._pending) > 1:
            self._write()

    def _write(self) -> None:
        batch = self._pending.popleft().result()
        outcome = self._writer.write(batch)
        files, chunks = self._report.files, self._report.chunks
        files.new += outcome.new
        files.changed += outcome.changed
        files.moved += outcome.moved
        files.unchanged += outcome.unchanged
        files.failed += len(batch.failures)
        chunks.added += outcome.added
        chunks.retired += outcome.retired
        chunks.embedded += batch.embedded
        chunks.reused += outcome.reused
        self._report.errors += [FileError(f.source_path, f.code, f.reason) for f in batch.failures]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            while self._pending and kind is None:
                self._write()
        finally:
            self._executor.shutdown(cancel_futures=True)


def chunking_name(options: ChunkOptions) -> str:
    """What makes chunks today, as `lsm_schema_versions` names it."""
    return (
        f"parsers {PARSERS_VERSION}, chunker {CHUNKER_VERSION}, "
        f"{options.target}-{options.maximum} characters"
    )


def limits_name(limits: Limits) -> str:
    """What a file may cost today: one that failed is tried again when this changes."""
    return ", ".join(f"{name} {value}" for name, value in msgspec.structs.asdict(limits).items())


def _count_as_tried(batch: Batch, report: IngestReport) -> None:
    """What a run would have done with *batch*, of which only the hashes are known."""
    files = report.files
    files.moved += len(batch.moves)
    files.changed += sum(candidate.is_known for candidate in batch.untold)
    files.new += sum(not candidate.is_known for candidate in batch.untold)
    files.failed += len(batch.failures)
    report.errors += [FileError(f.source_path, f.code, f.reason) for f in batch.failures]
