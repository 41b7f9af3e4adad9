"""Wires agents to what is new elsewhere, and to the library that may keep it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, cast

from lsm.remote.keeping import address_of, kept_document
from lsm.remote.news import NewsDesk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.agents.watching import NewItems
    from lsm.app import Mind
    from lsm.ingest.keeping import KeptDocuments, Prepared
    from lsm.remote.watched import News


class Watch:
    """What `lsm.agents.watching.Watching` describes, of one mind."""

    def __init__(self, mind: Mind) -> None:
        self._mind = mind

    def feeds(self) -> list[str]:
        """Names of the enabled sources that are feeds."""
        return self._mind.remote.enabled("feed")

    def most_candidates(self) -> int:
        """As configured."""
        return self._mind.config.agents.memory.candidates_per_run

    def of_feed(self, feed: str, purpose: str, most: int) -> News:
        """See `NewsDesk.of_feed`."""
        return self._desk.of_feed(feed, purpose, most)

    def of_search(self, provider: str, query: str, purpose: str, most: int) -> News:
        """See `NewsDesk.of_search`."""
        return self._desk.of_search(provider, query, purpose, most)

    def take_up(self, news: NewItems) -> None:
        """See `NewsDesk.take_up`."""
        self._desk.take_up(cast("News", news))

    def prepare(self, news: Sequence[NewItems]) -> KeptNews:
        """Parse and embed *news* as documents; `KeptNews.write` puts them into the library."""
        found = cast("Sequence[News]", news)
        documents = [
            kept_document(item, each.provider, each.retrieved_at)
            for each in found
            for item in each.items
        ]
        library = self._mind.keeping.documents
        prepared = library.prepare([each for each in documents if each.source_path])
        problems = [f"{error.url}: {error.reason}" for error in prepared.errors]
        problems += [f"{d.title}: it has no address" for d in documents if not d.source_path]
        return KeptNews(self._desk, library, prepared, tuple(found), problems)

    @cached_property
    def _desk(self) -> NewsDesk:
        return NewsDesk(self._mind.remote, self._mind.db, self._mind.clock)


@dataclass(frozen=True)
class KeptNews:
    """News on its way into the library."""

    _desk: NewsDesk
    _library: KeptDocuments
    _prepared: Prepared
    _news: tuple[News, ...]
    problems: Sequence[str]

    def write(self) -> int | None:
        """Make documents of it and take it up, in the caller's transaction."""
        report = self._library.write(self._prepared)
        failed = {error.url for error in self._prepared.errors}
        for news in self._news:
            # What failed is tried again; what has no address never can be kept, and was told.
            done = tuple(item for item in news.items if address_of(item) not in failed)
            self._desk.take_up(replace(news, items=done))
        return report.version
