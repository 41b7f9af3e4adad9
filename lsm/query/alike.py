"""Folds passages that say the same in nearly the same words. Pure."""

from __future__ import annotations

import re
from typing import Generic, TypeVar

T = TypeVar("T")

_WORD = re.compile(r"\w+")
_RUN = 4  # words in a row; single words are shared by texts that say different things
_ALIKE = 0.8  # share of runs in common, of all runs of both


class Alike(Generic[T]):
    """Groups things by their texts, in the order they come."""

    def __init__(self) -> None:
        self.groups: list[list[T]] = []
        self._runs: list[frozenset[tuple[str, ...]]] = []
        self._all: set[tuple[str, ...]] = set()

    def add(self, text: str, thing: T) -> None:
        """Put *thing* into the group of its like, or into one of its own."""
        runs = _runs(text)
        if not self._joined(runs, thing):
            self.groups.append([thing])
            self._runs.append(runs)
            self._all |= runs

    def join(self, text: str, thing: T) -> bool:
        """Put *thing* into the group of its like, if there is one; whether there was."""
        return self._joined(_runs(text), thing)

    def _joined(self, runs: frozenset[tuple[str, ...]], thing: T) -> bool:
        at = self._find(runs)
        if at is not None:
            self.groups[at].append(thing)
        return at is not None

    def _find(self, runs: frozenset[tuple[str, ...]]) -> int | None:
        if len(runs & self._all) < _ALIKE * len(runs):
            return None  # no group alone has more of them than all together
        for at, others in enumerate(self._runs):
            common = len(runs & others)
            if common >= _ALIKE * (len(runs) + len(others) - common):
                return at
        return None


def _runs(text: str) -> frozenset[tuple[str, ...]]:
    words = _WORD.findall(text.lower())
    if len(words) < _RUN:
        return frozenset({tuple(words)})
    return frozenset(zip(*(words[start:] for start in range(_RUN)), strict=False))
