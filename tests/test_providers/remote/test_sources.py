"""The sources as the faces use them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from lsm.config.models.remote import JsonFields, ProviderConfig, RemoteConfig
from lsm.errors import ConfigError, InvalidError
from lsm.remote.errors import RemoteError
from lsm.remote.storage import cache_key
from tests.test_providers.remote import formats
from tests.test_providers.remote.conftest import ENABLED
from tests.test_providers.remote.formats import said
from tests.test_providers.replay import Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lsm.db import Database
    from lsm.remote.sources import RemoteSources
    from tests.test_providers.remote.conftest import Time
    from tests.test_providers.replay import Replay


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What depends on the engine is tested with the cache and the feeds."""
    return sqlite_url


def test_every_source_is_listed_with_what_it_needs(
    sources: RemoteSources, replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NCBI_API_KEY", "secret")
    replay.says("api.crossref.org", said(formats.CROSSREF))
    sources.search("crossref", "tides")

    listed = {source.name: source for source in sources.sources()}

    assert set(listed) >= {"arxiv", "pubmed", "page", "news", "searx"}
    assert (listed["pubmed"].key_variable, listed["pubmed"].has_key) == ("NCBI_API_KEY", True)
    assert (listed["crossref"].entries, listed["crossref"].has_key) == (1, False)
    assert (listed["news"].kind, listed["news"].cache_minutes) == ("feed", 30)
    assert "secret" not in repr(listed)


def test_out_of_the_box_nothing_is_enabled() -> None:
    config = RemoteConfig()

    assert not any(provider.enabled for provider in config.providers.values())
    assert not ProviderConfig().enabled


def test_an_answer_from_the_cache_says_when_it_was_fetched(
    sources: RemoteSources, replay: Replay, clock: Time
) -> None:
    replay.says("export.arxiv.org", said(formats.ARXIV))
    fetched = sources.search("arxiv", "tides")
    clock.pass_by(hours=5)

    again = sources.search("arxiv", "tides")

    assert again.cached
    assert again.created_at == fetched.created_at == "2026-03-01T12:00:00.000000Z"


def test_what_is_held_of_a_source_that_is_off_is_shown_offline(
    open_sources: Callable[..., RemoteSources], replay: Replay
) -> None:
    replay.says("export.arxiv.org", said(formats.ARXIV))
    open_sources().search("arxiv", "tides")
    off = open_sources({"arxiv": ProviderConfig(enabled=False)})

    answer = off.search("arxiv", "tides", offline=True)
    off.mark_shown(answer)

    assert [result.title for result in answer.results][1] == "An old one"
    assert (answer.cached, answer.stale, len(replay.requests)) == (True, False, 1)


def test_what_a_source_of_a_name_that_is_gone_answered_is_shown_offline(
    sources: RemoteSources, replay: Replay
) -> None:
    question = {"query": "tides", "k": 10}
    sources.cache.put("My arXiv (mirror)", question, [], None)

    answer = sources.search("My arXiv (mirror)", "tides", offline=True)

    assert (answer.results, answer.cached, replay.requests) == ((), True, [])
    with pytest.raises(RemoteError, match="not asked, for --offline"):
        sources.search("My arXiv (mirror)", "waves", offline=True)
    with pytest.raises(ConfigError, match="no such source"):
        sources.search("My arXiv (mirror)", "tides")


@pytest.mark.parametrize(
    ("host", "name", "changed"),
    [
        ("en.wikipedia.org", "wikipedia", {"language": "de"}),
        ("search.example.org", "searx", {"fields": JsonFields(snippet="abstract")}),
        ("search.example.org", "searx", {"url": "https://other.example.org/?q={searchTerms}"}),
    ],
)
def test_an_answer_of_other_settings_is_not_served(
    open_sources: Callable[..., RemoteSources],
    replay: Replay,
    host: str,
    name: str,
    changed: dict[str, Any],
) -> None:
    replay.says(host, said(formats.WIKIPEDIA if name == "wikipedia" else {"results": []}))
    open_sources().search(name, "tides")
    later = open_sources({name: msgspec.structs.replace(ENABLED[name], **changed)})

    with pytest.raises(RemoteError) as caught:
        later.search(name, "tides", offline=True)

    assert caught.value.code == "offline"


def test_a_kept_result_is_a_document_with_its_url_as_source(
    sources: RemoteSources, replay: Replay
) -> None:
    replay.says("export.arxiv.org", said(formats.ARXIV))
    answer = sources.search("arxiv", "tides")

    _, document = sources.documents(sources.chosen(answer, [2, 1]))

    assert document.source_path == "https://arxiv.org/abs/2601.01234v2"
    assert document.text == (
        "# Tides in a narrow bay where x<y\n\nAda Pole, Ben Sand · 2026-01-05\n\n"
        "<https://arxiv.org/abs/2601.01234v2>\n\nWe measure tides & currents.\n"
    )
    assert document.tags == ("arxiv", "physics.ao-ph")
    assert document.modified_at == "2026-01-05T09:30:00.000000Z"
    assert document.metadata["provider"] == "arxiv"
    assert document.metadata["retrieved_at"] == "2026-03-01T12:00:00.000000Z"
    assert len(document.content_hash) == 64


@pytest.mark.parametrize("numbers", [[0], [3], [1, -1]])
def test_a_number_that_is_not_there_chooses_nothing(
    sources: RemoteSources, replay: Replay, numbers: list[int]
) -> None:
    replay.says("example.org", said(formats.RSS))

    with pytest.raises(InvalidError, match="not among the results, 1 to 2"):
        sources.chosen(sources.search("news", ""), numbers)


def test_a_page_is_kept_under_the_address_that_was_typed(
    sources: RemoteSources, replay: Replay
) -> None:
    moved = Reply(b"", 302, {"Location": "https://elsewhere.example.org/new"})
    replay.says("example.org", moved)
    replay.says("elsewhere.example.org", said(formats.PAGE, formats.HTML))

    (document,) = sources.documents(sources.search("page", "https://example.org/old#part"))

    assert document.source_path == "https://example.org/old"
    assert document.metadata["id"] == "https://elsewhere.example.org/new"


def test_a_row_of_another_shape_is_fetched_again(
    sources: RemoteSources, replay: Replay, db: Database, clock: Time
) -> None:
    replay.says("search.example.org", said(formats.SEARX))
    sources.search("searx", "tides")
    db.run("UPDATE lsm_remote_cache SET response_json = '{\"old\": 1}'")

    answer = sources.search("searx", "tides")

    assert (len(answer.results), answer.cached) == (2, False)


def test_a_configured_lifetime_is_obeyed(
    open_sources: Callable[..., RemoteSources], replay: Replay, clock: Time
) -> None:
    provider = ProviderConfig(enabled=True, cache_minutes=5)
    sources = open_sources({"crossref": provider})
    replay.says("api.crossref.org", said(formats.CROSSREF))
    sources.search("crossref", "tides")
    clock.pass_by(minutes=5)

    assert not sources.search("crossref", "tides").cached


def test_offline_and_refresh_exclude_each_other(sources: RemoteSources) -> None:
    with pytest.raises(InvalidError, match="choose one"):
        sources.search("arxiv", "x", refresh=True, offline=True)


def test_no_file_but_the_database_appears(
    sources: RemoteSources,
    replay: Replay,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    tags = corpus / ".lsm_tags.json"
    tags.write_bytes(b'{"tags": [ "a" ]}\r\n')
    monkeypatch.chdir(corpus)
    before = {path for path in tmp_path.rglob("*") if "lsm.db" not in path.name}
    replay.says("example.org", said(formats.RSS))

    sources.mark_shown(sources.search("news", ""))
    sources.cache.purge(everything=True)

    assert {path for path in tmp_path.rglob("*") if "lsm.db" not in path.name} == before
    assert (tags.read_bytes(), os.listdir(corpus)) == (b'{"tags": [ "a" ]}\r\n', [".lsm_tags.json"])


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"mine": {}}, "kind: is missing; one of arxiv"),
        ({"news": {"kind": "feed"}}, "urls: is missing"),
        ({"s": {"kind": "json", "url": "https://example.org/"}}, "has no {searchTerms}"),
    ],
)
def test_a_source_that_cannot_work_is_refused_when_it_is_read(
    settings: dict[str, dict[str, str]], problem: str
) -> None:
    import msgspec

    with pytest.raises(ConfigError, match=problem):
        msgspec.convert({"providers": settings}, RemoteConfig)


def test_a_key_variable_with_something_else_in_it_is_named_and_not_shown(
    sources: RemoteSources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENALEX_API_KEY", "two\nlines")

    with pytest.raises(ConfigError) as caught:
        sources.search("openalex", "tides")

    assert str(caught.value) == (
        "remote.providers.openalex.key_env: what OPENALEX_API_KEY holds is not a key"
    )


def test_keys_of_the_cache_do_not_change_with_a_release() -> None:
    # Another key makes every answer of every user unknown: raise FORMAT on purpose, not by chance.
    assert cache_key("arxiv", {"query": "tides", "k": 10}) == cache_key(
        "arxiv", {"k": 10, "query": "tides"}
    )
    assert cache_key("arxiv", {"query": "tides", "k": 10})[:16] == KNOWN_KEY


KNOWN_KEY = "e46dafe4efd7d94d"
