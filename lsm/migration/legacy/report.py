"""What an import found and did, or would do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import msgspec

from lsm.migration.legacy.records import KINDS

if TYPE_CHECKING:
    from lsm.migration.legacy.records import Kind

Outcome = Literal["imported", "identical", "merged", "conflict", "quarantined", "skipped"]
# read: all of it. partly: a part was broken. unreadable: nothing was taken over. absent: no file.
State = Literal["read", "partly", "unreadable", "absent"]


class KindReport(msgspec.Struct):
    """The records of one kind. `source` is the sum of the others."""

    source: int = 0
    imported: int = 0
    identical: int = 0  # here already, from an earlier import or by themselves
    merged: int = 0  # taken into what was here
    conflict: int = 0  # what is here stays; the record is kept beside it
    quarantined: int = 0  # cannot be held as what it is; kept whole
    skipped: int = 0  # derived, or erased here since an earlier import
    state: State = "absent"
    # Over what was compared: the records of the source, and what was read back from here.
    source_digest: str = ""
    target_digest: str = ""

    def count(self, outcome: Outcome) -> None:
        """One more record that ended as *outcome*."""
        self.source += 1
        setattr(self, outcome, getattr(self, outcome) + 1)

    @property
    def adds_up(self) -> bool:
        """Whether every record of the source has ended somewhere."""
        parts = (self.imported, self.identical, self.merged, self.conflict)
        return self.source == sum(parts) + self.quarantined + self.skipped


class Problem(msgspec.Struct, frozen=True):
    """Something that a person should know about one record or file."""

    kind: str
    key: str
    reason: str


class SourceState(msgspec.Struct, frozen=True):
    """A file that was looked at."""

    kind: str
    path: str
    state: str  # as `State`, or "unused": there as well, and not what was in use


@dataclass
class Report:
    """Everything an import has to say."""

    home: str
    config: str
    applied: bool
    kinds: dict[Kind, KindReport] = field(
        default_factory=lambda: {kind: KindReport() for kind in KINDS}
    )
    verified: bool = False
    problems: list[Problem] = field(default_factory=list[Problem])
    notes: list[Problem] = field(default_factory=list[Problem])  # worth knowing, and no problem
    sources: list[SourceState] = field(default_factory=list[SourceState])
    mismatches: int = 0  # records that are not here as they stand in the source

    def tell(self, kind: str, key: str, reason: str) -> None:
        """Add a problem."""
        self.problems.append(Problem(kind, key, reason))

    @property
    def unreadable(self) -> bool:
        """Whether a source, or a part of one, could not be read."""
        broken = any(kind.state in ("unreadable", "partly") for kind in self.kinds.values())
        # Without its configuration nobody knows whether all of a home was found.
        return broken or any(problem.kind == "config" for problem in self.problems)
