"""reStructuredText as it stands, cut at its section titles.

The scanner follows the reference implementation's rules for titles (docutils, "reStructuredText
Markup Specification", Sections): a style is a character with or without an overline, and levels
are numbered in the order in which styles turn up.
"""

import re
from collections.abc import Iterator, Sequence

from lsm.ingest.document import Document
from lsm.ingest.encoding import decode
from lsm.ingest.parsers.outline import Heading, outline, plain

_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1*\s*")
_FIELD = re.compile(
    r"\s{0,8}:(author|authors|date|language|keywords|tags):\s+(\S.*)", re.IGNORECASE
)
_FIELD_LINES = 60  # at the top of the file, where a document says who wrote it
_SHORTEST = 4  # an adornment shorter than its title counts from this length on, as in docutils
_ROLE = re.compile(r":[\w:.+-]{1,60}:`([^`<]{1,200})(?:<[^`>]{0,300}>)?`")


def parse(data: bytes, name: str) -> Document:  # noqa: ARG001
    """The raw text by its sections; the first title is the document's."""
    text, flags = decode(data)
    lines = text.split("\n")
    headings = list(_headings(lines))
    fields = _fields(lines[:_FIELD_LINES])
    keywords = ",".join(filter(None, (fields.pop("keywords", ""), fields.pop("tags", ""))))
    tags = (plain(part) for part in keywords.split(","))
    if authors := fields.pop("authors", None):
        fields.setdefault("author", authors)
    return Document(
        sections=outline(lines, headings),
        title=headings[0].title if headings else None,
        tags=tuple(dict.fromkeys(tag for tag in tags if tag)),
        metadata=fields,
        flags=flags,
    )


def _headings(lines: Sequence[str]) -> Iterator[Heading]:
    levels: dict[tuple[str, bool], int] = {}
    index, free = 1, 0  # `free`: the first line that no title has taken
    while index < len(lines):
        if (title := _title_above(lines, index, free)) is None:
            index += 1
            continue
        over = _is_overlined(lines, index, free)
        style = (lines[index][0], over)
        level = levels.setdefault(style, len(levels) + 1)
        yield Heading(index - 2 if over else index - 1, level, title)
        # Its underline is not the overline of the next title.
        free = index + 1
        index += 2


def _is_overlined(lines: Sequence[str], index: int, free: int) -> bool:
    return index - 2 >= free and lines[index - 2].rstrip() == lines[index].rstrip()


def _title_above(lines: Sequence[str], index: int, free: int) -> str | None:
    """The title that line *index* underlines, if it is an underline."""
    line, title = lines[index], lines[index - 1]
    if not line or line[0].isalnum() or line[0].isspace() or not title.strip():
        return None
    if not _ADORNMENT.fullmatch(line) or _ADORNMENT.fullmatch(title):
        return None
    if not _is_overlined(lines, index, free) and (
        title[0].isspace() or (index - 2 >= free and lines[index - 2].strip())
    ):
        return None  # indented text, or a paragraph of several lines
    if len(line.rstrip()) < min(len(title.rstrip()), _SHORTEST):
        return None
    return plain(_ROLE.sub(r"\1", title.strip()[:800]).replace("``", "").replace("`", ""))


def _fields(lines: Sequence[str]) -> dict[str, str]:
    found = (_FIELD.match(line[:500]) for line in lines)
    return {field[1].lower(): plain(field[2]) for field in found if field}
