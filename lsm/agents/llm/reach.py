"""What agents with a model can reach: handed in, so that they know no other service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lsm.agents.grants import Grants
    from lsm.agents.llm.model import LanguageModel
    from lsm.agents.memory import MemoryStore
    from lsm.agents.tools import IngestResult
    from lsm.clock import Clock
    from lsm.config.models import AgentsConfig
    from lsm.db.database import Database


@dataclass(frozen=True)
class Passage:
    """A piece of a document of the library."""

    path: str
    title: str
    heading: str
    start_line: int  # 1-based and inclusive, as is the next
    end_line: int
    page: int | None
    text: str


@dataclass(frozen=True)
class Page:
    """Something that a remote source answered."""

    provider: str
    title: str
    url: str
    published: str | None
    text: str  # all of it


@dataclass(frozen=True)
class RemoteSource:
    """A source that the configuration enables."""

    name: str
    takes_addresses: bool  # its queries are addresses of pages, not words


class Search(Protocol):
    """Finds passages of the library."""

    def __call__(
        self, query: str, k: int, *, path: str | None, tag: str | None
    ) -> Sequence[Passage]:
        """The *k* passages that fit best, best first; *path* is a glob."""
        ...


@dataclass(frozen=True)
class Reach:
    """Everything that a tool can do, and the limits it does it in."""

    db: Database
    search: Search
    document: Callable[[str], Sequence[Passage]]  # of a path, in order; raises NotFoundError
    memories: MemoryStore  # as a person's; finds by meaning as well
    sources: Callable[[], Sequence[RemoteSource]]  # that may be asked
    ask: Callable[[str, str, int], Sequence[Page]]  # source, query, how many
    keep: Callable[
        [str], Sequence[str]
    ]  # a page into the library, by its address; what became of it
    ingest: Callable[[Callable[[], bool]], IngestResult]
    grants: Grants
    config: AgentsConfig
    open_model: Callable[[str], LanguageModel]  # "" is the configured one
    tell: Callable[[str], None]  # what is being done, for somebody who waits
    clock: Clock
