"""Answers that a language model writes from passages, each statement checked against them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from lsm.errors import LsmError
from lsm.fencing import RULES, fenced, inert
from lsm.query.answers import Answer, Citation, quoted_answer
from lsm.query.support import check

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lsm.query.search import Hit

Writer = Callable[[str, str], tuple[str, str]]
"""Takes instructions and a question; returns what the model wrote, and the model's name."""

NOT_THERE = "NOT IN THE PASSAGES"

_INSTRUCTIONS = f"""\
You answer a question from numbered passages of the user's documents, and from nothing else.

{RULES}

Write a short answer, each statement on a line of its own that ends with the number of the passage \
that says so: [2]. Then write a line QUOTES and below it, for each number you used, a line with \
that number and words copied exactly from that passage:

Keys are rotated every 90 days. [2]
QUOTES
[2] We rotate keys every 90 days

If the passages do not answer the question, write only: {NOT_THERE}"""


def written_answer(
    question: str, hits: Mapping[int, Hit], citations: Sequence[Citation], writer: Writer
) -> Answer:
    """What a model says to *question*; the quotes alone where it fails or makes things up.

    Args:
        question: the user's.
        hits: the passages it may use, by number.
        citations: the best quote of each.
        writer: the model.
    """
    entries = [
        (f"[{n}] {hit.path} {hit.heading or hit.title}", hit.text) for n, hit in hits.items()
    ]
    try:
        said, model = writer(_INSTRUCTIONS, f"{fenced(entries)}\n\nQuestion: {question}")
    except LsmError as error:
        plain = quoted_answer(citations)
        return msgspec.structs.replace(plain, problem=f"{error}; here is what was found instead")
    if NOT_THERE.casefold() in said.casefold():
        return Answer("The passages that were found do not answer that.", (), model)
    checked = check(said, {n: hit.text for n, hit in hits.items()})
    if not checked.is_supported:
        plain = quoted_answer(citations)
        told = "The model's answer is not borne out by the passages. They say:\n\n" + plain.answer
        return Answer(told, plain.citations, model)
    best = {citation.n: citation for citation in citations}
    cited = [_citation(hits[n], best[n], span) for n, span in checked.spans.items() if n in best]
    return Answer(inert(checked.text).strip(), tuple(cited), model)


def _citation(hit: Hit, best: Citation, span: tuple[int, int] | None) -> Citation:
    """The quote that the model gave, or, where it gave none that stands there, the best one."""
    if span is None:
        return best
    start, end = span
    quote = hit.text[start:end]
    first = hit.start_line + hit.text.count("\n", 0, start)
    return msgspec.structs.replace(
        best, quote=quote, start_line=first, end_line=first + quote.count("\n")
    )
