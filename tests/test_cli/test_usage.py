"""Wrong usage: exit 2, one line on stderr that names what to change, nothing on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.test_cli.command import Place


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["serach", "x"], "did you mean 'search'?"),
        (["--frob"], "--frob"),
        (["search"], "QUERY"),
        (["search", "two", "queries"], "queries"),
        (["search", "x", "--home", "elsewhere"], "write --home before the command"),
        (["search", "x", "-k", "0"], "k: 0 is not between 1 and 1000"),
        (["search", "x", "-k", "five"], "'five'"),
        (["search", "x", "--mode", "fuzzy"], "hybrid, text, vector"),
        (["search", "x", "--since", "yesterday-ish"], "since"),
        (["search", "x", "--as-of", "2026-02-30"], "as-of"),
        (["search", "x", "--as-of", "2026"], "there is no version 2026, the newest is 1"),
        (["search", "x", "--as-of", "9" * 5000], "there is no version"),
        (["show"], "CHUNK_OR_PATH"),
        (["ingest", "nowhere"], "nowhere: there is no such file or folder"),
        (["ingest", "home"], "this is the home of lsm itself"),
        (["ingest", "home/lsm.db"], "this belongs to lsm itself"),
        (["init", "--root", "nowhere"], "nowhere: there is no such file or folder"),
        (["init", "--embedding", "nope"], "no embedder is called 'nope'"),
        (["--database", "mysql://host/name", "status"], "mysql:// is neither"),
    ],
)
def test_wrong_usage_is_told_in_one_line(sample: Place, arguments: list[str], named: str) -> None:
    refused = sample.lsm(*arguments)

    assert refused.code == 2
    assert refused.out == b""
    assert refused.err.startswith("lsm: ")
    assert refused.err.count("\n") == 1
    assert named in refused.err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["show", "nowhere.md"], "no such document in the library: nowhere.md"),
        (["show", "library/start-here.md", "--as-of", "0"], "no such document"),
        (["show", "99999999"], "no such chunk: 99999999"),
        (["show", "library"], "no such document"),
    ],
)
def test_what_is_not_there_is_told_in_one_line(
    sample: Place, arguments: list[str], named: str
) -> None:
    missing = sample.lsm(*arguments)

    assert (missing.code, missing.out, missing.err.count("\n")) == (1, b"", 1)
    assert named in missing.err


@pytest.mark.parametrize("query", ["", "-k", "'; DROP TABLE x --", "a" * 70_000])
def test_no_query_is_wrong(sample: Place, query: str) -> None:
    found = sample.lsm("search", "--json", "-k", "1", "--", query)

    assert (found.code, found.err) == (0, "")
    assert len(found.json) <= 1


def test_a_query_need_not_be_utf_8(sample: Place) -> None:
    found = sample.lsm("search", "--json", b"kiln \xe9\xff".decode("utf-8", "surrogateescape"))

    assert found.code == 0
    assert found.json


def test_init_refused_leaves_nothing_behind(place: Place) -> None:
    for wrong in (["--root", "nowhere"], ["--embedding", "nope"]):
        assert place.lsm("init", *wrong).code == 2

    assert place.lsm("--database", "mysql://x", "init").code == 2
    assert not place.home.exists()


def test_a_command_alone_prints_the_help(place: Place) -> None:
    alone = place.lsm()

    assert alone.code == 2
    assert "Usage: lsm" in alone.err
