"""Vectors for chunks that have lost theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsm.ingest.incoming import embedded_text
from lsm.vectordb.documents import DocumentReader
from lsm.vectordb.spaces import open_space

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lsm.db import Database
    from lsm.embedding.base import Embedder
    from lsm.vectordb.base import ChunkIndex

_BATCH = 512


def embed_missing(db: Database, index: ChunkIndex, embedder: Embedder) -> Iterator[int]:
    """Give every chunk without a vector one of *embedder*; how many, after each transaction.

    Raises:
        EmbeddingError: the model refused a batch; those before it are done.
    """
    reader = DocumentReader(db)
    while ids := index.without_vector(_BATCH):
        chunks = reader.chunks(ids).values()
        texts = [embedded_text(chunk.title, chunk.heading, chunk.text) for chunk in chunks]
        vectors = embedder.embed_documents(texts)
        pairs = [(chunk.chunk_id, vector) for chunk, vector in zip(chunks, vectors, strict=True)]
        with db.transaction():
            space = open_space(db, embedder.model, embedder.dimension)
            index.replace_vectors(space, pairs)
        yield len(pairs)
