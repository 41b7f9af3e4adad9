"""What an embedder is. Imports nothing but numpy's types, and those only for checking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into vectors whose cosine says how close their meanings are."""

    @property
    def model(self) -> str:
        """What made the vectors, exact enough that equal names mean equal vectors."""
        ...

    @property
    def dimension(self) -> int:
        """Length d of every vector."""
        ...

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """Shape (len(texts), d), float32, rows of unit length, in the order of *texts*.

        An empty sequence gives shape (0, d).

        Raises:
            EmbeddingError: the model failed, or answered something that is not that.
        """
        ...

    def embed_query(self, text: str) -> Vectors:
        """Shape (d,), float32, unit length. Some models treat queries unlike documents."""
        ...
