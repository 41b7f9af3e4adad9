"""Joins the text leg's ranking and the vector leg's into one. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lsm.vectordb.base import Scored


def weighted(legs: Sequence[tuple[float, Sequence[Scored]]]) -> dict[int, float]:
    """By chunk, the weighted sum of scores that each leg's best and worst bring to 1 and 0."""
    fused: dict[int, float] = {}
    for weight, leg in legs:
        for chunk_id, share in _normalised(leg).items():
            fused[chunk_id] = fused.get(chunk_id, 0.0) + weight * share
    return fused


def _normalised(leg: Sequence[Scored]) -> Mapping[int, float]:
    if not leg:
        return {}
    best, worst = leg[0].score, leg[-1].score
    spread = best - worst
    if spread <= 0:
        return {scored.chunk_id: 1.0 for scored in leg}
    return {scored.chunk_id: (scored.score - worst) / spread for scored in leg}
