"""The libraries that LSM's is compared with, each used as its own documentation does.

Chroma and LanceDB keep chunks and know nothing of files, so they get the loop their users write: a
chunk's id is the hash of its path and text, and what is known already is not embedded again.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from lsm.embedding import open_embedder

if TYPE_CHECKING:
    from collections.abc import Iterator

_K = 10
_CHARACTERS = 1000  # of a chunk, as much as LSM's chunks have
_TOKENS = 220  # ... and that in tokens
_BATCH = 5000  # chunks: Chroma refuses more than about 5,461 at once
_EMBEDDER = open_embedder()


class Chroma:
    """Chroma, in its local persistent form."""

    def __init__(self, documents: str) -> None:
        import chromadb

        self._chromadb = chromadb
        self._documents = documents

    def open(self, folder: str) -> None:
        self._folder = folder
        self._collection = _chroma(self._chromadb, folder)

    def ingest(self) -> int:
        wanted = dict(_chunks(self._documents))
        known = set(self._collection.get(include=[])["ids"])
        if gone := list(known - wanted.keys()):
            self._collection.delete(ids=gone)
        for batch in _batches([each for each in wanted.items() if each[0] not in known]):
            ids, texts = [key for key, _ in batch], [text for _, (_, text) in batch]
            self._collection.add(
                ids=ids,
                documents=texts,
                embeddings=_EMBEDDER.embed_documents(texts),
                metadatas=[{"path": path} for _, (path, _) in batch],
            )
        return self._collection.count()

    def dense(self, query: str) -> list[str]:
        found = self._collection.query(
            query_embeddings=[_EMBEDDER.embed_query(query)], n_results=_K
        )
        assert found["documents"][0][0]
        return found["ids"][0]

    def accuracy(self, level: int) -> None:
        from chromadb.api.client import SharedSystemClient

        self._collection.modify(configuration={"hnsw": {"ef_search": level}})
        # An index that is loaded goes on as it was: only another client reads the new setting.
        SharedSystemClient.clear_system_cache()
        client = self._chromadb.PersistentClient(self._folder, _quiet(self._chromadb))
        self._collection = client.get_collection("chunks", embedding_function=None)

    def vectors(self) -> tuple[list[str], Any]:
        return _vectors(self._collection)


class LanceDb:
    """LanceDB in a folder, with its index of words."""

    def __init__(self, documents: str) -> None:
        import lancedb
        from lancedb.rerankers import RRFReranker

        self._lancedb = lancedb
        self._reranker = RRFReranker()
        self._documents = documents

    def open(self, folder: str) -> None:
        import pyarrow as pa

        schema = pa.schema(
            [
                ("id", pa.string()),
                ("path", pa.string()),
                ("text", pa.string()),
                ("vector", pa.list_(pa.float32(), _EMBEDDER.dimension)),
            ]
        )
        self._table = self._lancedb.connect(folder).create_table("chunks", schema=schema)
        self._has_words = False

    def ingest(self) -> int:
        wanted = dict(_chunks(self._documents))
        ids = self._table.search().select(["id"]).limit(10_000_000).to_arrow()["id"].to_pylist()
        if gone := set(ids) - wanted.keys():
            self._table.delete(f"id IN ({', '.join(map(repr, gone))})")
        new = [each for each in wanted.items() if each[0] not in set(ids)]
        for batch in _batches(new):
            vectors = _EMBEDDER.embed_documents([text for _, (_, text) in batch])
            rows = [
                {"id": key, "path": path, "text": text, "vector": vector}
                for (key, (path, text)), vector in zip(batch, vectors, strict=True)
            ]
            self._table.add(rows)
        if not self._has_words:
            self._table.create_fts_index("text")
            self._has_words = True
        elif new:
            self._table.optimize()
        return self._table.count_rows()

    def dense(self, query: str) -> list[str]:
        rows = self._by_meaning(query).to_list()
        return [row["id"] for row in rows]

    def hybrid(self, query: str) -> object:
        search = self._table.search(query_type="hybrid").vector(_EMBEDDER.embed_query(query))
        return search.text(query).rerank(self._reranker).limit(_K).to_list()

    def vectors(self) -> tuple[list[str], Any]:
        rows = self._table.search().select(["id", "vector"]).limit(10_000_000).to_arrow()
        return rows["id"].to_pylist(), np.array(rows["vector"].to_pylist(), "float32")

    def _by_meaning(self, query: str) -> Any:
        search = self._table.search(_EMBEDDER.embed_query(query)).distance_type("cosine")
        return search.select(["id", "path", "text", "_distance"]).limit(_K)


class LangChain:
    """LangChain's indexing API: its record manager in SQLite, its vectors in Chroma."""

    def __init__(self, documents: str) -> None:
        import chromadb
        from langchain_chroma import Chroma as Vectors
        from langchain_classic.indexes import SQLRecordManager, index
        from langchain_core.documents import Document
        from langchain_core.embeddings import Embeddings
        from langchain_text_splitters import RecursiveCharacterTextSplitter

        class Ours(Embeddings):
            def embed_documents(self, texts: list[str]) -> list[list[float]]:
                return _EMBEDDER.embed_documents(texts).tolist()

            def embed_query(self, text: str) -> list[float]:
                return _EMBEDDER.embed_query(text).tolist()

        self._chromadb, self._vectors, self._embeddings = chromadb, Vectors, Ours()
        self._manager, self._index, self._document = SQLRecordManager, index, Document
        self._splitter = RecursiveCharacterTextSplitter(chunk_size=_CHARACTERS, chunk_overlap=0)
        self._documents = documents

    def open(self, folder: str) -> None:
        client = self._chromadb.PersistentClient(folder, _quiet(self._chromadb))
        self._store = self._vectors("chunks", self._embeddings, client=client, **_COSINE)
        self._collection = client.get_collection("chunks", embedding_function=None)
        place = os.path.join(folder, "records.db")
        self._records = self._manager("chunks", db_url=f"sqlite:///{place}")
        self._records.create_schema()

    def ingest(self) -> int:
        loaded = [
            self._document(page_content=text, metadata={"source": path})
            for path, text in _texts(self._documents)
        ]
        self._index(
            self._splitter.split_documents(loaded),
            self._records,
            self._store,
            batch_size=_BATCH,
            cleanup="full",
            cleanup_batch_size=_BATCH,
            source_id_key="source",
            key_encoder="sha256",
        )
        return self._collection.count()

    def dense(self, query: str) -> list[str]:
        return [each.id for each in self._store.similarity_search(query, k=_K)]

    def vectors(self) -> tuple[list[str], Any]:
        return _vectors(self._collection)


