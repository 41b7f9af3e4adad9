"""What was measured beside what was measured before, question by question."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lsm.errors import InvalidError
from lsm.query.evaluation.metrics import Scores, mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lsm.query.evaluation.measuring import Measured

_SAME = 1e-9  # of nDCG: what adding in another order may change

Kept = dict[str, dict[str, dict[str, Scores]]]
"""Scores by set, mode and question."""


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier measurement, as far as it is needed to compare with it."""

    k: int
    model: str
    program: str
    version: int  # of the library
    scores: Kept


class Moved(msgspec.Struct, frozen=True):
    """A question whose answer is now better, or worse."""

    set: str
    mode: str
    key: str
    query: str
    ndcg: float  # now less before


class ModeDifference(msgspec.Struct, frozen=True, kw_only=True):
    """All sets in one mode, now less before; each set counts alike."""

    mode: str
    scores: Scores
    better: int  # questions whose nDCG is higher
    worse: int
    same: int


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Now beside before, over the questions that both have."""

    name: str
    created_at: str
    model: str
    program: str
    version: int
    modes: list[ModeDifference]
    better: list[Moved]  # the most first
    worse: list[Moved]
    only_now: int  # questions that the baseline does not have
    only_before: int  # ... or that are no longer asked

    def lost(self, limit: float) -> list[ModeDifference]:
        """The modes whose mean nDCG has fallen by more than *limit*."""
        return [each for each in self.modes if each.scores.ndcg < -limit]


def baseline_of(measured: Measured) -> Baseline:
    """What is kept of *measured*."""
    return Baseline(
        k=measured.k,
        model=measured.model,
        program=measured.program,
        version=measured.version,
        scores={
            one.name: {
                each.mode: {answer.key: answer.scores for answer in each.queries}
                for each in one.modes
            }
            for one in measured.sets
        },
    )


def compared(measured: Measured, before: Baseline, name: str, created_at: str) -> Comparison:
    """*measured* beside the baseline *before*, which has that *name*.

    Raises:
        InvalidError: they have no question in common, or went to other depths.
    """
    if measured.k != before.k:
        raise InvalidError("compare", f"{name!r} was measured with -k {before.k}; use the same")
    now = baseline_of(measured).scores
    pairs = _pairs(now, before.scores)
    if not pairs:
        raise InvalidError("compare", f"{name!r} has no question in common with what was asked now")
    moved = _moved(measured, pairs)
    return Comparison(
        name=name,
        created_at=created_at,
        model=before.model,
        program=before.program,
        version=before.version,
        modes=[_difference(mode, sets) for mode, sets in pairs.items()],
        better=[each for each in reversed(moved) if each.ndcg > 0],
        worse=[each for each in moved if each.ndcg < 0],
        only_now=len(_keys(now) - _keys(before.scores)),
        only_before=len(_keys(before.scores) - _keys(now)),
    )


_Pairs = dict[str, dict[str, dict[str, Scores]]]


def _pairs(now: Kept, before: Kept) -> _Pairs:
    """Differences of the questions that both have, by mode, set and question."""
    found: _Pairs = {}
    for name, modes in now.items():
        for mode, scores in modes.items():
            others = before.get(name, {}).get(mode, {})
            both = {key: scores[key].minus(others[key]) for key in scores if key in others}
            if both:
                found.setdefault(mode, {})[name] = both
    return found


def _difference(mode: str, sets: Mapping[str, Mapping[str, Scores]]) -> ModeDifference:
    each = [scores.ndcg for one in sets.values() for scores in one.values()]
    better, worse = (sum(sign * one > _SAME for one in each) for sign in (1, -1))
    return ModeDifference(
        mode=mode,
        scores=mean([mean(list(one.values())) for one in sets.values()]),
        better=better,
        worse=worse,
        same=len(each) - better - worse,
    )


def _moved(measured: Measured, pairs: _Pairs) -> list[Moved]:
    """Every question with another nDCG, those that lost most first."""
    queries = {
        (one.name, answer.key): answer.query
        for one in measured.sets
        for answer in one.modes[0].queries
    }
    found = [
        Moved(name, mode, key, queries[name, key], scores.ndcg)
        for mode, sets in pairs.items()
        for name, one in sets.items()
        for key, scores in one.items()
        if abs(scores.ndcg) > _SAME
    ]
    return sorted(found, key=lambda each: each.ndcg)


def _keys(scores: Kept) -> set[tuple[str, str]]:
    return {
        (name, key)
        for name, modes in scores.items()
        for key in set[str]().union(*_key_sets(list(modes.values())))
    }


def _key_sets(modes: Sequence[Mapping[str, Scores]]) -> list[set[str]]:
    return [set(mode) for mode in modes]
