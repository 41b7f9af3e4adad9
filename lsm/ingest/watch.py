"""Says when something below the roots changes. A hint only: the scan finds out what it was."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from lsm.paths import to_os, to_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

# A file that is being written tells many times: waited for, but not for ever.
_DEBOUNCE_MS = 1600
_POLL_MS = 500
# Events get lost (network drives, full queues): look at everything now and then all the same.
_LOOK_AT_ALL_EVERY = 600.0  # seconds


def changes(places: Sequence[str], should_stop: Callable[[], bool]) -> Iterator[list[str]]:
    """The *places* below which something changed, each time something did, until told to stop.

    Args:
        places: absolute paths as text; those that are missing are looked for now and then.
        should_stop: asked twice a second.
    """
    last = time.monotonic()
    there = _there(places)
    while not should_stop():
        for touched in _events(there):
            if should_stop():
                return
            now = _there(places)
            if now != there:  # a disk came or went: what is watched has to be named anew
                came_or_went, there = now ^ there, now
                yield [place for place in places if place in came_or_went]
                break
            if time.monotonic() - last > _LOOK_AT_ALL_EVERY:
                last = time.monotonic()
                yield list(places)
            elif touched:
                yield [p for p in places if any(_is_below(path, p) for path in touched)]


def _there(places: Sequence[str]) -> frozenset[str]:
    return frozenset(place for place in places if os.path.exists(to_os(place)))


def _events(places: Iterable[str]) -> Iterator[list[str]]:
    """What changed below *places*, twice a second; mostly nothing."""
    from watchfiles import watch

    events = watch(
        *map(to_os, places),
        debounce=_DEBOUNCE_MS,
        rust_timeout=_POLL_MS,
        yield_on_timeout=True,
        raise_interrupt=False,
        watch_filter=None,
        ignore_permission_denied=True,
    )
    for batch in events:
        yield [to_text(path) for _, path in batch]


def _is_below(path: str, place: str) -> bool:
    return path == place or path.startswith(place.rstrip(os.sep) + os.sep)
