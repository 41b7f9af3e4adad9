"""How well the default embedder finds: public test collections, scored as the field scores them."""

from __future__ import annotations

import csv
import json
import math
import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import lsm
from benchmarks.findings import Finding, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from lsm.app import Mind
    from lsm.query.search import Hit

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_FILES = ("corpus.jsonl", "queries.jsonl", "qrels.tsv")
_K = 10
_DEPTH = 100  # passages of each leg that are joined for comparison
_RRF = 60  # the usual constant: Cormack, Clarke and Buettcher 2009
_ABOUT = (
    "Each document of a collection is written as a Markdown file and ingested into a fresh home "
    "with default settings; each query is put to `mind.search(query, k=10)`, and the distinct "
    "documents among the hits are compared with what people judged relevant. nDCG with "
    "exponential gain. The two rows for comparison join the first 100 hits of the modes `text` "
    "and `vector` in other ways than LSM does."
)


@dataclass(frozen=True)
class Collection:
    """Documents, queries, and who judged what relevant."""

    name: str
    documents: Mapping[str, tuple[str, str]]  # id: title and text
    queries: Mapping[str, str]
    grades: Mapping[str, Mapping[str, int]]  # query id: document id: grade, above 0 if relevant


def run(folder: str) -> Finding:
    """Measure every collection there is; *folder* is for what has to be written."""
    place = os.environ.get("LSM_BENCH_DATA") or os.path.join(_ROOT, "..", "shared", "data")
    found = {
        f"{collection.name}, {len(collection.documents):,} documents": _measured(
            collection, os.path.join(folder, collection.name)
        )
        for collection in _collections(place)
    }
    head = ("", *(f"{name}: {what}" for name in found for what in ("nDCG@10", "recall@10")))
    columns = [column for scores in found.values() for column in zip(*scores, strict=True)]
    cells = [_cells(column) for column in columns]
    rows = tuple((name, *(column[at] for column in cells)) for at, name in enumerate(_SYSTEMS))
    if not found:
        return Finding("Search quality", _ABOUT, Table(("",), ()), (_missing(),))
    return Finding("Search quality", _ABOUT, Table(head, rows))


def scored(ranked: Sequence[str], grades: Mapping[str, int]) -> tuple[float, float]:
    """nDCG and recall of *ranked*, at its length of at most ten."""
    gains = [2 ** grades.get(document, 0) - 1 for document in ranked[:_K]]
    ideal = sorted((2**grade - 1 for grade in grades.values()), reverse=True)[:_K]
    found = sum(gain > 0 for gain in gains)
    return _discounted(gains) / _discounted(ideal), found / len(grades)


def _missing() -> str:
    return (
        f"Skipped: no collections. Set `LSM_BENCH_DATA` to a folder of folders with "
        f"{', '.join(f'`{name}`' for name in _FILES)}."
    )


def _collections(place: str) -> Iterator[Collection]:
    for name in sorted(os.listdir(place)) if os.path.isdir(place) else ():
        folder = os.path.join(place, name)
        if all(os.path.exists(os.path.join(folder, file)) for file in _FILES):
            yield _loaded(name, folder)


def _loaded(name: str, folder: str) -> Collection:
    grades: dict[str, dict[str, int]] = {}
    with open(os.path.join(folder, "qrels.tsv"), encoding="utf-8", newline="") as file:
        for query, document, grade in csv.reader(file, delimiter="\t"):
            if grade.isdecimal() and int(grade) > 0:
                grades.setdefault(query, {})[document] = int(grade)
    corpus = _rows(os.path.join(folder, "corpus.jsonl"))
    documents = {row["id"]: (row.get("title", ""), row["text"]) for row in corpus}
    queries = {row["id"]: row["text"] for row in _rows(os.path.join(folder, "queries.jsonl"))}
    judged = {query: text for query, text in queries.items() if query in grades}
    return Collection(name, documents, judged, grades)


def _rows(path: str) -> Iterator[dict[str, str]]:
    with open(path, encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _measured(collection: Collection, folder: str) -> list[tuple[float, float]]:
    """Mean nDCG and recall of each system."""
    files = os.path.join(folder, "files")
    os.makedirs(files)
    ids: dict[str, str] = {}
    for number, (document, (title, text)) in enumerate(collection.documents.items()):
        path = os.path.join(files, f"{number:06}.md")
        ids[path] = document
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"# {title}\n\n{text}\n" if title else f"{text}\n")
    with lsm.open(os.path.join(folder, "home")) as mind:
        report = mind.ingest(files)
        assert not report.errors, report.errors
        return [_mean(partial(system, mind), collection, ids) for system in _SYSTEMS.values()]


def _mean(
    search: Callable[[str], Sequence[str]], collection: Collection, ids: Mapping[str, str]
) -> tuple[float, float]:
    scores: list[tuple[float, float]] = []
    for query, text in collection.queries.items():
        ranked = list(dict.fromkeys(ids[path] for path in search(text)))
        scores.append(scored(ranked, collection.grades[query]))
    count = len(scores)
    return sum(ndcg for ndcg, _ in scores) / count, sum(recall for _, recall in scores) / count


def _mode(mode: str, mind: Mind, query: str) -> list[str]:
    return [hit.path for hit in mind.search(query, k=_K, mode=mode)]


def _joined(scores: Callable[[Sequence[Hit]], list[float]], mind: Mind, query: str) -> list[str]:
    """The ten paths with the highest sums of what *scores* makes of either mode's hits."""
    sums: dict[int, float] = {}
    paths: dict[int, str] = {}
    for mode in ("text", "vector"):
        hits = mind.search(query, k=_DEPTH, mode=mode)
        for hit, score in zip(hits, scores(hits), strict=True):
            sums[hit.chunk_id] = sums.get(hit.chunk_id, 0.0) + score
            paths[hit.chunk_id] = hit.path
    best = sorted(sums, key=lambda chunk_id: (-sums[chunk_id], chunk_id))
    return [paths[chunk_id] for chunk_id in best[:_K]]


def _reciprocal(hits: Sequence[Hit]) -> list[float]:
    return [1 / (_RRF + hit.rank) for hit in hits]


def _normalised(hits: Sequence[Hit]) -> list[float]:
    if not hits:
        return []
    best, worst = hits[0].score, hits[-1].score
    return [(hit.score - worst) / ((best - worst) or 1) for hit in hits]


_SYSTEMS: dict[str, Callable[[Mind, str], list[str]]] = {
    "text": partial(_mode, "text"),
    "vector": partial(_mode, "vector"),
    "for comparison: reciprocal ranks": partial(_joined, _reciprocal),
    "for comparison: equal normalised scores": partial(_joined, _normalised),
    "hybrid, the default": partial(_mode, "hybrid"),
}


def _discounted(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


def _cells(values: Sequence[float]) -> list[str]:
    best = max(values)
    return [f"**{value:.3f}**" if value == best else f"{value:.3f}" for value in values]
