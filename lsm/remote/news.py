"""What feeds and saved searches have that was not taken up yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsm.clock import to_text, utc_now
from lsm.paths import is_address
from lsm.remote.sources import Asking
from lsm.remote.watched import News, WatchedItems, watch_key

if TYPE_CHECKING:
    from lsm.clock import Clock
    from lsm.db import Database
    from lsm.remote.providers.base import Provider
    from lsm.remote.results import RemoteAnswer
    from lsm.remote.sources import RemoteSources

_ALL = 100_000
_LOOKED_AT = 50  # results of a search: more have not come since the last look


class NewsDesk:
    """Asks on behalf of those who watch.

    What is asked for a *purpose* is news for that purpose until `take_up` says otherwise.
    """

    def __init__(self, sources: RemoteSources, db: Database, clock: Clock = utc_now) -> None:
        self._sources = sources
        self._watched = WatchedItems(db, clock)
        self._now = clock

    def of_feed(self, feed: str, purpose: str, most: int) -> News:
        """The newest *most* items of a feed, named by its address or by its source.

        Raises:
            RemoteError: it cannot be asked, and nothing is held of it.
            ConfigError: no feed is enabled.
        """
        if is_address(feed):
            provider, source = self._sources.feed_at(feed)
        else:
            provider, source = feed, self._sources.opened(feed)
        return self._news(provider, source, ("", feed, purpose), most)

    def of_search(self, provider: str, query: str, purpose: str, most: int) -> News:
        """The newest *most* results of a search, in the source's order where it has no dates.

        Raises:
            RemoteError: it cannot be asked, and nothing is held of it.
            ConfigError: it is unknown or not enabled.
            InvalidError: *query* cannot be asked for.
        """
        return self._news(
            provider, self._sources.opened(provider), (provider, query, purpose), most
        )

    def take_up(self, news: News) -> None:
        """From now on these items are no news. Joins the caller's transaction."""
        self._watched.mark(news.watch_key, news.items)

    def _news(self, provider: str, source: Provider, what: tuple[str, str, str], most: int) -> News:
        searched, question, purpose = what
        words, count = (question, _LOOKED_AT) if searched else ("", _ALL)
        asking = Asking(newest=True, recent=True)
        answer = self._sources.answer(provider, source, words, count, asking)
        key = watch_key(purpose, searched, question)
        unseen = self._watched.unseen(key, answer.results)
        return News(
            name=_name(answer, searched, question),
            provider=provider,
            items=tuple(unseen[:most]),
            waiting=len(unseen[most:]),
            retrieved_at=answer.created_at or to_text(self._now()),
            watch_key=key,
            problem="; ".join(answer.problems) or None,
        )


def _name(answer: RemoteAnswer, searched: str, question: str) -> str:
    if searched:
        return f"{searched}: {question}"
    titles = {str(result.metadata.get("feed", "")) for result in answer.results}
    return titles.pop() or question if len(titles) == 1 else question
