"""How a text is taken apart into words: as FTS5's tokenizer `unicode61` does."""

from __future__ import annotations

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+")
_ACCENTS = re.compile("[\u0300-\u036f]")


def plain_words(text: str) -> list[str]:
    """The words of *text* as SQLite's tokenizer sees them: in small letters, without accents.

    PostgreSQL's own parser keeps `config.py` or `a/b` as one word, which neither half would find.
    There, the function `lsm_plain` of the database does the same.
    """
    text = text.lower()
    if not text.isascii():
        text = _ACCENTS.sub("", unicodedata.normalize("NFD", text))
        text = unicodedata.normalize("NFC", text)
    return _WORD.findall(text)


def plain(text: str) -> str:
    """`plain_words`, with a blank between them."""
    return " ".join(plain_words(text))
