"""What every source is to the rest of `remote`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from lsm.errors import InvalidError
from lsm.remote.errors import RemoteError
from lsm.remote.results import Found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.config.models.remote import ProviderConfig
    from lsm.remote.answers import Fetched
    from lsm.remote.fetch import Web
    from lsm.remote.network import Key
    from lsm.remote.providers.feed_formats import ReadFeed
    from lsm.remote.providers.page import Readable
    from lsm.remote.storage import Held

# Answers are asked for in these sizes, so that 5 results and 10 are one entry of the cache.
_SIZES = (10, 25, 50, 100, 200)
MAX_RESULTS = _SIZES[-1]
_LONGEST_QUERY = 1000  # characters


@dataclass(frozen=True)
class Setting:
    """What a provider is made from."""

    name: str
    config: ProviderConfig
    key: Key | None
    contact: str  # an e-mail address, or ""


@dataclass(frozen=True)
class Readers:
    """What reads strangers' bytes, apart from this process if need be."""

    page: Readable
    feed: ReadFeed


class Provider(Protocol):
    """A source that can be searched."""

    def questions(self, query: str, k: int, *, newest: bool = False) -> list[Any]:
        """The requests, as JSON values without secrets, that together answer *query*.

        Args:
            query: what is looked for.
            k: how many results are wanted.
            newest: the newest rather than the best, where the source can tell.

        Raises:
            InvalidError: *query* is nothing this source can be asked.
        """
        ...

    def ask(self, question: Any, web: Web, held: Held | None) -> Fetched:
        """The source's answer to one of `questions`: a list of `Found` as its response.

        Raises:
            RemoteError: it is none.
        """
        ...

    def choose(self, answers: Sequence[list[Found]], query: str, k: int) -> list[Found]:
        """Of what `questions` brought, the *k* that answer *query* best, best first."""
        ...

    def mark_seen(self, results: Sequence[Found]) -> None:
        """Take note that somebody has been shown *results*."""
        ...


class Search:
    """A source that searches by itself: one question, answered in its order."""

    by_date = False  # whether it can be asked for the newest

    def questions(self, query: str, k: int, *, newest: bool = False) -> list[Any]:
        """One: the words and how many results."""
        question: dict[str, Any] = {"query": words(query), "k": size_for(k)}
        return [question | {"newest": True} if newest and self.by_date else question]

    def choose(self, answers: Sequence[list[Found]], query: str, k: int) -> list[Found]:  # noqa: ARG002
        """The source's own order."""
        return [result for answer in answers for result in answer][:k]

    def mark_seen(self, results: Sequence[Found]) -> None:
        """A search has nothing to mark."""


class HeldAnswers(Search):
    """A source that nobody can ask any more, and whose answers are held."""

    def ask(self, question: Any, web: Web, held: Held | None) -> Fetched:  # noqa: ARG002
        """Never an answer."""
        raise RemoteError("offline", "no source of that name is configured")


def words(query: str) -> str:
    """*query* with single blanks between its words.

    Raises:
        InvalidError: nothing is left, or too much.
    """
    text = " ".join("".join(c if c.isprintable() else " " for c in query).split())
    if not text or len(text) > _LONGEST_QUERY:
        raise InvalidError("query", f"must have 1 to {_LONGEST_QUERY} characters")
    return text


def size_for(k: int) -> int:
    """The number of results to ask a source for, so that *k* are there."""
    return next((size for size in _SIZES if size >= k), MAX_RESULTS)


def response_of(results: Sequence[Found]) -> Any:
    """*results* as the cache keeps them."""
    return msgspec.to_builtins(list(results))


def results_in(response: Any) -> list[Found]:
    """What `response_of` made. Raises msgspec.ValidationError if it did not."""
    return msgspec.convert(response, list[Found])
