"""Markdown as it stands, cut at its headings (CommonMark 0.31, sections 4.2 and 4.3)."""

import re
from collections.abc import Iterator, Sequence

from lsm.ingest.document import Document
from lsm.ingest.encoding import decode
from lsm.ingest.parsers.front_matter import read_front_matter
from lsm.ingest.parsers.outline import Heading, outline, plain

_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]|$)")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_UNDERLINE = re.compile(r" {0,3}(?:(=+)|-+)[ \t]*")
_NO_PARAGRAPH = re.compile(r" {0,3}(?:[>|]|(?:[-+*]|\d{1,9}[.)])[ \t])|\t| {4}")
# Blocks whose inside is not Markdown, and what ends them.
_RAW = re.compile(r" {0,3}<(!--|(?:pre|script|style|textarea)(?=[\s>]|$))", re.IGNORECASE)

_LINK = re.compile(r"!?\[([^\[\]]{0,200})\](?:\([^()\s]{0,500}\)|\[[^\[\]]{0,200}\])")
_WIKI_LINK = re.compile(r"\[\[(?:[^\[\]|]{0,200}\|)?([^\[\]|]{0,200})\]\]")
_ATTRIBUTES = re.compile(r"[ \t]\{[#.:][^{}]{0,200}\}$")
_LONGEST = 800  # characters of a heading that are looked at


def parse(data: bytes, name: str) -> Document:  # noqa: ARG001
    """The raw text by its headings; title, tags, author and date from the front matter."""
    text, flags = decode(data)
    lines = text.split("\n")
    matter = read_front_matter(lines)
    found = list(headings(lines, matter.lines))
    first = next((heading.title for heading in found if heading.level == 1), None)
    return Document(
        sections=outline(lines, found),
        title=matter.title or first or None,
        tags=matter.tags,
        metadata=matter.metadata,
        flags=(*flags, "front_matter_ignored") if matter.ignored else flags,
    )


def headings(lines: Sequence[str], start: int = 0) -> Iterator[Heading]:
    """The headings of *lines* from line *start* (0-based) on, outside code and comments."""
    index, paragraph = start, 0  # lines of the paragraph that ends above `index`
    while index < len(lines):
        line = lines[index]
        lead = line.lstrip(" ")[:1]
        if paragraph == 1 and lead in ("=", "-") and _UNDERLINE.fullmatch(line):
            yield Heading(index - 1, 1 if lead == "=" else 2, heading_text(lines[index - 1]))
            paragraph = 0
        elif lead == "#" and (atx := _ATX.match(line)):
            yield Heading(index, len(atx[1]), heading_text(_unclosed(line[atx.end() :])))
            paragraph = 0
        elif lead in ("`", "~", "<") and (end := _end_of_raw(lines, index)) is not None:
            index, paragraph = end, 0
        elif not lead.strip() or (not paragraph and _NO_PARAGRAPH.match(line)):
            # Inside a list or quote a line of dashes is a break and not a heading.
            paragraph = 2 if lead.strip() else 0
        else:
            paragraph += 1
        index += 1


def _end_of_raw(lines: Sequence[str], index: int) -> int | None:
    """The last line of the code, comment or HTML block that begins at *index*, or None.

    A block that is never closed goes on to the end, as the standard has it.
    """
    line = lines[index]
    if fence := _FENCE.match(line):
        if fence[1][0] == "`" and "`" in line[fence.end() :]:
            return None
        closings = (i for i in range(index + 1, len(lines)) if _closes(lines[i], fence[1]))
    elif raw := _RAW.match(line):
        end = "-->" if raw[1] == "!--" else f"</{raw[1].lower()}>"
        if end in line[raw.end() :].lower():
            return index
        closings = (i for i in range(index + 1, len(lines)) if end in lines[i].lower())
    else:
        return None
    return next(closings, len(lines) - 1)


def _closes(line: str, fence: str) -> bool:
    line = line.strip()
    return line.startswith(fence) and not line.strip(fence[0])


def _unclosed(title: str) -> str:
    """*title* without the #s that may close it."""
    title = title.strip()
    bare = title.rstrip("#")
    return bare if not bare or bare[-1] in " \t" else title


def heading_text(line: str) -> str:
    """What a reader sees of a heading: no links, emphasis or code marks."""
    title = line.strip()[:_LONGEST]
    if "[" in title:
        title = _LINK.sub(r"\1", _WIKI_LINK.sub(r"\1", title))
    if title.endswith("}"):
        title = _ATTRIBUTES.sub("", title)
    return plain(title.replace("**", "").replace("`", "").replace("\\", ""))
