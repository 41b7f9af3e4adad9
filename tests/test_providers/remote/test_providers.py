"""Each source against its own format: what it answers, and what it answers instead of that."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pytest

from lsm.config.models.remote import ProviderConfig
from lsm.errors import ConfigError, InvalidError
from lsm.remote.errors import RemoteError
from tests.test_providers.remote import formats
from tests.test_providers.remote.formats import SERVICES, Service, said
from tests.test_providers.replay import Replay, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.remote.sources import RemoteSources
    from tests.test_providers.remote.conftest import Time


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One engine is enough: what is read here has not reached the database yet."""
    return sqlite_url


every_service = pytest.mark.parametrize("service", SERVICES, ids=str)

FIRST = {
    "arxiv": (
        "Tides in a narrow bay where x<y",
        "https://arxiv.org/abs/2601.01234v2",
        "We measure tides & currents.",
        "2026-01-05T09:30:00.000000Z",
        ["Ada Pole", "Ben Sand"],
    ),
    "wikipedia": (
        "Tide",
        "https://en.wikipedia.org/wiki/Tide",
        "Tides are the rise and fall of sea levels.",
        "2026-02-01T08:00:00.000000Z",
        None,
    ),
    "openalex": (
        "Tidal mixing",
        "https://doi.org/10.1000/tide.2",
        "Mixing by tides by day",
        "2025-06-01T00:00:00.000000Z",
        ["Ada Pole"],
    ),
    "crossref": (
        "Sea level 2 & tides",
        "https://doi.org/10.1000/tide.3",
        "Abstract Levels rose.",
        "2024-03-01T00:00:00.000000Z",
        ["Ada Pole", "Tide Group"],
    ),
    "semantic_scholar": (
        "Predicting tides",
        "https://www.semanticscholar.org/paper/649def34",
        "",
        "2023-01-01T00:00:00.000000Z",
        ["Ada Pole"],
    ),
    "pubmed": (
        "Effects of tides on swimmers.",
        "https://pubmed.ncbi.nlm.nih.gov/22/",
        "METHODS: We swam. RESULTS: We got wet.",
        "2025-03-07T00:00:00.000000Z",
        ["Ada Pole", "Swim Group"],
    ),
    "searx": (
        "A",
        "https://example.org/a",
        "first",
        "2026-01-01T00:00:00.000000Z",
        None,
    ),
}


@pytest.mark.parametrize("service", [s for s in SERVICES if s.provider in FIRST], ids=str)
def test_a_service_is_understood(sources: RemoteSources, replay: Replay, service: Service) -> None:
    replay.says(service.host, *service.good)

    answer = sources.search(service.provider, service.query)

    first = answer.results[0]
    shown = first.title, first.url, first.snippet, first.published, first.metadata.get("authors")
    assert shown == FIRST[service.provider]
    assert (answer.cached, answer.stale, answer.problems) == (False, False, ())
    assert [result.score for result in answer.results] == sorted(
        (result.score for result in answer.results), reverse=True
    )
    assert answer.results[0].score == 1.0


@every_service
def test_an_answer_without_results_is_an_answer(
    sources: RemoteSources, replay: Replay, service: Service
) -> None:
    replay.says(service.host, *service.empty)

    sources.search(service.provider, service.query)
    again = sources.search(service.provider, service.query)

    assert (again.results, again.cached) == ((), True)


@every_service
def test_a_fresh_answer_is_not_asked_for_again(
    sources: RemoteSources, replay: Replay, service: Service
) -> None:
    replay.says(service.host, *service.good)
    first = sources.search(service.provider, service.query)
    asked = len(replay.requests)

    again = sources.search(service.provider, service.query)

    assert again.results == first.results
    assert (again.cached, again.stale, len(replay.requests)) == (True, False, asked)


