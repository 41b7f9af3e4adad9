"""Texts of others, fit to be seen: nothing in them moves, hides or turns what stands around it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsm.paths import shown
from lsm.query.terms import STOP_WORDS, parsed

if TYPE_CHECKING:
    from collections.abc import Iterable

# Control characters, what turns the direction of a line, and what takes no space but is there.
# Joiners and marks of direction that scripts need for themselves stay.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")
# Each with what a text must hold for it to be there at all, which is looked up much faster.
_SIGNS = (
    ("---", re.compile(r"\A---\n.*?\n---(?:\n|\Z)", re.DOTALL), ""),  # front matter
    (
        "-",
        re.compile(r"^[ \t]*\|?[ \t:|-]{3,}\|?[ \t]*$", re.MULTILINE),
        "",
    ),  # below a table's head
    ("", re.compile(r"^[ \t]*(?:#{1,6}|[-*+]|>+|\d+[.)])[ \t]+", re.MULTILINE), ""),
    ("](", re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)"), r"\1"),
    ("|", re.compile(r"^[ \t]*\||\|[ \t]*$", re.MULTILINE), ""),
    ("|", re.compile(r"[ \t]+\|[ \t]+"), " \u00b7 "),
    ("**", re.compile(r"\*\*(?=\S)((?:[^*\n]|\n(?!\n)){1,400}?)(?<=\S)\*\*"), r"\1"),
    ("__", re.compile(r"__(?=\S)(.+?)(?<=\S)__"), r"\1"),
    ("`", re.compile(r"(`+)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    ("~~", re.compile(r"~~(?=\S)(.+?)(?<=\S)~~"), r"\1"),
)
MARKDOWN = (".md", ".markdown", ".mdown", ".mkd", ".mkdn")
_SNIPPET = 320  # characters
_LONGEST_MARKED = 40
_ENDINGS = re.compile(r"(?:ies|es|s|ing|ed|y)\Z")


@dataclass(frozen=True)
class Piece:
    """A stretch of text, to be marked or not."""

    text: str
    marked: bool


@dataclass(frozen=True)
class Snippet:
    """What is shown of a passage."""

    pieces: tuple[Piece, ...]
    line: int  # of the passage in which the first mark stands, from 0
    cut_before: bool
    cut_after: bool


def visible(text: str) -> str:
    """*text* with what cannot be seen spelled out."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSEEN.sub(_spelled, text.replace("\r\n", "\n"))


def path_text(path: str) -> str:
    """A stored path, its unreadable bytes spelled out."""
    return shown(path)


def snippet(text: str, query: str, *, markdown: bool = False) -> Snippet:
    """The stretch of *text* around the first word of *query*, its words marked."""
    marks = marker(parsed(query).words)
    flat = " ".join((unsigned(text) if markdown else text).split())
    found = marks.search(flat)
    start = max(0, found.start() - _SNIPPET // 3) if found else 0
    if start:
        start = flat.find(" ", start) + 1
    stretch = flat[start : start + _SNIPPET]
    if start + _SNIPPET < len(flat) and " " in stretch:
        stretch = stretch[: stretch.rindex(" ")]
    # Where it stands is counted in the text as it is, with its lines.
    first = marks.search(text)
    line = text.count("\n", 0, first.start()) if first else 0
    pieces = tuple(marked(stretch, marks))
    return Snippet(pieces, line, start > 0, start + _SNIPPET < len(flat))


def marked(text: str, marks: re.Pattern[str]) -> Iterable[Piece]:
    """*text* in pieces, those that *marks* finds marked."""
    at = 0
    for match in marks.finditer(text):
        if match.start() > at:
            yield Piece(text[at : match.start()], marked=False)
        yield Piece(match[0], marked=True)
        at = match.end()
    if at < len(text):
        yield Piece(text[at:], marked=False)


def marker(words: Iterable[str]) -> re.Pattern[str]:
    """Finds *words* and, roughly, their other forms."""
    stems: set[str] = set()
    for word in words:
        if word in STOP_WORDS or len(word) > _LONGEST_MARKED:
            continue
        stem = _ENDINGS.sub("", word)
        stems.add(re.escape(stem if len(stem) > 3 else word))
    parts = "|".join(sorted(stems, key=len, reverse=True))
    return re.compile(rf"\b(?:{parts})\w{{0,4}}\b" if parts else r"(?!)", re.IGNORECASE)


def unsigned(text: str) -> str:
    """Markdown without the signs that say how it looks."""
    for sign, pattern, said in _SIGNS:
        if sign in text:
            text = pattern.sub(said, text)
    return text


def heading(headings: str, title: str) -> str:
    """The headings above a passage, below the document's own title."""
    parts = headings.split(" > ")
    return " \u203a ".join(parts[1:] if parts[0] == title else parts)


def _spelled(match: re.Match[str]) -> str:
    code = ord(match[0])
    # A picture of the control character where there is one.
    return chr(0x2400 + code) if code < 0x20 else f"\u27e8U+{code:04X}\u27e9"