class LlamaIndex:
    """LlamaIndex's ingestion pipeline: its docstore in JSON, its vectors in Chroma."""

    def __init__(self, documents: str) -> None:
        import chromadb
        from llama_index.core import Document, VectorStoreIndex
        from llama_index.core.base.embeddings.base import BaseEmbedding
        from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
        from llama_index.core.node_parser import SentenceSplitter
        from llama_index.core.storage.docstore import SimpleDocumentStore
        from llama_index.vector_stores.chroma import ChromaVectorStore, base

        class Ours(BaseEmbedding):
            def _get_query_embedding(self, query: str) -> list[float]:
                return _EMBEDDER.embed_query(query).tolist()

            def _get_text_embedding(self, text: str) -> list[float]:
                return self._get_text_embeddings([text])[0]

            def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
                return _EMBEDDER.embed_documents(texts).tolist()

            async def _aget_query_embedding(self, query: str) -> list[float]:
                return self._get_query_embedding(query)

        base.MAX_CHUNK_SIZE = _BATCH  # it believes in 41,665, which Chroma refuses
        self._chromadb, self._vectors = chromadb, ChromaVectorStore
        self._document, self._index = Document, VectorStoreIndex
        self._pipeline_class, self._docstore = IngestionPipeline, SimpleDocumentStore
        self._strategy = DocstoreStrategy.UPSERTS_AND_DELETE
        self._embed = Ours(embed_batch_size=2048)
        self._splitter = SentenceSplitter(chunk_size=_TOKENS, chunk_overlap=0)
        self._documents = documents

    def open(self, folder: str) -> None:
        self._folder = folder
        self._collection = _chroma(self._chromadb, folder)
        store = self._vectors(chroma_collection=self._collection)
        self._pipeline = self._pipeline_class(
            transformations=[self._splitter, self._embed],
            docstore=self._docstore(),
            vector_store=store,
            docstore_strategy=self._strategy,
        )
        index = self._index.from_vector_store(store, embed_model=self._embed)
        self._retriever = index.as_retriever(similarity_top_k=_K)

    def ingest(self) -> int:
        loaded = [
            self._document(text=text, id_=path, metadata={"path": path})
            for path, text in _texts(self._documents)
        ]
        self._pipeline.run(documents=loaded)
        self._pipeline.persist(os.path.join(self._folder, "pipeline"))
        return self._collection.count()

    def dense(self, query: str) -> list[str]:
        return [each.node.node_id for each in self._retriever.retrieve(query)]

    def vectors(self) -> tuple[list[str], Any]:
        return _vectors(self._collection)


_COSINE: dict[str, Any] = {"collection_configuration": {"hnsw": {"space": "cosine"}}}


def _chroma(chromadb: Any, folder: str) -> Any:
    client = chromadb.PersistentClient(folder, _quiet(chromadb))
    return client.create_collection(
        "chunks", configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
    )


def _quiet(chromadb: Any) -> Any:
    return chromadb.Settings(anonymized_telemetry=False)


def _vectors(collection: Any) -> tuple[list[str], Any]:
    found = collection.get(include=["embeddings"])
    return found["ids"], np.asarray(found["embeddings"], "float32")


def _texts(documents: str) -> Iterator[tuple[str, str]]:
    """Path and text of each document."""
    for folder, folders, files in os.walk(documents):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as file:
                yield path, file.read()


def _chunks(documents: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Id, path and text of each chunk: whole paragraphs, as many as fit."""
    for path, text in _texts(documents):
        parts: list[str] = []
        for paragraph in [*text.split("\n\n"), None]:
            if paragraph is None or sum(map(len, parts)) + len(paragraph) > _CHARACTERS:
                if chunk := "\n\n".join(parts):
                    key = hashlib.sha256(f"{path}\0{len(parts)}\0{chunk}".encode()).hexdigest()
                    yield key, (path, chunk)
                parts = []
            if paragraph is not None:
                parts.append(paragraph)


def _batches(rows: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(rows), _BATCH):
        yield rows[start : start + _BATCH]
