"""What a move found, and what became of it."""

from __future__ import annotations

import msgspec


class Kind(msgspec.Struct):
    """The rows of one table. Either all of its rows are imported, identical or skipped."""

    source: int
    imported: int = 0  # or would be
    identical: int = 0  # there already, from an earlier move that came to its end
    merged: int = 0
    conflict: int = 0
    quarantined: int = 0
    skipped: int = 0  # true of the source alone


class Problem(msgspec.Struct, frozen=True):
    """A row, or a table, that stands against it."""

    kind: str  # the table
    key: str  # the row's primary key; "" for all of it
    reason: str


class Digests(msgspec.Struct):
    """SHA-256 of the content of either side."""

    source: str
    target: str | None = None  # None: nothing is there yet


class MoveReport(msgspec.Struct):
    """A row a table, and whether both sides hold the same."""

    source: str  # addresses, without passwords
    target: str
    dry_run: bool
    kinds: dict[str, Kind]
    digest: Digests
    about: str = ""  # the target's server
    verified: bool = False
    problems: list[Problem] = []
    resumed: int = 0  # rows that an earlier, interrupted run had moved
    needed_bytes: int = 0  # of disk, about
    free_bytes: int | None = None  # None: the disk is a server's

    @property
    def rows(self) -> int:
        """How many rows are moved in all."""
        return sum(kind.imported for kind in self.kinds.values())
