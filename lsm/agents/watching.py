"""What agents see of feeds and saved searches: handed in, so that agents know no other service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class NewItem(Protocol):
    """Something that was not taken up before. All of it is a stranger's."""

    @property
    def title(self) -> str:
        """One line."""
        ...

    @property
    def url(self) -> str:
        """Its address, or ""."""
        ...

    @property
    def snippet(self) -> str:
        """One line."""
        ...

    @property
    def published(self) -> str | None:
        """When, as `lsm.clock` writes it."""
        ...


class NewItems(Protocol):
    """What one source has that was not taken up before, newest first."""

    @property
    def name(self) -> str:
        """Of the source, for people."""
        ...

    @property
    def provider(self) -> str:
        """Its name in the settings."""
        ...

    @property
    def items(self) -> Sequence[NewItem]:
        """As many as were asked for."""
        ...

    @property
    def waiting(self) -> int:
        """How many more there are."""
        ...

    @property
    def problem(self) -> str | None:
        """Why some of it is missing or old."""
        ...


class KeptNews(Protocol):
    """Items that are ready to become documents."""

    @property
    def problems(self) -> Sequence[str]:
        """Those that cannot, one line each."""
        ...

    def write(self) -> int | None:
        """Make them documents and take them up, in the caller's transaction.

        Returns:
            The version of the library that holds them; None if nothing changed.
        """
        ...


class Watching(Protocol):
    """The way to what is new elsewhere. What is new for one purpose is not for another."""

    def feeds(self) -> Sequence[str]:
        """The feeds that the settings enable."""
        ...

    def most_candidates(self) -> int:
        """How many memories one run may propose."""
        ...

    def of_feed(self, feed: str, purpose: str, most: int) -> NewItems:
        """New items of a feed, by address or name. Asks the network. Raises LsmError."""
        ...

    def of_search(self, provider: str, query: str, purpose: str, most: int) -> NewItems:
        """New results of a search. Asks the network. Raises LsmError."""
        ...

    def take_up(self, news: NewItems) -> None:
        """From now on these are not new. In the transaction of what became of them."""
        ...

    def prepare(self, news: Sequence[NewItems]) -> KeptNews:
        """Make documents of them, as far as that goes without writing. Raises LsmError."""
        ...
