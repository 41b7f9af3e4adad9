"""Plain text, logs and manual pages: the text as it is."""

import re

from lsm.ingest.document import Document
from lsm.ingest.encoding import decode
from lsm.ingest.parsers.outline import Heading, outline, plain

_LONGEST_TITLE = 100  # characters
_MANUAL = re.compile(r"([\w.+-]{1,80}\(\d\w{0,3}\))\s")
_MANUAL_SECTION = re.compile(r"[A-Z][A-Z0-9 ,/&'-]{2,60}")
_UNDERLINE = re.compile(r"([=\-~*#])\1{2,}\s*")


def parse(data: bytes, name: str) -> Document:
    """The text in one section, or a manual page by its own sections."""
    text, flags = decode(data)
    lines = text.split("\n")
    first = next((i for i, line in enumerate(lines) if line.strip()), None)
    if first is None or name.lower().endswith((".log", ".bib", ".srt", ".vtt")):
        return Document(sections=outline(lines, ()), flags=flags)
    if manual := _MANUAL.match(lines[first][:200]):
        headings = [
            Heading(i, 1, line)
            for i, line in enumerate(lines)
            if line[:1].isupper() and _MANUAL_SECTION.fullmatch(line)
        ]
        return Document(sections=outline(lines, headings), title=manual[1], flags=flags)
    return Document(sections=outline(lines, ()), title=_title(lines, first), flags=flags)


def _title(lines: list[str], first: int) -> str | None:
    """The first line where it stands alone, or underlined, above more text."""
    line = lines[first].strip()
    following = lines[first + 1 : first + 4]
    if len(line) > _LONGEST_TITLE or not line[0].isalnum() or not any(following):
        return None
    if _UNDERLINE.fullmatch(following[0][:200]):
        return plain(line)
    alone = not following[0].strip()
    return plain(line) if alone and line[-1] not in ".,;:" and not line[0].islower() else None
