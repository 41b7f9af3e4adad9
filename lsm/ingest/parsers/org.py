"""Org files as they stand, cut at their headlines."""

import re

from lsm.ingest.document import Document
from lsm.ingest.encoding import decode
from lsm.ingest.parsers.outline import Heading, outline, plain

_HEADLINE = re.compile(r"(\*{1,32})[ \t]+(?:(?:TODO|DONE|NEXT|WAITING)[ \t]+)?(.*)")
_HEADLINE_TAGS = re.compile(r"[ \t]:[\w@#%:]{1,200}:$")
_KEYWORD = re.compile(
    r"#\+(TITLE|AUTHOR|DATE|LANGUAGE|FILETAGS|KEYWORDS):[ \t]*(.*)", re.IGNORECASE
)
_LONGEST = 800  # characters of a line that are looked at


def parse(data: bytes, name: str) -> Document:  # noqa: ARG001
    """The raw text by its headlines; title, tags, author and date from its keywords."""
    text, flags = decode(data)
    lines = text.split("\n")
    headings: list[Heading] = []
    keywords: dict[str, str] = {}
    for index, line in enumerate(lines):
        if line.startswith("*") and (found := _HEADLINE.match(line[:_LONGEST])):
            title = _HEADLINE_TAGS.sub("", found[2].rstrip())
            headings.append(Heading(index, len(found[1]), title))
        elif line.startswith("#+") and (found := _KEYWORD.match(line[:_LONGEST])):
            keywords.setdefault(found[1].lower(), plain(found[2]))
    tags = re.split(r"[:,\s]+", keywords.pop("filetags", "") + "," + keywords.pop("keywords", ""))
    return Document(
        sections=outline(lines, headings),
        title=keywords.pop("title", None) or None,
        tags=tuple(dict.fromkeys(tag for tag in tags if tag)),
        metadata={key: value for key, value in keywords.items() if value},
        flags=flags,
    )
