"""Another model was chosen: gives the chunks at hand its vectors, without reading a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsm.ingest.derivation import Derivation, open_derivation
from lsm.ingest.incoming import embedded_text
from lsm.vectordb.documents import DocumentReader
from lsm.vectordb.spaces import find_space, is_only_space, open_space

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lsm.clock import Clock
    from lsm.db import Database
    from lsm.embedding.base import Embedder
    from lsm.vectordb.base import ChunkIndex

_BATCH = 512
_RESTATE = """
UPDATE lsm_manifest
   SET embedding_model = :embedding_model, schema_version_id = :schema_version_id
 WHERE schema_version_id IN :others[]
"""
_OTHERS = """
SELECT schema_version_id FROM lsm_schema_versions
 WHERE chunking = :chunking AND schema_version_id <> :schema_version_id
"""


class Reembedding:
    """Replaces vectors batch by batch; stopped anywhere, the rest is done the next time."""

    def __init__(self, db: Database, index: ChunkIndex, embedder: Embedder) -> None:
        self._db = db
        self._index = index
        self._embedder = embedder
        self._documents = DocumentReader(db)

    def batches(self, chunking: str, clock: Clock) -> Iterator[int]:
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
        self._restate(chunking, clock)

    def _replace(self, ids: list[int], space: int) -> int:
        chunks = self._documents.chunks(ids).values()
        texts = [embedded_text(chunk.title, chunk.heading, chunk.text) for chunk in chunks]
        vectors = self._embedder.embed_documents(texts)
        pairs = [(chunk.chunk_id, vector) for chunk, vector in zip(chunks, vectors, strict=True)]
        with self._db.transaction():
            self._index.replace_vectors(space, pairs)
        return len(pairs)

    def _restate(self, chunking: str, clock: Clock) -> None:
        """Every chunk has the new model's vector: say so of every file."""
        derivation = Derivation(self._embedder.model, self._embedder.dimension, chunking)
        with self._db.transaction():
            schema = open_derivation(self._db, derivation, clock)
            others = self._db.tuples(_OTHERS, chunking=chunking, schema_version_id=schema)
            self._db.run(
                _RESTATE,
                embedding_model=derivation.embedding_model,
                schema_version_id=schema,
                others=[row[0] for row in others],
            )
