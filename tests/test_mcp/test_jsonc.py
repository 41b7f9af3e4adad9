"""One member of a settings file is changed; every other byte of it stays."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.mcp.jsonc import JsoncError, value_at, with_value, without

PLACE = ("servers", "lsm")
ENTRY = {"command": "/bin/lsm", "args": ["mcp"]}
BLANKS = st.sampled_from(
    ["", " ", "\n", "\n  ", "\t", "// it's, {a} [note]\n", '/* "x": 1, */', "\r\n"]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8")), st.sampled_from(['"', "//", "/*", "},]", "\\"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def spelled(draw: st.DrawFn, value: Any) -> str:
    """*value* as somebody may have written it: comments, blanks, commas too many."""

    def blank() -> str:
        return draw(BLANKS)

    def items(parts: list[str]) -> str:
        comma = "," if parts and draw(st.booleans()) else ""
        return f"{blank()},".join(parts) + blank() + comma + blank()

    if isinstance(value, dict):
        parts = [
            f"{blank()}{json.dumps(name, ensure_ascii=draw(st.booleans()))}{blank()}:{blank()}"
            f"{draw(spelled(each))}"
            for name, each in value.items()
        ]
        return "{" + items(parts) + "}"
    if isinstance(value, list):
        return "[" + items([blank() + draw(spelled(each)) for each in value]) + "]"
    return json.dumps(value, ensure_ascii=draw(st.booleans()))


@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=4), st.data())
def test_what_is_put_in_is_there_and_nothing_else_has_changed(
    settings: dict[str, Any], data: st.DataObject
) -> None:
    settings.pop("servers", None)
    text = data.draw(BLANKS) + data.draw(spelled(settings)) + data.draw(BLANKS)

    changed = with_value(text, PLACE, ENTRY)

    assert value_at(changed, ()) == settings | {"servers": {"lsm": ENTRY}}
    assert comments(changed) == comments(text)
    assert value_at(without(changed, ("servers",)), ()) == settings
    assert comments(without(changed, ("servers",))) == comments(text)


@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=4), st.data())
def test_other_servers_keep_their_place_when_ours_goes(
    others: dict[str, Any], data: st.DataObject
) -> None:
    servers = others | {"lsm": data.draw(VALUES)}
    order = data.draw(st.permutations(list(servers)))
    text = data.draw(spelled({"servers": {name: servers[name] for name in order}}))

    changed = without(with_value(text, PLACE, ENTRY), PLACE)

    others.pop("lsm", None)
    assert value_at(changed, ("servers",)) == others


ZED = """\
// Zed settings
{
  "theme": "One Dark", // the dark one
  /* servers */
  "context_servers": {
    "other": { "command": "x", "args": [] }, // keep
    // last words
  },
  "vim_mode": true
}
"""


def test_putting_in_and_taking_out_leaves_the_file_as_it_was() -> None:
    place = ("context_servers", "lsm")

    changed = with_value(ZED, place, ENTRY)

    assert value_at(changed, place) == ENTRY
    assert without(changed, place) == ZED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", '{\n  "a": 1\n}\n'),
        ("\n", '\n{\n  "a": 1\n}\n'),
        ("{}", '{\n  "a": 1\n}'),
        ('{"b": 2}', '{"b": 2,\n"a": 1}'),
        ('{\r\n\t"b": 2\r\n}\r\n', '{\r\n\t"b": 2,\r\n\t"a": 1\r\n}\r\n'),
        ('{\n    "b": 2, // two\n}', '{\n    "b": 2, // two\n    "a": 1,\n}'),
        ('{\n  "b": 2 // two\n}', '{\n  "b": 2, // two\n  "a": 1\n}'),
        ("{\n  // nothing yet\n}", '{\n  // nothing yet\n  "a": 1\n}'),
        ('{"a": 0, "a": 2}', '{"a": 0, "a": 1}'),
        ('\ufeff{"b": 2}', '\ufeff{"b": 2,\n"a": 1}'),
    ],
)
def test_it_is_written_as_the_rest_of_the_file_is(text: str, expected: str) -> None:
    assert with_value(text, ("a",), 1) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "line 1, column 2: expected a name"),
        ('{"a": 1', "expected a comma or }"),
        ('{"a": 1,, "b": 2}', "expected a name"),
        ('{\n "a": tru\n}', "line 2, column 7: expected a value"),
        ("[]", "line 1, column 1: expected an object"),
        ('{"servers": []}', "line 1, column 13: expected an object"),
        ('{"a": 1} {"b": 2}', "expected the end"),
        ("{'a': 1}", "expected a name in quotes"),
        ('{"a": 01}', "expected a comma"),
        ("// only\n/* not closed", "expected a value"),
        ('{"a":' + "[" * 5000, "nested too deep"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_the_place(text: str, told: str) -> None:
    with pytest.raises(JsoncError) as refused:
        with_value(text, PLACE, ENTRY)

    assert told in str(refused.value)


def comments(text: str) -> list[str]:
    """The comments of *text*, in their order."""
    found: list[str] = []
    at = 0
    while at < len(text):
        if text[at] == '"':
            at += 1
            while text[at] != '"':
                at += 2 if text[at] == "\\" else 1
        elif text.startswith("//", at):
            end = min(e for e in (text.find("\n", at), text.find("\r", at), len(text)) if e >= 0)
            found.append(text[at:end])
            at = end
            continue
        elif text.startswith("/*", at):
            end = text.index("*/", at) + 2
            found.append(text[at:end])
            at = end
            continue
        at += 1
    return found
