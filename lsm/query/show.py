"""A document or chunk as the library holds it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from lsm.errors import NotFoundError
from lsm.paths import absolute
from lsm.vectordb.documents import DocumentReader

if TYPE_CHECKING:
    from lsm.db import Database
    from lsm.vectordb.documents import DocumentVersion, Place


class ShownChunk(msgspec.Struct, frozen=True):
    """A chunk in its place."""

    chunk_id: int
    heading: str
    start_line: int
    end_line: int
    page: int | None
    text: str


class Shown(msgspec.Struct, frozen=True):
    """A document, or the one chunk of it that was asked for."""

    path: str
    title: str
    version: int  # since when it is like this
    tags: tuple[str, ...]
    metadata: dict[str, str]
    flags: tuple[str, ...]
    modified_at: str
    file_size: int
    file_hash: str
    text: str
    chunks: tuple[ShownChunk, ...]


def show(db: Database, chunk_or_path: str, version: int) -> Shown:
    """What *chunk_or_path* names, as it was in *version*.

    Args:
        db: the library.
        chunk_or_path: a chunk's number, or the path of a document; ``~`` and relative ones too.
        version: of the library.

    Raises:
        NotFoundError: there is no such document or chunk in that version.
    """
    reader = DocumentReader(db)
    with db.snapshot():
        number = chunk_or_path.removeprefix("#")
        if number.isdecimal() and not os.path.lexists(chunk_or_path):
            return _chunk(reader, int(number), version)
        document = reader.at_path(absolute(chunk_or_path), version)
        if document is None:
            document = reader.at_path(chunk_or_path, version)
        if document is None:
            raise NotFoundError("document in the library", chunk_or_path)
        return _shown(reader, document, document.outline)


def _chunk(reader: DocumentReader, chunk_id: int, version: int) -> Shown:
    chunk = reader.chunks([chunk_id]).get(chunk_id)
    # A chunk of an earlier version is shown in the document as it was then.
    at = version if chunk is None or chunk.version_out is None else chunk.version_out - 1
    document = (
        reader.by_id([chunk.document_id], min(version, at)).get(chunk.document_id)
        if chunk
        else None
    )
    if document is None:
        raise NotFoundError("chunk", str(chunk_id))
    return _shown(reader, document, [p for p in document.outline if p.chunk_id == chunk_id][:1])


def _shown(
    reader: DocumentReader, document: DocumentVersion, places: list[Place] | tuple[Place, ...]
) -> Shown:
    texts = reader.chunks([place.chunk_id for place in places])
    chunks = tuple(
        ShownChunk(
            place.chunk_id,
            texts[place.chunk_id].heading,
            place.start_line,
            place.end_line,
            place.page,
            texts[place.chunk_id].text,
        )
        for place in places
    )
    return Shown(
        path=document.source_path,
        title=document.title,
        version=document.version,
        tags=document.tags,
        metadata=document.metadata,
        flags=document.flags,
        modified_at=document.modified_at,
        file_size=document.file_size,
        file_hash=document.file_hash,
        text="".join(chunk.text for chunk in chunks),
        chunks=chunks,
    )
