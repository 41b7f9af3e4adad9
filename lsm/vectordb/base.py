"""What a chunk index is: shapes, units and promises that hold on both engines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]

NOW = 2**62  # a version later than any: "as it is"


@dataclass(frozen=True)
class Where:
    """Which chunks may be found. Compared before the k are counted."""

    version: int = NOW  # as the library was after this version
    path: str | None = None  # glob, see `lsm.vectordb.pathglob`
    extensions: tuple[str, ...] = ()  # any of them; small letters, with the dot
    tags: tuple[str, ...] = ()  # all of them; small letters
    since: str | None = None  # modified at or after this instant, as `lsm.clock` writes it

    @property
    def by_document(self) -> bool:
        """Whether anything but the version is asked for."""
        return bool(self.path or self.extensions or self.tags or self.since)


ANYWHERE = Where()


@dataclass(frozen=True)
class TextQuery:
    """What to look for, in the user's words and never in an engine's syntax."""

    # Small letters; any of them. One with blanks in it is several words in that order.
    words: tuple[str, ...]
    phrases: tuple[tuple[str, ...], ...] = ()  # words in this order; all of them must be there


@dataclass(frozen=True)
class Scored:
    """A chunk and how well it fits; higher is better, the scale is the leg's own."""

    chunk_id: int
    score: float


@dataclass(frozen=True)
class IndexEntry:
    """What the index has to know of a new chunk."""

    chunk_id: int
    title: str
    heading: str
    text: str
    space_id: int  # whose model made the vector
    vector: Vector  # shape (d,), float32, unit length


class ChunkIndex(Protocol):
    """Full text and vectors of the chunks, in the same transaction as their rows.

    `put`, `replace_vectors` and `remove` are called inside the caller's transaction.
    """

    def put(self, entries: Sequence[IndexEntry]) -> None:
        """Index new chunks, whose rows are already in `lsm_chunks`.

        Raises:
            VectorError: a vector of another length than its model's, or not finite, or zero.
        """
        ...

    def replace_vectors(self, space_id: int, vectors: Sequence[tuple[int, Vector]]) -> None:
        """Give chunks, by id, the vector of another model.

        Raises:
            VectorError: as for `put`.
        """
        ...

    def remove(self, chunk_ids: Sequence[int]) -> None:
        """Forget chunks; their rows in `lsm_chunks` still stand.

        Their words are found no more, and leave the disk with `compact`.
        """
        ...

    def compact(self) -> Iterator[None]:
        """Rewrite the full text without what was removed; every step is a short transaction.

        Stopped in between, nothing is lost and the next one goes on.
        """
        ...

    def without_vector(self, limit: int) -> list[int]:
        """At most *limit* chunks that have no vector, of whatever model."""
        ...

    def mend(self) -> dict[str, int]:
        """Drop what belongs to no chunk or is no vector, and write the full text anew.

        Vectors that are missing are not made here. One transaction.

        Returns:
            What was done, each with a number of rows.
        """
        ...

    def matching(self, query: TextQuery, k: int, where: Where = ANYWHERE) -> list[Scored]:
        """The *k* chunks that fit *query* best by BM25, best first; fewer if fewer match."""
        ...

    def occurring(self, words: Sequence[str]) -> set[str]:
        """Those of *words* that stand in any chunk at all, in any of their forms."""
        ...

    def nearest(
        self, query: Vector, space_id: int, k: int, where: Where = ANYWHERE
    ) -> list[Scored]:
        """The *k* chunks closest to *query* by cosine in [-1, 1], closest first.

        Args:
            query: shape (d,), float32, unit length, of the model named by *space_id*;
                chunks of other models are not compared with it.
            space_id: row of `lsm_vector_spaces`.
            k: at least 1; fewer hits come back when fewer chunks qualify.
            where: which chunks qualify.
        """
        ...

    def known_vectors(self, text_hashes: Sequence[str], space_id: int) -> dict[str, Vector]:
        """Vectors already made for chunks of the same content hash, by hash."""
        ...

    def vectors_of(self, chunk_ids: Sequence[int], space_id: int) -> dict[int, Vector]:
        """The vectors of chunks, by id; those of another model are left out."""
        ...

    def outdated(self, space_id: int, limit: int) -> list[int]:
        """At most *limit* chunks whose vector is of another model."""
        ...

    def disagreements(self) -> list[str]:
        """Where rows, vectors and full text differ, as sentences; empty when they agree."""
        ...
