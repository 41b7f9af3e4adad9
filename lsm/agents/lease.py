"""When a run is taken from an owner that this machine cannot look at.

It is judged by its silence, on the observer's own clock that nobody sets: neither a suspended
laptop nor a corrected clock takes a run from a living owner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lsm.agents.rows import RunRow


class Watch:
    """What this process has seen of other owners' beats, on its own monotonic clock."""

    def __init__(self, monotonic: Callable[[], float], ttl: float) -> None:
        self._monotonic = monotonic
        self._ttl = ttl  # seconds of silence after which an owner counts as gone
        self._seen: dict[str, tuple[int | None, int, float]] = {}

    def silent(self, live: Iterable[RunRow]) -> set[str]:
        """Ids of those of *live*, all that is running, whose beat has stood still for the ttl.

        The first sight of a beat only starts the watch; nothing is judged by what is written.
        """
        now = self._monotonic()
        before, self._seen = self._seen, {}
        for run in live:
            fence, beat, since = before.get(run.run_id, (None, -1, now))
            if (fence, beat) != (run.fence, run.beat):
                since = now
            self._seen[run.run_id] = (run.fence, run.beat, since)
        return {run for run, (_, _, since) in self._seen.items() if now - since >= self._ttl}
