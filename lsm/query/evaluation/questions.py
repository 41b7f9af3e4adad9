"""Questions with what should be found, and the files they are written in.

TOML, a table a question::

    [[query]]
    query = "how do we rotate keys"
    expect = ["keys.md", "policies/**"]            # all alike, or
    expect = { "keys.md" = 3, "policies/**" = 1 }  # the more, the more relevant

or JSON Lines, an object with the same two names a line.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsm.errors import AccessError, InvalidError
from lsm.paths import shown
from lsm.query.terms import parsed
from lsm.vectordb.pathglob import compiled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

GRADES = range(1, 11)
_LONGEST = 4096  # characters of a query or a pattern


@dataclass(frozen=True)
class Question:
    """A query, and what should be found."""

    key: str  # by which two measurements know it: the query itself, or its id in a collection
    query: str
    grades: Mapping[str, int]  # path, glob, or id in a collection: how relevant, see `GRADES`


def question(query: str, grades: Mapping[str, int]) -> Question:
    """A question of a person's own.

    Raises:
        InvalidError: it asks or expects nothing, or has a grade that is none.
    """
    _check_text("query", query)
    if not parsed(query).words:
        raise InvalidError("query", "there is no word in it")
    if not grades:
        raise InvalidError("expect", f"nothing is expected of {query!r}; name a path")
    for pattern, grade in grades.items():
        _check_text("expect", pattern)
        if grade not in GRADES:
            raise InvalidError("grade", f"{grade} is not between 1 and {GRADES[-1]}")
    return Question(query, query, dict(grades))


def read_questions(path: str) -> list[Question]:
    """The questions in the file at *path*; what is asked twice expects what both name.

    Raises:
        InvalidError: something in it is no question; names the place.
        AccessError: it cannot be read.
    """
    raw = _bytes_of(path)
    rows = _from_toml(path, raw) if path.endswith(".toml") else json_lines(path, raw)
    found: dict[str, Question] = {}
    for place, row in rows:
        try:
            each = _question_in(row)
        except InvalidError as error:
            raise InvalidError(f"{shown(path)}, {place}", str(error)) from error
        before = found.get(each.key)
        found[each.key] = question(each.query, {**(before.grades if before else {}), **each.grades})
    if not found:
        raise InvalidError(shown(path), "there is no query in it")
    return list(found.values())


def means(pattern: str, path: str) -> bool:
    """Whether *path* is what *pattern*, a path or a glob, names."""
    return path == pattern or compiled(pattern).match(path.replace(os.sep, "/")) is not None


def json_lines(path: str, raw: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Place and content of each line of a JSON Lines file that is not empty.

    Raises:
        InvalidError: a line is no JSON object.
    """
    import msgspec

    decode = msgspec.json.Decoder(dict[str, Any]).decode
    for number, line in enumerate(raw.splitlines(), 1):
        if line.strip():
            try:
                yield f"line {number}", decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise InvalidError(f"{shown(path)}, line {number}", f"{error}") from error


def _from_toml(path: str, raw: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    import tomllib

    try:
        read = tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidError(shown(path), f"{error}") from error
    strange = sorted(read.keys() - {"query"})
    rows = read.get("query", [])
    if strange or not isinstance(rows, list):
        problem = f"{strange[0]!r} is not known here; " if strange else ""
        raise InvalidError(shown(path), f"{problem}each question stands below [[query]]")
    for number, row in enumerate(rows, 1):
        yield f"query {number}", row if isinstance(row, dict) else {}


def _question_in(row: dict[str, Any]) -> Question:
    if strange := sorted(row.keys() - {"query", "expect"}):
        raise InvalidError(strange[0], "this is not known here; a question has query and expect")
    query, expect = row.get("query"), row.get("expect")
    if not isinstance(query, str):
        raise InvalidError("query", "a text is missing")
    if isinstance(expect, str):
        expect = [expect]
    if isinstance(expect, list):
        expect = dict.fromkeys(map(str, expect), 1)
    if not isinstance(expect, dict):
        raise InvalidError("expect", "a path, a list of them, or a table with grades is missing")
    for pattern, grade in expect.items():
        if not isinstance(grade, int) or isinstance(grade, bool):
            raise InvalidError("expect", f"the grade of {pattern!r} is no whole number")
    return question(query, expect)


def _bytes_of(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise AccessError(f"{shown(path)}: {error.strerror}") from error


def _check_text(name: str, text: str) -> None:
    if not text.strip() or len(text) > _LONGEST:
        raise InvalidError(name, f"{len(text):,} characters are not between 1 and {_LONGEST:,}")
    if "\0" in text or text.encode("utf-8", "replace").decode() != text:
        raise InvalidError(name, "it holds characters that no text can hold")
