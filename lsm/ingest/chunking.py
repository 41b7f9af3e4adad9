"""Cut a document into the pieces that are searched.

Headings decide first, then `boundaries`: where a cut falls depends on the text around it and on
nothing far away, so an edit changes the chunks near it, and the rest keep their texts and their
vectors.

Pure: the standard library and the shapes of `document`. Linear in the size of the text.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate, pairwise

from lsm.ingest.boundaries import Mark, Reach, cuts, paragraphs
from lsm.ingest.document import Chunk, Document, ParseError, Section

CHUNKER_VERSION = "1"
"""Changes whenever the same document would be cut differently."""

MAX_CHUNKS = 20_000
"""More than this of one document is refused."""


@dataclass(frozen=True)
class ChunkOptions:
    """Sizes in characters, the blank space around a chunk not counted.

    UTF-8 takes up to four bytes a character, so a chunk is at most ``4 * maximum`` bytes.
    """

    target: int = 1200  # a text of many paragraphs comes out at about this on average
    maximum: int = 2000

    def __post_init__(self) -> None:
        if not 16 <= self.target <= self.maximum:
            raise ValueError(f"chunk sizes: 16 <= {self.target} <= {self.maximum} does not hold")

    @property
    def stub(self) -> int:
        """A section of at most this goes with its first child: it is little but a heading."""
        return self.target // 10

    @property
    def small(self) -> int:
        """Sections of at most this may share a chunk with neighbours like them."""
        return self.target // 4


DEFAULT = ChunkOptions()


def chunk(document: Document, options: ChunkOptions = DEFAULT) -> list[Chunk]:
    """The chunks of *document*, in order; none where it holds nothing but blank space.

    Their texts, joined, are the texts of the sections, joined. No chunk is blank, has text of
    two pages, or has text of two headings, except where small neighbours are kept together
    (the heading is then what theirs have in common) and where a bare heading goes with its
    first child (the heading is then the child's).

    Raises:
        ParseError: "too_many_chunks", more than `MAX_CHUNKS`.
    """
    chunks: list[Chunk] = []
    for run in _runs(_units(document.sections, options), options):
        for piece in _pieces(run, options):
            if len(chunks) == MAX_CHUNKS:
                raise ParseError("too_many_chunks", f"it has more than {MAX_CHUNKS:,} chunks")
            chunks.append(piece)
    return chunks


@dataclass
class _Unit:
    """What headings never part: a section, or a bare heading with its first child."""

    sections: list[Section]
    heading: tuple[str, ...]
    page: int | None
    size: int  # characters without the blank space around each section
    length: int  # characters


def _units(sections: Iterable[Section], options: ChunkOptions) -> list[_Unit]:
    units: list[_Unit] = []
    blank: list[Section] = []  # at the very start, waiting for the first text
    for section in sections:
        size, length = len(section.text.strip()), len(section.text)
        if not size and not units:
            blank.append(section)
        elif not size or (units[-1:] and _is_stub_of(units[-1], section, options)):
            # Blank space goes to what stands before it: a chunk of nothing helps nobody.
            last = units[-1]
            last.sections.append(section)
            last.heading = section.heading if size else last.heading
            last.size, last.length = last.size + size, last.length + length
        else:
            length += sum(len(one.text) for one in blank)
            units.append(_Unit([*blank, section], section.heading, section.page, size, length))
            blank = []
    return units


def _is_stub_of(unit: _Unit, section: Section, options: ChunkOptions) -> bool:
    depth = len(unit.heading)
    return (
        unit.size <= options.stub
        and unit.page == section.page
        and depth < len(section.heading)
        and section.heading[:depth] == unit.heading
    )


def _runs(units: Iterable[_Unit], options: ChunkOptions) -> Iterator[list[_Unit]]:
    """Units that may share chunks: neighbours that are all small and on the same page."""
    run: list[_Unit] = []
    for unit in units:
        parted = run and (max(unit.size, run[-1].size) > options.small or unit.page != run[-1].page)
        if parted:
            yield run
            run = []
        run.append(unit)
    if run:
        yield run


def _pieces(run: Sequence[_Unit], options: ChunkOptions) -> Iterator[Chunk]:
    sections = [section for unit in run for section in unit.sections]
    text = sections[0].text if len(sections) == 1 else "".join(s.text for s in sections)
    lines = _Lines(sections)
    starts = [0, *accumulate(unit.length for unit in run)]
    start = 0
    for end in _cuts(text, run, options):
        piece = text[start:end]
        first = start + len(piece) - len(piece.lstrip())
        last = start + len(piece.rstrip()) - 1
        inside = run[bisect_right(starts, first) - 1 : bisect_right(starts, last)]
        yield Chunk(
            text=piece,
            heading=reduce(_common, (unit.heading for unit in inside)),
            start_line=lines.of(first),
            end_line=lines.of(last),
            page=run[0].page,
        )
        start = end


def _cuts(text: str, run: Sequence[_Unit], options: ChunkOptions) -> Iterator[int]:
    if len(run) == 1:
        whole = (options.target + options.maximum) // 2
        marks = paragraphs(text) if len(text) > whole else []
        return cuts(text, marks, Reach(options.target // 2, options.maximum, whole))
    # Small units are gathered up to the target, not to the maximum: each one more costs the
    # chunk some of its heading.
    return cuts(text, _unit_starts(run), Reach(options.small, options.target, options.target))


def _unit_starts(run: Sequence[_Unit]) -> list[Mark]:
    """Where units begin; the less heading they share with the one before, the better a cut."""
    ends = accumulate(unit.length for unit in run)
    shared = (len(_common(one.heading, other.heading)) for one, other in pairwise(run))
    return list(zip(ends, shared, strict=False))


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    if one == other:
        return one
    pairs = enumerate(zip(one, other, strict=False))
    differ = next((i for i, (left, right) in pairs if left != right), min(len(one), len(other)))
    return one[:differ]


class _Lines:
    """Line numbers, in the file, of offsets into joined sections. Asked in ascending order."""

    def __init__(self, sections: Sequence[Section]) -> None:
        self._sections = sections
        self._at = 0
        self._begin = 0  # offset of the section at `_at`
        self._offset = 0  # up to which lines are counted
        self._line = sections[0].start_line

    def of(self, offset: int) -> int:
        while offset >= (after := self._begin + len(self._sections[self._at].text)):
            self._begin = self._offset = after
            self._at += 1
            self._line = self._sections[self._at].start_line
        text = self._sections[self._at].text
        self._line += text.count("\n", self._offset - self._begin, offset - self._begin)
        self._offset = offset
        return self._line
