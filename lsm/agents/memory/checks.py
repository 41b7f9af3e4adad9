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
MAX_INDEXED = 1500  # bytes of a type, key, scope or id that was kept elsewhere: an index's limit
_LONGEST = timedelta(days=36_500)
_DEEPEST = 100  # levels of a value
_DEEPEST_KEPT = 400  # ... that a predecessor kept; readers give up at about a thousand

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
    _plain(anything, _DEEPEST)
    try:
        encoded = msgspec.json.encode(anything)
    except (TypeError, ValueError, OverflowError, UnicodeEncodeError, RecursionError) as error:
        raise InvalidError("value", f"JSON cannot hold it: {error}") from error
    if len(encoded) > MAX_VALUE:
        _refuse("value", f"{len(encoded)} bytes; at most {MAX_VALUE} are kept")
    return encoded.decode()


def kept(what: str, word: str) -> str:
    """*word* of a memory that is restored: as it was, if a database can hold and index it.

    Raises:
        InvalidError: it cannot, or there is nothing in it.
    """
    if not word.strip():
        _refuse(what, "must not be empty")
    _storable(what, word)
    if len(word.encode()) > MAX_INDEXED:
        _refuse(what, f"must be at most {MAX_INDEXED} bytes long")
    return word


def kept_scope(path: str) -> str:
    """As `kept`, of a scope. Raises InvalidError: it is no path of names, either."""
    parts = kept("scope", path).split("/")
    if len(parts) > MAX_DEPTH or {"", ".", ".."} & set(parts) or _CONTROL.search(path):
        _refuse("scope", f"{path!r:.100} must have at most {MAX_DEPTH} parts, none of them . or ..")
    return path


def kept_text(words: str) -> str:
    """As `kept`, of any text: it may be long, and a block that was once recalled.

    Raises:
        InvalidError: a database cannot hold it, or there is nothing in it.
    """
    if not words.strip():
        _refuse("text", "must not be empty")
    _storable("text", words)
    return words


def kept_value(anything: object) -> None:
    """Refuse a value that no database of ours can have held, however large.

    Raises:
        InvalidError: it holds NUL, or is nested deeper than even a predecessor's.
    """
    _plain(anything, _DEEPEST_KEPT)


def choice(what: str, word: str, words: Sequence[str]) -> None:
    """Refuse *word*, unless it is one of *words*.

    Raises:
        InvalidError: it is not.
    """
    if word not in words:
        _refuse(what, f"{word!r} is none of {', '.join(words)}")


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


def twin_hash(hashed: str, memory_id: str) -> str:
    """In the place of *hashed*, of a memory that stands beside another one of the same words."""
    return hashlib.sha256(f"{hashed}\0{memory_id}".encode()).hexdigest()


def _storable(what: str, words: str) -> None:
    if "\0" in words:
        _refuse(what, "must not hold the character NUL")
    try:
        words.encode()
    except UnicodeEncodeError:
        _refuse(what, "holds half of a character (a lone surrogate)")


def _plain(anything: Any, depth: int) -> None:
    """Refuse what is nested deeper than *depth*, and what would be read back as something else."""
    # The encoder would write null for it, and what is read back would be another value.
    if isinstance(anything, float) and not math.isfinite(anything):
        _refuse("value", "must not hold NaN or infinity")
    if isinstance(anything, str) and "\0" in anything:
        _refuse("value", "must not hold the character NUL")
    if depth < 0:
        _refuse("value", "is nested too deep")
    if isinstance(anything, dict):
        for name, each in anything.items():
            _plain(name, depth)
            _plain(each, depth - 1)
    elif isinstance(anything, (list, tuple)):
        for each in anything:
            _plain(each, depth - 1)


def _refuse(what: str, problem: str) -> NoReturn:
    raise InvalidError(what, problem)
