"""How a writer waits for another process: by looking often, so that each gets its turn."""

from __future__ import annotations

import random
import time

# SQLite's own waiting looks ten times a second in the end. Beside a process that commits one
# transaction after the other it then finds the file free once in a hundred of them.
_SHORTEST_S, _LONGEST_S = 0.001, 0.003


class Waiting:
    """A busy handler: waits, for at most *limit_ms*, until the file is free."""

    def __init__(self, limit_ms: int) -> None:
        self._limit_s = limit_ms / 1000
        self._until = 0.0

    def __call__(self, looks: int) -> bool:
        """Pause before the next look; whether there is one. *looks* were in vain."""
        now = time.monotonic()
        if not looks:
            self._until = now + self._limit_s
        if now >= self._until:
            return False
        # At random, so that several that wait do not stay in step.
        time.sleep(random.uniform(_SHORTEST_S, _LONGEST_S))  # noqa: S311 - a pause
        return True
