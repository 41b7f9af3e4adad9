"""Edits one member of a JSON file in place: every other byte, comments included, stays.

Understands what editors allow in their settings: ``//`` and ``/* */`` comments and commas before a
closing bracket. Everything else must be JSON (RFC 8259).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLANK = re.compile(r"(?:[ \t\r\n\ufeff]|//[^\r\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_SCALAR = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_DEEPEST = 200


class JsoncError(ValueError):
    """The text is not JSON with comments; says where."""


@dataclass(frozen=True)
class _Member:
    name: str
    start: int  # of its name, in quotes
    value: _Node


@dataclass(frozen=True)
class _Node:
    kind: Literal["object", "array", "scalar"]
    start: int
    end: int  # exclusive
    members: list[_Member] = field(default_factory=list["_Member"])


def value_at(text: str, path: Sequence[str]) -> Any:
    """The value at *path*, plain; None if there is none.

    Raises:
        JsoncError: *text* cannot be read, or what holds the value is no object.
    """
    node: _Node | None = _parsed(text)
    for name in path:
        if node is None:
            return None
        found = _member(_as_object(node, text), name)
        node = found.value if found else None
    return None if node is None else json.loads(_bare(text, node))


def with_value(text: str, path: Sequence[str], value: Any) -> str:
    """*text* with *value* at *path*; the objects on the way are made if they are not there.

    Raises:
        JsoncError: as `value_at`.
    """
    if not _BLANK.sub("", text):
        text += "{}\n"
    node = _as_object(_parsed(text), text)
    for depth, name in enumerate(path):
        found = _member(node, name)
        if found is None:
            rest: Any = value
            for inner in reversed(path[depth + 1 :]):
                rest = {inner: rest}
            return _inserted(text, node, name, rest)
        if depth == len(path) - 1:
            indent = _indent_of(text, found.start)
            new = _rendered(value, indent, text)
            return text[: found.value.start] + new + text[found.value.end :]
        node = _as_object(found.value, text)
    raise ValueError("a path has at least one name")


def without(text: str, path: Sequence[str]) -> str:
    """*text* without what stands at *path*; as it is if nothing does.

    Raises:
        JsoncError: as `value_at`.
    """
    node: _Node | None = _parsed(text) if _BLANK.sub("", text) else None
    if node is None:
        return text
    for name in path[:-1]:
        found = _member(_as_object(node, text), name)
        if found is None:
            return text
        node = found.value
    node = _as_object(node, text)
    found = _member(node, path[-1])
    return text if found is None else _removed(text, node, found)


# --- reading ------------------------------------------------------------------------------


def _parsed(text: str) -> _Node:
    node, end = _value(text, _skip(text, 0), 0)
    if _skip(text, end) != len(text):
        raise _error(text, _skip(text, end), "expected the end")
    return node


def _value(text: str, at: int, depth: int) -> tuple[_Node, int]:
    if depth > _DEEPEST:
        raise _error(text, at, "nested too deep")
    opening = text[at : at + 1]
    if opening == "{":
        return _object(text, at, depth)
    if opening == "[":
        return _array(text, at, depth)
    found = _STRING.match(text, at) or _SCALAR.match(text, at)
    if not found:
        raise _error(text, at, "expected a value")
    return _Node("scalar", at, found.end()), found.end()


def _object(text: str, start: int, depth: int) -> tuple[_Node, int]:
    members: list[_Member] = []
    at = _skip(text, start + 1)
    while text[at : at + 1] != "}":
        name = _STRING.match(text, at)
        if not name:
            raise _error(text, at, "expected a name in quotes")
        colon = _skip(text, name.end())
        if text[colon : colon + 1] != ":":
            raise _error(text, colon, "expected a colon")
        value, end = _value(text, _skip(text, colon + 1), depth + 1)
        members.append(_Member(json.loads(name[0]), at, value))
        at = _after_item(text, end, "}")
    return _Node("object", start, at + 1, members), at + 1


def _array(text: str, start: int, depth: int) -> tuple[_Node, int]:
    at = _skip(text, start + 1)
    while text[at : at + 1] != "]":
        _, end = _value(text, at, depth + 1)
        at = _after_item(text, end, "]")
    return _Node("array", start, at + 1), at + 1


def _after_item(text: str, end: int, closing: str) -> int:
    at = _skip(text, end)
    if text[at : at + 1] == ",":
        return _skip(text, at + 1)
    if text[at : at + 1] != closing:
        raise _error(text, at, f"expected a comma or {closing}")
    return at


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _error(text: str, at: int, problem: str) -> JsoncError:
    line = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    return JsoncError(f"line {line}, column {column}: {problem}")


def _as_object(node: _Node, text: str) -> _Node:
    if node.kind != "object":
        raise _error(text, node.start, "expected an object")
    return node


def _member(node: _Node, name: str) -> _Member | None:
    # Of a name that is there twice, readers take the last.
    return next((each for each in reversed(node.members) if each.name == name), None)


def _bare(text: str, node: _Node) -> str:
    """The JSON of *node* without comments and needless commas."""
    parts: list[str] = []
    at = node.start
    while at < node.end:
        string = _STRING.match(text, at)
        blank = _BLANK.match(text, at)
        if string:
            parts.append(string[0])
            at = string.end()
        elif blank and blank.end() > at:
            at = blank.end()
        else:
            parts.append(text[at])
            at += 1
    return re.sub(r'("(?:[^"\\]|\\.)*")|,(?=[}\]])', lambda m: m[1] or "", "".join(parts))


# --- writing ------------------------------------------------------------------------------


def _inserted(text: str, node: _Node, name: str, value: Any) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    if not node.members:
        outer = _indent_of(text, node.start)
        inner = outer + _unit(text)
        member = f"{inner}{json.dumps(name)}: {_rendered(value, inner, text)}"
        kept = text[node.start + 1 : node.end - 1].rstrip()  # comments
        return f"{text[: node.start]}{{{kept}{newline}{member}{newline}{outer}}}{text[node.end :]}"
    last = node.members[-1]
    inner = _indent_of(text, last.start)
    end = last.value.end
    after = _skip(text, end)
    comma = text[after : after + 1] == ","
    # Behind a comment on the same line, so that it stays beside what it is about.
    place = _line_end(text, after + 1 if comma else end, node.end - 1)
    member = f"{newline}{inner}{json.dumps(name)}: {_rendered(value, inner, text)}"
    if comma:
        return text[:place] + member + "," + text[place:]
    return text[:end] + "," + text[end:place] + member + text[place:]


def _removed(text: str, node: _Node, member: _Member) -> str:
    start, end = member.start, member.value.end
    index = node.members.index(member)
    after = _skip(text, end)
    cut: list[tuple[int, int]] = []
    if text[after : after + 1] == ",":
        end = after + 1
    elif index:
        comma = _skip(text, node.members[index - 1].value.end)
        cut.append((comma, comma + 1))
    line = text.rfind("\n", 0, start) + 1
    if not text[line:start].strip():
        rest = re.compile(r"[ \t]*(?:\r?\n)?").match(text, end)
        start, end = line, rest.end() if rest else end
    cut.append((start, end))
    for first, last in reversed(cut):
        text = text[:first] + text[last:]
    return text


def _rendered(value: Any, indent: str, text: str) -> str:
    plain = json.dumps(value, indent=_unit(text), ensure_ascii=False)
    newline = "\r\n" if "\r\n" in text else "\n"
    return plain.replace("\n", newline + indent)


def _unit(text: str) -> str:
    """What one level of *text* is indented by."""
    found = re.search(r"^([ \t]+)\S", text, re.MULTILINE)
    return found[1] if found else "  "


def _indent_of(text: str, at: int) -> str:
    start = text.rfind("\n", 0, at) + 1
    found = re.compile(r"[ \t]*").match(text, start)
    return found[0] if found else ""


def _line_end(text: str, at: int, limit: int) -> int:
    """Past blanks and a comment that end the line of *at*, or *at* if something else does."""
    found = re.compile(r"[ \t]*(?://[^\r\n]*|/\*[^\r\n]*?\*/[ \t]*)?(?=\r?\n)").match(text, at)
    return found.end() if found and found.end() <= limit else at
