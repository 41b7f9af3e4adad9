"""What may be remembered at all: every value is checked here, once, before it is used."""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from lsm.agents.memory.fence import MARK
from lsm.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

MAX_TEXT = 100_000  # characters
MAX_VALUE = 256 * 1024  # bytes as JSON
MAX_TAGS = 64
MAX_NAME = 200  # characters of a type, key, tag, or part of a scope
MAX_DEPTH = 12  # parts of a scope
_LONGEST = timedelta(days=36_500)

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_SPACE = re.compile(r"\s+")


def text(words: object) -> str:
    """*words* without surrounding space.

    Raises:
        InvalidError: no words, too many, bytes that are no text, or a block made by `context`.
    """
    if not isinstance(words, str) or not words.strip():
        _refuse("text", "say what is to be remembered")
    if len(words) > MAX_TEXT:
        _refuse("text", f"{len(words)} characters; at most {MAX_TEXT} are remembered at once")
    _storable("text", words)
    if MARK in words:
        # Models repeat what they are shown; recalled once, it would be learned again for ever.
        _refuse("text", "it is a block of recalled memories; propose only what is new")
    return words.strip()


def name(what: str, word: object) -> str:
    """A type or key: one short line.

    Raises:
        InvalidError: empty, too long, or with control characters.
    """
    if not isinstance(word, str) or not word.strip():
        _refuse(what, "must not be empty")
    word = unicodedata.normalize("NFC", word.strip())
    if len(word) > MAX_NAME or _CONTROL.search(word):
        _refuse(what, f"must be one line of at most {MAX_NAME} characters")
    return word


def scope(path: object) -> str:
    """A scope as it is stored: parts joined by "/", none of them empty, "." or "..".

    Raises:
        InvalidError: it is not such a path.
    """
    if not isinstance(path, str) or not path.strip("/ "):
        _refuse("scope", "must be a path such as agents/researcher")
    return _path(path)


@lru_cache(maxsize=1024)  # the same few are asked for with every call
def _path(path: str) -> str:
    parts = [name("scope", part) for part in path.strip("/ ").split("/")]
    if len(parts) > MAX_DEPTH or {".", ".."} & set(parts):
        _refuse("scope", f"{path!r} must have at most {MAX_DEPTH} parts, none of them . or ..")
    return "/".join(parts)


def tags(words: Sequence[str]) -> tuple[str, ...]:
    """Tags in their order, each once.

    Raises:
        InvalidError: too many, or one with a comma or line end, which no tag can be asked by.
    """
    if isinstance(words, str) or len(words) > MAX_TAGS:
        _refuse("tags", f"must be a list of at most {MAX_TAGS}")
    found = [name("tag", word) for word in words]
    if any("," in word for word in found):
        _refuse("tag", "must not hold a comma; give each tag by itself")
    return tuple(dict.fromkeys(found))


def confidence(number: object) -> float:
    """A number from 0 to 1.

    Raises:
        InvalidError: it is not.
    """
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        _refuse("confidence", "must be a number from 0 to 1")
    if not 0 <= number <= 1:  # NaN is not, either
        _refuse("confidence", f"{number} is not from 0 to 1")
    return float(number)


def value(anything: object) -> str:
    """*anything* as JSON.

    Raises:
        InvalidError: JSON cannot hold it, or it is too large.
    """
    _finite(anything)
    try:
        encoded = msgspec.json.encode(anything)
    except (TypeError, ValueError, OverflowError, UnicodeEncodeError, RecursionError) as error:
        raise InvalidError("value", f"JSON cannot hold it: {error}") from error
    if len(encoded) > MAX_VALUE:
        _refuse("value", f"{len(encoded)} bytes; at most {MAX_VALUE} are kept")
    if b"\\u0000" in encoded:
        _refuse("value", "must not hold the character NUL")
    return encoded.decode()


def ttl(length: timedelta | None) -> timedelta | None:
    """How long something is kept.

    Raises:
        InvalidError: not positive, or more than a hundred years.
    """
    if length is not None and not timedelta() < length <= _LONGEST:
        _refuse("ttl", "must be more than 0 and at most 100 years")
    return length


def instant(what: str, when: datetime | None) -> datetime | None:
    """A time with its zone.

    Raises:
        InvalidError: it has none.
    """
    if when is not None and when.tzinfo is None:
        _refuse(what, f"{when} has no time zone")
    return when


def text_hash(words: str) -> str:
    """SHA-256 of *words*, equal for texts that differ in case, spacing and composition alone."""
    plain = _SPACE.sub(" ", unicodedata.normalize("NFC", words)).strip().casefold()
    return hashlib.sha256(plain.encode()).hexdigest()


def merge_hash(words: str, merges: Sequence[str]) -> str:
    """As `text_hash`, of a merge that waits: its words may be those of a memory it is to replace.

    The same merge, proposed again, has the same.
    """
    return text_hash(f"merge of {' '.join(sorted(merges))}: {words}")


def _storable(what: str, words: str) -> None:
    if "\0" in words:
        _refuse(what, "must not hold the character NUL")
    try:
        words.encode()
    except UnicodeEncodeError:
        _refuse(what, "holds half of a character (a lone surrogate)")


def _finite(anything: Any, depth: int = 0) -> None:
    # The encoder would write null for it, and what is read back would be another value.
    if isinstance(anything, float) and not math.isfinite(anything):
        _refuse("value", "must not hold NaN or infinity")
    if depth > 100:
        _refuse("value", "is nested more than 100 deep")
    if isinstance(anything, dict):
        for each in anything.values():
            _finite(each, depth + 1)
    elif isinstance(anything, (list, tuple)):
        for each in anything:
            _finite(each, depth + 1)


def _refuse(what: str, problem: str) -> NoReturn:
    raise InvalidError(what, problem)
