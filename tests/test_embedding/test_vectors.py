import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.embedding import checked
from lsm.errors import EmbeddingError

numbers = st.floats(-1e30, 1e30).filter(lambda x: x == 0 or abs(x) > 1e-30)
rows = st.lists(st.tuples(numbers, numbers, numbers).filter(any), max_size=5)


@given(rows)
def test_vectors_keep_their_direction_and_get_unit_length(given: list[tuple[float, ...]]) -> None:
    vectors = checked(given, len(given), 3)

    assert vectors.dtype == np.float32
    assert vectors.shape == (len(given), 3)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-6)
    for vector, row in zip(vectors, given, strict=True):
        exact = np.array(row, np.float64)
        assert vector == pytest.approx(exact / np.linalg.norm(exact), abs=1e-6)


def test_an_array_is_left_as_it_was() -> None:
    array = np.array([[3.0, 4.0]], np.float32)

    checked(array, 1, 2)

    assert array.tolist() == [[3.0, 4.0]]


@pytest.mark.parametrize("as_array", [False, True])
@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        ([np.nan, 1.0], "text 1: its vector holds a number that is not finite"),
        ([np.inf, 1.0], "text 1: its vector holds a number that is not finite"),
        ([-np.inf, np.inf], "text 1: its vector holds a number that is not finite"),
        ([0.0, 0.0], "text 1: its vector is zero, so it has no direction"),
    ],
)
def test_a_vector_without_a_direction_is_refused_by_its_index(
    bad: list[float], problem: str, as_array: bool
) -> None:
    given = [[1.0, 0.0], bad, bad]

    with pytest.raises(EmbeddingError) as caught:
        checked(np.array(given, np.float32) if as_array else given, 3, 2)

    assert str(caught.value) == problem


@pytest.mark.parametrize("length", [0, 1, 3])
def test_a_vector_of_another_length_is_refused_by_its_index(length: int) -> None:
    with pytest.raises(EmbeddingError) as caught:
        checked([[1.0, 0.0], [1.0] * length], 2, 2)

    assert str(caught.value) == f"text 1: its vector has {length} numbers, not 2"


@pytest.mark.parametrize(
    ("count", "problem"),
    [
        (3, "text 2: no vector; the model answered 2 for 3 texts"),
        (1, "the model answered 2 vectors for 1 texts"),
    ],
)
def test_another_number_of_vectors_than_of_texts_is_refused(count: int, problem: str) -> None:
    with pytest.raises(EmbeddingError) as caught:
        checked([[1.0, 0.0], [0.0, 1.0]], count, 2)

    assert str(caught.value) == problem
