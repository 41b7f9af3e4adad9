"""The desk between the one who asks for files to be parsed and the children who parse them.

Everything that threads share is in here, behind one condition, and bounded: requests by
number, results by the bytes they came in.
"""

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from lsm.ingest.messages import Answer, ParseRequest

_MAX_HELD = 32 * 2**20  # bytes of answers that wait to be fetched


@dataclass(frozen=True)
class ParseResult:
    """A request and what became of it."""

    request: ParseRequest
    answer: Answer


@dataclass(frozen=True)
class Job:
    """A request, and the round of questions that it belongs to."""

    request: ParseRequest
    round: int


class Exchange:
    """Requests in, results out, in any order."""

    def __init__(self, max_requests: int) -> None:
        self._changed = threading.Condition()
        self._max_requests = max_requests
        self._requests: deque[Job] = deque()
        self._results: deque[tuple[ParseResult, int]] = deque()
        self._held = 0  # bytes in _results
        self._unanswered = 0
        self._round = 0
        self._closed = False
        self._error: Exception | None = None

    # --- the side of the one who asks ---------------------------------------------------

    def start_round(self) -> None:
        """Forget all requests and results of earlier rounds."""
        with self._changed:
            self._round += 1
            self._requests.clear()
            self._results.clear()
            self._held = self._unanswered = 0
            self._changed.notify_all()

    def has_room(self) -> bool:
        """Whether another request would be kept close to the children."""
        with self._changed:
            return len(self._requests) < self._max_requests

    def put(self, request: ParseRequest) -> None:
        """Add a request to this round."""
        with self._changed:
            self._requests.append(Job(request, self._round))
            self._unanswered += 1
            self._changed.notify_all()

    def next_result(self, *, wait: bool) -> ParseResult | None:
        """A result; with *wait* None only when all are answered, or the exchange is closed.

        Raises:
            LsmError: the children cannot be started.
        """
        with self._changed:
            if wait:
                self._changed.wait_for(self._has_news)
            if self._error is not None:
                raise self._error
            if not self._results:
                return None
            result, size = self._results.popleft()
            self._held -= size
            self._unanswered -= 1
            self._changed.notify_all()
            return result

    # --- the side of the children -------------------------------------------------------

    def take(self, at_most: int, *, wait: bool) -> list[Job]:
        """Up to *at_most* jobs; with *wait* none only when the exchange is closed."""
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: self._requests or self._closed)
            count = 0 if self._closed else min(at_most, len(self._requests))
            return [self._requests.popleft() for _ in range(count)]

    def give_back(self, jobs: Iterable[Job]) -> None:
        """Return jobs that were taken but not begun; they are the next to be taken."""
        with self._changed:
            current = [job for job in jobs if job.round == self._round]
            self._requests.extendleft(reversed(current))
            self._changed.notify_all()

    def deliver(self, job: Job, answer: Answer, size: int) -> None:
        """Hand over an answer that took *size* bytes; waits while too much lies unfetched."""
        with self._changed:
            self._changed.wait_for(
                lambda: not self._results or self._held + size <= _MAX_HELD or self._is_stale(job)
            )
            if not self._is_stale(job):
                self._results.append((ParseResult(job.request, answer), size))
                self._held += size
                self._changed.notify_all()

    def fail(self, error: Exception) -> None:
        """Raise *error* in whoever waits for results, now and later."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    def close(self) -> None:
        """Let everybody who waits go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _has_news(self) -> bool:
        return bool(self._results or self._error or self._closed or not self._unanswered)

    def _is_stale(self, job: Job) -> bool:
        return self._closed or job.round != self._round