BAD = {
    "garbage": Reply(b"\x00\xff\xfe not at all"),
    "empty": Reply(b""),
    "no content": Reply(raw=b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"),
    "captive portal": formats.PORTAL,
    "wrong shape": Reply([[["surprise"]], 7]),
    "deep": Reply(b"[" * 100_000),
    "cut": Reply(b'{"results": [{"id": "x"', headers={"Content-Type": "application/json"}),
    "cut XML": Reply(b"<feed xmlns='http://www.w3.org/2005/Atom'><entry><title>Half"),
    "laughs": Reply(
        b"<!DOCTYPE r [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>]><rss><channel>"
        b"<title>&b;</title></channel></rss>"
    ),
    "outside": Reply(
        b"<!DOCTYPE r [<!ENTITY f SYSTEM 'file:///etc/passwd'>]><rss><channel>"
        b"<title>&f;</title></channel></rss>"
    ),
    "path": Reply(b"/etc/passwd"),
    "address": Reply(b"http://169.254.169.254/latest/meta-data/"),
    "not found": Reply({"message": "no"}, 404),
    "broken": Reply(b"oops", 500),
    "forbidden": Reply(b"oops", 403),
    "odd status": Reply(b"oops", 299),
    "too busy": Reply(b"", 429),
    "busy until": Reply(b"", 503, {"Retry-After": "3600"}),
    "absurd": Reply(b"", 429, {"Retry-After": "99999999999999999999"}),
    "no such date": Reply(b"", 429, {"Retry-After": "Fri, 99 Feb 2026 99:99:99 GMT"}),
    "early close": Reply(b"{", headers={"Content-Length": "5000"}),
    "no HTTP": Reply(raw=b"220 mail.example.org ESMTP\r\n"),
    "hang up": Reply(raw=b""),
    "not packed": Reply(b"plain", headers={"Content-Encoding": "gzip"}),
    "unknown packing": Reply(b"x", headers={"Content-Encoding": "br"}),
    "cut packing": Reply(gzip.compress(b"{}" * 500)[:-9], headers={"Content-Encoding": "gzip"}),
    "unasked 304": Reply(raw=b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n"),
    "to this machine": Reply(b"", 302, {"Location": "https://localhost/"}),
    "to the cloud": Reply(b"", 302, {"Location": "http://169.254.169.254/latest/"}),
    "to a file": Reply(b"", 302, {"Location": "file:///etc/passwd"}),
    "in circles": Reply(b"", 302, {"Location": "/again"}),
    "nowhere": Reply(b"", 302, {"Location": "https://[::1"}),
}
AWAY = {"localhost": ["127.0.0.1"], "169.254.169.254": ["169.254.169.254"]}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("service", [SERVICES[0], SERVICES[5], SERVICES[6]], ids=str)
def test_what_is_no_answer_neither_crashes_nor_replaces_a_good_one(
    open_sources: Callable[..., RemoteSources],
    replay: Replay,
    clock: Time,
    service: Service,
    bad: str,
) -> None:
    sources = open_sources(addresses=AWAY)
    replay.says(service.host, BAD[bad])
    with pytest.raises(RemoteError) as caught:
        sources.search(service.provider, service.query)
    assert "\n" not in str(caught.value)
    assert sources.cache.stats().entries == 0
    clock.pass_by(hours=2)
    replay.says(service.host, *service.good)
    good = sources.search(service.provider, service.query)
    clock.pass_by(days=2)
    if bad == "unasked 304" and service.provider == "news":
        return  # to a feed that is held it is an answer: see the feeds
    replay.says(service.host, BAD[bad])

    answer = sources.search(service.provider, service.query)

    assert [result.url for result in answer.results] == [result.url for result in good.results]
    assert (answer.cached, answer.stale, len(answer.problems)) == (True, True, 1)


@pytest.mark.parametrize(
    ("provider", "host", "body"),
    [
        ("arxiv", "export.arxiv.org", formats.ARXIV_ERROR),
        ("wikipedia", "en.wikipedia.org", formats.WIKIPEDIA_ERROR),
        ("pubmed", "eutils.ncbi.nlm.nih.gov", formats.PUBMED_ERROR),
        ("crossref", "api.crossref.org", {"status": "failed", "message": {"items": []}}),
    ],
)
def test_an_error_that_comes_as_success_is_an_error(
    sources: RemoteSources, replay: Replay, provider: str, host: str, body: Any
) -> None:
    replay.says(host, said(body))

    with pytest.raises(RemoteError, match=f"^{provider}: "):
        sources.search(provider, "tides")

    assert sources.cache.stats().entries == 0


@every_service
def test_a_service_that_is_slow_once_is_asked_again(
    sources: RemoteSources, replay: Replay, service: Service
) -> None:
    replay.says(service.host, Reply(b"", 502), Reply(b"", 503), *service.good)

    answer = sources.search(service.provider, service.query)

    assert answer.results


@every_service
def test_every_request_says_who_asks(
    sources: RemoteSources, replay: Replay, service: Service
) -> None:
    replay.says(service.host, *service.good)

    sources.search(service.provider, service.query)

    agents = {request.headers["user-agent"] for request in replay.requests}
    assert len(agents) == 1
    assert "mailto:me@example.org" in agents.pop()


def test_more_results_are_fetched_page_by_page(sources: RemoteSources, replay: Replay) -> None:
    replay.says(
        "api.semanticscholar.org", said(papers(0, 100, following=100)), said(papers(100, 60))
    )

    answer = sources.search("semantic_scholar", "tides", k=200)

    offsets = [request.query["offset"] for request in replay.requests]
    assert (len(answer.results), offsets) == (160, [["0"], ["100"]])


def test_wikipedia_is_asked_twenty_articles_at_a_time(
    sources: RemoteSources, replay: Replay
) -> None:
    replay.says("en.wikipedia.org", said(articles(0, 20)), said(articles(20, 5)))

    answer = sources.search("wikipedia", "tides", k=25)

    assert [result.title for result in answer.results] == [f"T{n}" for n in range(25)]
    assert [request.query["gsroffset"] for request in replay.requests] == [["0"], ["20"]]


def test_fewer_results_come_out_of_the_same_entry(sources: RemoteSources, replay: Replay) -> None:
    replay.says("search.example.org", said(formats.SEARX))
    sources.search("searx", "tides", k=10)

    answer = sources.search("searx", "  tides ", k=1)

    assert (len(answer.results), answer.cached) == (1, True)


def test_suggestions_of_open_search_are_results(sources: RemoteSources, replay: Replay) -> None:
    replay.says("search.example.org", said(formats.SUGGESTIONS))

    answer = sources.search("searx", "tid")

    assert [(result.title, result.url) for result in answer.results] == [
        ("tide", "https://example.org/tide"),
        ("tidy", ""),
    ]


def test_a_template_is_filled_in_so_that_words_cannot_break_out(
    sources: RemoteSources, replay: Replay
) -> None:
    replay.says("search.example.org", said(formats.SEARX))

    sources.search("searx", "a&b=c#d {count} 100%")

    assert replay.requests[0].query == {"q": ["a&b=c#d {count} 100%"], "format": ["json"]}


def test_fields_of_an_endpoint_are_found_where_the_configuration_says(
    open_sources: Callable[..., RemoteSources], replay: Replay
) -> None:
    from lsm.config.models.remote import JsonFields

    fields = JsonFields(
        results="hits.hits", title="_source.name", url="_source.link", snippet="x", score="_score"
    )
    provider = ProviderConfig(
        enabled=True, kind="json", url="http://es.example.org/?q={searchTerms}", fields=fields
    )
    hit = {"_score": 2, "_source": {"name": "N", "link": "https://example.org/n"}}
    replay.says("es.example.org", said({"hits": {"hits": [hit]}}))

    answer = open_sources({"es": provider}).search("es", "q")

    assert [(result.title, result.url) for result in answer.results] == [
        ("N", "https://example.org/n")
    ]


def test_a_page_is_its_readable_text(sources: RemoteSources, replay: Replay) -> None:
    replay.says("example.org", said(formats.PAGE, formats.HTML))

    (page,) = sources.search("page", "https://example.org/bay#top").results

    assert (page.title, page.text) == ("The bay", "## The bay\n\nIt is narrow & deep.")
    assert (page.url, page.published) == (
        "https://example.org/bay",
        "2026-01-02T03:04:05.000000Z",
    )


@pytest.mark.parametrize(
    ("body", "headers", "text"),
    [
        (b"a < b & c\n\nd", {"Content-Type": "text/plain"}, "a < b & c\n\nd"),
        (b"<code>&lt;b&gt;</code>", formats.HTML, "<b>"),
        ("<p>é".encode("latin-1"), {"Content-Type": "text/html; charset=iso-8859-1"}, "é"),
        ("<p>é".encode(), {"Content-Type": "text/html;charset=nonsense"}, "é"),
    ],
)
def test_a_page_is_decoded_as_its_server_says(
    sources: RemoteSources, replay: Replay, body: bytes, headers: dict[str, str], text: str
) -> None:
    replay.says("example.org", said(body, headers))

    (page,) = sources.search("page", "example.org/x").results

    assert page.text == text


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"%PDF-1.7", {"Content-Type": "application/pdf"}),
        (b"<p>text", {}),
        (b"<script>document.write('x')</script>", formats.HTML),
        (b"<div>" * 100_000, formats.HTML),
    ],
)
def test_what_is_no_page_is_refused(
    sources: RemoteSources, replay: Replay, body: bytes, headers: dict[str, str]
) -> None:
    replay.says("example.org", said(body, headers))

    with pytest.raises(RemoteError, match=r"^page: ") as caught:
        sources.search("page", "https://example.org/x")

    assert caught.value.code == "not_an_answer"


