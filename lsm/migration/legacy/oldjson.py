"""JSON as the predecessor's Python wrote and read it, record by record.

Each value comes with the very text it was written in, so that what is kept beside it is the
original and not a rendering; and what stands before a break in a truncated file can be told from
what is lost.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SPACE = re.compile(r"[ \t\n\r]*")
DEEPEST = 400  # levels of a value; engines and readers give up at about a thousand


class BrokenJsonError(ValueError):
    """The text is not JSON from `at` on."""

    def __init__(self, problem: str, at: int) -> None:
        super().__init__(problem)
        self.at = at  # in characters


class TooLong(str):
    """A whole number of more digits than Python takes; nothing that a number is."""

    __slots__ = ()


def text_of(data: bytes) -> str:
    """*data* as text; a byte order mark says in which encoding, without one it is UTF-8.

    Raises:
        BrokenJsonError: empty, or bytes that are no text.
    """
    if not data.strip():
        raise BrokenJsonError("the file is empty", 0)
    mark, encoding = next(
        ((mark, name) for mark, name in _MARKS if data.startswith(mark)), (b"", "utf-8")
    )
    try:
        return data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        raise BrokenJsonError(f"not {encoding.upper()} at byte {error.start}", 0) from error


def readable_start(data: bytes) -> str:
    """As much of *data* as is text: for what is saved from a file that is not all text."""
    try:
        return text_of(data)
    except BrokenJsonError:
        plain = data.removeprefix(codecs.BOM_UTF8)
        try:
            return plain.decode()
        except UnicodeDecodeError as error:
            return plain[: error.start].decode()


def loads(text: str) -> Any:
    """The value *text* is, as Python reads it: NaN and Infinity, the last of equal keys.

    Raises:
        BrokenJsonError: it is no JSON, or too deep.
    """
    scanner = Scanner(text)
    value = scanner.value()[1]
    scanner.end()
    return value


class Scanner:
    """Reads one JSON text from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.at = self._after_space(0)

    def members(self) -> Iterator[str]:
        """The keys of the object that stands here; read the value of each before the next."""
        self._take("{")
        if self._skip("}"):
            return
        while True:
            key = self._string()
            self._take(":")
            yield key
            if self._skip("}"):
                return
            self._take(",")

    def items(self) -> Iterator[None]:
        """Stops before each item of the list that stands here; read it before the next."""
        self._take("[")
        if self._skip("]"):
            return
        while True:
            yield
            if self._skip("]"):
                return
            self._take(",")

    def value(self) -> tuple[str, Any]:
        """The value that stands here, as its text and as what Python makes of it."""
        try:
            found, end = _DECODER.raw_decode(self._text, self.at)
        except RecursionError as error:
            raise BrokenJsonError("nested too deep", self.at) from error
        except json.JSONDecodeError as error:
            raise BrokenJsonError(f"{error.msg} at character {error.pos}", self.at) from error
        raw = self._text[self.at : end]
        self.at = self._after_space(end)
        return raw, found

    def starts(self, character: str) -> bool:
        """Whether *character* stands here."""
        return self._text.startswith(character, self.at)

    def end(self) -> None:
        """Nothing may follow."""
        if self.at != len(self._text):
            raise BrokenJsonError(f"more text follows at character {self.at}", self.at)

    def rest(self, at: int) -> str:
        """All from *at* on."""
        return self._text[at:]

    def _string(self) -> str:
        self._expect('"')
        try:
            found, end = _DECODER.raw_decode(self._text, self.at)
        except json.JSONDecodeError as error:
            raise BrokenJsonError(f"{error.msg} at character {error.pos}", self.at) from error
        self.at = self._after_space(end)
        return found

    def _take(self, character: str) -> None:
        self._expect(character)
        self.at = self._after_space(self.at + 1)

    def _skip(self, character: str) -> bool:
        found = self.starts(character)
        if found:
            self.at = self._after_space(self.at + 1)
        return found

    def _expect(self, character: str) -> None:
        if not self.starts(character):
            problem = "it ends" if self.at >= len(self._text) else f"{character!r} is missing"
            raise BrokenJsonError(f"{problem} at character {self.at}", self.at)

    def _after_space(self, at: int) -> int:
        match = _SPACE.match(self._text, at)
        return match.end() if match else at


def depth(value: Any) -> int:
    """How many lists and objects deep *value* is; 0 for a plain one."""
    level, layer = 0, [value]
    while inner := [each for each in layer if isinstance(each, (list, dict))]:
        level += 1
        layer = [child for each in inner for child in _children(each)]
    return level


def _children(value: list[Any] | dict[str, Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def _whole(digits: str) -> int | TooLong:
    try:
        return int(digits)
    except ValueError:
        return TooLong(digits)


_DECODER = json.JSONDecoder(parse_int=_whole)
