"""What ingest costs beside the embedding it cannot do without."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import lsm
from benchmarks.corpus import Shape, write_corpus
from benchmarks.findings import Finding, Table, interleaved, median, ratio, seconds
from benchmarks.tasks import measured

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHAPE = Shape(files=2000, words=350, files_per_folder=50, words_per_section=120)
_ROUNDS = 5
_CHUNKS = "SELECT title, heading, text FROM lsm_chunks ORDER BY chunk_id"
_LSM, _PACKAGE = "embed_lsm", "embed_package"


def run(folder: str) -> Finding:
    """Ingest 2,000 files into fresh homes, and embed the same chunks alone, in turn."""
    documents = os.path.join(folder, "documents")
    write_corpus(documents, _SHAPE)
    count, words = _write_texts(folder, documents)
    texts = os.path.join(folder, "texts.json")
    homes = iter(range(_ROUNDS))

    def ingest() -> float:
        home = os.path.join(folder, f"home-{next(homes)}")
        return measured("ingest", home, documents)["seconds"]

    found = interleaved(
        {
            "ingest": ingest,
            _LSM: lambda: measured(_LSM, texts)["seconds"],
            _PACKAGE: lambda: measured(_PACKAGE, texts)["seconds"],
        },
        _ROUNDS,
    )
    about = (
        f"{_SHAPE.files:,} Markdown files of about 400 words of real English in 40 folders: "
        f"{count:,} chunks of {words} words on average. Every run in a fresh process and a fresh "
        "home, imports excluded; ingest includes walking, parsing in child processes, chunking, "
        "loading the model, embedding, and a durable commit of text, vectors and full text. "
        f"Medians of {_ROUNDS} interleaved rounds."
    )
    return Finding("Ingest beside embedding alone", about, _table(found, count))


def _write_texts(folder: str, documents: str) -> tuple[int, int]:
    """The texts that the model reads of *documents*, as JSON; their number and mean length."""
    from lsm.ingest.incoming import embedded_text

    with lsm.open(os.path.join(folder, "home-of-texts")) as mind:
        mind.ingest(documents)
        texts = [embedded_text(*row) for row in mind.db.tuples(_CHUNKS)]
    with open(os.path.join(folder, "texts.json"), "w", encoding="utf-8") as file:
        json.dump(texts, file)
    return len(texts), round(sum(len(text.split()) for text in texts) / len(texts))


def _table(found: dict[str, list[float]], count: int) -> Table:
    def row(name: str, key: str, below: Sequence[float]) -> tuple[str, ...]:
        taken = median(found[key])
        return name, seconds(taken), f"{count / taken:,.0f}", f"{ratio(found['ingest'], below):.2f}"

    return Table(
        ("", "median", "chunks a second", "ingest takes times this"),
        (
            row("`lsm` ingest, everything", "ingest", found["ingest"]),
            row("embedding alone, the model's own package", _PACKAGE, found[_PACKAGE]),
            row("embedding alone, LSM's embedder", _LSM, found[_LSM]),
        ),
    )
