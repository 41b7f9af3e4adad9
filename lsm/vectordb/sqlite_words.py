"""What FTS5 keeps of words that were taken out of it, and how to be rid of that.

Its `secure-delete` takes a word out of the page it is on. By which words its pages begin is written
down elsewhere (the table that ends in `_idx`), and that outlives the words themselves.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from lsm.vectordb.spelling import plain_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import LiteralString

    from lsm.db import Database

_REMAINS = "SELECT 1 FROM {index} WHERE {index} MATCH :match LIMIT 1"
_SIGNPOSTS = "SELECT DISTINCT substr(CAST(term AS TEXT), 2) FROM {index}_idx"


def betrays(db: Database, index: LiteralString, texts: Iterable[str]) -> bool:
    """Whether the full-text *index* still has the beginning of a word that only *texts* had.

    They must have been taken out already. Writing the index anew is what helps.
    """
    words = sorted({word for text in texts for word in plain_words(text)})
    if not words:
        return False
    remains: LiteralString = _REMAINS.format(index=index)
    return any(
        _begins_one_of(words, signpost) and not db.tuples(remains, match=f"{quoted(signpost)}*")
        for (signpost,) in db.tuples(_SIGNPOSTS.format(index=index))
    )


def quoted(text: str) -> str:
    """*text* as a string of FTS5's syntax, in which nothing is an operator."""
    # NUL would end the expression in the middle of a string, and half a character is no UTF-8.
    text = text.replace("\0", " ").encode("utf-8", "replace").decode()
    return '"' + text.replace('"', '""') + '"'


def expression(phrases: Iterable[Sequence[str]], words: Iterable[str]) -> str:
    """All of *phrases* and, for the rank alone or when there are none, any of *words*."""
    every = " AND ".join(quoted(" ".join(phrase)) for phrase in phrases)
    some = " OR ".join(quoted(word) for word in words)
    if every and some:
        return f"({every}) OR (({every}) AND ({some}))"
    return every or some


def _begins_one_of(words: list[str], signpost: str) -> bool:
    start = signpost[:-1] or signpost  # its last letter may be the stemmer's
    at = bisect_left(words, start)
    return bool(start) and at < len(words) and words[at].startswith(start)
