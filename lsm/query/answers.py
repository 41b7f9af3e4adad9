"""What an answer is, whoever writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence


class Citation(msgspec.Struct, frozen=True):
    """Where a quote stands."""

    n: int  # as in the answer: [n]
    path: str
    start_line: int  # of the quote itself, 1-based and inclusive
    end_line: int
    page: int | None
    quote: str  # word for word as in the document
    title: str
    chunk_id: int


class Answer(msgspec.Struct, frozen=True):
    """An answer and what it rests on."""

    answer: str
    citations: tuple[Citation, ...]
    model: str | None  # None: nothing was made up, everything is quoted
    problem: str | None = None  # why the model that is configured did not write it


def quoted_answer(citations: Sequence[Citation]) -> Answer:
    """*citations* as an answer of their own."""
    if not citations:
        return Answer("Nothing in the library answers that.", (), None)
    lines = [f"\u201c{' '.join(c.quote.split())}\u201d [{c.n}]" for c in citations]
    return Answer("\n\n".join(lines), tuple(citations), None)
