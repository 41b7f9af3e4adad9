"""Source code as it stands, cut before its definitions.

Definitions nest by indentation, which holds in the languages that ask for it and is how the
others are laid out.
"""

import re
from collections.abc import Iterator, Sequence

from lsm.ingest.document import Document
from lsm.ingest.encoding import decode
from lsm.ingest.parsers.languages import FINDERS, Finder
from lsm.ingest.parsers.outline import Heading, outline

_LOOKED_AT = 300  # characters of a line; a definition begins before
_TAB = 8  # columns
# What stands above a definition and belongs to it: comments, decorators, attributes.
_ABOVE = ("# ", "#[", "//", "/*", "*", "@", "--", ";;", "%", "[", '"""', "<!--")
_LONG_QUOTE = re.compile("\"\"\"|'''")
_CLOSING = (")", "]", "}", "#", "@", '"', "'")


def parse(data: bytes, name: str) -> Document:
    """The raw text, its headings the names of the enclosing classes and functions."""
    text, flags = decode(data)
    lines = text.split("\n")
    name = name.lower()
    finders = FINDERS.get(name) or FINDERS.get(name.rpartition(".")[2], ())
    headings = _python(lines, finders) if name.endswith((".py", ".pyi")) else _any(lines, finders)
    return Document(sections=outline(lines, headings), flags=flags)


def _any(lines: Sequence[str], finders: Sequence[Finder]) -> Iterator[Heading]:
    after = 0
    for index, line in enumerate(lines):
        if (title := _definition(line, finders)) is not None:
            yield Heading(_with_what_is_above(lines, index, after), _indent(line), title)
            after = index + 1


def _python(lines: Sequence[str], finders: Sequence[Finder]) -> Iterator[Heading]:
    """As `_any`, and a statement further out than a body ends that body."""
    after = 0
    opened: list[int] = []  # indents of the definitions around
    quote: str | None = None  # of the long string the line begins in
    for index, line in enumerate(lines):
        begins_in, quote = quote, _quote_after(line, quote)
        if begins_in or not line.strip():
            continue
        title, indent = _definition(line, finders), _indent(line)
        if title is None and not (opened and indent <= opened[-1] and _is_statement(line)):
            continue
        while opened and indent <= opened[-1]:
            opened.pop()
        if title is None:
            # Back to the enclosing body, one level above everything that was inside it.
            yield Heading(index, indent, None)
        else:
            yield Heading(_with_what_is_above(lines, index, after), indent, title)
            opened.append(indent)
        after = index + 1


def _definition(line: str, finders: Sequence[Finder]) -> str | None:
    line = line[:_LOOKED_AT]
    if not line.strip():
        return None
    return next((name for find in finders if (name := find(line))), None)


def _with_what_is_above(lines: Sequence[str], index: int, after: int) -> int:
    while index > after and lines[index - 1][:_LOOKED_AT].lstrip().startswith(_ABOVE):
        index -= 1
    return index


def _is_statement(line: str) -> bool:
    return not line.lstrip().startswith(_CLOSING)


def _indent(line: str) -> int:
    head = line[:_LOOKED_AT]
    return len(head[: len(head) - len(head.lstrip())].expandtabs(_TAB))


def _quote_after(line: str, quote: str | None) -> str | None:
    """The quote of the long string that is open behind *line*, given the one open before it."""
    if '"""' not in line and "'''" not in line:
        return quote
    for found in _LONG_QUOTE.findall(line):
        if quote is None:
            quote = found
        elif found == quote:
            quote = None
    return quote
