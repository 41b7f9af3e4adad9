"""`lsm eval`, as it is typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.test_query.test_evaluation import collection

if TYPE_CHECKING:
    from tests.test_cli.command import Place

_QUERY = "how often are keys rotated"


def test_what_became_worse_fails_and_is_not_saved(place: Place) -> None:
    place.lsm("ingest", "notes")
    added = place.lsm("eval", "add", _QUERY, "--expect", "notes/keys.md", "--grade", "2", "--json")
    first = place.lsm("eval", "--save", "main", "--mode", "text", "--json")
    place.write("keys.md", "Nothing any more.\n")
    place.lsm("ingest")
    compare = ("eval", "--mode", "text", "--compare", "main", "--fail-below", "0.005")

    worse = place.lsm(*compare, "--save", "main")
    still = place.lsm(*compare, "--json")
    told = place.lsm("eval", "--mode", "text", "--compare", "main")

    assert added.json == {
        "query": _QUERY, "expect": {str(place.documents / "keys.md"): 2}, "absent": [],
    }  # fmt: skip
    assert first.code == 0
    assert first.json["sets"][0]["modes"]["text"]["ndcg"] == 1
    assert first.json["means"]["text"] == {"ndcg": 1, "recall": 1, "mrr": 1}
    assert worse.code == still.code == 1
    assert worse.err == "lsm: nDCG in mode text fell by 1.0000, which is more than 0.005\n"
    assert still.json["comparison"]["worse"][0]["query"] == _QUERY
    assert told.code == 0
    assert f"  -1.000  text    {_QUERY}" in told.text


def test_saved_queries_are_listed_imported_and_removed(place: Place) -> None:
    place.lsm("ingest", "notes")
    file = place.write("../queries.toml", f'[[query]]\nquery = "{_QUERY}"\nexpect = ["keys.md"]\n')

    made = place.lsm("eval", "import", file)
    place.lsm("eval", "add", _QUERY, "--expect", "nowhere.md")
    listed = place.lsm("eval", "list")
    gone = place.lsm("eval", "remove", _QUERY, "--expect", "nowhere.md")
    left = place.lsm("eval", "list", "--json").json

    assert made.text == "1 queries saved\n"
    assert listed.text == f"{_QUERY}\n  1  keys.md\n  1  nowhere.md\n"
    assert gone.code == 0
    assert left == [{"query": _QUERY, "expect": {"keys.md": 1}}]


def test_a_collection_leaves_the_library_as_it_is(place: Place) -> None:
    folder = collection(place.folder / "tiny")
    place.lsm("ingest", "notes")
    kept = place.folder / "kept"
    wanted = ("eval", "--collection", folder, "--keep", kept, "--mode", "text", "--json")

    first = place.lsm(*wanted)
    again = place.lsm(*wanted)

    assert (first.code, first.err) == (0, "")
    assert first.json["sets"][0]["documents"] == 5
    assert first.json["means"] == again.json["means"]
    assert place.lsm("status", "--json").json["files"] == 2
    assert sorted(path.name for path in (kept / "tiny").iterdir()) == ["documents", "home"]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ((), 2, "lsm eval add"),
        (("--fail-below", "0.1"), 2, "--compare"),
        (("--compare", "nothing"), 1, "no such baseline: nothing"),
        (("--mode", "some"), 2, "none of hybrid, text, vector"),
        (("--save", " "), 2, "name"),
        (("--json", "list"), 2, "--json does not go with lsm eval list"),
        (("--collection", "."), 2, "corpus.jsonl"),
        (("--file", "missing.toml"), 1, "missing.toml: No such file"),
        (("remove", "nothing"), 1, "no such query: nothing"),
        (("baselines", "--forget", "nothing"), 1, "no such baseline: nothing"),
        (("add", "?", "--expect", "a.md"), 2, "no word"),
        (("lst",), 2, "did you mean 'list'"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    place: Place, arguments: tuple[str, ...], code: int, told: str
) -> None:
    found = place.lsm("eval", *arguments)

    assert (found.code, found.text) == (code, "")
    assert told in found.err
    assert found.err.count("\n") == 1
