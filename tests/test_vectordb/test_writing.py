"""Rows, vectors and full text are one: written, replaced and removed together, or not at all."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import apsw
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsm.db.vacuum import vacuum
from lsm.errors import ConflictError, NotFoundError
from lsm.vectordb.spaces import dimension_of, find_space, known_dimension, open_space
from lsm.vectordb.vectors import VectorError
from tests.test_vectordb.shelf import DIMENSION, Made, Shelf, asked, direction, ids, random_vectors

if TYPE_CHECKING:
    from lsm.db import Database
    from lsm.vectordb.base import Vector

NOT_DIRECTIONS = [
    pytest.param(np.full(DIMENSION, np.nan, np.float32), id="nan"),
    pytest.param(np.array([np.inf] + [0] * 7, np.float32), id="infinite"),
    pytest.param(np.array([-np.inf] + [1] * 7, np.float32), id="minus infinite"),
    pytest.param(np.zeros(DIMENSION, np.float32), id="zero"),
    pytest.param(np.ones(DIMENSION - 1, np.float32), id="too short"),
    pytest.param(np.ones(DIMENSION + 1, np.float32), id="too long"),
    pytest.param(np.ones((1, DIMENSION), np.float32), id="a matrix"),
    pytest.param(np.zeros(0, np.float32), id="empty"),
]


class TestPut:
    def test_a_chunk_is_found_by_its_words_and_by_its_vector(self, shelf: Shelf) -> None:
        shelf.add(Made(1, "lantern", vector=direction(1)), Made(2, "harbour", vector=direction(-1)))

        assert ids(shelf.index.matching(asked("lantern"), 5)) == [1]
        assert ids(shelf.index.nearest(direction(1), shelf.space, 1)) == [1]
        assert shelf.index.disagreements() == []

    @pytest.mark.parametrize("vector", NOT_DIRECTIONS)
    def test_what_is_no_direction_is_refused_and_nothing_is_written(
        self, shelf: Shelf, vector: Vector
    ) -> None:
        chunks = [Made(1, "good"), Made(2, "bad", vector=vector)]
        shelf.add_rows(*chunks)

        with shelf.db.transaction(), pytest.raises(VectorError):
            shelf.index.put([shelf.entry(chunk) for chunk in chunks])

        assert shelf.count() == (2, 0, 0)

    def test_the_largest_and_smallest_numbers_are_directions_too(self, shelf: Shelf) -> None:
        shelf.add(Made(1, vector=np.full(DIMENSION, 3e38, np.float32)))
        shelf.add(Made(2, vector=np.full(DIMENSION, -1e-40, np.float32)))

        ones = np.ones(DIMENSION, np.float32)
        found = shelf.index.nearest(ones, shelf.space, 2)

        assert ids(found) == [1, 2]
        assert [scored.score for scored in found] == pytest.approx([1, -1], abs=1e-3)

    def test_a_space_nobody_opened_is_named(self, shelf: Shelf) -> None:
        with pytest.raises(NotFoundError, match="no such vector space: 99"):
            shelf.add(Made(1), space=99)

        assert shelf.count() == (0, 0, 0)

    def test_a_chunk_is_put_once(self, shelf: Shelf) -> None:
        shelf.add(Made(1, "lantern"))

        with pytest.raises(ConflictError):
            shelf.index.put([shelf.entry(Made(1, "harbour"))])

        assert shelf.index.matching(asked("harbour"), 5) == []
        assert_intact(shelf)

    def test_a_chunk_without_a_row_is_refused(self, shelf: Shelf) -> None:
        with pytest.raises(ConflictError):
            shelf.index.put([shelf.entry(Made(1, "lantern"))])

        assert shelf.count() == (0, 0, 0)

    def test_what_is_rolled_back_was_never_there(self, shelf: Shelf) -> None:
        with shelf.given_up():
            shelf.add(Made(1, "lantern"))
            assert ids(shelf.index.matching(asked("lantern"), 5)) == [1]
            assert ids(shelf.index.nearest(direction(1), shelf.space, 5)) == [1]

        assert shelf.count() == (0, 0, 0)
        assert shelf.index.matching(asked("lantern"), 5) == []
        assert shelf.index.nearest(direction(1), shelf.space, 5) == []


class TestReplaceVectors:
    def test_the_new_vector_is_found_and_the_old_one_is_not(self, shelf: Shelf) -> None:
        shelf.add(Made(1, vector=direction(1)), Made(2, vector=direction(0, 1)))
        shelf.index.nearest(direction(1), shelf.space, 1)

        shelf.index.replace_vectors(shelf.space, [(1, direction(-1))])

        assert ids(shelf.index.nearest(direction(1), shelf.space, 5)) == [2, 1]
        assert shelf.index.disagreements() == []

    @pytest.mark.parametrize("vector", NOT_DIRECTIONS)
    def test_what_is_no_direction_is_refused_and_nothing_is_replaced(
        self, shelf: Shelf, vector: Vector
    ) -> None:
        shelf.add(Made(1, vector=direction(1)), Made(2, vector=direction(1)))

        with shelf.db.transaction(), pytest.raises(VectorError):
            shelf.index.replace_vectors(shelf.space, [(1, direction(-1)), (2, vector)])

        found = shelf.index.nearest(direction(1), shelf.space, 2)
        assert [scored.score for scored in found] == pytest.approx([1, 1], abs=1e-3)

    def test_chunks_move_to_another_model_and_are_compared_only_there(self, shelf: Shelf) -> None:
        other = open_space(shelf.db, "another model", 3)
        shelf.add(Made(1), Made(2), Made(3))

        shelf.index.replace_vectors(other, [(2, np.ones(3, np.float32))])

        assert sorted(ids(shelf.index.nearest(direction(1), shelf.space, 9))) == [1, 3]
        assert ids(shelf.index.nearest(np.ones(3, np.float32), other, 9)) == [2]
        assert shelf.index.outdated(other, 9) == [1, 3]
        assert shelf.index.outdated(other, 1) == [1]
        assert shelf.index.outdated(shelf.space, 9) == [2]

    def test_a_query_of_another_length_is_refused(self, shelf: Shelf) -> None:
        shelf.add(Made(1))

        with pytest.raises(VectorError, match=r"\(3,\) where \(8,\) is needed"):
            shelf.index.nearest(np.ones(3, np.float32), shelf.space, 1)


class TestRemove:
    def test_a_removed_chunk_is_found_by_nothing(self, shelf: Shelf) -> None:
        shelf.add(Made(1, "lantern"), Made(2, "lantern"))
        shelf.index.nearest(direction(1), shelf.space, 1)

        shelf.delete(1)

        assert ids(shelf.index.matching(asked("lantern"), 5)) == [2]
        assert ids(shelf.index.nearest(direction(1), shelf.space, 5)) == [2]
        assert_intact(shelf)

    def test_removing_twice_or_what_never_was_harms_nothing(self, shelf: Shelf) -> None:
        shelf.add(Made(1, "lantern"), Made(2, "lantern"))

        shelf.index.remove([1])
        shelf.index.remove([1, 77])
        shelf.delete(1)

        assert ids(shelf.index.matching(asked("lantern"), 5)) == [2]
        assert_intact(shelf)

    def test_a_removal_that_is_rolled_back_leaves_the_chunk(self, shelf: Shelf) -> None:
        shelf.add(Made(1, "lantern"))

        with shelf.given_up():
            shelf.delete(1)
            assert shelf.index.nearest(direction(1), shelf.space, 5) == []

        assert ids(shelf.index.matching(asked("lantern"), 5)) == [1]
        assert ids(shelf.index.nearest(direction(1), shelf.space, 5)) == [1]
        assert_intact(shelf)


class TestKnownVectors:
    def test_equal_texts_have_their_vector_already(self, shelf: Shelf) -> None:
        vector = random_vectors(1)[0]
        shelf.add(Made(1, "lantern", vector=vector), Made(2, "lantern", vector=vector))

        known = shelf.index.known_vectors(["hash of lantern", "hash of harbour"], shelf.space)

        assert known.keys() == {"hash of lantern"}
        stored = vector.astype(np.float16).astype(np.float32)
        assert known["hash of lantern"].tolist() == stored.tolist()
        assert shelf.index.vectors_of([2, 3], shelf.space)[2].tolist() == stored.tolist()

    def test_another_model_knows_nothing_of_it(self, shelf: Shelf) -> None:
        other = open_space(shelf.db, "another model", DIMENSION)
        shelf.add(Made(1, "lantern"))

        assert shelf.index.known_vectors(["hash of lantern"], other) == {}
        assert shelf.index.vectors_of([1], other) == {}


class TestSpaces:
    def test_the_same_model_and_length_is_the_same_space(self, shelf: Shelf) -> None:
        first = open_space(shelf.db, "m", 4)

        assert open_space(shelf.db, "m", 4) == first
        assert find_space(shelf.db, "m", 4) == first
        assert find_space(shelf.db, "m", 5) is None
        assert known_dimension(shelf.db, "m") == 4
        assert dimension_of(shelf.db, first) == 4

    def test_the_number_of_a_space_that_was_rolled_back_may_mean_another(
        self, shelf: Shelf
    ) -> None:
        with shelf.given_up():
            lost = open_space(shelf.db, "lost", 3)
            shelf.add(Made(1, vector=np.ones(3, np.float32)), space=lost)
            assert ids(shelf.index.nearest(np.ones(3, np.float32), lost, 1)) == [1]

        kept = open_space(shelf.db, "kept", 5)
        shelf.add(Made(1, vector=np.ones(5, np.float32)), space=kept)

        assert kept == lost
        assert ids(shelf.index.nearest(np.ones(5, np.float32), kept, 1)) == [1]


class TestGoneForGood:
    @pytest.mark.parametrize("canary", ["canary{}x", "snake_canary{}x", "CANARY{}ß", "çanary{}x"])
    def test_no_byte_of_a_removed_chunk_is_left_in_the_file(
        self, sqlite_shelf: Shelf, canary: str
    ) -> None:
        dice = random.Random(7)
        sqlite_shelf.add(*[Made(n, f"kept {made_up(dice, 40)}") for n in range(1, 101)])
        for n in range(101, 161):
            text = made_up(dice, 60, canary.format(n))
            sqlite_shelf.add(Made(n, text, title=canary.format(n), text_hash=str(n)))
        assert sqlite_shelf.db.count_bytes([b"anary"])

        for n in range(101, 161):
            sqlite_shelf.delete(n)
        for _ in sqlite_shelf.index.compact():
            pass
        vacuum(sqlite_shelf.db)

        assert sqlite_shelf.db.count_bytes([b"anary", b"ANARY"]) == 0
        assert_intact(sqlite_shelf)
        assert len(sqlite_shelf.index.matching(asked("kept"), 200)) == 100

    def test_words_written_anew_are_those_of_the_chunks_that_stay(self, shelf: Shelf) -> None:
        shelf.add(Made(1, "red lantern"), Made(2, "blue lantern"), Made(3, "lantern"))
        shelf.index.remove([1])
        shelf.index.remove([3])

        for _ in shelf.index.compact():
            pass

        assert ids(shelf.index.matching(asked("lantern"), 5)) == [2]
        assert shelf.count() == (3, 1, 1)


class TestMend:
    def test_a_chunk_without_vector_is_named(self, shelf: Shelf) -> None:
        shelf.add(Made(1), Made(2), Made(3))
        shelf.db.run("DELETE FROM vec_chunks WHERE chunk_id > 1")

        assert shelf.index.without_vector(9) == [2, 3]
        assert shelf.index.without_vector(1) == [2]

    def test_words_are_those_of_the_chunks_again(self, shelf: Shelf) -> None:
        shelf.add(Made(1, "red lantern"), Made(2, "blue lantern"))
        with shelf.db.transaction():
            shelf.index.remove([1])
            shelf.index.replace_vectors(shelf.space, [(1, direction(1))])

        done = shelf.index.mend()

        assert done["texts indexed"] == 2
        assert ids(shelf.index.matching(asked("red"), 5)) == [1]
        assert_intact(shelf)

    def test_a_vector_of_another_length_is_dropped(self, db: Database) -> None:
        shelf = Shelf(db, 4001)  # up to 4000, PostgreSQL's graph refuses such a vector
        shelf.add(Made(1, vector=random_vectors(1, 4001)[0]))
        short = "'[1,2]'" if db.engine == "postgres" else "x'003c003c'"
        db.run(f"UPDATE vec_chunks SET embedding = {short}")

        done = shelf.index.mend()

        assert done["wrong vectors"] == 1
        assert shelf.index.without_vector(9) == [1]


class TestDisagreements:
    def test_a_chunk_without_vector_is_told(self, shelf: Shelf) -> None:
        shelf.add(Made(1), Made(2))

        shelf.db.run("DELETE FROM vec_chunks WHERE chunk_id = 1")

        assert shelf.index.disagreements() == ["1 chunks have no vector"]

    def test_a_chunk_without_text_is_told(self, shelf: Shelf) -> None:
        shelf.add(Made(1), Made(2))

        shelf.index.remove([1])
        shelf.db.run(
            "INSERT INTO vec_chunks SELECT 1, space_id, embedding FROM vec_chunks"
            " WHERE chunk_id = 2"
        )

        [told] = shelf.index.disagreements()
        assert "1 chunks" in told
        assert "full-text index" in told

    def test_a_vector_that_is_not_as_long_as_its_models_is_told(self, db: Database) -> None:
        shelf = Shelf(db, 4001)  # up to 4000, PostgreSQL's graph refuses such a vector
        shelf.add(Made(1, vector=random_vectors(1, 4001)[0]))
        assert shelf.index.disagreements() == []

        short = "'[1,2]'" if db.engine == "postgres" else "x'003c003c'"
        db.run(f"UPDATE vec_chunks SET embedding = {short}")

        assert shelf.index.disagreements() == ["1 vectors are not as long as their model's"]

    def test_text_that_outlived_its_row_is_told(self, sqlite_shelf: Shelf) -> None:
        sqlite_shelf.add(Made(1))

        sqlite_shelf.db.run("DELETE FROM lsm_chunks")

        assert sqlite_shelf.index.disagreements() == ["1 chunks differ from the full-text index"]

    def test_a_vector_that_outlived_its_row_is_told(self, sqlite_shelf: Shelf) -> None:
        sqlite_shelf.add(Made(1))

        with apsw.Connection(sqlite_shelf.db.url) as another_program:  # foreign keys are off there
            another_program.execute("DELETE FROM lsm_chunks")
        another_program.close()

        assert sqlite_shelf.index.disagreements() == [
            "1 vectors have no chunk",
            "1 chunks differ from the full-text index",
        ]

    def test_nothing_outlives_its_row_on_postgresql(self, shelf: Shelf) -> None:
        if shelf.db.engine == "sqlite":
            pytest.skip("there, only `remove` keeps the full text in step")
        shelf.add(Made(1), Made(2))

        shelf.db.run("DELETE FROM lsm_chunks WHERE chunk_id = 1")

        assert shelf.count() == (1, 1, 1)
        assert shelf.index.disagreements() == []


steps = st.lists(
    st.tuples(
        st.sampled_from(["put", "replace", "remove", "move"]),
        st.integers(0, 5),
        st.booleans(),
    ),
    min_size=1,
    max_size=10,
)


@given(steps)
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_happens_all_three_agree_with_a_plain_dictionary(
    shelf: Shelf, steps: list[tuple[str, int, bool]]
) -> None:
    shelf.delete(*[row[0] for row in shelf.db.tuples("SELECT chunk_id FROM lsm_chunks")])
    other = open_space(shelf.db, "another model", DIMENSION)
    model: dict[int, int] = {}  # chunk -> space

    for number, (step, which, rolled_back) in enumerate(steps):
        before = dict(model)
        with shelf.given_up() if rolled_back else shelf.db.transaction():
            carry_out(shelf, step, (model, which, number), other)
            shelf.index.nearest(direction(1), shelf.space, 99)
        if rolled_back:
            model = before

        assert shelf.index.disagreements() == []
        assert set(ids(shelf.index.matching(asked("lantern"), 99))) == model.keys()
        for space in (shelf.space, other):
            expected = {chunk for chunk, its_space in model.items() if its_space == space}
            assert set(ids(shelf.index.nearest(direction(1), space, 99))) == expected
    assert_intact(shelf)


def made_up(dice: random.Random, count: int, start: str = "") -> str:
    return " ".join(start + "".join(dice.choices("bcdefghijklm", k=8)) for _ in range(count))


def carry_out(shelf: Shelf, step: str, at: tuple[dict[int, int], int, int], other: int) -> None:
    model, which, number = at
    if step == "put":
        chunk_id = max(model, default=0) + 1
        shelf.add(Made(chunk_id, f"lantern {number}", vector=random_vectors(1, seed=number)[0]))
        model[chunk_id] = shelf.space
    elif which in model and step == "remove":
        shelf.delete(which)
        del model[which]
    elif which in model:
        space = other if step == "move" else shelf.space
        shelf.index.replace_vectors(space, [(which, random_vectors(1, seed=number)[0])])
        model[which] = space


def assert_intact(shelf: Shelf) -> None:
    assert shelf.index.disagreements() == []
    if shelf.db.engine == "sqlite":  # compares every word with the rows; raises if one differs
        shelf.db.run("INSERT INTO chunks_fts (chunks_fts, rank) VALUES ('integrity-check', 1)")
