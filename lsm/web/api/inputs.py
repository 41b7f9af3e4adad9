"""Reads requests: the query and the body, against the very types that the description shows."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from lsm.errors import InvalidError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lsm.web.api.operations import Input

I = TypeVar("I", bound="Input")  # noqa: E741 - an input
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_MOST_NAME = 4096  # characters of a part of the path


def query_in(pairs: Sequence[tuple[str, str]], kind: type[I]) -> I:
    """*pairs*, as they stand behind the question mark, as *kind*.

    Raises:
        InvalidError: an unknown name, one given twice, or a value that cannot be.
    """
    shapes = properties(kind)
    given: dict[str, Any] = {}
    for name, text in pairs:
        if name not in shapes:
            raise InvalidError(name[:80] or "query", _unknown(name, shapes))
        value = _value(text, shapes[name])
        if shapes[name].get("type") == "array":
            given.setdefault(name, []).append(value)
        elif name in given:
            raise InvalidError(name, "is given twice")
        else:
            given[name] = value
    return _converted(given, kind)


def body_in(raw: bytes, kind: type[I]) -> I:
    """*raw*, JSON, as *kind*.

    Raises:
        InvalidError: it is something else; says where.
    """
    try:
        given = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise InvalidError("body", f"is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise InvalidError("body", "must be a JSON object")
    known = properties(kind)
    for name in given:
        if name not in known:
            raise InvalidError(name[:80] or "body", _unknown(name, known))
    return _converted({n: _whole(value, known[n]) for n, value in given.items()}, kind)


def place_in(parts: Mapping[str, str]) -> Mapping[str, str]:
    """What stands in the path.

    Raises:
        NotFoundError: nothing of ours has such a name.
    """
    for name, text in parts.items():
        if "\0" in text or len(text) > _MOST_NAME or text.encode("utf-8", "replace") == b"?":
            raise NotFoundError(name.removesuffix("_id"), repr(text[:80]))
    return parts


def properties(kind: type[Input]) -> dict[str, Any]:
    """The JSON Schema of each field of *kind*."""
    found = _SHAPES.get(kind)
    if found is None:
        whole = msgspec.json.schema(kind)
        found = _SHAPES[kind] = whole["$defs"][kind.__name__].get("properties", {})
    return found


_SHAPES: dict[type[Any], dict[str, Any]] = {}


def _value(text: str, shape: Mapping[str, Any]) -> Any:
    """*text* as what *shape* wants, or as text if it cannot be: the conversion then says so."""
    wanted = shape.get("type")
    if wanted == "integer" and _WHOLE.fullmatch(text):
        return int(text)
    if wanted == "number" and _NUMBER.fullmatch(text):
        return float(text)
    if wanted == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


def _whole(value: Any, shape: Mapping[str, Any]) -> Any:
    """1.0 where a whole number is wanted: to JSON it is one."""
    if shape.get("type") == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _converted(given: dict[str, Any], kind: type[I]) -> I:
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        plain = what.replace("`", "")
        place = where.rstrip("`").removeprefix(".") or "request"
        raise InvalidError(place, plain[:1].lower() + plain[1:]) from error


def _unknown(name: str, known: Mapping[str, Any]) -> str:
    near = get_close_matches(name[:200], list(known), n=1)
    if near:
        return f"is no parameter here; did you mean {near[0]}?"
    return f"is no parameter here; there is {', '.join(known) or 'none'}"
