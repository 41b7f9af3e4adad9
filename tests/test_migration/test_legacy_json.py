"""JSON is read as Python reads it, each value with the text it was written in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.errors import StorageError
from lsm.migration.legacy.manifest import read_entries
from lsm.migration.legacy.oldjson import BrokenJsonError, depth, loads, text_of
from lsm.migration.legacy.schedules import read_rows

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
spellings = st.sampled_from(
    [{}, {"indent": 2}, {"ensure_ascii": False}, {"separators": (",", ":")}]
)


@given(st.dictionaries(st.text(), values), spellings)
def test_every_member_comes_with_its_own_text(whole: dict[str, Any], spelling: Any) -> None:
    text = json.dumps(whole, **spelling)

    found = read_entries(text)

    assert (found.problem, found.lost) == ("", "")
    assert [entry.key for entry in found.entries] == list(whole)
    assert repr([entry.value for entry in found.entries]) == repr(list(json.loads(text).values()))
    assert all(entry.raw in text for entry in found.entries)
    assert repr([json.loads(e.raw) for e in found.entries]) == repr(
        [e.value for e in found.entries]
    )


@given(st.dictionaries(st.text(), values, min_size=1), st.data())
def test_a_text_cut_anywhere_gives_what_stands_before_the_cut_and_the_rest(
    whole: dict[str, Any], data: st.DataObject
) -> None:
    text = json.dumps(whole, indent=1)
    cut = text[: data.draw(st.integers(0, len(text) - 1))]

    found = read_entries(cut)

    kept = list(whole.items())[: len(found.entries)]
    assert found.problem
    assert cut.endswith(found.lost)
    assert repr([(entry.key, entry.value) for entry in found.entries][:-1]) == repr(kept[:-1])


@given(st.lists(values), values)
def test_schedules_are_the_items_of_their_list_wherever_it_stands(
    rows: list[Any], other: Any
) -> None:
    text = json.dumps({"before": other, "schedules": rows, "after": other})

    found = read_rows(text)

    assert repr([value for _, value in found.rows]) == repr(json.loads(text)["schedules"])
    assert found.problem == ""


@given(values)
def test_a_plain_value_is_what_python_reads(value: Any) -> None:
    text = json.dumps(value)

    assert repr(loads(text)) == repr(json.loads(text))


@pytest.mark.parametrize("text", ["", "{", "[1,]", '{"a" 1}', "{'a': 1}", "1 2", '"\n"', "tru"])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(BrokenJsonError):
        loads(text)


@pytest.mark.parametrize(("value", "levels"), [(1, 0), ([], 1), ({"a": [1]}, 2), ([[], [[{}]]], 4)])
def test_depth_counts_lists_and_objects(value: Any, levels: int) -> None:
    assert depth(value) == levels


def test_nothing_is_no_text() -> None:
    with pytest.raises(BrokenJsonError, match="empty"):
        text_of(b"\n")


def test_the_database_in_use_is_not_taken_for_a_predecessor_s(sqlite_mind: Any) -> None:
    from lsm.db.foreign import foreign_file

    with (
        pytest.raises(StorageError, match="the database in use"),
        foreign_file(sqlite_mind.db.url),
    ):
        raise AssertionError
