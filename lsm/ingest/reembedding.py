"""Another model was chosen: gives the chunks at hand its vectors, without reading a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsm.ingest.derivation import Derivation, open_derivation
from lsm.ingest.incoming import embedded_text
from lsm.vectordb.documents import DocumentReader
from lsm.vectordb.library import LibraryWriter
from lsm.vectordb.spaces import find_space, is_only_space, open_space

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lsm.clock import Clock
    from lsm.db import Database
    from lsm.embedding.base import Embedder
    from lsm.vectordb.base import ChunkIndex

_BATCH = 512
_OTHERS = """
SELECT schema_version_id, chunking FROM lsm_schema_versions
 WHERE embedding_model <> :model AND EXISTS (
       SELECT 1 FROM lsm_manifest m
        WHERE m.schema_version_id = lsm_schema_versions.schema_version_id)
"""
_RESTATE = """
UPDATE lsm_manifest
   SET embedding_model = :model, schema_version_id = :schema
 WHERE schema_version_id = :other
"""


class Reembedding:
    """Replaces vectors batch by batch; stopped anywhere, the rest is done the next time."""

    def __init__(self, db: Database, index: ChunkIndex, embedder: Embedder) -> None:
        self._db = db
        self._index = index
        self._embedder = embedder
        self._documents = DocumentReader(db)
        self._library = LibraryWriter(db, index)

    def batches(self) -> Iterator[int]:
        """Do it, telling after each batch how many chunks it was.

        Raises:
            EmbeddingError: the model refused a batch; those before it are done.
        """
        if is_only_space(self._db, self._embedder.model):
            return
        space = find_space(self._db, self._embedder.model, self._embedder.dimension)
        if space is None:
            space = open_space(self._db, self._embedder.model, self._embedder.dimension)
        while ids := self._index.outdated(space, _BATCH):
            yield self._replace(ids, space)

    def restate(self, clock: Clock) -> None:
        """Every chunk has a vector of this model: say so of every file that has another's."""
        model, dimension = self._embedder.model, self._embedder.dimension
        for other, chunking in self._db.tuples(_OTHERS, model=model):
            with self._db.transaction():
                schema = open_derivation(self._db, Derivation(model, dimension, chunking), clock)
                self._db.run(_RESTATE, model=model, schema=schema, other=other)

    def _replace(self, ids: list[int], space: int) -> int:
        chunks = self._documents.chunks(ids).values()
        texts = [embedded_text(chunk.title, chunk.heading, chunk.text) for chunk in chunks]
        vectors = self._embedder.embed_documents(texts)
        pairs = [(chunk.chunk_id, vector) for chunk, vector in zip(chunks, vectors, strict=True)]
        with self._db.transaction():
            self._library.queue()
            self._index.replace_vectors(space, pairs)
        return len(pairs)
