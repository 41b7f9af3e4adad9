"""A document as a person reads it: a stretch of it at a time, and what changed between two states.

Both work by chunks. A chunk whose text is unchanged is the same row in every version, so two
states of a long document are compared without reading what they share.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Literal

from lsm.errors import NotFoundError
from lsm.query.show import ShownChunk
from lsm.vectordb.documents import DocumentReader
from lsm.vectordb.listing import DocumentList

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lsm.db import Database
    from lsm.vectordb.documents import DocumentVersion, Place

PART_CHUNKS = 60  # of a document in one part, about 70,000 characters
_CONTEXT = 3  # unchanged lines around a change
_COMPARED = 4000  # lines of one changed stretch that are compared; beyond, one replaces the other


@dataclass(frozen=True)
class Part:
    """A stretch of a document."""

    document: DocumentVersion
    is_current: bool  # whether the document still is like this
    chunks: tuple[ShownChunk, ...]
    number: int  # from 1
    count: int  # of parts

    @property
    def text(self) -> str:
        """The words of the stretch, as stored."""
        return "".join(chunk.text for chunk in self.chunks)

    @property
    def first_line(self) -> int:
        """Where it begins, from 1."""
        return self.chunks[0].start_line if self.chunks else 1


@dataclass(frozen=True)
class DiffLine:
    """One line of a comparison."""

    kind: Literal["same", "out", "in", "gap"]  # gap: equal lines that are left out
    old: int | None  # line number before
    new: int | None  # ... and after
    text: str


def read_part(
    db: Database, document_id: int, version: int, *, number: int | None = None, line: int = 1
) -> Part:
    """The stretch *number*, or that in which *line* stands, of a document.

    Args:
        db: the library.
        document_id: whose.
        version: of the library; a document that has left it is shown as it was last.
        number: from 1; None to go by the line.
        line: from 1.

    Raises:
        NotFoundError: there was no such document then.
    """
    reader = DocumentReader(db)
    with db.snapshot():
        document = _state(db, reader, document_id, version)
        newest = DocumentList(db).versions_of(document_id, most=1)[0]
        count = max(1, -(-len(document.outline) // PART_CHUNKS))
        at = _part_of(document.outline, line) if number is None else number
        at = min(max(at, 1), count)
        places = document.outline[(at - 1) * PART_CHUNKS : at * PART_CHUNKS]
        is_current = newest.ended is None and newest.version == document.version
        return Part(document, is_current, _chunks(reader, places), at, count)


def place_of(db: Database, chunk_id: int, version: int) -> tuple[int, int, int]:
    """Document, version of the library and line of a chunk.

    Raises:
        NotFoundError: there is no such chunk.
    """
    reader = DocumentReader(db)
    with db.snapshot():
        chunk = reader.chunks([chunk_id]).get(chunk_id)
        if chunk is None:
            raise NotFoundError("chunk", str(chunk_id))
        # A chunk that is no longer current is shown in the document as it was then.
        last = version if chunk.version_out is None else min(version, chunk.version_out - 1)
        document = reader.by_id([chunk.document_id], last).get(chunk.document_id)
        places = document.outline if document else ()
        found = next((place for place in places if place.chunk_id == chunk_id), None)
        return chunk.document_id, last, found.start_line if found else 1


def compare(db: Database, document_id: int, older: int, newer: int) -> list[DiffLine]:
    """What changed in a document from version *older* of the library to *newer*, line by line.

    Raises:
        NotFoundError: the document was not there in one of them.
    """
    reader = DocumentReader(db)
    with db.snapshot():
        before = _state(db, reader, document_id, older)
        after = _state(db, reader, document_id, newer)
        return list(_compared(reader, before.outline, after.outline))


def _state(db: Database, reader: DocumentReader, document_id: int, version: int) -> DocumentVersion:
    found = reader.by_id([document_id], version).get(document_id)
    if found is None:
        # It has left the library by then: as it was last.
        last = DocumentList(db).versions_of(document_id, before=version, most=1)
        states = reader.by_id([document_id], last[0].version) if last else {}
        found = states.get(document_id)
    if found is None:
        raise NotFoundError("document", str(document_id))
    return found


def _part_of(outline: Sequence[Place], line: int) -> int:
    at = next((i for i, place in enumerate(outline) if line <= place.end_line), len(outline) - 1)
    return max(at, 0) // PART_CHUNKS + 1


def _chunks(reader: DocumentReader, places: Sequence[Place]) -> tuple[ShownChunk, ...]:
    texts = reader.chunks([place.chunk_id for place in places])
    return tuple(
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


def _compared(
    reader: DocumentReader, before: Sequence[Place], after: Sequence[Place]
) -> Iterator[DiffLine]:
    ids = [place.chunk_id for place in before], [place.chunk_id for place in after]
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, *ids, autojunk=False).get_opcodes():
        if tag != "equal":
            # One neighbour on each side: its lines are what surrounds the change.
            first, last = min(i1, j1, 1), int(i2 < len(before) and j2 < len(after))
            old = _chunks(reader, before[i1 - first : i2 + last])
            new = _chunks(reader, after[j1 - first : j2 + last])
            yield from _lines_compared(old, new)


def _lines_compared(old: Sequence[ShownChunk], new: Sequence[ShownChunk]) -> Iterator[DiffLine]:
    left, right = _lines(old), _lines(new)
    at_left = old[0].start_line if old else 1
    at_right = new[0].start_line if new else 1
    yield DiffLine("gap", at_left, at_right, "")
    for tag, i1, i2, j1, j2 in _opcodes(left, right):
        if tag == "equal":
            for i in _shown_equal(i1, i2, len(left)):
                if i is None:
                    yield DiffLine("gap", None, None, "")
                    continue
                yield DiffLine("same", at_left + i, at_right + j1 + i - i1, left[i])
            continue
        for i in range(i1, i2):
            yield DiffLine("out", at_left + i, None, left[i])
        for j in range(j1, j2):
            yield DiffLine("in", None, at_right + j, right[j])


def _lines(chunks: Sequence[ShownChunk]) -> list[str]:
    return "".join(chunk.text for chunk in chunks).splitlines()


def _opcodes(left: list[str], right: list[str]) -> Sequence[tuple[str, int, int, int, int]]:
    if len(left) > _COMPARED or len(right) > _COMPARED:
        return [("replace", 0, len(left), 0, len(right))]
    return SequenceMatcher(None, left, right, autojunk=False).get_opcodes()


def _shown_equal(first: int, end: int, total: int) -> Iterator[int | None]:
    """Of equal lines, those near a change; None stands for the others."""
    head = 0 if first == 0 else _CONTEXT
    tail = 0 if end == total else _CONTEXT
    if end - first <= head + tail:
        yield from range(first, end)
        return
    yield from range(first, first + head)
    if head and tail:
        yield None
    yield from range(end - tail, end)
