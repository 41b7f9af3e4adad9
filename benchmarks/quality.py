"""How well the default embedder finds: public test collections, scored as the field scores them."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import msgspec

import lsm
from benchmarks.findings import Finding, Table
from lsm.evaluation import Evaluation, searches_of
from lsm.query.evaluation.collection import is_collection, read_collection
from lsm.query.evaluation.measuring import measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lsm.app import Mind
    from lsm.query.evaluation.collection import Collection
    from lsm.query.evaluation.measuring import ModeResult
    from lsm.query.search import Hit

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_K = 10
_DEPTH = 100  # passages of each leg that are joined for comparison
_RRF = 60  # the usual constant: Cormack, Clarke and Buettcher 2009
_ABOUT = (
    "As `lsm eval --collection` does it: each document of a collection is written as a Markdown "
    "file and ingested into a fresh home with default settings; each query is put to "
    "`mind.search(query, k=10)`, and the distinct documents among the hits are compared with what "
    "people judged relevant. nDCG with exponential gain. The two rows for comparison join the "
    "first 100 hits of the modes `text` and `vector` in other ways than LSM does."
)


def run(folder: str) -> Finding:
    """Measure every collection there is; *folder* is for what has to be written."""
    place = os.environ.get("LSM_BENCH_DATA") or os.path.join(_ROOT, "..", "shared", "data")
    found: dict[str, list[ModeResult]] = {}
    with lsm.open(os.path.join(folder, "home")) as mind:
        for each in _collections(place):
            # Like all homes of this run, it goes with the folder.
            with Evaluation(mind).opened(each, os.path.join(folder, each.name), _silent) as there:
                assert not there.unread, there.unread
                asked = there.asked(_systems(there.mind))
                name = f"{each.name}, {len(there.ids):,} documents"
                found[name] = measure(each.questions, asked, _K, _silent)
    if not found:
        return Finding("Search quality", _ABOUT, Table(("",), ()), (_missing(),))
    return Finding("Search quality", _ABOUT, _table(found))


def _silent(_: object) -> None: ...


def _missing() -> str:
    return (
        "Skipped: no collections. Set `LSM_BENCH_DATA` to a folder of folders with "
        "`corpus.jsonl`, `queries.jsonl` and `qrels.tsv`."
    )


def _collections(place: str) -> Iterator[Collection]:
    for name in sorted(os.listdir(place)) if os.path.isdir(place) else ():
        if is_collection(folder := os.path.join(place, name)):
            yield read_collection(folder)


def _systems(mind: Mind) -> dict[str, Callable[[str, int], Sequence[Hit]]]:
    modes = searches_of(mind, ("text", "vector", "hybrid"))
    return {
        "text": modes["text"],
        "vector": modes["vector"],
        "for comparison: reciprocal ranks": partial(_joined, _reciprocal, mind),
        "for comparison: equal normalised scores": partial(_joined, _normalised, mind),
        "hybrid, the default": modes["hybrid"],
    }


def _joined(
    scores: Callable[[Sequence[Hit]], list[float]], mind: Mind, query: str, k: int
) -> list[Hit]:
    """The *k* hits with the highest sums of what *scores* makes of either mode's hits."""
    sums: dict[int, float] = {}
    found: dict[int, Hit] = {}
    for mode in ("text", "vector"):
        hits = mind.search(query, k=_DEPTH, mode=mode)
        for hit, score in zip(hits, scores(hits), strict=True):
            sums[hit.chunk_id] = sums.get(hit.chunk_id, 0.0) + score
            found[hit.chunk_id] = msgspec.structs.replace(hit, also_in=())
    best = sorted(sums, key=lambda chunk_id: (-sums[chunk_id], chunk_id))
    return [found[chunk_id] for chunk_id in best[:k]]


def _reciprocal(hits: Sequence[Hit]) -> list[float]:
    return [1 / (_RRF + hit.rank) for hit in hits]


def _normalised(hits: Sequence[Hit]) -> list[float]:
    if not hits:
        return []
    best, worst = hits[0].score, hits[-1].score
    return [(hit.score - worst) / ((best - worst) or 1) for hit in hits]


def _table(found: dict[str, list[ModeResult]]) -> Table:
    head = ("", *(f"{name}: {what}" for name in found for what in ("nDCG@10", "recall@10")))
    columns = [
        _cells(column)
        for modes in found.values()
        for column in ([m.scores.ndcg for m in modes], [m.scores.recall for m in modes])
    ]
    names = [each.mode for each in next(iter(found.values()))]
    return Table(head, tuple((name, *(c[at] for c in columns)) for at, name in enumerate(names)))


def _cells(values: Sequence[float]) -> list[str]:
    best = max(values)
    return [f"**{value:.3f}**" if value == best else f"{value:.3f}" for value in values]
