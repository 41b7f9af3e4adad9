"""Old versions out of the library, so that it does not grow for ever."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from lsm.clock import to_text
from lsm.errors import InvalidError
from lsm.ingest.pipeline import Hooks
from lsm.ingest.report import Progress
from lsm.vectordb.documents import DocumentReader
from lsm.vectordb.pruning import (
    move_horizon,
    oldest_of,
    prunable,
    prune_chunks,
    prune_documents,
    pruned_before,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from lsm.db import Database
    from lsm.vectordb.base import ChunkIndex


@dataclass(frozen=True, kw_only=True)
class Keep:
    """What can be read afterwards: one of the two."""

    versions: int | None = None  # so many of the newest
    younger_than: timedelta | None = None  # the library as it was at any moment since then


class PruneReport(msgspec.Struct, kw_only=True):
    """What a prune did, or would do. The fields are those of the JSON."""

    oldest: int  # the oldest version that can be read afterwards; 0: all of them
    versions: int
    documents: int = 0  # states of documents, not documents: no current one is ever touched
    chunks: int = 0
    kept_for_memories: int  # chunks that a memory rests on without quoting them
    dry_run: bool
    interrupted: bool = False
    seconds: float = 0.0


class Pruning:
    """Prunes the library of one database."""

    def __init__(self, db: Database, index: ChunkIndex, hooks: Hooks | None = None) -> None:
        self._db = db
        self._index = index
        self._hooks = hooks or Hooks()

    def run(self, keep: Keep, *, dry_run: bool = False) -> PruneReport:
        """Take out what *keep* does not name. Stopped anywhere, the next run goes on.

        Raises:
            InvalidError: *keep* names both or neither, or less than one version.
        """
        began = time.monotonic()
        horizon = max(self._horizon(keep), pruned_before(self._db))
        found = prunable(self._db, horizon)
        report = PruneReport(
            oldest=horizon,
            versions=found.versions,
            kept_for_memories=found.witnesses,
            dry_run=dry_run,
        )
        if dry_run:
            report.documents, report.chunks = found.documents, found.chunks
        elif horizon:
            move_horizon(self._db, horizon)
            self._remove(horizon, report, found.documents + found.chunks)
        report.seconds = round(time.monotonic() - began, 3)
        return report

    def _horizon(self, keep: Keep) -> int:
        if (keep.versions is None) == (keep.younger_than is None):
            raise InvalidError("prune", "say either --keep-versions N or --older-than 90d")
        if keep.younger_than is not None:
            since = to_text(self._hooks.clock() - keep.younger_than)
            return DocumentReader(self._db).version_at(since)
        if keep.versions is None or keep.versions < 1:
            raise InvalidError("--keep-versions", "at least 1: the library as it is")
        return oldest_of(self._db, keep.versions)

    def _remove(self, horizon: int, report: PruneReport, total: int) -> None:
        for count in self._counted(prune_documents(self._db, horizon), report, total):
            report.documents += count
        for count in self._counted(prune_chunks(self._db, self._index, horizon), report, total):
            report.chunks += count
        if report.chunks:
            for _ in self._counted((0 for _ in self._index.compact()), report, total):
                pass

    def _counted(self, steps: Iterator[int], report: PruneReport, total: int) -> Iterator[int]:
        """*steps* until somebody wants to stop."""
        while not report.interrupted:
            count = next(steps, None)
            if count is None:
                return
            yield count
            done = report.documents + report.chunks
            self._hooks.on_progress(Progress("pruning", done, total))
            report.interrupted = self._hooks.should_stop()
