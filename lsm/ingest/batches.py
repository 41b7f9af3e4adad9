"""A batch of files on its way into the library: what is written in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from lsm.ingest.failures import FailedFile
from lsm.ingest.manifest import FileState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lsm.ingest.scan import Candidate
    from lsm.vectordb.base import Vector
    from lsm.vectordb.library import NewDocument

T = TypeVar("T")

MAX_CHUNKS = 2000  # a transaction of this many takes a fifth of a second
MAX_FILES = 500


@dataclass(frozen=True)
class Arrival:
    """A file that was parsed."""

    document: NewDocument
    state: FileState  # its document id and version are told when it is written
    before: FileState | None  # what the manifest held when it was read


@dataclass(frozen=True)
class Move:
    """A file that is the same as one that is no longer where it was."""

    old_path: str
    state: FileState
    before: FileState  # of the old path


@dataclass
class Batch:
    """What is written together."""

    arrivals: list[Arrival] = field(default_factory=list[Arrival])
    moves: list[Move] = field(default_factory=list[Move])
    restamps: list[FileState] = field(default_factory=list[FileState])  # same bytes, other times
    failures: list[FailedFile] = field(default_factory=list[FailedFile])
    # Dry run only: files that are new or changed, and were not parsed to tell more.
    untold: list[Candidate] = field(default_factory=list["Candidate"])
    vectors: dict[str, Vector] = field(default_factory=dict[str, "Vector"])
    embedded: int = 0  # texts the model was asked about
    pieces: int = 0  # of all that have arrived

    def arrive(self, arrival: Arrival) -> None:
        """Add a file that was parsed."""
        self.arrivals.append(arrival)
        self.pieces += len(arrival.document.pieces)

    @property
    def files(self) -> int:
        """How many files it holds."""
        return len(self.arrivals) + len(self.moves) + len(self.restamps) + len(self.failures)

    @property
    def is_full(self) -> bool:
        """Whether it should be written before more is added."""
        return self.pieces >= MAX_CHUNKS or self.files >= MAX_FILES


def batched(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """*items* in parts of at most *size*. (`itertools.batched` comes with Python 3.12.)"""
    for start in range(0, len(items), size):
        yield items[start : start + size]
