"""What a record's cells must be. Each says what is wrong as a `ValueError` for people."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

from lsm.db.foreign import BrokenText
from lsm.migration.legacy.oldjson import DEEPEST, BrokenJsonError, depth, loads

if TYPE_CHECKING:
    from collections.abc import Mapping

INT64 = 2**63
# An entry of an index may take no more on a server, and what fits one engine must fit the other.
LONGEST_NAME = 1500  # bytes
_WORDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (str, "text"),
    (list, "a list"),
    (dict, "an object"),
    (bytes, "bytes"),
)


def text(row: Mapping[str, Any], name: str) -> str:
    """The text of a cell, which both engines can hold.

    Raises:
        ValueError: it is something else.
    """
    value = row.get(name)
    if isinstance(value, BrokenText):
        raise ValueError(f"{name} is not valid text")  # noqa: TRY004 - a wrong value
    if not isinstance(value, str):
        raise ValueError(f"{name} is {_named(value)}, not text")  # noqa: TRY004
    return storable(name, value)


def name(row: Mapping[str, Any], column: str) -> str:
    """A text that something is found by: not blank, and short enough for an index.

    Raises:
        ValueError: it is something else.
    """
    value = text(row, column)
    if not value.strip():
        raise ValueError(f"{column} is empty")
    if len(value.encode()) > LONGEST_NAME:
        raise ValueError(f"{column} is longer than {LONGEST_NAME} bytes")
    return value


def storable(what: str, value: str) -> str:
    """*value*, if a database can hold it.

    Raises:
        ValueError: it has a NUL or half a character in it.
    """
    if "\0" in value:
        raise ValueError(f"{what} holds the character NUL, which no text in a database can")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what} holds half of a character (a lone surrogate)") from None
    return value


def whole(row: Mapping[str, Any], column: str, least: int = -INT64) -> int:
    """A whole number of 64 bits, *least* or more.

    Raises:
        ValueError: it is something else.
    """
    value = row.get(column)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{column} is {_named(value)}, not a whole number")  # noqa: TRY004
    if not least <= value < INT64:
        raise ValueError(f"{column} is {value}, out of range")
    return value


def share(row: Mapping[str, Any], column: str) -> float:
    """A number from 0 to 1.

    Raises:
        ValueError: it is something else.
    """
    value = row.get(column)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{column} is {_named(value)}, not a number")  # noqa: TRY004
    if not 0 <= value <= 1:
        raise ValueError(f"{column} is {value}, not from 0 to 1")
    return float(value)


def json_cell(row: Mapping[str, Any], column: str) -> Any:
    """The value that a cell holds as JSON.

    Raises:
        ValueError: it is no JSON, or holds what a database's JSON cannot.
    """
    cell = row.get(column)
    if not isinstance(cell, str):
        raise ValueError(f"{column} is {_named(cell)}, not JSON")  # noqa: TRY004
    try:
        return json_value(column, loads(cell))
    except BrokenJsonError as error:
        raise ValueError(f"{column} is not JSON: {error}") from error


def json_value(what: str, value: Any) -> Any:
    """*value*, if it is one that the database's JSON can hold.

    Raises:
        ValueError: it has NaN, an infinity, NUL, half a character, or is too deep.
    """
    if depth(value) > DEEPEST:
        raise ValueError(f"{what} is nested more than {DEEPEST} deep")
    _plain(what, value)
    return value


def _plain(what: str, value: Any) -> None:
    if type(value) is str:
        storable(what, value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{what} holds {value}, which is no number in JSON")
    elif isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            storable(what, key)
            _plain(what, item)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            _plain(what, item)
    elif value is not None and not isinstance(value, (bool, int, float)):
        raise ValueError(f"{what} holds a number of too many digits")


def object_of(what: str, value: Any) -> dict[str, Any]:
    """*value*, if it is an object.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, dict):
        raise ValueError(f"{what} is {_named(value)}, not an object")  # noqa: TRY004
    return cast("dict[str, Any]", value)


def _named(value: object) -> str:
    if value is None:
        return "missing"
    for kind, words in _WORDS:
        if isinstance(value, kind):
            return words
    return f"{value!r:.40}"