@pytest.mark.parametrize("provider", ["arxiv", "nothing", "constructor"])
def test_nothing_is_sent_to_a_source_that_is_not_enabled(
    open_sources: Callable[..., RemoteSources], replay: Replay, provider: str
) -> None:
    sources = open_sources({"wikipedia": ProviderConfig(enabled=True), "arxiv": ProviderConfig()})

    with pytest.raises(ConfigError, match=f"remote.providers.{provider}"):
        sources.search(provider, "tides")

    assert replay.requests == []


@pytest.mark.parametrize(
    ("provider", "query", "k"),
    [
        ("arxiv", "", 5),
        ("arxiv", " \x00\n ", 5),
        ("arxiv", "x" * 1001, 5),
        ("arxiv", "x", 0),
        ("arxiv", "x", 201),
        ("page", "ftp://example.org/", 1),
        ("page", "https://me:secret@example.org/", 1),
        ("page", "https://example.org:8443/", 1),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_sent(
    sources: RemoteSources, replay: Replay, provider: str, query: str, k: int
) -> None:
    with pytest.raises(InvalidError) as caught:
        sources.search(provider, query, k=k)

    assert replay.requests == []
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("provider", "variable", "service"),
    [
        ("openalex", "OPENALEX_API_KEY", SERVICES[2]),
        ("crossref", "CROSSREF_API_TOKEN", SERVICES[3]),
        ("semantic_scholar", "SEMANTIC_SCHOLAR_API_KEY", SERVICES[4]),
        ("pubmed", "NCBI_API_KEY", SERVICES[5]),
    ],
)
def test_a_key_reaches_its_service_and_stays_nowhere(
    sources: RemoteSources,
    replay: Replay,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    provider: str,
    variable: str,
    service: Service,
) -> None:
    monkeypatch.setenv(variable, KEY)
    caplog.set_level("DEBUG")
    echo = {"Echo": "x"}
    replay.says(service.host, *(said(reply.content(), echo) for reply in service.good))

    answer = sources.search(provider, "tides")

    assert all(KEY in request.head + request.body.decode() for request in replay.requests)
    rows = sources.cache.entries()
    assert KEY not in repr((answer, rows, sources.sources(), caplog.text))


def test_a_key_that_a_server_quotes_is_not_stored(
    sources: RemoteSources, replay: Replay, monkeypatch: pytest.MonkeyPatch, db: Any
) -> None:
    monkeypatch.setenv("SEMANTIC_SCHOLAR_API_KEY", KEY)
    quoting = {"total": 1, "data": [{"paperId": "1", "title": f"You sent {KEY}"}]}
    replay.says("api.semanticscholar.org", said(quoting))

    answer = sources.search("semantic_scholar", "tides")

    stored = db.rows("SELECT * FROM lsm_remote_cache")
    assert answer.results[0].title == "You sent ***"
    assert KEY not in repr(stored)


def test_two_keys_share_one_answer(
    sources: RemoteSources, replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    replay.says("api.semanticscholar.org", said(formats.SEMANTIC_SCHOLAR))
    monkeypatch.setenv("SEMANTIC_SCHOLAR_API_KEY", KEY)
    sources.search("semantic_scholar", "tides")
    monkeypatch.setenv("SEMANTIC_SCHOLAR_API_KEY", "another")

    answer = sources.search("semantic_scholar", "tides")

    assert answer.cached


def test_scripts_and_controls_in_titles_do_not_survive(
    sources: RemoteSources, replay: Replay
) -> None:
    title = "A <script>alert(1)</script>&lt;img src=x onerror=y&gt;\u202eB\x07 Map<K, V>"
    hit = {"title": title, "url": "javascript:alert(1)", "content": "<style>x</style>ok"}
    replay.says("search.example.org", said({"results": [hit]}))

    (result,) = sources.search("searx", "tides").results

    assert (result.title, result.url, result.snippet) == ("A B Map<K, V>", "", "ok")


def papers(start: int, count: int, following: int | None = None) -> dict[str, Any]:
    data = [{"paperId": str(n), "title": f"P{n}"} for n in range(start, start + count)]
    return {"total": 160, "offset": start, "data": data} | (
        {"next": following} if following else {}
    )


def articles(start: int, count: int) -> dict[str, Any]:
    pages = [
        {"title": f"T{start + n}", "index": start + n + 1, "pageid": start + n, "fullurl": ""}
        for n in reversed(range(count))
    ]
    return {"batchcomplete": True, "query": {"pages": pages}}


KEY = "sk-canary-5f2e9b"
