"""The ingest that a server runs for the person in front of it: one at a time, and seen live."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from lsm.errors import LsmError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lsm.app import Mind
    from lsm.ingest.report import IngestReport
    from lsm.jobs import JobRow
    from lsm.web.api.running import Runner

_KIND = "ingest"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a page shows of an ingest."""

    running: bool = False
    mine: bool = True  # this server's, which it can stop
    stopping: bool = False
    stage: str = ""
    done: int = 0
    total: int | None = None
    error: str | None = None  # why the last one of this server did not end well


class Ingesting:
    """Ingests as jobs of *runner*. Safe between threads."""

    def __init__(self, mind: Mind, runner: Runner, say: Callable[[str], None]) -> None:
        self._mind = mind
        self._runner = runner
        self._say = say
        self._error: str | None = None
        self._stopped: set[str] = set()  # ids of jobs

    def told(self) -> Told:
        """The ingest of this server or, if it runs none, that of another process."""
        running = self._running()
        if running is None:
            return Told(error=self._error)
        step: dict[str, Any] = running.progress or {}
        return Told(
            running=True,
            mine=running.pid == os.getpid(),
            stopping=running.job_id in self._stopped,
            stage=step.get("stage", ""),
            done=step.get("done", 0),
            total=step.get("total"),
        )

    def start(self, paths: Sequence[str] = ()) -> None:
        """Read what is new or changed below *paths*, or below every root.

        Raises:
            RefusedError: one is running.
        """
        self._runner.start(_KIND, partial(self._work, paths), paths=list(paths))

    def stop(self) -> None:
        """Finish what is at hand, and no more; what was read is kept.

        Raises:
            RefusedError: none runs, or it runs in another process.
        """
        running = self._running()
        if running is None:
            raise RefusedError("no ingest is running")
        self._runner.cancel(running.job_id)
        self._stopped.add(running.job_id)

    def _running(self) -> JobRow | None:
        found = self._runner.book.running(_KIND)
        # Ours first: it is what the buttons are about.
        return min(found, key=lambda row: row.pid != os.getpid(), default=None)

    def _work(
        self,
        paths: Sequence[str],
        on_progress: Callable[[Any], None],
        should_stop: Callable[[], bool],
    ) -> IngestReport:
        self._error = None
        try:
            report = self._mind.ingest(*paths, on_progress=on_progress, should_stop=should_stop)
        except LsmError as error:
            self._error = str(error)
            self._say(f"lsm: the ingest failed: {error}")
            raise
        self._say(_line(report))
        return report


def _line(report: IngestReport) -> str:
    files = report.files
    return (
        f"ingest: {files.seen:,} files, {files.new:,} new, {files.changed:,} changed, "
        f"{files.gone:,} gone, {files.failed:,} failed, {report.seconds:.1f} s"
    )
