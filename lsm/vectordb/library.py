"""Writes documents and chunks: rows, vectors and full text in the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from lsm.vectordb.base import IndexEntry
from lsm.vectordb.documents import Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lsm.db import Database
    from lsm.vectordb.base import ChunkIndex, Vector

# Changes nothing, but the next writer waits here until we have committed or given up.
_QUEUE = "UPDATE lsm_counters SET next_value = next_value WHERE name = 'document'"
_TAKE = """
UPDATE lsm_counters SET next_value = next_value + :count WHERE name = :name RETURNING next_value
"""
_CURRENT_CHUNKS = """
SELECT document_id, text_hash, chunk_id
  FROM lsm_chunks
 WHERE document_id IN :ids[] AND version_out IS NULL
"""
_ADD_CHUNK = """
INSERT INTO lsm_chunks (chunk_id, document_id, version_in, text_hash, title, heading, text)
VALUES (:chunk_id, :document_id, :version_in, :text_hash, :title, :heading, :text)
"""
_RETIRE_CHUNKS = """
UPDATE lsm_chunks SET version_out = :version WHERE chunk_id IN :ids[] AND version_out IS NULL
"""
_RETIRE_CHUNKS_OF = """
UPDATE lsm_chunks SET version_out = :version WHERE document_id IN :ids[] AND version_out IS NULL
"""
_RETIRE_DOCUMENTS = """
UPDATE lsm_documents SET version_out = :version
 WHERE document_id IN :ids[] AND version_out IS NULL
"""
_ADD_DOCUMENT = """
INSERT INTO lsm_documents (document_id, version_in, source_path, extension, title, tags_json,
                           own_tags_json, metadata_json, flags_json, modified_at,
                           file_size, file_hash, outline_json)
VALUES (:document_id, :version_in, :source_path, :extension, :title, :tags_json, :own_tags_json,
        :metadata_json, :flags_json, :modified_at, :file_size, :file_hash, :outline_json)
"""
# A file that moved, or whose folder's tags changed: the same document under another label.
_RELABEL = """
INSERT INTO lsm_documents (document_id, version_in, source_path, extension, title, tags_json,
                           own_tags_json, metadata_json, flags_json, modified_at,
                           file_size, file_hash, outline_json)
SELECT document_id, :version, :source_path, :extension, :title, :tags_json,
       own_tags_json, metadata_json, flags_json, :modified_at, file_size, file_hash, outline_json
  FROM lsm_documents
 WHERE document_id = :document_id AND version_out = :version
"""


@dataclass(frozen=True)
class Piece:
    """A chunk to be stored, and where it stands."""

    text_hash: str  # of title, heading and text: equal hashes have equal vectors
    heading: str
    text: str
    start_line: int
    end_line: int
    page: int | None


@dataclass(frozen=True)
class NewDocument:
    """A document's new state."""

    document_id: int | None  # None: seen for the first time
    source_path: str
    extension: str
    title: str  # what people read; falls back to the file's name
    own_title: str  # what the file itself says, or ""
    tags: tuple[str, ...]
    own_tags: tuple[str, ...]  # those among `tags` that the file itself gives
    metadata: Mapping[str, str]
    flags: tuple[str, ...]
    modified_at: str
    file_size: int
    file_hash: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Label:
    """What a document is called and tagged from now on; its text is unchanged."""

    document_id: int
    source_path: str
    extension: str
    title: str
    tags: tuple[str, ...]
    modified_at: str


@dataclass(frozen=True)
class Written:
    """What a batch did."""

    document_ids: list[int]  # in the order given
    chunks_added: int
    chunks_retired: int
    chunks_kept: int  # still the rows they were


