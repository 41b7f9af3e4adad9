"""A replaying server, sources that lead to it, and a guard against any other connection."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest

from lsm.config.models.remote import ProviderConfig, RemoteConfig
from lsm.ingest.document import ParseError
from lsm.ingest.webtext import PageBytes, page_text
from lsm.remote.providers.base import Readers
from lsm.remote.providers.feed_formats import parsed_feed
from lsm.remote.providers.page import ReadablePage
from lsm.remote.sources import RemoteSources
from tests.test_providers.replay import Replay, replaying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lsm.db import Database

connected: list[object] = []


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        address = arguments[1][0]
        if address not in ("127.0.0.1", "::1"):
            connected.append(address)


sys.addaudithook(_watch)


@pytest.fixture(autouse=True)
def nothing_leaves_this_machine() -> Iterator[None]:
    """Fails the test that connected to anything but this machine."""
    connected.clear()
    yield
    assert connected == []


class Time:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **amount: float) -> None:
        self.now += timedelta(**amount)


@pytest.fixture(scope="module")
def shared_postgres(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """One database for a module: making one takes longer than most of these tests."""
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_server.format("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
        yield postgres_server.format(name)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_url(shared_postgres: str) -> str:
    """A database whose remote tables are empty."""
    with psycopg.connect(shared_postgres, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {', '.join(f'lsm.{table}' for table in TABLES)}")
    return shared_postgres


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def replay() -> Iterator[Replay]:
    with replaying() as server:
        yield server


@pytest.fixture
def open_sources(db: Database, replay: Replay, clock: Time) -> Callable[..., RemoteSources]:
    """Sources of a configuration, every one of them played by `replay`."""

    def opened(
        providers: dict[str, ProviderConfig] | None = None,
        addresses: dict[str, list[str]] | None = None,
        **limits: Any,
    ) -> RemoteSources:
        config = RemoteConfig(providers=providers or ENABLED, contact="me@example.org")
        return RemoteSources(config, db, READERS, replay.network(addresses, **limits), clock)

    return opened


@pytest.fixture
def sources(open_sources: Callable[..., RemoteSources]) -> RemoteSources:
    return open_sources()


def readable(data: bytes, media_type: str, charset: str) -> ReadablePage:
    """As the application does it, but in this process."""
    try:
        page = page_text(PageBytes(data, media_type, charset))
    except ParseError as error:
        raise ValueError(error.reason) from error
    return ReadablePage(page.title, page.text, page.metadata)


# What the application hands over runs in a child, which takes a tenth of a second to start.
READERS = Readers(page=readable, feed=parsed_feed)

TABLES = (
    "lsm_remote_cache",
    "lsm_remote_fetches",
    "lsm_remote_hosts",
    "lsm_remote_feeds",
    "lsm_remote_feed_items",
)
FEED = "https://example.org/feed.xml"
ENABLED = {
    **{
        name: ProviderConfig(enabled=True)
        for name in (
            "arxiv",
            "wikipedia",
            "openalex",
            "crossref",
            "semantic_scholar",
            "pubmed",
            "page",
        )
    },
    "news": ProviderConfig(enabled=True, kind="feed", urls=(FEED,)),
    "searx": ProviderConfig(
        enabled=True, kind="json", url="https://search.example.org/?q={searchTerms}&format=json"
    ),
}
