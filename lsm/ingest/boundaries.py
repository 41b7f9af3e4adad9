"""Where to cut a long text, by what stands around the cut and not by how far it is from the start.

Among the possible cuts in reach the one whose following text has the smallest hash is taken
(content-defined chunking, after Muthitacharoen et al., "A Low-bandwidth Network File System",
SOSP 2001). So after an edit the cuts fall into their old places again within a few pieces.

Pure, and linear in the size of the text: every piece looks once at the window it is cut from,
and a window is at most a fixed number of times longer than the shortest piece.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from unicodedata import category
from zlib import crc32

Mark = tuple[int, int]
"""Offset of a good cut, and its rank: a lower rank is better, whatever the hashes."""


@dataclass(frozen=True)
class Reach:
    """Sizes of pieces in characters, the blank space around a piece not counted."""

    minimum: int
    maximum: int
    whole: int  # a rest of at most this is not cut any more; at least 2 * minimum


_BLANK_LINES = re.compile(r"\n[^\S\n]*+\n(?:[^\S\n]*+\n)*+")
_MORE_BLANK_LINES = re.compile(r"(?:[^\S\n]*+\n)*+")
_SPACES = re.compile(r"\s*+")
_SPACE_RUN = re.compile(r"(?<=\S)\s++")
_SENTENCE_END = re.compile(
    # A stop, perhaps a closing mark, a space; CJK stops (U+3002 and wide ! ?) have no space.
    r"(?:(?<=[.!?\u2026])|(?<=[.!?\u2026][)\"'\]\u201d\u2019\u00bb]))\s++"
    r"|(?<=[\u3002\uff01\uff1f])(?=[^\u3002\uff01\uff1f\u300d\u300f\uff09\s])"
)
_FENCE = re.compile(r"^ {0,3}(`{3,}+|~{3,}+)([^\n]*)$", re.MULTILINE)

# What a hash sees of the text behind a cut: enough to differ, little enough to be an edit's
# neighbour seldom.
_HASHED = 64  # characters


def paragraphs(text: str) -> list[Mark]:
    """The starts of what follows a blank line, fenced code counting as one paragraph."""
    starts = [found.end() for found in _BLANK_LINES.finditer(text)]
    if "```" in text or "~~~" in text:
        starts = _outside(starts, _fences(text))
    return [(start, 0) for start in starts]


def cuts(text: str, marks: Sequence[Mark], reach: Reach) -> Iterator[int]:
    """Where the pieces of *text* end; the last one is ``len(text)``.

    A cut falls at one of *marks* (ascending) if one is in reach, else at a line end, a sentence
    end, a space, or between two characters that do not combine, in this order. No piece is
    blank unless *text* is.
    """
    end = len(text.rstrip())
    start = 0
    while True:
        first = _skip(_SPACES, text, start)
        if end - first <= reach.whole:
            yield len(text)
            return
        start = _cut(text, marks, _Window(first, end, reach))
        if start >= end:
            yield len(text)
            return
        yield start


class _Window:
    """The offsets a piece may end at."""

    def __init__(self, first: int, end: int, reach: Reach) -> None:
        self.first = first  # of the piece, not blank
        self.low = first + reach.minimum
        # Never so far that what is left would be shorter than a piece should be.
        self.high = min(first + reach.maximum, end - reach.minimum)
        self.limit = min(first + reach.maximum, end)
        self.least = first + reach.minimum // 3
        self.maximum = reach.maximum


def _cut(text: str, marks: Sequence[Mark], window: _Window) -> int:
    if (mark := _mark(text, marks, window)) is not None:
        return mark
    if (line := _best(text, _line_starts(text, window))) is not None:
        return _skip(_MORE_BLANK_LINES, text, line)
    for pattern in (_SENTENCE_END, _SPACE_RUN):
        ends = (found.end() for found in pattern.finditer(text, window.low, window.high))
        # A run of spaces may go on behind the window.
        complete = (_skip(_SPACES, text, end) for end in ends)
        if (best := _best(text, ((end, 0) for end in complete))) is not None:
            return best
    return _between_clusters(text, window)


def _mark(text: str, marks: Sequence[Mark], window: _Window) -> int | None:
    begin = bisect_left(marks, (window.low,))
    end = bisect_right(marks, (window.high, len(text)))
    if begin < end:
        return _best(text, marks[begin:end])
    # A block too long for what is left of this piece: end the piece early if that keeps the
    # block whole and leaves more here than a few words.
    if 0 < begin < len(marks) and (early := marks[begin - 1][0]) >= window.least:
        return early if marks[begin][0] - early <= window.maximum else None
    return None


def _best(text: str, candidates: Iterable[Mark]) -> int | None:
    keys = (
        (rank, crc32(text[offset : offset + _HASHED].encode("utf-8", "surrogatepass")), offset)
        for offset, rank in candidates
        if not _combines(text, offset)
    )
    best = min(keys, default=None)
    return None if best is None else best[2]


def _line_starts(text: str, window: _Window) -> Iterator[Mark]:
    """Starts of lines; those of indented ones rank lower, for they belong to what is above."""
    offset = text.find("\n", window.low - 1, window.high) + 1
    while offset:
        yield offset, int(text[offset].isspace())
        offset = text.find("\n", offset, window.high) + 1


def _skip(pattern: re.Pattern[str], text: str, offset: int) -> int:
    found = pattern.match(text, offset)
    return offset if found is None else found.end()


def _fences(text: str) -> list[tuple[int, int]]:
    """Where fenced code begins and ends; a fence that is never closed is none."""
    fences: list[tuple[int, int]] = []
    opened: tuple[str, int] | None = None
    for found in _FENCE.finditer(text):
        fence, info = found[1], found[2]
        if opened is None:
            if fence[0] == "~" or "`" not in info:
                opened = (fence, found.start())
        elif fence.startswith(opened[0]) and not info.strip():
            fences.append((opened[1], found.end()))
            opened = None
    return fences


def _outside(offsets: Sequence[int], ranges: Sequence[tuple[int, int]]) -> list[int]:
    kept: list[int] = []
    at = 0
    for offset in offsets:
        while at < len(ranges) and ranges[at][1] <= offset:
            at += 1
        if at == len(ranges) or offset <= ranges[at][0]:
            kept.append(offset)
    return kept


def _between_clusters(text: str, window: _Window) -> int:
    """The last place in the window where a reader would not see a character torn apart."""
    for offset in range(window.high, window.first, -1):
        if not _combines(text, offset):
            return offset
    for offset in range(window.high + 1, window.limit):
        if not _combines(text, offset):
            return offset
    return window.limit


def _combines(text: str, offset: int) -> bool:
    """Whether the character at *offset* is drawn into the one before it.

    The extending rules of UAX 29 (GB6 to GB13) as far as they need no property tables.
    """
    character = text[offset]
    if character < "\u0300":
        return False
    if "\U0001f1e6" <= character <= "\U0001f1ff":
        return _is_second_of_flag(text, offset)
    return (
        category(character) in {"Mn", "Me", "Mc"}
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= character <= "\U000e007f"  # tags of a flag
        or "\u1160" <= character <= "\u11ff"  # Hangul vowels and finals
        or character in "\u200c\u200d"
        or (text[offset - 1] == "\u200d" and offset > 0)
    )


def _is_second_of_flag(text: str, offset: int) -> bool:
    before = offset
    # Bounded: nobody writes a hundred flags in a row that a cut must not shift by one letter.
    while before > max(0, offset - 200) and "\U0001f1e6" <= text[before - 1] <= "\U0001f1ff":
        before -= 1
    return (offset - before) % 2 == 1
