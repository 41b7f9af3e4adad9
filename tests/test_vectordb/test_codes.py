"""Coded vectors find what exact ones find; blocks of them are what they stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from lsm.db import open_database
from lsm.vectordb import vector_blocks
from lsm.vectordb.base import Where
from lsm.vectordb.codes import Codes, coded, signs_of
from lsm.vectordb.vector_blocks import BLOCK, coded_after
from tests.test_vectordb.shelf import Made, Shelf, ids, random_vectors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

WIDE = 64


def test_a_code_is_within_half_a_step_of_its_number() -> None:
    vectors = random_vectors(100, WIDE)

    codes, scales = coded(vectors)

    assert np.abs(codes * scales[:, np.newaxis] - vectors).max() <= scales.max() / 2 + 1e-7


def test_a_vector_of_zeros_is_coded_as_zeros() -> None:
    codes, scales = coded(np.zeros((1, 8), np.float32))

    assert not codes.any()
    assert scales[0] == 1


@pytest.mark.parametrize("dimension", [1, 8, 63, 64, 65, 300])
def test_signs_differ_by_as_much_as_the_signs_do(dimension: int) -> None:
    one, other = random_vectors(2, dimension)

    differing = np.bitwise_count(signs_of(one[np.newaxis]) ^ signs_of(other[np.newaxis])).sum()

    assert differing == ((one > 0) != (other > 0)).sum()


def test_signs_leave_the_nearest_among_the_candidates() -> None:
    vectors = near_each_other(30_000)
    codes = filled(vectors)

    found = exact = 0
    for query in vectors[::3000]:
        near, _ = codes.closest(query, 10)
        best = np.argsort(-(vectors @ query))[:10] + 1
        found += len(set(best.tolist()) & set(near.tolist()))
        exact += len(best)

    assert found >= 0.98 * exact


def test_all_that_are_as_close_as_the_last_come_along() -> None:
    codes = filled(np.repeat(random_vectors(1, WIDE), 50, axis=0))

    near, _ = codes.closest(random_vectors(1, WIDE, seed=2)[0], 3)

    assert sorted(near.tolist()) == list(range(1, 51))


def test_among_a_few_only_they_are_looked_at() -> None:
    vectors = near_each_other(30_000)

    near, _ = filled(vectors).closest(vectors[0], 10, np.array([5, 7, 29_999]))

    assert sorted(near.tolist()) == [6, 8, 30_000]


class TestBlocks:
    def test_what_is_in_blocks_is_what_is_in_rows(self, sqlite_shelf: Shelf) -> None:
        add(sqlite_shelf, 2 * BLOCK + 10)
        by_block = together(sqlite_shelf)
        sqlite_shelf.db.run("DELETE FROM lsm_vector_blocks")

        by_row = together(sqlite_shelf)

        for one, other in zip(by_block, by_row, strict=True):
            assert np.array_equal(one, other)

    def test_a_block_is_made_once_it_is_full(self, sqlite_shelf: Shelf) -> None:
        add(sqlite_shelf, BLOCK - 1)
        assert blocks(sqlite_shelf) == []

        add(sqlite_shelf, 2, after=BLOCK - 1)

        assert blocks(sqlite_shelf) == [(1, BLOCK)]

    def test_a_replaced_vector_is_not_left_in_a_block(self, sqlite_shelf: Shelf) -> None:
        add(sqlite_shelf, 3 * BLOCK)
        moved = random_vectors(1, WIDE, seed=9)[0]

        sqlite_shelf.index.replace_vectors(sqlite_shelf.space, [(BLOCK + 5, moved)])

        assert ids(sqlite_shelf.index.nearest(moved, sqlite_shelf.space, 1)) == [BLOCK + 5]
        assert sqlite_shelf.index.disagreements() == []

    def test_a_removed_vector_is_not_left_in_a_block(self, sqlite_shelf: Shelf) -> None:
        vectors = add(sqlite_shelf, 2 * BLOCK)

        sqlite_shelf.delete(7)

        assert 7 not in ids(sqlite_shelf.index.nearest(vectors[6], sqlite_shelf.space, 20))
        assert blocks(sqlite_shelf) == []  # all of them behind it, until the next are added
        assert sqlite_shelf.index.disagreements() == []

    def test_a_block_that_lost_a_vector_is_noticed(self, sqlite_shelf: Shelf) -> None:
        add(sqlite_shelf, BLOCK)
        sqlite_shelf.db.run("DELETE FROM vec_chunks WHERE chunk_id = 3")

        assert "1 blocks of vectors differ from the vectors" in sqlite_shelf.index.disagreements()

    def test_another_process_finds_what_was_put_into_blocks_meanwhile(
        self, sqlite_shelf: Shelf, sqlite_url: str
    ) -> None:
        add(sqlite_shelf, BLOCK - 5)
        other = Shelf(open_database(sqlite_url), WIDE)
        query = random_vectors(1, WIDE, seed=3)[0]
        other.index.nearest(query, other.space, 1)

        vectors = add(sqlite_shelf, BLOCK + 20, after=BLOCK - 5)

        for n in (0, 5, BLOCK + 19):
            assert ids(other.index.nearest(vectors[n], other.space, 1)) == [BLOCK - 4 + n]
        other.db.close()

    def test_a_filter_that_leaves_few_still_gives_k(self, sqlite_shelf: Shelf) -> None:
        vectors = add(sqlite_shelf, 2 * BLOCK)

        found = sqlite_shelf.index.nearest(
            vectors[0], sqlite_shelf.space, 10, Where(path="/docs/3.md")
        )

        assert len(found) == 10

    def test_blocks_are_read_without_holes(
        self, sqlite_shelf: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(vector_blocks, "_PAGE", 100)
        add(sqlite_shelf, 3 * BLOCK + 50)
        sqlite_shelf.db.run("DELETE FROM lsm_vector_blocks WHERE first_id = :n", n=BLOCK + 1)

        found, _, _ = together(sqlite_shelf)

        assert found.tolist() == list(range(1, 3 * BLOCK + 51))


@pytest.fixture
def sqlite_shelf(sqlite_url: str) -> Iterator[Shelf]:
    """An empty library with a space of 64 dimensions, in the SQLite file."""
    with open_database(sqlite_url) as db:
        shelf = Shelf(db, WIDE)
        for number in range(10):
            shelf.document(number)
        yield shelf


def add(shelf: Shelf, count: int, after: int = 0) -> NDArray[np.float32]:
    """Index *count* chunks, numbered from *after* on, ten documents in turn; their vectors."""
    vectors = random_vectors(count, WIDE, seed=after)
    made = [
        Made(after + n, vector=vector, document_id=(after + n) % 10)
        for n, vector in enumerate(vectors, 1)
    ]
    shelf.add(*made)
    return vectors


def blocks(shelf: Shelf) -> list[tuple[int, int]]:
    return shelf.db.tuples("SELECT first_id, last_id FROM lsm_vector_blocks ORDER BY first_id")


def together(shelf: Shelf) -> list[NDArray[np.generic]]:
    """All coded vectors as a process would read them: ids, codes, scales."""
    parts = coded_after(shelf.db, shelf.space, WIDE, 0)
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def near_each_other(count: int) -> NDArray[np.float32]:
    """Vectors around a few centres, as texts on a few subjects have."""
    centres = random_vectors(30, 256, seed=1)
    vectors = centres[np.arange(count) % 30] + 0.7 * random_vectors(count, 256, seed=2)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def filled(vectors: NDArray[np.float32]) -> Codes:
    held = Codes.none(vectors.shape[1]).with_room(len(vectors))
    return held.added(np.arange(1, len(vectors) + 1), *coded(vectors))
