"""A library that tests fill by hand: rows as they want them, indexed as the program does."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from lsm.vectordb import open_chunk_index
from lsm.vectordb.base import IndexEntry, Scored, TextQuery
from lsm.vectordb.spaces import open_space

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from lsm.db import Database
    from lsm.vectordb.base import Vector

DIMENSION = 8
_ADD_CHUNK = """
INSERT INTO lsm_chunks (chunk_id, document_id, version_in, version_out,
                        text_hash, title, heading, text)
VALUES (:chunk_id, :document_id, :version_in, :version_out, :text_hash, :title, :heading, :text)
"""
_ADD_DOCUMENT = """
INSERT INTO lsm_documents (document_id, version_in, version_out, source_path, extension, title,
                           tags_json, own_tags_json, metadata_json, flags_json, modified_at,
                           file_size, file_hash, outline_json)
VALUES (:document_id, :version_in, :version_out, :source_path, :extension, '', :tags_json, '[]',
        '{}', '[]', :modified_at, 0, '', '[]')
"""


def _random_direction() -> Vector:
    return random_vectors(1)[0]


@dataclass(frozen=True)
class Made:
    """A chunk to be written."""

    chunk_id: int
    text: str = ""
    title: str = ""
    heading: str = ""
    vector: Vector = field(default_factory=_random_direction)
    document_id: int = 1
    version_in: int = 1
    version_out: int | None = None
    text_hash: str = ""  # made from the text


class _GivenUp(Exception):  # noqa: N818 - nothing went wrong
    pass


class Shelf:
    """Writes documents and chunks, and asks the index."""

    def __init__(self, db: Database, dimension: int = DIMENSION) -> None:
        self.db = db
        self.index = open_chunk_index(db)
        self.space = open_space(db, "a model", dimension)

    def add(self, *chunks: Made, space: int | None = None) -> None:
        with self.db.transaction():
            self.add_rows(*chunks)
            self.index.put([self.entry(chunk, space) for chunk in chunks])

    def add_rows(self, *chunks: Made) -> None:
        self.db.many(
            _ADD_CHUNK,
            (
                {
                    "chunk_id": chunk.chunk_id,
                    "document_id": chunk.document_id,
                    "version_in": chunk.version_in,
                    "version_out": chunk.version_out,
                    "text_hash": chunk.text_hash or f"hash of {chunk.text}",
                    "title": chunk.title,
                    "heading": chunk.heading,
                    "text": chunk.text,
                }
                for chunk in chunks
            ),
        )

    def entry(self, chunk: Made, space: int | None = None) -> IndexEntry:
        return IndexEntry(
            chunk.chunk_id,
            chunk.title,
            chunk.heading,
            chunk.text,
            self.space if space is None else space,
            chunk.vector,
        )

    def document(
        self,
        document_id: int,
        path: str = "",
        tags: Sequence[str] = (),
        modified_at: str = "2026-01-01T00:00:00.000000Z",
        versions: tuple[int, int | None] = (1, None),
    ) -> None:
        path = path or f"/docs/{document_id}.md"
        name = path.rpartition("/")[2]
        self.db.run(
            _ADD_DOCUMENT,
            document_id=document_id,
            version_in=versions[0],
            version_out=versions[1],
            source_path=path,
            extension="." + name.rpartition(".")[2] if "." in name else "",
            tags_json=json.dumps(list(tags)),
            modified_at=modified_at,
        )

    def delete(self, *chunk_ids: int) -> None:
        with self.db.transaction():
            self.index.remove(chunk_ids)
            self.db.run("DELETE FROM lsm_chunks WHERE chunk_id IN :ids[]", ids=list(chunk_ids))

    @contextmanager
    def given_up(self) -> Generator[None]:
        """A transaction that is rolled back at its end."""
        with suppress(_GivenUp), self.db.transaction():
            yield
            raise _GivenUp

    def count(self) -> tuple[int, ...]:
        """Rows, vectors and texts."""
        texts = "chunks_fts_docsize" if self.db.engine == "sqlite" else "chunks_fts"
        tables = ("lsm_chunks", "vec_chunks", texts)
        return tuple(self.db.tuples(f"SELECT count(*) FROM {table}")[0][0] for table in tables)


def asked(text: str, *phrases: str) -> TextQuery:
    """The words of *text*, any of them, and all of *phrases*."""
    return TextQuery(tuple(text.split()), tuple(tuple(phrase.split()) for phrase in phrases))


def ids(found: Sequence[Scored]) -> list[int]:
    return [scored.chunk_id for scored in found]


def direction(*numbers: float) -> Vector:
    """Of unit length, with zeros after *numbers*."""
    vector = np.zeros(DIMENSION, np.float32)
    vector[: len(numbers)] = numbers
    return vector / np.linalg.norm(vector)


def random_vectors(count: int, dimension: int = DIMENSION, seed: int = 0) -> Vector:
    """Shape (count, dimension), rows of unit length; what float16 holds, so both engines agree."""
    vectors = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
