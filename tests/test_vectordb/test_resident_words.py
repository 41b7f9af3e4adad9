"""Scores from memory are those that FTS5 gives, whatever happens to the library meanwhile."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from lsm.db import open_database
from lsm.vectordb import open_chunk_index, resident_words
from lsm.vectordb.base import TextQuery, Where
from tests.test_vectordb.shelf import Made, Shelf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.vectordb.base import Scored

WORDS = ("harbour", "light", "tide", "salt", "sand", "gull", "rope", "mast")
ALL = TextQuery(WORDS)


def test_scores_from_memory_are_those_of_the_index(sqlite_shelf: Shelf) -> None:
    add(sqlite_shelf, range(1, 200))

    for query in (TextQuery(("tide",)), TextQuery(("gull", "salt tide", "nowhere")), ALL):
        assert from_memory(sqlite_shelf, query) == from_the_index(sqlite_shelf, query)


def test_what_is_added_between_two_queries_is_found(sqlite_shelf: Shelf) -> None:
    add(sqlite_shelf, range(1, 1000))
    from_memory(sqlite_shelf, ALL)

    add(sqlite_shelf, [1000], text="tide tide tide")

    found = from_memory(sqlite_shelf, TextQuery(("tide",)))
    assert found[0].chunk_id == 1000
    # One chunk in a thousand changes how rare a word is by next to nothing.
    index = {s.chunk_id: s.score for s in from_the_index(sqlite_shelf, TextQuery(("tide",)))}
    assert {s.chunk_id: s.score for s in found} == pytest.approx(index, abs=0.01)


def test_once_the_library_has_grown_everything_is_computed_anew(sqlite_shelf: Shelf) -> None:
    add(sqlite_shelf, range(1, 100))
    from_memory(sqlite_shelf, ALL)

    add(sqlite_shelf, range(100, 200))

    assert from_memory(sqlite_shelf, ALL) == from_the_index(sqlite_shelf, ALL)


def test_what_is_removed_is_gone_from_memory(sqlite_shelf: Shelf) -> None:
    add(sqlite_shelf, range(1, 50))
    from_memory(sqlite_shelf, ALL)

    sqlite_shelf.delete(7, 8)

    found = from_memory(sqlite_shelf, ALL)
    assert not {7, 8} & {s.chunk_id for s in found}
    assert found == from_the_index(sqlite_shelf, ALL)


def test_what_another_process_adds_is_found(sqlite_shelf: Shelf, sqlite_url: str) -> None:
    add(sqlite_shelf, range(1, 20))
    from_memory(sqlite_shelf, ALL)

    with open_database(sqlite_url) as db:
        add(Shelf(db), [20], text="rope rope")

    assert from_memory(sqlite_shelf, TextQuery(("rope",)))[0].chunk_id == 20


def test_what_a_transaction_adds_is_found_in_it_and_not_after_it_is_given_up(
    sqlite_shelf: Shelf,
) -> None:
    add(sqlite_shelf, range(1, 20))
    from_memory(sqlite_shelf, ALL)

    with sqlite_shelf.given_up():
        add(sqlite_shelf, [20], text="lantern")
        inside = sqlite_shelf.index.matching(TextQuery(("lantern",)), 5)
    after = sqlite_shelf.index.matching(TextQuery(("lantern",)), 5)

    assert [s.chunk_id for s in inside] == [20]
    assert after == []


def test_old_versions_do_not_take_the_places_of_those_that_count(sqlite_shelf: Shelf) -> None:
    sqlite_shelf.add(*[Made(n, text="tide tide", version_out=2) for n in range(1, 300)])
    sqlite_shelf.add(*[Made(n, text="tide and sand and more", version_in=2) for n in (300, 301)])

    for _ in range(2):
        found = sqlite_shelf.index.matching(TextQuery(("tide",)), 5)

    assert [s.chunk_id for s in found] == [300, 301]


def test_a_filter_counts_before_the_k(sqlite_shelf: Shelf) -> None:
    sqlite_shelf.document(1)
    sqlite_shelf.document(2)
    sqlite_shelf.add(*[Made(n, text="tide tide") for n in range(1, 30)])
    sqlite_shelf.add(Made(30, text="one tide of many", document_id=2))

    for _ in range(2):
        found = sqlite_shelf.index.matching(TextQuery(("tide",)), 3, Where(path="/docs/2.md"))

    assert [s.chunk_id for s in found] == [30]


def test_words_not_asked_for_lately_make_room(
    sqlite_shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resident_words, "_LIMIT_BYTES", 5000)
    add(sqlite_shelf, range(1, 300))

    for word in WORDS * 2:
        query = TextQuery((word,))
        assert from_memory(sqlite_shelf, query) == from_the_index(sqlite_shelf, query)


def test_a_process_that_asks_once_asks_the_index(sqlite_shelf: Shelf) -> None:
    add(sqlite_shelf, range(1, 20))
    index = open_chunk_index(sqlite_shelf.db)

    first = index.matching(ALL, 10)

    assert first == index.matching(ALL, 10)


def add(shelf: Shelf, numbers: Sequence[int], text: str = "") -> None:
    dice = random.Random(numbers[0])
    shelf.add(
        *[
            Made(n, text=text or " ".join(dice.choices(WORDS, k=dice.randint(2, 9))))
            for n in numbers
        ]
    )


def from_memory(shelf: Shelf, query: TextQuery) -> list[Scored]:
    shelf.index.matching(query, 1)  # the first question is answered by the index
    return shelf.index.matching(query, 500)


def from_the_index(shelf: Shelf, query: TextQuery) -> list[Scored]:
    return open_chunk_index(shelf.db).matching(query, 500)
