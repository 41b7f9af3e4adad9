"""The token ids of a text, as its tokenizer gives them but several times as fast.

The Llama 2 tokenizer runs byte-pair encoding over a text as a whole. None of its tokens
has a space behind another character, and none holds a line feed, so no merge can reach
across those places. A text may be cut there and each piece be encoded alone, once,
because words come back: the ids stay the same. A test compares them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenizers import Tokenizer

_SPACE = "\u2581"  # how the vocabulary writes a space
_KEPT = 1 << 17  # pieces remembered; about 30 MB
_LONGEST_KEPT = 64  # characters; what is longer hardly comes back

# Written out by `_special`: texts that hold one are left to the tokenizer.
_SPECIAL = ("<unk>", "<s>", "</s>")
_RUNS = re.compile(r"\n| *[^ \n]+| +")


class Pieces(dict[str, bytes]):
    """Token ids of pieces of text, native-endian 64-bit each, made when first asked for.

    Ids are kept as bytes because joining bytes is the fastest way to put them together.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__()
        self._tokenizer = tokenizer
        self._split: Callable[[str], list[object]] = tokenizer.model.tokenize

    def ids(self, text: str) -> bytes:
        """The ids of *text*, one or more; "" counts as a single space.

        A lone surrogate, which no encoding can express, counts as "?".
        """
        if _special(text):
            return _packed(self._tokenizer.encode(_sound(text), add_special_tokens=False).ids)
        # The tokenizer puts a space before every text.
        spaced = " " + text
        if "  " in spaced:
            pieces = _RUNS.findall(spaced)
        else:
            # Three calls in C; the pattern above would take twice as long.
            pieces = spaced.replace(" ", "\0 ").replace("\n", "\0\n\0").split("\0")
        return b"".join(map(self.__getitem__, pieces))

    def __missing__(self, piece: str) -> bytes:
        tokens = self._split(_sound(piece).replace(" ", _SPACE))
        ids = _packed([token.id for token in tokens])  # pyright: ignore[reportAttributeAccessIssue]
        if len(piece) <= _LONGEST_KEPT:
            # Forgetting all is cheap: the common words are back within a few texts.
            if len(self) >= _KEPT:
                self.clear()
            self[piece] = ids
        return ids


def _special(text: str) -> bool:
    if _SPACE in text or "\0" in text:
        return True
    return "<" in text and any(token in text for token in _SPECIAL)


def _sound(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _packed(ids: list[int]) -> bytes:
    from array import array

    return array("q", ids).tobytes()
