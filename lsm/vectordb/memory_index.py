"""What a memory index is: full text and vectors of the memories that may be recalled.

Words follow their rows by triggers, and so do vectors on the way out: a memory that is changed,
deleted, expired or superseded leaves both in the very statement. Only new vectors are brought here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lsm.db import Database
    from lsm.vectordb.base import TextQuery, Vector


COMMON = 2000  # memories that have a word; it then tells little, and costs much to rank by


@dataclass(frozen=True)
class MemoryWhere:
    """Which memories may be found; compared in SQL, before anything is counted or ranked.

    Only active ones qualify, whatever is asked; there is no way to ask for others.
    """

    now: str  # what has expired by then does not qualify; as `lsm.clock` writes it
    scope: str = ""  # this scope and everything below it; "" is everywhere
    exact_scope: bool = False  # this scope alone
    types: tuple[str, ...] = ()  # any of them
    tags: tuple[str, ...] = ()  # all of them
    trusts: tuple[str, ...] = ()  # any of them
    key: str | None = None
    value: Mapping[str, str | float | bool | None] | None = None  # members the value must have

    @property
    def narrow(self) -> bool:
        """Whether anything but expiry is asked for."""
        return self != MemoryWhere(self.now)


@dataclass(frozen=True)
class Question:
    """What is asked in words, in meaning, or both."""

    words: TextQuery | None
    vector: Vector | None  # shape (d,), float32, unit length
    model: str  # which made the vector


@dataclass(frozen=True)
class Found:
    """A memory's number and how well it fits; higher is better, the scale is the leg's own."""

    number: int
    score: float


class MemoryIndex(Protocol):
    """Finds memories by filter, by words and by meaning."""

    def put(self, model: str, vectors: Sequence[tuple[int, Vector]]) -> None:
        """Give active memories, by number, a vector of *model*; in the caller's transaction.

        Raises:
            VectorError: a vector that is not finite, or zero.
        """
        ...

    def forget(self, texts: Sequence[str]) -> None:
        """See that nothing of memories just deleted stays behind, in the caller's transaction.

        Args:
            texts: what they said. No index keeps a word of it, no process their vectors.
        """
        ...

    def traces(self, number: int) -> list[bytes]:
        """Bytes by which a memory's vector is recognised in the database's file.

        None if it has no vector, or shares it with another memory.
        """
        ...

    def without_vector(self, model: str, limit: int) -> list[int]:
        """At most *limit* active memories that have no vector of *model*, oldest first."""
        ...

    def listed(self, where: MemoryWhere, limit: int, before: int | None = None) -> list[int]:
        """Numbers below *before* of memories *where* allows, newest first, at most *limit*."""
        ...

    def scopes(self, where: MemoryWhere) -> list[tuple[str, int, str]]:
        """Each scope with its number of memories and the newest one's creation, by name."""
        ...

    def matching(self, query: TextQuery, k: int, where: MemoryWhere) -> list[Found]:
        """The *k* memories that fit *query* best by BM25, best first; fewer if fewer match.

        Words that `COMMON` or more memories have are looked up only if there are no rarer ones.
        """
        ...

    def nearest(self, query: Vector, model: str, k: int, where: MemoryWhere) -> list[Found]:
        """The *k* memories closest to *query* by cosine in [-1, 1], closest first.

        Args:
            query: shape (d,), float32, unit length, made by *model*.
            model: memories whose vector another model made are not compared.
            k: at least 1; fewer come back only when fewer memories qualify.
            where: which memories qualify.
        """
        ...

    def answers(
        self, question: Question, k: int, where: MemoryWhere
    ) -> tuple[list[Found], list[Found]]:
        """What `matching` and `nearest` find; what is not asked finds nothing."""
        ...

    def mend(self) -> dict[str, int]:
        """Drop vectors of what may not be recalled, and write the full text anew.

        Returns:
            What was done, each with a number of rows.
        """
        ...

    def disagreements(self) -> list[str]:
        """Where rows, vectors and full text differ, as sentences; empty when they agree."""
        ...


def open_memory_index(db: Database) -> MemoryIndex:
    """The memory index of *db*, whichever engine it is."""
    if db.engine == "postgres":
        from lsm.vectordb.postgres_memory import PostgresMemoryIndex

        return PostgresMemoryIndex(db)
    from lsm.vectordb.sqlite_memory import SqliteMemoryIndex

    return SqliteMemoryIndex(db)
