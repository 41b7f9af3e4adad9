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

    def add(self, text: str, thing: T) -> None:
        """Put *thing* into the group of its like, or into one of its own."""
        runs = _runs(text)
        at = self._find(runs)
        if at is None:
            self.groups.append([thing])
            self._runs.append(runs)
        else:
            self.groups[at].append(thing)

    def joins(self, text: str) -> bool:
        """Whether there is a group for *text* already."""
        return self._find(_runs(text)) is not None

    def _find(self, runs: frozenset[tuple[str, ...]]) -> int | None:
        for at, others in enumerate(self._runs):
            common = len(runs & others)
            if common >= _ALIKE * (len(runs) + len(others) - common):
                return at
        return None


def _runs(text: str) -> frozenset[tuple[str, ...]]:
    words = _WORD.findall(text.lower())
    if len(words) < _RUN:
        return frozenset({tuple(words)})
    return frozenset(tuple(words[at : at + _RUN]) for at in range(len(words) - _RUN + 1))
