"""What every model's answer must pass before anything else sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsm.errors import EmbeddingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lsm.embedding.base import Vectors

    Rows = NDArray[np.floating] | Sequence[Sequence[float] | NDArray[np.floating]]


def checked(rows: Rows, count: int, dimension: int) -> Vectors:
    """*rows* as shape (count, dimension), float32, each of unit length.

    Args:
        rows: an array or a list of vectors, of any length; it is not changed.
        count: how many texts were given to the model.
        dimension: numbers a vector must have.

    Raises:
        EmbeddingError: too few or too many vectors, one of another length, or one that
            is zero or not finite. Names the first such text by its index, from 0.
    """
    import numpy as np

    if len(rows) != count:
        raise EmbeddingError(_miscounted(len(rows), count))
    for index, row in enumerate(rows):
        if len(row) != dimension:
            problem = f"its vector has {len(row)} numbers, not {dimension}"
            raise EmbeddingError(f"text {index}: {problem}")
    # In float64, where the squares of float32 numbers can neither overflow nor vanish.
    exact = np.array(rows, dtype=np.float64).reshape(count, dimension)
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.sqrt(np.einsum("ij,ij->i", exact, exact))
        _refuse_unusable(lengths)
        return (exact / lengths[:, None]).astype(np.float32)


def _refuse_unusable(lengths: NDArray[np.floating]) -> None:
    import numpy as np

    for problem, found in (
        ("holds a number that is not finite", ~np.isfinite(lengths)),
        ("is zero, so it has no direction", lengths == 0),
    ):
        if found.any():
            raise EmbeddingError(f"text {int(found.argmax())}: its vector {problem}")


def _miscounted(answered: int, count: int) -> str:
    if answered < count:
        return f"text {answered}: no vector; the model answered {answered} for {count} texts"
    return f"the model answered {answered} vectors for {count} texts"
