"""Finding a quote in a document as it is now."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.vectordb.documents import DocumentReader, DocumentVersion, Place, StoredChunk

_SHOWN = 300  # characters of a quote that nobody chose
_ALIKE = 0.5  # below that, two lines are not two versions of one
_COMPARED = 5000  # lines of a document that are compared


@dataclass(frozen=True)
class Anchor:
    """Where a quote stands."""

    chunk_id: int
    content_hash: str  # of that chunk
    line: int  # 1-based, where the quote begins
    quote: str


class Passages:
    """A document's chunks in reading order."""

    def __init__(self, document: DocumentVersion, chunks: dict[int, StoredChunk]) -> None:
        self.document = document
        self._places = [place for place in document.outline if place.chunk_id in chunks]
        self._chunks = chunks

    def find(self, quote: str) -> Anchor | None:
        """The first place of *quote*, however its lines are broken; it may run over chunks."""
        wanted = plain(quote)
        whole, starts = self._whole
        at = whole.find(wanted) if wanted else -1
        if at < 0:
            return None
        place = self._places[bisect_right(starts, at) - 1]
        return self._anchor(place, self._line_of(place, wanted), quote)

    def same(self, content_hash: str | None, quote: str) -> Anchor | None:
        """The chunk that is, word for word, the one a source was held to."""
        for place in self._places:
            if self._chunks[place.chunk_id].text_hash == content_hash:
                return self._anchor(place, self._line_of(place, plain(quote)), quote)
        return None

    def at_line(self, line: int) -> Anchor | None:
        """What stands in *line*, or in the next one that is not blank; None beyond the end."""
        for place in self._places:
            if line <= place.end_line:
                lines = _lines(self._chunks[place.chunk_id])
                for index in range(max(0, line - place.start_line), len(lines)):
                    if lines[index].strip():
                        return self._anchor(place, place.start_line + index, lines[index].strip())
                shown = plain("\n".join(lines))[:_SHOWN]
                return self._anchor(place, place.start_line, shown)
        return None

    def closest(self, quote: str) -> str:
        """The line that looks most like *quote*; "" when none does."""
        lines = [
            plain(line)
            for place in self._places
            for line in _lines(self._chunks[place.chunk_id])
            if line.strip()
        ]
        matcher = SequenceMatcher(b=plain(quote), autojunk=False)
        best, score = "", _ALIKE
        for line in lines[:_COMPARED]:
            matcher.set_seq1(line)
            if matcher.real_quick_ratio() > score and matcher.quick_ratio() > score:
                ratio = matcher.ratio()
                if ratio > score:
                    best, score = line, ratio
        return best

    @cached_property
    def _whole(self) -> tuple[str, list[int]]:
        """All text on one line, and where in it each chunk begins."""
        texts = [plain(self._chunks[place.chunk_id].text) for place in self._places]
        lengths = (len(text) + 1 for text in texts)
        return " ".join(texts), list(accumulate(lengths, initial=0))[:-1]

    def _anchor(self, place: Place, line: int, quote: str) -> Anchor:
        chunk = self._chunks[place.chunk_id]
        return Anchor(place.chunk_id, chunk.text_hash, line, quote)

    def _line_of(self, place: Place, wanted: str) -> int:
        lines = _lines(self._chunks[place.chunk_id])
        first = wanted.split(" ", 1)[0]
        for index, line in enumerate(lines):
            if first in line and _begins(plain("\n".join(lines[index:])), plain(line), wanted):
                return place.start_line + index
        return place.start_line


def open_passages(reader: DocumentReader, document_ids: Sequence[int]) -> dict[int, Passages]:
    """The documents of those ids that are still in the library, each with its chunks."""
    documents = reader.by_id(document_ids)
    places = {place.chunk_id for each in documents.values() for place in each.outline}
    chunks = reader.chunks(sorted(places))
    return {document_id: Passages(each, chunks) for document_id, each in documents.items()}


def plain(text: str) -> str:
    """*text* on one line, with single spaces."""
    return " ".join(text.split())


def _begins(rest: str, line: str, wanted: str) -> bool:
    return 0 <= rest.find(wanted) < len(line)


def _lines(chunk: StoredChunk) -> list[str]:
    # A place's start_line is that of the first line that is not blank.
    lines = chunk.text.split("\n")
    while lines and not lines[0].strip():
        del lines[0]
    return lines
