"""What the import needs of the stores that hold what it brings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from lsm.failpoints import reach

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lsm.clock import Clock
    from lsm.db import Database
    from lsm.migration.legacy.records import Kind

T_contra = TypeVar("T_contra", contravariant=True)


class Shelf(Protocol[T_contra]):
    """Where records of one kind belong. Every method joins the caller's transaction."""

    def key(self, item: T_contra) -> str:
        """What *item* is called here."""
        ...

    def digest(self, item: T_contra) -> str:
        """64 hex digits of what is to stand here for *item*."""
        ...

    def held(self, items: Sequence[T_contra]) -> list[str | None]:
        """The same of what does stand here for each of *items*; None: nothing does."""
        ...

    def present(self, keys: Sequence[str]) -> set[str]:
        """Those of *keys* that stand here, whatever they say."""
        ...

    def remark(self, item: T_contra) -> str:
        """What a person should know of what *item* becomes here; "" if it is what it was."""
        ...

    def flaw(self, item: T_contra) -> str:
        """What of *item* could not be used, although it is kept; "" for nothing."""
        ...

    def insert(self, item: T_contra) -> None:
        """Put *item* where nothing stands.

        Raises:
            ValueError: it cannot stand here; says why.
        """
        ...

    def replace(self, item: T_contra) -> None:
        """Put *item* in the place of what an earlier import put there."""
        ...

    def absorb(self, item: T_contra) -> str | None:
        """Take *item* into what stands here already; how, in words. None: the two differ."""
        ...


@dataclass(frozen=True)
class Target:
    """The database that everything comes into."""

    db: Database
    clock: Clock
    shelves: Mapping[Kind, Shelf[Any]]
    # Told why files may not be taken for deleted; None: they may again.
    hold_deletions: Callable[[str | None], None]
    # Called at labelled points; tests end the process there.
    reached: Callable[[str], None] = reach