class LibraryWriter:
    """Puts documents into the library. Every method joins the caller's transaction."""

    def __init__(self, db: Database, index: ChunkIndex) -> None:
        self._db = db
        self._index = index

    def queue(self) -> None:
        """Wait until nobody else writes documents, and let nobody until the transaction ends.

        What is read after this is what the others have committed.
        """
        self._db.run(_QUEUE)

    def put(
        self,
        documents: Sequence[NewDocument],
        vectors: Mapping[str, Vector],
        version: int,
        space_id: int,
    ) -> Written:
        """Make *documents* current from *version* on.

        Chunks whose content is unchanged stay the rows they are.

        Args:
            documents: each path once.
            vectors: by text hash, for every piece that its document does not hold already.
            version: the running ingest's.
            space_id: what made the vectors.
        """
        known = [d.document_id for d in documents if d.document_id is not None]
        batch = _Batch(version, space_id, self._current_chunks(known), vectors)
        batch.document_ids = self._take("document", len(documents) - len(known))
        batch.chunk_ids = self._take("chunk", batch.count_new(documents))
        for document in documents:
            batch.add(document)
        self._db.run(_RETIRE_CHUNKS, ids=batch.retired, version=version)
        self._db.run(_RETIRE_DOCUMENTS, ids=known, version=version)
        self._db.many(_ADD_DOCUMENT, batch.document_rows)
        self._db.many(_ADD_CHUNK, batch.chunk_rows)
        self._index.put(batch.entries)
        return batch.written()

    def relabel(self, labels: Sequence[Label], version: int) -> None:
        """Give documents another path, title or tags from *version* on; no chunk changes."""
        ids: list[object] = [label.document_id for label in labels]
        self._db.run(_RETIRE_DOCUMENTS, ids=ids, version=version)
        self._db.many(
            _RELABEL,
            (
                {
                    "document_id": label.document_id,
                    "version": version,
                    "source_path": label.source_path,
                    "extension": label.extension,
                    "title": label.title,
                    "tags_json": _json(label.tags),
                    "modified_at": label.modified_at,
                }
                for label in labels
            ),
        )

    def retire(self, document_ids: Sequence[int], version: int) -> int:
        """Take documents out of the library as it is; the number of chunks that went with them.

        They stay in it as it was.
        """
        ids = list(document_ids)
        self._db.run(_RETIRE_DOCUMENTS, ids=ids, version=version)
        return self._db.run(_RETIRE_CHUNKS_OF, ids=ids, version=version)

    def _current_chunks(self, document_ids: Sequence[int]) -> dict[int, dict[str, int]]:
        held: dict[int, dict[str, int]] = {}
        for document_id, text_hash, chunk_id in self._db.tuples(
            _CURRENT_CHUNKS, ids=list(document_ids)
        ):
            held.setdefault(document_id, {})[text_hash] = chunk_id
        return held

    def _take(self, counter: str, count: int) -> Iterator[int]:
        if count == 0:
            return iter(())
        beyond = self._db.tuples(_TAKE, name=counter, count=count)[0][0]
        return iter(range(beyond - count, beyond))


@dataclass
class _Batch:
    """Collects the rows of one `put`."""

    version: int
    space_id: int
    current: Mapping[int, Mapping[str, int]]  # document -> text hash -> chunk
    vectors: Mapping[str, Vector]
    document_ids: Iterator[int] = field(default_factory=lambda: iter(()))  # for new documents
    chunk_ids: Iterator[int] = field(default_factory=lambda: iter(()))  # for new chunks
    used_ids: list[int] = field(default_factory=list[int])
    document_rows: list[dict[str, object]] = field(default_factory=list[dict[str, object]])
    chunk_rows: list[dict[str, object]] = field(default_factory=list[dict[str, object]])
    entries: list[IndexEntry] = field(default_factory=list[IndexEntry])
    retired: list[object] = field(default_factory=list[object])
    kept: int = 0

    def count_new(self, documents: Sequence[NewDocument]) -> int:
        return sum(
            len({piece.text_hash for piece in document.pieces} - self._held(document).keys())
            for document in documents
        )

    def add(self, document: NewDocument) -> None:
        held = self._held(document)
        document_id = document.document_id
        if document_id is None:
            document_id = next(self.document_ids)
        placed: dict[str, int] = {}
        for piece in document.pieces:
            if piece.text_hash not in placed:
                kept = held.get(piece.text_hash)
                placed[piece.text_hash] = kept or self._new_chunk(document_id, document, piece)
                self.kept += kept is not None
        self.retired += [held[text_hash] for text_hash in held.keys() - placed.keys()]
        self.used_ids.append(document_id)
        self.document_rows.append(self._document_row(document_id, document, placed))

    def written(self) -> Written:
        return Written(self.used_ids, len(self.entries), len(self.retired), self.kept)

    def _held(self, document: NewDocument) -> Mapping[str, int]:
        return self.current.get(document.document_id or 0, {})

    def _new_chunk(self, document_id: int, document: NewDocument, piece: Piece) -> int:
        chunk_id = next(self.chunk_ids)
        self.chunk_rows.append(
            {
                "chunk_id": chunk_id,
                "document_id": document_id,
                "version_in": self.version,
                "text_hash": piece.text_hash,
                "title": document.own_title,
                "heading": piece.heading,
                "text": piece.text,
            }
        )
        self.entries.append(
            IndexEntry(
                chunk_id,
                document.own_title,
                piece.heading,
                piece.text,
                self.space_id,
                self.vectors[piece.text_hash],
            )
        )
        return chunk_id

    def _document_row(
        self, document_id: int, document: NewDocument, placed: Mapping[str, int]
    ) -> dict[str, object]:
        outline = [
            Place(placed[piece.text_hash], piece.start_line, piece.end_line, piece.page)
            for piece in document.pieces
        ]
        return {
            "document_id": document_id,
            "version_in": self.version,
            "source_path": document.source_path,
            "extension": document.extension,
            "title": document.title,
            "tags_json": _json(document.tags),
            "own_tags_json": _json(document.own_tags),
            "metadata_json": _json(document.metadata),
            "flags_json": _json(document.flags),
            "modified_at": document.modified_at,
            "file_size": document.file_size,
            "file_hash": document.file_hash,
            "outline_json": _json(outline),
        }


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
