"""Parses files in child processes that may hang, crash, eat memory or talk nonsense.

Each child has one thread that feeds it, listens to it and, when it dies or oversteps its
time, names the file to blame and starts another child. Threads, not `selectors`, because
pipes cannot be selected on Windows.
"""

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self

import msgspec

from lsm.errors import LsmError
from lsm.ingest.child import Child, ChildDiedError, NonsenseError, default_command
from lsm.ingest.exchange import Exchange, Job, ParseResult
from lsm.ingest.messages import Answer, ParseRequest, Startup

__all__ = ["ParseRequest", "ParseResult", "ParserPool"]

_AHEAD = 16  # requests given to a child beyond the one it works on, so that it never waits
# All requests on their way together fit any pipe, so that writing one never blocks while
# the child is itself blocked on writing an answer.
_MAX_IN_FLIGHT = 4096  # bytes
_ROOM = 64  # requests held ready for each child
_START_SECONDS = 60.0
_WATCH_EVERY = 0.1  # seconds


class ParserPool:
    """Children that parse, as many as *workers*, started when there is work for them.

    One iteration of `results` at a time. Close it, or use it in a ``with`` statement.
    """

    def __init__(
        self, workers: int, startup: Startup, *, command: Sequence[str] | None = None
    ) -> None:
        self._workers = workers
        self._startup = startup
        self._command = tuple(command or default_command())
        self._exchange = Exchange(_ROOM * workers)
        self._feeders: list[_Feeder] = []
        self._watch = threading.Thread(target=self._watch_time, daemon=True)
        self._closed = threading.Event()

    def results(self, requests: Iterable[ParseRequest]) -> Iterator[ParseResult]:
        """What became of each request, in any order, while *requests* is still being read.

        *requests* is read in the thread of the caller, some requests ahead of the results.
        A file that kills, stalls or confuses its child is answered once, as failed, with
        timeout, oom, parser_crash or protocol; the files that waited behind it are parsed.

        Raises:
            LsmError: the children do not start.
        """
        self._exchange.start_round()
        try:
            for request in requests:
                self._exchange.put(request)
                self._start_feeder()
                while result := self._exchange.next_result(wait=not self._exchange.has_room()):
                    yield result
            while result := self._exchange.next_result(wait=True):
                yield result
        finally:
            self._exchange.start_round()

    def close(self) -> None:
        """End all children now, whatever they are doing."""
        self._closed.set()
        self._exchange.close()
        for feeder in self._feeders:
            feeder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def _start_feeder(self) -> None:
        if len(self._feeders) >= self._workers:
            return
        if not self._feeders:
            self._watch.start()
        feeder = _Feeder(self._exchange, self._command, self._startup)
        self._feeders.append(feeder)
        feeder.thread.start()

    def _watch_time(self) -> None:
        while not self._closed.wait(_WATCH_EVERY):
            for feeder in list(self._feeders):
                feeder.end_if_late()


class _Feeder:
    """A thread, its child, and the jobs that it has given to the child."""

    def __init__(self, exchange: Exchange, command: Sequence[str], startup: Startup) -> None:
        self._exchange = exchange
        self._command = command
        self._startup = startup
        self._seconds = startup.limits.wall_seconds
        self._jobs: deque[Job] = deque()
        self._sent: deque[int] = deque()  # sizes of the requests that were sent, oldest first
        self._child: Child | None = None
        self._guard = threading.Lock()  # of the three below
        self._deadline: float | None = None  # of `time.monotonic`
        self._is_late = False
        self._is_closed = False
        # Linux kills a child when the *thread* that started it ends: so each child is started
        # by the thread that lives as long as it does.
        self.thread = threading.Thread(target=self._run, daemon=True)

    def end_if_late(self) -> None:
        """Kill the child if the file it works on has used up its time. For another thread."""
        with self._guard:
            if self._child and self._deadline and time.monotonic() > self._deadline:
                self._is_late, self._deadline = True, None
                self._child.kill()

    def close(self) -> None:
        """Kill the child and wait for the thread to end."""
        with self._guard:
            self._is_closed = True
            if self._child:
                self._child.kill()
        self.thread.join()

    def _run(self) -> None:
        try:
            while self._take():
                self._send(self._ready_child())
                self._receive(self._ready_child())
        except LsmError as error:
            self._exchange.fail(error)
        finally:
            self._drop_child()

    def _take(self) -> bool:
        """Have some jobs; False when there will be none any more."""
        wanted = 1 + _AHEAD - len(self._jobs)
        self._jobs += self._exchange.take(wanted, wait=not self._jobs)
        return bool(self._jobs) and not self._is_closed

    def _ready_child(self) -> Child:
        if self._child is None:
            child = Child(self._command)
            with self._guard:
                self._child = child
                if self._is_closed:
                    child.kill()
            self._set_deadline(_START_SECONDS)
            try:
                child.begin(msgspec.json.encode(self._startup))
            finally:
                self._clear_deadline()
        return self._child

    def _send(self, child: Child) -> None:
        while len(self._sent) < len(self._jobs):
            request = msgspec.json.encode(self._jobs[len(self._sent)].request)
            if self._sent and sum(self._sent) + len(request) > _MAX_IN_FLIGHT:
                return
            child.send(request)
            self._sent.append(len(request))

    def _receive(self, child: Child) -> None:
        """Wait for the answer to the oldest job, or for the end of its time or its child."""
        self._set_deadline(self._seconds)
        try:
            answer, size = child.receive()
            is_late = self._clear_deadline()
        except (ChildDiedError, NonsenseError) as error:
            answer, size = self._verdict(error, is_late=self._clear_deadline()), 0
            is_late = True
        job = self._jobs.popleft()
        self._sent.popleft()
        if is_late or answer.retiring:
            self._drop_child()
        if not self._is_closed:
            self._exchange.deliver(job, answer, size)

    def _verdict(self, error: ChildDiedError | NonsenseError, *, is_late: bool) -> Answer:
        """What to say of the file during which the child came to its end."""
        if is_late:
            reason = f"reading it takes longer than {self._seconds:g} seconds"
            return Answer(status="failed", code="timeout", reason=reason)
        code = error.code if isinstance(error, ChildDiedError) else "protocol"
        return Answer(status="failed", code=code, reason=str(error))

    def _drop_child(self) -> None:
        """End the child; what waited behind the file it ended on goes to whoever is free."""
        with self._guard:
            child, self._child = self._child, None
        if child is not None:
            child.close()
        self._sent.clear()
        self._exchange.give_back(self._jobs)
        self._jobs.clear()

    def _set_deadline(self, seconds: float) -> None:
        with self._guard:
            self._deadline, self._is_late = time.monotonic() + seconds, False

    def _clear_deadline(self) -> bool:
        """Whether the child has been killed for being late."""
        with self._guard:
            self._deadline = None
            return self._is_late
