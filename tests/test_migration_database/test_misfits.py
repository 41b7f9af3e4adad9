"""What one engine holds and the other one cannot is found row by row."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.db.limits import misfits
from lsm.db.tables import Column, Reference, Table, in_order

NUMBERS = Table("numbers", (Column("id", "int"), Column("number", "real")), ("id",))
TEXTS = Table("texts", (Column("a", "text"), Column("b", "text")), ("a", "b"))


@pytest.mark.parametrize("number", [0.0, -0.0, math.inf, -math.inf, 5e-324, 1.7e308, None])
def test_every_number_but_nan_fits_everywhere(number: float | None) -> None:
    assert list(misfits("sqlite", NUMBERS, [(1, number)])) == []
    assert list(misfits("postgres", NUMBERS, [(1, number)])) == []


def test_nan_does_not_fit_into_sqlite_and_its_row_is_named() -> None:
    rows = [(1, 0.5), (2, math.nan), (3, None)]

    assert list(misfits("postgres", NUMBERS, rows)) == []
    ((key, reason),) = misfits("sqlite", NUMBERS, rows)
    assert (key, reason) == ("2", "number is not a number (NaN), which SQLite cannot hold")


@given(st.lists(st.tuples(st.text(), st.none() | st.text()), max_size=5))
def test_exactly_the_texts_with_nul_do_not_fit_into_postgresql(
    rows: list[tuple[str, str | None]],
) -> None:
    found = list(misfits("postgres", TEXTS, rows))  # pyright: ignore[reportArgumentType]

    with_nul = [f"a={a}, b={b}" for a, b in rows if "\0" in a]
    with_nul += [f"a={a}, b={b}" for a, b in rows if "\0" in (b or "")]
    assert [key for key, _ in found] == with_nul
    assert list(misfits("sqlite", TEXTS, rows)) == []  # pyright: ignore[reportArgumentType]


def test_tables_are_ordered_by_what_they_refer_to() -> None:
    names = [table.name for table in in_order([refers("b", "a"), refers("c", "b"), refers("a")])]

    assert names == ["a", "b", "c"]


def test_tables_that_refer_to_each_other_are_ordered_all_the_same() -> None:
    circle = [refers("a", "b"), refers("b", "a"), refers("c", "a", "c"), refers("d", "b")]

    names = [table.name for table in in_order(circle)]

    assert sorted(names) == ["a", "b", "c", "d"]
    assert names.index("c") > names.index("a")
    assert names.index("d") > names.index("b")


def refers(name: str, *others: str) -> Table:
    references = tuple(Reference(f"{other}_id", other) for other in others)
    return Table(name, (Column("id", "int"),), ("id",), references)
