"""The threads that agents run in, and the one that looks after them meanwhile."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_ABANDONED = 8


class Workers:
    """At most *parallel* jobs at a time, in threads that are kept for the next job."""

    def __init__(self, parallel: int, on_free: Callable[[], None]) -> None:
        self._parallel = parallel
        self._on_free = on_free  # called when a thread has become free
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._busy = 0
        self._abandoned = 0

    def free(self) -> int:
        """How many further jobs may start; none while too many threads hang."""
        with self._lock:
            return self._parallel - self._busy if self._abandoned < _MOST_ABANDONED else 0

    def busy(self) -> int:
        """How many jobs are going on, but for those that hang."""
        with self._lock:
            return self._busy

    def start(self, job: Callable[[], None]) -> None:
        """Run *job* in a thread of its own; at once, if `free` said so."""
        with self._lock:
            self._busy += 1
            if self._threads < self._busy + self._abandoned:
                self._threads += 1
                # Not waited for at exit: an agent that never returns must not keep us.
                threading.Thread(target=self._serve, name="lsm-agent", daemon=True).start()
        self._jobs.put(job)

    def abandon(self) -> None:
        """A job hangs: another one may start beside it."""
        with self._lock:
            self._busy -= 1
            self._abandoned += 1

    def take_back(self) -> None:
        """A job that was abandoned has come to its end after all."""
        with self._lock:
            self._busy += 1
            self._abandoned -= 1

    def close(self) -> None:
        """Let the threads end, each after its present job."""
        with self._lock:
            for _ in range(self._threads):
                self._jobs.put(None)

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            finally:
                with self._lock:
                    self._busy -= 1
                self._on_free()


class Heart(threading.Thread):
    """Calls *tend* again and again, beside whatever the agents do.

    A thread of its own: a busy loop or a busy agent elsewhere does not stop the heart.
    """

    def __init__(self, tend: Callable[[], None], seconds: float) -> None:
        super().__init__(name="lsm-heart", daemon=True)
        self._tend = tend
        self._seconds = seconds
        self._over = threading.Event()

    def run(self) -> None:
        """Until `stop`."""
        while not self._over.wait(self._seconds):
            self._tend()

    def stop(self) -> None:
        """End after the present call."""
        self._over.set()
        self.join()
