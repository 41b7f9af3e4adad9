"""Folders of Markdown files made of real English, the same on every run.

The text is what the standard library and numpy say about themselves, paragraph by paragraph. Where
more is needed than there is, the paragraphs are shuffled and used again in another order.
"""

from __future__ import annotations

import ast
import os
import random
import re
import sysconfig
import warnings
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SKIPPED = frozenset({"test", "tests", "site-packages", "idlelib", "lib2to3", "__pycache__"})
_BLANK_LINE = re.compile(r"\n\s*\n")
_DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Shape:
    """What the files look like."""

    files: int
    words: int  # in each, give or take a paragraph
    files_per_folder: int
    words_per_section: int


def write_corpus(folder: str, shape: Shape) -> None:
    """Write *shape.files* Markdown files below *folder*."""
    source = _endless()
    for number in range(shape.files):
        place = os.path.join(folder, f"folder-{number // shape.files_per_folder:03}")
        os.makedirs(place, exist_ok=True)
        path = os.path.join(place, f"note-{number:06}.md")
        with open(path, "w", encoding="utf-8") as file:
            file.write(_document(number, shape, source))


def queries(count: int) -> list[str]:
    """Runs of three to eight words out of the same text: what people type is about as long."""
    dice = random.Random(4)
    found: list[str] = []
    for paragraph in islice(_endless(), 7, 7 + 13 * count, 13):
        words = re.findall(r"[A-Za-z]{2,}", paragraph)
        length = dice.randint(3, 8)
        start = dice.randrange(max(1, len(words) - length))
        found.append(" ".join(words[start : start + length]))
    return found


def paragraphs(count: int) -> list[str]:
    """The first of them."""
    return list(islice(_endless(), count))


def _document(number: int, shape: Shape, source: Iterator[str]) -> str:
    parts = [f"# Note {number}: {_heading(next(source))}"]
    words = since = 0
    while words < shape.words:
        if words == 0 or since >= shape.words_per_section:
            parts.append(f"## {_heading(next(source))}")
            since = 0
        paragraph = next(source)
        parts.append(paragraph)
        words += len(paragraph.split())
        since += len(paragraph.split())
    return "\n\n".join(parts) + "\n"


def _heading(paragraph: str) -> str:
    return " ".join(re.findall(r"\w+", paragraph)[:6])


def _endless() -> Iterator[str]:
    dice = random.Random(1)
    paragraphs = list(_paragraphs())
    while True:
        dice.shuffle(paragraphs)
        yield from paragraphs


@cache
def _paragraphs() -> tuple[str, ...]:
    """Every paragraph of prose, once, in an order that does not change."""
    from pydoc_data.topics import topics

    places = sysconfig.get_paths()
    texts = [topics[name] for name in sorted(topics)]
    texts += _docstrings(places["stdlib"])
    texts += _docstrings(os.path.join(places["purelib"], "numpy"))
    found = (" ".join(part.split()) for text in texts for part in _BLANK_LINE.split(text))
    return tuple(dict.fromkeys(filter(_is_prose, found)))


def _docstrings(root: str) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED)
        for name in sorted(files):
            if name.endswith(".py"):
                yield from _docstrings_of(os.path.join(folder, name))


def _docstrings_of(path: str) -> Iterator[str]:
    with open(path, "rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of old escapes in other people's strings
        try:
            tree = ast.parse(file.read())
        except (SyntaxError, ValueError):
            return  # the standard library has files that are wrong on purpose
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and (text := ast.get_docstring(node)):
            yield text


def _is_prose(paragraph: str) -> bool:
    words = paragraph.split()
    plain = sum(word.strip(".,;:()'\"`").isalpha() for word in words)
    return 20 <= len(words) <= 150 and plain >= 0.8 * len(words)
