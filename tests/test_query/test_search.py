"""What a search finds, and what it leaves out, on both engines."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from lsm.app import Mind
from lsm.errors import InvalidError
from tests.test_query.small import COPIES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.test_query.small import Small

MODES = ("hybrid", "text", "vector")
_LEGS = {"hybrid": {"text", "vector"}, "text": {"text"}, "vector": {"vector"}}
STUDIO = {"studio/kiln.txt", "studio/firing.md", "studio/shelf.md"}


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_finds_the_passage_with_the_words(small: Small, mode: str) -> None:
    hit = small.mind.search("how often do we rotate keys", 3, mode=mode)[0]

    assert hit.path == small.path("keys.md")
    assert (hit.title, hit.heading) == ("Keys", "Keys > Rotation")
    assert (hit.start_line, hit.end_line) == (1, 5)
    assert hit.rank == 1
    assert hit.parts.keys() & {"text", "vector"} == _LEGS[mode]


def test_text_finds_nothing_where_no_word_stands(small: Small) -> None:
    assert small.names("zygomorphic", mode="text") == []


def test_a_number_with_dashes_is_one_thing(small: Small) -> None:
    # rules/25.md is "edition 25".
    found = small.names("TML-25-1187", mode="text")

    assert found[0] == "numbers.txt"


def test_words_in_quotes_must_stand_in_that_order(small: Small) -> None:
    assert small.names('"kiln cools"', mode="text") == ["studio/firing.md"]
    assert small.names('"cools kiln"', mode="text") == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ({"path": "studio"}, STUDIO),
        ({"path": "studio/**", "ext": "txt"}, {"studio/kiln.txt"}),
        ({"path": "*.txt"}, {"studio/kiln.txt", "numbers.txt"}),
        ({"ext": ".TXT"}, {"studio/kiln.txt", "numbers.txt"}),
        ({"tag": "clay"}, STUDIO),
        ({"tag": "#CLAY"}, STUDIO),
        ({"tag": ("clay", "heat")}, {"studio/firing.md"}),
        ({"tag": "heat", "ext": "txt"}, set()),
        ({"tag": "nothing-has-this"}, set()),
        ({"since": "2026-02-01"}, {"new.md"}),
        ({"since": "30d"}, {"new.md"}),
        ({"since": "2026-02-11"}, set()),
    ],
)
def test_filters_let_through_all_that_fits_and_nothing_else(
    small: Small, mode: str, choices: dict[str, object], expected: set[str]
) -> None:
    query = "the kiln order pot shelf heron keys"  # a word of each document

    found = small.names(query, 20, mode=mode, **choices)

    assert set(found) == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("as_of", "said", "there"),
    [
        (1, "30 days", {"old.md"}),
        ("1", "30 days", {"old.md"}),
        ("2026-01-10", "30 days", {"old.md"}),  # the end of that day
        ("2026-02-10T11:59Z", "30 days", {"old.md"}),
        ("2026-02-10T12:00Z", "90 days", {"new.md"}),
        (2, "90 days", {"new.md"}),
        (None, "90 days", {"new.md"}),
        ("2030-01-01", "90 days", {"new.md"}),
    ],
)
def test_as_of_searches_the_library_as_it_was(
    small: Small, mode: str, as_of: str | int | None, said: str, there: set[str]
) -> None:
    keys = small.mind.search("rotate keys days", 50, mode=mode, as_of=as_of)
    pond = small.mind.search("pond otter heron", 50, mode=mode, as_of=as_of)

    assert [said in hit.text for hit in keys if hit.path == small.path("keys.md")] == [True]
    mine = {small.path(name) for name in ("old.md", "new.md")}
    assert {hit.path for hit in pond} & mine == {small.path(name) for name in there}


@pytest.mark.parametrize("as_of", [0, "0", "2026-01-09", "1999-12-31"])
def test_before_the_first_version_there_was_nothing(small: Small, as_of: str | int) -> None:
    assert small.names("keys", as_of=as_of) == []


@pytest.mark.parametrize("as_of", [3, -1, "3", "2026", "9" * 5000, 2**63])
def test_a_version_that_is_not_there_is_refused(small: Small, as_of: str | int) -> None:
    with pytest.raises(InvalidError, match="there is no version"):
        small.mind.search("keys", as_of=as_of)


@pytest.mark.parametrize("k", [0, -1, 1001, 10**9])
def test_k_has_bounds(small: Small, k: int) -> None:
    with pytest.raises(InvalidError, match="not between 1 and 1000"):
        small.mind.search("keys", k)


@pytest.mark.parametrize("mode", MODES)
def test_near_duplicates_are_told_once_with_the_others_named(small: Small, mode: str) -> None:
    hits = small.mind.search("shoes at the door of the drying shelf", 3, mode=mode)

    first = hits[0]
    assert first.path.startswith(small.path("rules/"))
    assert all(other.startswith(small.path("rules/")) for other in first.also_in)
    assert len({first.path, *first.also_in}) == len(first.also_in) + 1
    assert not any(hit.path.startswith(small.path("rules/")) for hit in hits[1:])


def test_k_results_come_where_k_exist_though_copies_stand_before_them(small: Small) -> None:
    # Forty copies fit best, and count as one.
    hits = small.mind.search("the pot on the shelf at the door", 7)

    assert len(hits) == 7
    assert len(hits[0].also_in) == COPIES - 1
    assert [hit.rank for hit in hits] == list(range(1, 8))


@pytest.mark.parametrize("mode", MODES)
def test_a_longer_list_begins_with_the_shorter_one(small: Small, mode: str) -> None:
    longer = small.names("the kiln on Fridays", 6, mode=mode)

    assert small.names("the kiln on Fridays", 3, mode=mode) == longer[:3]


@pytest.mark.parametrize("mode", MODES)
def test_the_same_search_gives_the_same_list(small: Small, mode: str) -> None:
    first = small.mind.search("the kiln, the pot and the door", 8, mode=mode)

    assert small.mind.search("the kiln, the pot and the door", 8, mode=mode) == first


def test_scores_fall_and_ranks_count(small: Small) -> None:
    hits = small.mind.search("kiln", 8)

    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


@pytest.mark.parametrize("query", ["", " \n\t ", "\0"])
def test_nothing_asked_is_nothing_found(small: Small, query: str) -> None:
    assert small.mind.search(query) == []


@pytest.mark.parametrize(
    "query",
    ["'; DROP TABLE lsm_chunks; --", "NEAR(a b, 5)", "kiln*", "^kiln", "kiln:*", "a & b | !c",
     "{title}: x", '"', '""kiln""', "(" * 500, "\ud800kiln", "ki\0ln", "\N{KEY}" * 50, "%_\\%",
     "to be or not to be", "title : kiln", "kiln <-> pot", "$$; $1 :name %s"],
)  # fmt: skip
@pytest.mark.parametrize("mode", MODES)
def test_nothing_typed_is_syntax(small: Small, query: str, mode: str) -> None:
    hits = small.mind.search(query, 2, mode=mode)

    assert len(hits) <= 2
    assert small.mind.overview().files == COPIES + 6


def test_a_search_sees_one_state_while_documents_change(tmp_path: Path, database_url: str) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    stop = threading.Event()
    seen: list[set[str]] = []

    def rewrite(round_: int) -> None:
        for name in ("heron.md", "otter.md"):
            (notes / name).write_text(f"{name} by the pond, round number {round_}.\n")

    with Mind(str(tmp_path / "home"), database_url) as mind:
        rewrite(0)
        mind.ingest(str(notes))

        def look() -> None:
            while not stop.is_set():
                hits = mind.search("pond round number", 5)
                seen.append({hit.text.rsplit(" ", 1)[-1] for hit in hits} | {str(len(hits))})

        searching = threading.Thread(target=look)
        searching.start()
        try:
            for round_ in range(1, 5):
                rewrite(round_)
                mind.ingest()
        finally:
            stop.set()
            searching.join()

    # Both documents of a round are written together: two hits, one round, in every look.
    assert len(seen) > 4
    assert all(len(look) == 2 and "2" in look for look in seen), seen
