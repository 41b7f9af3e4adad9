"""From what a child answered to what the library stores. Pure."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from lsm.clock import to_text
from lsm.ingest.foldertags import merged
from lsm.ingest.manifest import FileState, signed
from lsm.ingest.scan import INODE_MASK
from lsm.vectordb.library import NewDocument, Piece

if TYPE_CHECKING:
    from lsm.ingest.document import Chunk
    from lsm.ingest.messages import Answer, FileFacts

HEADING_SEPARATOR = " > "
_FIRST_NS, _LAST_NS = 0, 253_402_300_799_000_000_000  # 1970 to 9999: what a date can be


def title_from(path: str) -> str:
    """What a document is called that does not say it itself: its file's name."""
    stem = os.path.splitext(os.path.basename(path))[0]
    return stem.replace("_", " ").strip() or os.path.basename(path)


def extension_of(path: str) -> str:
    """In small letters, with its dot; empty if there is none."""
    return os.path.splitext(path)[1].lower()


def modified_at(mtime_ns: int) -> str:
    """A file's time as the database writes times; impossible ones are moved to the nearest."""
    clamped = min(max(mtime_ns, _FIRST_NS), _LAST_NS)
    seconds, rest = divmod(clamped, 1_000_000_000)
    return to_text(datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000))


def embedded_text(title: str, heading: str, text: str) -> str:
    """What the model reads: a paragraph means more under its headings."""
    above = "" if heading.startswith(title) else title
    return "\n".join(part for part in (above, heading, text.strip()) if part)


def pieces_of(title: str, chunks: tuple[Chunk, ...]) -> tuple[Piece, ...]:
    """*chunks* of a document that calls itself *title* (or ""), as they are stored."""
    return tuple(_piece(title, chunk) for chunk in chunks)


def new_document(
    path: str, answer: Answer, folder_tags: str, document_id: int | None
) -> NewDocument:
    """The document that *answer*, which is "parsed", describes.

    Args:
        path: of the file, as text.
        answer: a child's.
        folder_tags: JSON, what the folders give.
        document_id: of the document at that path, if there is one.
    """
    file = answer.file
    assert file is not None  # noqa: S101 - set whenever the status is "parsed"
    own_title = " ".join((answer.title or "").split())[:500]
    own_tags = merged(answer.tags)
    return NewDocument(
        document_id=document_id,
        source_path=path,
        extension=extension_of(path),
        title=own_title or title_from(path),
        own_title=own_title,
        tags=merged(own_tags, folder_tag_list(folder_tags)),
        own_tags=own_tags,
        metadata=answer.metadata,
        flags=answer.flags,
        modified_at=modified_at(file.mtime_ns),
        file_size=file.size,
        file_hash=file.sha256,
        pieces=pieces_of(own_title, answer.chunks),
    )


def folder_tag_list(folder_tags: str) -> list[str]:
    """The tags in a manifest's `folder_tags`."""
    return msgspec.json.decode(folder_tags, type=list[str])


def file_state(path: str, file: FileFacts, checked_ns: int, folder_tags: str) -> FileState:
    """The manifest's row for a file just read; its document and version are told when written."""
    return FileState(
        source_path=path,
        mtime_ns=signed(file.mtime_ns),
        file_size=file.size,
        file_hash=file.sha256,
        version=0,
        ctime_ns=signed(file.ctime_ns),
        inode=file.inode & INODE_MASK,
        device=file.device & INODE_MASK,
        checked_ns=checked_ns,
        folder_tags=folder_tags,
    )


def _piece(title: str, chunk: Chunk) -> Piece:
    heading = HEADING_SEPARATOR.join(chunk.heading)
    content = f"{title}\x1f{heading}\x1f{chunk.text}".encode()
    return Piece(
        # 128 bits: no two texts of one library will ever share it.
        text_hash=hashlib.sha256(content).hexdigest()[:32],
        heading=heading,
        text=chunk.text,
        start_line=chunk.start_line,
        end_line=chunk.end_line,
        page=chunk.page,
    )
