"""Jobs that a request begins and does not wait for: one of a kind at a time."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from lsm.errors import AccessError, BusyError, DiskFullError, LsmError, RefusedError
from lsm.jobs import Job, JobBook, JobRow

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.app import Mind

    Work = Callable[[Callable[[Any], None], Callable[[], bool]], Any]


class Runner:
    """Runs jobs in threads of its own. Safe between threads."""

    def __init__(self, mind: Mind) -> None:
        self.book = JobBook(mind.db, mind.clock)
        self._lock = threading.Lock()
        self._live: dict[str, tuple[threading.Thread, threading.Event]] = {}

    def start(self, kind: str, work: Work, **what: Any) -> JobRow:
        """Begin *work*, which is given whom to tell of progress and whom to ask whether to stop.

        Raises:
            RefusedError: one of that *kind* is running already.
        """
        with self._lock:
            self.book.refuse_second(kind)
            job, stop = self.book.start(kind, **what), threading.Event()
            thread = threading.Thread(
                target=self._run, args=(job, work, stop), name=f"lsm-{kind}", daemon=True
            )
            self._live[job.id] = (thread, stop)
            thread.start()
        return self.book.get(job.id)

    def cancel(self, job_id: str) -> JobRow:
        """Ask a job to stop; what it has done is kept. The job as it stands.

        Raises:
            NotFoundError: there is none.
            RefusedError: it has ended, or runs in another process.
        """
        row = self.book.get(job_id)
        live = self._live.get(job_id)
        if live is None:
            told = f"runs in process {row.pid}; stop it there"
            raise RefusedError(
                f"job {job_id} {told if row.state == 'running' else 'has ended already'}"
            )
        live[1].set()
        return row

    def close(self) -> None:
        """Ask all to stop, and wait until they have."""
        for thread, stop in list(self._live.values()):
            stop.set()
            thread.join()

    def _run(self, job: Job, work: Work, stop: threading.Event) -> None:
        # A note that cannot be written is no reason for more noise: the job has ended all the same.
        with suppress(AccessError, BusyError, DiskFullError):
            try:
                result = work(lambda step: job.progress(to_builtins(step)), stop.is_set)
            except LsmError as error:
                job.fail(str(error))
            except BaseException as error:
                job.fail(f"it ended unexpectedly: {type(error).__name__}")
                raise
            else:
                job.complete(to_builtins(result))
            finally:
                self._live.pop(job.id, None)
