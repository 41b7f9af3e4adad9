"""Whether an answer that a model wrote is borne out by the passages it was given."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

UNSUPPORTED = "[not in the passages]"

_QUOTES = re.compile(r"^[^\w\n]*quotes?[^\w\n]*$", re.IGNORECASE | re.MULTILINE)
_QUOTE = re.compile(r"^[^\w\n\[]*\[(\d{1,3})\][^\S\n]*(.+)$", re.MULTILINE)
_CITED = re.compile(r"\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")
_INLINE = re.compile(r"[\u201c\"]([^\u201c\u201d\"\n]{12,})[\u201d\"]")
_FIGURE = re.compile(r"\d+(?:[.,:]\d+)*")
_MARKS = "\u201c\u201d\u2018\u2019\"'`*_ "
_APOSTROPHES = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'})
_FEWEST_WORDS = 3  # fewer stand in any text


@dataclass(frozen=True)
class Checked:
    """An answer after the check."""

    text: str  # without the quotes; what nothing bears out says so
    spans: Mapping[int, tuple[int, int] | None]  # where the quote of each cited passage stands
    is_supported: bool  # whether anything at all in it is borne out


def check(answer: str, passages: Mapping[int, str]) -> Checked:
    """*answer* against *passages*, by their numbers.

    A line is borne out if it cites a passage from which a quote was given that stands in it word
    for word, cites none that there is not, and has no quote and no figure that is not in what it
    cites. Whether the passage means what the line says, no program can tell: hence the quotes.
    """
    text, quotes = _parted(answer)
    found = {
        number: span
        for number, quote in quotes
        if number in passages and (span := find(quote, passages[number])) is not None
    }
    lines = [_judged(line, found, passages) for line in text.strip().split("\n")]
    cited = {n for line, _ in lines for n in _numbers(line) if n in passages}
    return Checked(
        text="\n".join(line for line, _ in lines),
        spans={number: found.get(number) for number in sorted(cited)},
        is_supported=any(good for _, good in lines),
    )


def find(quote: str, passage: str) -> tuple[int, int] | None:
    """Where *quote* stands in *passage*, word for word, however its blanks and marks are set."""
    words = quote.translate(_APOSTROPHES).strip(_MARKS + ".\u2026").split()
    if len(words) < _FEWEST_WORDS:
        return None
    # Of equal length, so that places in one are places in the other.
    match = re.search(r"\s+".join(map(re.escape, words)), passage.translate(_APOSTROPHES))
    return match.span() if match else None


def _parted(answer: str) -> tuple[str, list[tuple[int, str]]]:
    parts = _QUOTES.split(answer, maxsplit=1)
    given = _QUOTE.findall(parts[1]) if len(parts) > 1 else []
    return parts[0], [(int(number), quote) for number, quote in given]


def _judged(
    line: str, found: Mapping[int, tuple[int, int]], passages: Mapping[int, str]
) -> tuple[str, bool]:
    """*line*, marked if nothing bears it out; and whether something does."""
    if len(_CITED.sub("", line).split()) < _FEWEST_WORDS or line.rstrip().endswith(":"):
        return line, False  # it states nothing
    numbers = _numbers(line)
    quoted = [quote for quote in _INLINE.findall(line) if len(quote.split()) >= _FEWEST_WORDS]
    cited = [passages[number] for number in numbers if number in passages]
    is_quoted = all(any(find(quote, passage) for passage in cited) for quote in quoted)
    known = {figure for passage in cited for figure in _FIGURE.findall(passage)}
    is_exact = set(_FIGURE.findall(_CITED.sub("", line))) <= known
    is_real = len(cited) == len(numbers)
    good = is_real and is_quoted and is_exact and any(number in found for number in numbers)
    return (line, True) if good else (f"{_without_unknown(line, passages)} {UNSUPPORTED}", False)


def _without_unknown(line: str, passages: Mapping[int, str]) -> str:
    def kept(match: re.Match[str]) -> str:
        numbers = [n for n in match[1].split(",") if int(n) in passages]
        return f"[{', '.join(n.strip() for n in numbers)}]" if numbers else ""

    return _CITED.sub(kept, line).rstrip()


def _numbers(line: str) -> list[int]:
    return [int(number) for group in _CITED.findall(line) for number in group.split(",")]
