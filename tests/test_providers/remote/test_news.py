"""What is new in feeds and saved searches is news once, for each purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lsm.config.models.remote import ProviderConfig
from lsm.errors import ConfigError
from lsm.remote.errors import RemoteError
from lsm.remote.news import NewsDesk
from tests.test_providers.remote import formats
from tests.test_providers.remote.conftest import FEED
from tests.test_providers.remote.formats import said
from tests.test_providers.replay import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.db import Database
    from lsm.remote.sources import RemoteSources
    from lsm.remote.watched import News
    from tests.test_providers.remote.conftest import Time
    from tests.test_providers.replay import Replay


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """On either engine: tests of the watcher."""
    return sqlite_url


@pytest.fixture
def desk(sources: RemoteSources, db: Database, clock: Time) -> NewsDesk:
    return NewsDesk(sources, db, clock)


def test_what_was_taken_up_is_no_news(desk: NewsDesk, replay: Replay) -> None:
    replay.says("example.org", said(formats.RSS))
    first = desk.of_feed("news", "tests", 1)
    desk.take_up(first)

    second = desk.of_feed("news", "tests", 9)

    assert (titles(first), first.waiting) == (["Low tide on Sunday"], 1)
    assert (titles(second), second.waiting) == (["Fish market"], 0)
    assert first.name == "Harbour news"


def test_what_was_not_taken_up_is_news_again(desk: NewsDesk, replay: Replay) -> None:
    replay.says("example.org", said(formats.RSS))
    desk.of_feed("news", "tests", 9)

    assert len(desk.of_feed("news", "tests", 9).items) == 2


def test_news_for_one_is_news_for_another(
    desk: NewsDesk, replay: Replay, sources: RemoteSources
) -> None:
    replay.says("example.org", said(formats.RSS))
    desk.take_up(desk.of_feed("news", "tests", 9))

    looked_at = sources.search("news", "")

    assert len(desk.of_feed("news", "others", 9).items) == 2
    assert [result.metadata["new"] for result in looked_at.results] == [True, True]


def test_a_transaction_that_gives_up_has_taken_up_nothing(
    desk: NewsDesk, replay: Replay, db: Database
) -> None:
    replay.says("example.org", said(formats.RSS))
    news = desk.of_feed("news", "tests", 9)

    with pytest.raises(InterruptedError), db.transaction():  # noqa: PT012
        desk.take_up(news)
        raise InterruptedError

    assert len(desk.of_feed("news", "tests", 9).items) == 2


@pytest.mark.parametrize(
    ("provider", "host", "reply", "asked"),
    [
        ("arxiv", "export.arxiv.org", formats.ARXIV, {"sortBy": ["submittedDate"]}),
        ("openalex", "api.openalex.org", formats.OPENALEX, {"sort": ["publication_date:desc"]}),
        (
            "wikipedia",
            "en.wikipedia.org",
            formats.WIKIPEDIA,
            {"gsrsort": ["create_timestamp_desc"]},
        ),
    ],
)
def test_a_saved_search_asks_for_the_newest(
    desk: NewsDesk, replay: Replay, provider: str, host: str, reply: bytes, asked: dict[str, str]
) -> None:
    replay.says(host, said(reply))

    news = desk.of_search(provider, "tides", "tests", 9)

    assert news.items
    assert asked.items() <= replay.requests[0].query.items()
    assert news.name == f"{provider}: tides"


def test_the_newest_and_the_best_are_two_answers(sources: RemoteSources, replay: Replay) -> None:
    replay.says("export.arxiv.org", said(formats.ARXIV))

    sources.search("arxiv", "tides", newest=True)
    best = sources.search("arxiv", "tides")

    assert not best.cached
    assert "sortBy" not in replay.requests[1].query


def test_an_answer_of_an_hour_ago_is_too_old_for_news_and_not_for_a_search(
    desk: NewsDesk, sources: RemoteSources, replay: Replay, clock: Time
) -> None:
    replay.says("export.arxiv.org", said(formats.ARXIV))
    desk.of_search("arxiv", "tides", "tests", 9)
    clock.pass_by(hours=1, seconds=1)

    searched = sources.search("arxiv", "tides", newest=True, k=50)
    desk.of_search("arxiv", "tides", "tests", 9)

    assert searched.cached
    assert len(replay.requests) == 2


def test_a_feed_is_named_by_its_address_too(desk: NewsDesk, replay: Replay) -> None:
    replay.says("other.example.org", said(formats.ATOM))

    news = desk.of_feed("https://other.example.org/atom", "tests", 9)

    assert news.items
    assert (news.provider, replay.requests[0].path) == ("news", "/atom")


def test_no_key_goes_to_a_feed_that_the_settings_do_not_list(
    open_sources: Callable[..., RemoteSources],
    db: Database,
    replay: Replay,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NEWS_KEY", "s3cret")
    mine = ProviderConfig(enabled=True, kind="feed", urls=(FEED,), key_env="NEWS_KEY")
    desk = NewsDesk(open_sources({"news": mine}), db)
    replay.says("example.org", said(formats.RSS))
    replay.says("other.example.org", said(formats.ATOM))

    desk.of_feed("https://other.example.org/atom", "tests", 9)
    desk.of_feed(FEED, "tests", 9)

    other, listed = replay.requests
    assert "s3cret" not in other.head
    assert "s3cret" in listed.head


@pytest.mark.parametrize(
    "providers",
    [
        {"arxiv": ProviderConfig(enabled=True)},
        {"news": ProviderConfig(kind="feed", urls=(FEED,))},
    ],
)
def test_no_feed_is_fetched_before_one_is_enabled(
    open_sources: Callable[..., RemoteSources],
    db: Database,
    replay: Replay,
    providers: dict[str, ProviderConfig],
) -> None:
    desk = NewsDesk(open_sources(providers), db)

    with pytest.raises(ConfigError, match="no feed is enabled"):
        desk.of_feed(FEED, "tests", 9)

    assert replay.requests == []


def test_a_feed_of_thousands_is_taken_up_piece_by_piece(desk: NewsDesk, replay: Replay) -> None:
    items = "".join(f"<item><guid>{n}</guid><title>{n}</title></item>" for n in range(700))
    feed = f"<rss version='2.0'><channel><title>T</title>{items}</channel></rss>".encode()
    replay.says("example.org", said(feed))
    seen: list[str] = []
    while (news := desk.of_feed("news", "tests", 300)).items:
        desk.take_up(news)
        seen += titles(news)

    assert sorted(seen, key=int) == [str(number) for number in range(700)]


def test_a_feed_that_fails_brings_what_is_held_and_says_so(
    desk: NewsDesk, replay: Replay, clock: Time
) -> None:
    replay.says("example.org", said(formats.RSS), Reply(b"", 500))
    desk.of_feed("news", "tests", 0)
    clock.pass_by(hours=3)

    news = desk.of_feed("news", "tests", 9)

    assert len(news.items) == 2
    assert "HTTP 500" in (news.problem or "")


def test_a_feed_that_never_answered_is_an_error(desk: NewsDesk, replay: Replay) -> None:
    replay.says("example.org", Reply(b"", 500))

    with pytest.raises(RemoteError, match="HTTP 500"):
        desk.of_feed("news", "tests", 9)


def titles(news: News) -> list[str]:
    return [item.title for item in news.items]
