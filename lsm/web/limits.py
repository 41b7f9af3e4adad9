"""How much one server takes at once."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of one server; the defaults are far beyond what one person does."""

    body_bytes: int = 1_000_000
    header_bytes: int = 16_384
    seconds: float = 30.0  # a request may take to arrive
    connections: int = 64
    # Requests that change something, and those that fail to come in. Reading is bounded by the
    # connections alone: twenty people may search at once, as fast as they can.
    per_second: float = 10.0
    burst: int = 50


class Bucket:
    """A token bucket for each caller. Safe between threads."""

    def __init__(
        self, per_second: float, burst: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._monotonic = monotonic
        self._filled: dict[str, tuple[float, float]] = {}  # caller -> tokens, and when
        self._lock = threading.Lock()

    def take(self, caller: str) -> float:
        """0.0 if *caller* may go on; otherwise the seconds after which to try again."""
        with self._lock:
            now = self._monotonic()
            if len(self._filled) > 1000:
                self._forget_full(now)
            tokens, then = self._filled.get(caller, (float(self._burst), now))
            tokens = min(self._burst, tokens + (now - then) * self._per_second)
            if tokens < 1.0:
                self._filled[caller] = (tokens, now)
                return (1.0 - tokens) / self._per_second
            self._filled[caller] = (tokens - 1.0, now)
            return 0.0

    def _forget_full(self, now: float) -> None:
        refill = self._burst / self._per_second
        self._filled = {k: v for k, v in self._filled.items() if now - v[1] < refill}
