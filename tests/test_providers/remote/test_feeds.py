"""Feeds: what is new is new until somebody has seen it, whatever becomes of the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lsm.config.models.remote import ProviderConfig
from lsm.remote.errors import RemoteError
from lsm.remote.feed_state import KEPT_ITEMS, FeedState
from tests.test_providers.remote import formats
from tests.test_providers.remote.conftest import FEED
from tests.test_providers.remote.formats import XML, said
from tests.test_providers.replay import Replay, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.db import Database
    from lsm.remote.results import RemoteAnswer
    from lsm.remote.sources import RemoteSources
    from tests.test_providers.remote.conftest import Time

HOST = "example.org"
TAGGED = XML | {"ETag": '"v1"', "Last-Modified": "Sat, 28 Feb 2026 10:00:00 GMT"}
UNCHANGED = Reply(raw=b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n")


def test_items_are_new_until_they_have_been_shown(sources: RemoteSources, replay: Replay) -> None:
    replay.says(HOST, said(formats.RSS, XML))
    fetched = sources.search("news", "")
    fetched_again = sources.search("news", "", refresh=True)

    sources.mark_shown(sources.search("news", "", k=1))

    assert news(fetched) == news(fetched_again) == ["Low tide on Sunday", "Fish market"]
    assert news(sources.search("news", "")) == ["Fish market"]


def test_what_was_seen_outlives_the_cache(sources: RemoteSources, replay: Replay) -> None:
    replay.says(HOST, said(formats.RSS, XML))
    sources.mark_shown(sources.search("news", ""))

    sources.cache.purge(everything=True)

    assert news(sources.search("news", "")) == []


def test_only_what_the_query_found_is_marked(sources: RemoteSources, replay: Replay) -> None:
    replay.says(HOST, said(formats.RSS, XML))

    sources.mark_shown(sources.search("news", "WATER low"))

    assert news(sources.search("news", "")) == ["Fish market"]


def test_a_feed_that_has_not_changed_is_not_sent_again(
    sources: RemoteSources, replay: Replay, clock: Time
) -> None:
    replay.says(HOST, said(formats.RSS, TAGGED), UNCHANGED)
    first = sources.search("news", "")
    clock.pass_by(hours=1)

    again = sources.search("news", "")

    asked = replay.requests[1].headers
    assert (asked["if-none-match"], asked["if-modified-since"]) == (
        '"v1"',
        "Sat, 28 Feb 2026 10:00:00 GMT",
    )
    assert again.results == first.results
    assert (again.cached, again.stale) == (False, False)
    assert sources.search("news", "").cached
    record = sources.feeds.record(FEED)
    assert record is not None
    assert (record.title, record.etag, record.checked_at) == (
        "Harbour news",
        '"v1"',
        "2026-03-01T13:00:00.000000Z",
    )


def test_without_the_items_in_hand_nobody_asks_whether_they_have_changed(
    sources: RemoteSources, replay: Replay
) -> None:
    replay.says(HOST, said(formats.RSS, TAGGED))
    sources.search("news", "")
    sources.cache.purge(everything=True)

    sources.search("news", "")

    assert "if-none-match" not in replay.requests[1].headers


def test_a_server_that_claims_nothing_has_changed_unasked_is_not_believed(
    sources: RemoteSources, replay: Replay
) -> None:
    replay.says(HOST, UNCHANGED)

    with pytest.raises(RemoteError, match="but was not asked that"):
        sources.search("news", "")

    assert sources.cache.stats().entries == 0


def test_a_failed_fetch_keeps_items_state_and_validators(
    sources: RemoteSources, replay: Replay, clock: Time
) -> None:
    replay.says(HOST, said(formats.RSS, TAGGED), formats.PORTAL)
    sources.search("news", "")
    clock.pass_by(hours=1)

    answer = sources.search("news", "")

    record = sources.feeds.record(FEED)
    assert record is not None
    assert (len(answer.results), answer.stale, record.etag) == (2, True, '"v1"')
    assert "log in" in answer.problems[0]


def test_one_dead_feed_does_not_hide_the_others(
    open_sources: Callable[..., RemoteSources], replay: Replay
) -> None:
    urls = ("https://example.org/rss", "https://dead.example.org/", "https://www.example.org/atom")
    sources = open_sources({"all": ProviderConfig(enabled=True, kind="feed", urls=urls)})
    replay.says(HOST, said(formats.RSS))
    replay.says("www.example.org", said(formats.ATOM))

    answer = sources.search("all", "")

    assert [result.title for result in answer.results] == [
        "Low tide on Sunday",
        "Fish market",
        "Tides & you",
    ]
    assert answer.problems == ("HTTP 404 Not Found from dead.example.org",)


@pytest.mark.parametrize(
    ("body", "title", "text", "published"),
    [
        (formats.ATOM, "Tides & you", "Long text.", "2026-02-20T00:00:00.000000Z"),
        (formats.JSON_FEED, "A JSON item", "Of tides", "2026-02-21T09:00:00.000000Z"),
    ],
)
def test_other_formats_are_the_same_to_the_reader(
    sources: RemoteSources, replay: Replay, body: object, title: str, text: str, published: str
) -> None:
    replay.says(HOST, said(body))

    (result,) = sources.search("news", "").results

    assert (result.title, result.text, result.published) == (title, text, published)
    assert (result.metadata["authors"], result.metadata["categories"]) == (["Ada"], ["sea"])


@pytest.mark.parametrize(
    ("items", "titles"),
    [
        # without ids
        ("<item><title>A</title></item><item><title>B</title></item>", ["A", "B"]),
        # the same id for all
        (
            "<item><guid>1</guid><title>A</title></item><item><guid>1</guid><title>B</title></item>",
            ["A", "B"],
        ),
        # the same item twice
        ("<item><guid>1</guid><title>A</title></item>" * 2, ["A"]),
        # nothing at all
        ("<item></item>", ["(no title)"]),
        # without a title
        ("<item><guid>1</guid><description>Some words</description></item>", ["Some words"]),
        # not quite XML
        ("<item><title>A & B &nbsp; C</title><br></item>", ["A & B C"]),
    ],
)
def test_feeds_as_people_write_them_are_read(
    sources: RemoteSources, replay: Replay, items: str, titles: list[str]
) -> None:
    replay.says(HOST, said(rss(items)))

    first = sources.search("news", "")
    sources.mark_shown(first)

    assert [result.title for result in first.results] == titles
    assert len({result.metadata["id"] for result in first.results}) == len(titles)
    assert news(sources.search("news", "")) == []


@pytest.mark.parametrize(
    ("date", "published"),
    [
        ("Sat, 28 Feb 2026 10:00:00 +0100", "2026-02-28T09:00:00.000000Z"),
        ("2026-02-28", "2026-02-28T00:00:00.000000Z"),
        ("Fri, 31 Dec 9999 23:59:59 -1200", None),
        ("0000-00-00T00:00:00Z", None),
        ("Mon, 01 Jan 0000 00:00:00 GMT", None),
        ("yesterday", None),
        ("", None),
        ("9" * 5000, None),
    ],
)
def test_dates_that_cannot_be_are_none(
    sources: RemoteSources, replay: Replay, date: str, published: str | None
) -> None:
    replay.says(HOST, said(rss(f"<item><title>A</title><pubDate>{date}</pubDate></item>")))

    (result,) = sources.search("news", "").results

    assert result.published == published


def test_an_item_from_the_future_does_not_stay_on_top(
    sources: RemoteSources, replay: Replay
) -> None:
    items = "".join(
        f"<item><title>{title}</title><pubDate>{date}</pubDate></item>"
        for title, date in [
            ("old", "2026-01-01T00:00:00Z"),
            ("undated", ""),
            ("next year", "2027-01-01T00:00:00Z"),
            ("today", "2026-03-01T12:00:00Z"),
        ]
    )
    replay.says(HOST, said(rss(items)))

    answer = sources.search("news", "")

    assert [result.title for result in answer.results] == ["next year", "today", "old", "undated"]


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xef\xbb\xbf\n\n  ", b"\n\n"])
def test_marks_and_blanks_before_the_feed_do_no_harm(
    sources: RemoteSources, replay: Replay, mark: bytes
) -> None:
    replay.says(HOST, said(mark + formats.RSS))

    assert len(sources.search("news", "").results) == 2


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1", "utf-8"])
def test_a_feed_says_its_own_encoding(
    sources: RemoteSources, replay: Replay, encoding: str
) -> None:
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?><rss version="2.0"><channel>'
        "<item><title>Ébbe</title></item></channel></rss>"
    )
    replay.says(HOST, said(text.encode(encoding)))

    assert [result.title for result in sources.search("news", "").results] == ["Ébbe"]


def test_a_huge_feed_is_cut_to_its_newest(sources: RemoteSources, replay: Replay) -> None:
    items = "".join(
        f"<item><guid>{n}</guid><title>T{n}</title>"
        f"<pubDate>2026-02-{n % 28 + 1:02d}T00:00:00Z</pubDate></item>"
        for n in range(3000)
    )
    replay.says(HOST, said(rss(items)))

    answer = sources.search("news", "", k=200)

    held = sources.cache.look("news", {"feed": FEED})
    assert held is not None
    assert len(held.response) == 1000
    assert {result.published for result in answer.results} == {
        "2026-02-28T00:00:00.000000Z",
        "2026-02-27T00:00:00.000000Z",
    }


@pytest.mark.parametrize(
    "items",
    [
        "<item/>" * 20_001,
        "<item>" + "<a>" * 10_001 + "</a>" * 10_001 + "</item>",
        "<item><title>&x;" + "<a>" * 100_000,
        "<item><title>&x;" + "<a ><br />" * 100_000,
        "<item>" + " " * 10_000_000 + "</item>",
        "<item>&x;" + " " * 2_000_000 + "</item>",
    ],
    ids=["items", "deep", "open", "hidden", "large", "broken"],
)
def test_a_feed_that_would_keep_us_busy_is_refused(
    open_sources: Callable[..., RemoteSources], replay: Replay, items: str
) -> None:
    replay.says(HOST, said(rss(items)))

    with pytest.raises(RemoteError) as caught:
        open_sources(body_bytes=20_000_000).search("news", "")

    assert caught.value.code in ("too_large", "not_an_answer")


@pytest.mark.parametrize(
    "body",
    [
        formats.RSS[:-20],
        b"<opml version='1.0'><body/></opml>",
        b'{"version": "1", "items": []}',
        b'{"items": []}',
        b"<rss><channel><item><title>&lol;</title></item></channel></rss>".replace(
            b"<rss>", b'<!DOCTYPE rss [<!ENTITY lol "x">]><rss>'
        ),
    ],
)
def test_what_is_no_whole_feed_is_refused(
    sources: RemoteSources, replay: Replay, body: bytes
) -> None:
    replay.says(HOST, said(body))

    with pytest.raises(RemoteError, match="not the "):
        sources.search("news", "")

    assert sources.cache.stats().entries == 0


def test_seen_items_are_forgotten_only_beyond_what_a_feed_can_hold(
    db: Database, clock: Time
) -> None:
    state = FeedState(db, clock)
    state.mark_seen("f", (f"old {n}" for n in range(5)))
    clock.pass_by(days=1)
    recent = [f"n {n}" for n in range(KEPT_ITEMS)]

    state.mark_seen("f", recent)

    assert state.seen("f", ["old 0", "n 0", recent[-1]]) == {"n 0", recent[-1]}
    assert [record.seen for record in state.records()] == [KEPT_ITEMS]


def test_what_is_long_or_odd_can_be_seen(db: Database) -> None:
    state = FeedState(db)
    odd = ["x" * 100_000, "\x00", "\ud800", "'; --"]

    state.mark_seen("https://example.org/" + "y" * 5000, odd)

    assert state.seen("https://example.org/" + "y" * 5000, [*odd, "other"]) == set(odd)
    assert state.seen("https://example.org/", odd) == set()


def news(answer: RemoteAnswer) -> list[str]:
    return [result.title for result in answer.results if result.metadata["new"]]


def rss(items: str) -> bytes:
    return f'<rss version="2.0"><channel><title>T</title>{items}</channel></rss>'.encode()
