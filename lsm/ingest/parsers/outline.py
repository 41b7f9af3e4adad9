"""Lines and their headings to sections: what the parsers of raw text share."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lsm.ingest.document import Section

_DEEPEST = 12  # levels beyond it count as it: a path is repeated in every section below
_LONGEST = 200  # characters of one heading


class Heading(NamedTuple):
    """A line that begins a section."""

    line: int  # 0-based
    level: int  # a smaller one is further out; gaps do no harm
    title: str | None  # None: back to the path of the enclosing level


def outline(lines: Sequence[str], headings: Iterable[Heading]) -> tuple[Section, ...]:
    """*lines* (of one text, split at "\\n") cut before each of *headings* (by line, ascending)."""
    sections: list[Section] = []
    path: list[tuple[int, str]] = []
    start, names = 0, ()
    for heading in headings:
        if heading.line > start:
            sections.append(_section(lines, start, heading.line, names))
            start = heading.line
        while path and path[-1][0] >= heading.level:
            path.pop()
        if heading.title is not None:
            del path[_DEEPEST - 1 :]
            path.append((heading.level, plain(heading.title)))
        names = tuple(title for _, title in path if title)
    sections.append(_section(lines, start, len(lines), names))
    return tuple(section for section in sections if section.text)


def plain(title: str) -> str:
    """*title* on one line, its spaces single, cut to 200 characters."""
    return " ".join(title[: 4 * _LONGEST].split())[:_LONGEST]


def _section(lines: Sequence[str], start: int, end: int, names: tuple[str, ...]) -> Section:
    text = "\n".join(lines[start:end])
    # The last element of a split is what follows the last "\n", and has none itself.
    text = text if end == len(lines) else text + "\n"
    return Section(text=text, heading=names, start_line=start + 1)
