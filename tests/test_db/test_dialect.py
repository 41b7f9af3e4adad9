"""How one SQL is spelled for two engines."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.db.dialect import POSTGRES, SQLITE, bind, spell

UNTOUCHED = [
    "'at :noon, 100% IN :ids[]'",
    "'it''s :noon'",
    '"a column named :x"',
    "-- :x and 50% IN :ids[]\n",
    "/* :x\n and % */",
    "CAST(a AS TEXT)",
    "a::text",
    "'3'::bigint",
    "items[1:2]",
]

names = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)


@pytest.mark.parametrize("sql", UNTOUCHED)
def test_what_is_no_parameter_stays_as_it_is_on_sqlite(sql: str) -> None:
    assert spell(f"SELECT {sql} + :x", SQLITE) == f"SELECT {sql} + :x"


@pytest.mark.parametrize("sql", UNTOUCHED)
def test_what_is_no_parameter_only_doubles_its_percent_signs_on_postgres(sql: str) -> None:
    spelled = spell(f"SELECT {sql} + :x", POSTGRES)

    assert spelled == f"SELECT {sql.replace('%', '%%')} + %(x)s"


@pytest.mark.parametrize(
    ("sql", "sqlite", "postgres"),
    [
        (":a", ":a", "%(a)s"),
        ("(:a,:b)", "(:a,:b)", "(%(a)s,%(b)s)"),
        (":a::bigint", ":a::bigint", "%(a)s::bigint"),
        ("a % 2", "a % 2", "a %% 2"),
        ("a IN :ids[]", "a IN (SELECT value FROM json_each(:ids))", "a = ANY(%(ids)s)"),
        ("a IN\n :ids[]", "a IN (SELECT value FROM json_each(:ids))", "a = ANY(%(ids)s)"),
    ],
)
def test_each_engine_has_its_own_spelling(sql: str, sqlite: str, postgres: str) -> None:
    assert spell(sql, SQLITE) == sqlite
    assert spell(sql, POSTGRES) == postgres


@given(names)
def test_any_name_can_be_a_parameter(name: str) -> None:
    assert spell(f"SELECT :{name}", SQLITE) == f"SELECT :{name}"
    assert spell(f"SELECT :{name}", POSTGRES) == f"SELECT %({name})s"


@given(st.text(st.characters(codec="utf-8")))
def test_a_literal_never_reads_as_a_parameter(text: str) -> None:
    literal = "'" + text.replace("'", "''") + "'"

    assert spell(f"{literal} :a", SQLITE) == f"{literal} :a"
    assert spell(f"{literal} :a", POSTGRES) == f"{literal.replace('%', '%%')} %(a)s"


@given(st.lists(st.one_of(st.integers(-(2**63), 2**63 - 1), st.text(st.characters(codec="utf-8")))))
def test_a_list_is_one_parameter(items: list[int | str]) -> None:
    assert json.loads(str(bind({"ids": items}, SQLITE)["ids"])) == items
    assert bind({"ids": items}, POSTGRES) == {"ids": items}


@pytest.mark.parametrize("value", [None, 1, 1.5, "a", b"a", True, (1, 2)])
def test_what_is_not_a_list_is_bound_as_it_is(value: object) -> None:
    assert bind({"x": value}, SQLITE) == {"x": value}


def test_a_list_of_bytes_is_refused_where_it_would_never_match() -> None:
    with pytest.raises(TypeError, match="hex"):
        bind({"hashes": [b"\x00"]}, SQLITE)
