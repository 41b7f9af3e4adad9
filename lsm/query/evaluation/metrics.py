"""What a ranked list is worth, given how relevant each document is.

The definitions are those of the field: nDCG with exponential gain (Burges et al. 2005, "Learning
to Rank using Gradient Descent"), recall, and the reciprocal rank of the first relevant document,
each at depth k.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Scores(msgspec.Struct, frozen=True):
    """Each from 0 to 1, the higher the better. Of many queries: the means."""

    ndcg: float  # the best first, as far as possible
    recall: float  # the share of what is relevant that was found
    mrr: float  # 1 / rank of the first that is relevant; 0 if none was found

    def minus(self, other: Scores) -> Scores:
        """How much higher each is than that of *other*."""
        return Scores(self.ndcg - other.ndcg, self.recall - other.recall, self.mrr - other.mrr)


def scored(ranked: Sequence[str], grades: Mapping[str, int], k: int) -> Scores:
    """What the first *k* of *ranked* are worth.

    Args:
        ranked: documents, best first, each once.
        grades: documents that are relevant, 1 or more, the more the better; at least one.
        k: at least 1.
    """
    gains = [_gain(grades.get(document, 0)) for document in ranked[:k]]
    ideal = sorted(map(_gain, grades.values()), reverse=True)[:k]
    ranks = [rank for rank, gain in enumerate(gains, 1) if gain]
    return Scores(
        ndcg=_discounted(gains) / _discounted(ideal),
        recall=len(ranks) / len(grades),
        mrr=1 / ranks[0] if ranks else 0.0,
    )


def mean(many: Sequence[Scores]) -> Scores:
    """The mean of each; *many* is not empty."""
    count = len(many)
    return Scores(
        math.fsum(each.ndcg for each in many) / count,
        math.fsum(each.recall for each in many) / count,
        math.fsum(each.mrr for each in many) / count,
    )


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest of *values*, at least one, that *percent* of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent * len(ordered) / 100) - 1)]


def _gain(grade: int) -> int:
    return 2**grade - 1


def _discounted(gains: Sequence[int]) -> float:
    return math.fsum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))
