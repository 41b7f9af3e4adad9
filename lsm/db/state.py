"""What stands at the place of a database, decided before anything is written there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from lsm.errors import AccessError, DamagedError, ForeignError, NewerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.errors import StorageError

APPLICATION_ID = 0x4C534D31  # "LSM1", in the header of every file we make


class State(StrEnum):
    """The seven things that can stand there."""

    NEW = "new"  # nothing, or a database without a single table
    CURRENT = "current"
    OLDER = "older"  # ours, to be migrated
    NEWER = "newer"  # ours, written by a later LSM: left alone
    FOREIGN = "foreign"  # another program's: left alone
    DAMAGED = "damaged"  # left alone until it is repaired or restored
    UNREADABLE = "unreadable"  # permissions, or not a file


@dataclass(frozen=True)
class Found:
    """A state and, for the person who has to act on it, why it was decided."""

    state: State
    detail: str = ""


_REFUSALS: dict[State, tuple[Callable[[str], StorageError], str]] = {
    State.NEWER: (NewerError, "install that version of lsm or newer"),
    State.FOREIGN: (ForeignError, "choose another place with --home or --database"),
    State.DAMAGED: (DamagedError, "restore a backup, or move it away and ingest again"),
    State.UNREADABLE: (AccessError, "check its owner and permissions"),
}


def refuse_unusable(place: str, found: Found) -> None:
    """Raise the error that fits a state that must not be opened for use.

    Raises:
        NewerError, ForeignError, DamagedError, AccessError: by `found.state`.
    """
    if found.state in _REFUSALS:
        error, remedy = _REFUSALS[found.state]
        raise error(f"{place}: {found.detail}; {remedy}")
