"""Gives a batch its vectors before any transaction begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsm.embedding.vectors import checked
from lsm.errors import EmbeddingError
from lsm.ingest.failures import FailedFile
from lsm.ingest.incoming import embedded_text
from lsm.vectordb.spaces import find_space

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.db import Database
    from lsm.embedding.base import Embedder, Vectors
    from lsm.ingest.batches import Arrival, Batch
    from lsm.vectordb.base import ChunkIndex, Vector


_PROBE = "Is anybody there?"


class Vectorizer:
    """Finds or makes the vectors a batch needs."""

    def __init__(self, db: Database, index: ChunkIndex, embedder: Embedder, chunking: str) -> None:
        self._db = db
        self._index = index
        self._embedder = embedder
        self._chunking = chunking

    def fill(self, batch: Batch) -> Batch:
        """Give *batch* its vectors; files whose texts the model refuses become failures.

        Raises:
            EmbeddingError: the model refuses everything.
        """
        texts = _texts(batch.arrivals)
        batch.vectors = self._known(list(texts))
        unknown = {key: text for key, text in texts.items() if key not in batch.vectors}
        try:
            self._embed(batch, unknown)
        except EmbeddingError:
            # Raises if the model is down, which must not be held against every single file.
            _sound(self._embedder.embed_documents([_PROBE]), 1, self._embedder.dimension)
            self._embed_each(batch)
        return batch

    def _known(self, hashes: list[str]) -> dict[str, Vector]:
        space = find_space(self._db, self._embedder.model, self._embedder.dimension)
        return self._index.known_vectors(hashes, space) if space is not None else {}

    def _embed(self, batch: Batch, texts: dict[str, str]) -> None:
        if texts:
            answered = self._embedder.embed_documents(list(texts.values()))
            vectors = _sound(answered, len(texts), self._embedder.dimension)
            batch.vectors.update(zip(texts, vectors, strict=True))
            batch.embedded += len(texts)

    def _embed_each(self, batch: Batch) -> None:
        """One bad document must not stop the others."""
        kept: list[Arrival] = []
        for arrival in batch.arrivals:
            texts = _texts([arrival])
            try:
                unknown = {key: text for key, text in texts.items() if key not in batch.vectors}
                self._embed(batch, unknown)
                kept.append(arrival)
            except EmbeddingError as error:
                batch.failures.append(self._failed(arrival, error))
        batch.arrivals = kept

    def _failed(self, arrival: Arrival, error: EmbeddingError) -> FailedFile:
        state = arrival.state
        return FailedFile(
            state.source_path,
            "embedding",
            str(error),
            state.file_size,
            state.mtime_ns,
            state.ctime_ns,
            self._chunking,
        )


def _sound(answered: Vectors, count: int, dimension: int) -> Vectors:
    """*answered*, if it is *count* vectors with a direction.

    Raises:
        EmbeddingError: it is not.
    """
    import numpy as np

    if answered.shape == (count, dimension):
        lengths = np.einsum("ij,ij->i", answered, answered)
        if np.isfinite(lengths).all() and lengths.all():
            return answered
    return checked(answered, count, dimension)  # slower, and says what is wrong


def _texts(arrivals: Sequence[Arrival]) -> dict[str, str]:
    """What the model reads of each chunk, by the chunk's hash."""
    return {
        piece.text_hash: embedded_text(arrival.document.own_title, piece.heading, piece.text)
        for arrival in arrivals
        for piece in arrival.document.pieces
    }
