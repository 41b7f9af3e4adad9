"""The small markup in which the texts of the sample's office files are written.

A line is a heading (``# `` or ``## ``), a bullet (``- ``), a numbered step (``1. ``), a table row
(``| a | b |``, the first of a run is the header), ``=== page ===``, or a paragraph.
Bold is ``**so**``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SOURCES = Path(__file__).parent / "sample_sources"
_NUMBERED = re.compile(r"(\d+)\. (.*)")


@dataclass(frozen=True)
class Block:
    """One element of a text; `kind` is heading, text, bullet, step, table or page."""

    kind: str
    text: str = ""
    number: int = 0  # level of a heading, 1 the outermost; number of a step
    rows: tuple[tuple[str, ...], ...] = field(default=())


def read(name: str) -> list[Block]:
    """The blocks of ``sample_sources/<name>.md``."""
    lines = (SOURCES / f"{name}.md").read_text("utf-8").splitlines()
    return list(_join_rows(_block(line) for line in lines if line))


def runs(text: str) -> list[tuple[str, bool]]:
    """*text* cut at ``**``: pieces and whether each is bold."""
    return [(piece, bool(i % 2)) for i, piece in enumerate(text.split("**")) if piece]


def chapters(blocks: list[Block]) -> list[list[Block]]:
    """*blocks* cut before each heading of level 1."""
    cut: list[list[Block]] = []
    for block in blocks:
        if block.kind == "heading" and block.number == 1:
            cut.append([])
        cut[-1].append(block)
    return cut


def _block(line: str) -> Block:
    if line == "=== page ===":
        return Block("page")
    if line.startswith("#"):
        marks, _, text = line.partition(" ")
        return Block("heading", text, len(marks))
    if line.startswith("- "):
        return Block("bullet", line[2:])
    if line.startswith("| "):
        return Block("table", rows=(tuple(cell.strip() for cell in line.strip("|").split("|")),))
    step = _NUMBERED.fullmatch(line)
    return Block("step", step[2], int(step[1])) if step else Block("text", line)


def _join_rows(blocks: Iterator[Block]) -> Iterator[Block]:
    rows: tuple[tuple[str, ...], ...] = ()
    for block in blocks:
        if block.kind == "table":
            rows += block.rows
            continue
        if rows:
            yield Block("table", rows=rows)
            rows = ()
        yield block
    if rows:
        yield Block("table", rows=rows)
