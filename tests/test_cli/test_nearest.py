"""A mistyped name is answered with the nearest one, in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.test_cli.command import Place


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("serch kiln", "'search'"),
        ("memory ad kiln", "'add'"),
        ("search kiln --mod text", "'--mode'"),
        ("schedule add digest --evry 1h", "'--every'"),
        ("schedule add digset --every 1h", "digest"),
        ("remote search arxv tides", "arxiv"),
        ("mcp install zedd", "zed"),
    ],
)
def test_the_nearest_name_is_told(place: Place, typed: str, meant: str) -> None:
    told = place.lsm(*typed.split())

    assert told.code in (1, 2)
    assert told.err.count("\n") == 1
    assert f"did you mean {meant}?" in told.err


def test_a_name_that_is_like_nothing_gets_no_guess(place: Place) -> None:
    told = place.lsm("xyzzy")

    assert told.code == 2
    assert "did you mean" not in told.err


def test_a_setting_that_is_misspelt_is_told_its_name(place: Place) -> None:
    place.home.mkdir()
    (place.home / "lsm.toml").write_text("[libary]\nroots = []\n")

    told = place.lsm("status")

    assert told.code == 2
    assert "did you mean library?" in told.err
