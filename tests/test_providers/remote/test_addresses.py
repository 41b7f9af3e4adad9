"""Nothing that leads into this machine or its networks is ever connected to."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.remote.addresses import check_url, refusal
from lsm.remote.errors import RemoteError
from lsm.remote.network import Network, dial
from lsm.remote.network import resolve as system_resolver
from tests.test_providers.remote import formats
from tests.test_providers.remote.formats import said
from tests.test_providers.replay import PUBLIC, Replay, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.remote.sources import RemoteSources


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


INSIDE = [
    "127.0.0.1",
    "127.8.9.1",
    "0.0.0.0",  # noqa: S104
    "0.1.2.3",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.9",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "fd12::1",
    "fec0::10",
    "ff02::1",
    "ff0e::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001::1",
    "100::1",
    "5f00::1",
    "3fff::1",
    "4000::1",
]
OUTSIDE = ["93.184.216.34", "8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_refused(address: str) -> None:
    assert refusal(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", OUTSIDE)
def test_a_public_address_is_not_refused(address: str) -> None:
    assert refusal(ipaddress.ip_address(address)) is None


@given(st.ip_addresses(v=4))
def test_what_is_refused_plainly_is_refused_in_disguise(address: ipaddress.IPv4Address) -> None:
    disguised = ipaddress.IPv6Address(f"::ffff:{address}")

    assert bool(refusal(disguised)) == bool(refusal(address))


SPELLINGS = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "0x7f.0x0.0x0.0x1",
    "localhost",
    "LOCALHOST",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "0",
    "0.0.0.0",  # noqa: S104
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_this_machine_is_refused_by_the_real_resolver(
    open_sources: Callable[..., RemoteSources], replay: Replay, spelling: str
) -> None:
    sources = open_sources()
    sources._network = with_resolver(replay, system_resolver)

    with pytest.raises(RemoteError) as caught:
        sources.search("page", f"http://{spelling}/")

    assert caught.value.code in ("refused_address", "refused_url", "unreachable")
    assert replay.requests == []


def test_one_bad_address_among_good_ones_is_enough(
    open_sources: Callable[..., RemoteSources], replay: Replay
) -> None:
    sources = open_sources(addresses={"two.example.org": [PUBLIC, "10.0.0.1"]})

    with pytest.raises(RemoteError, match=r"10\.0\.0\.1 is not a public address"):
        sources.search("page", "https://two.example.org/")

    assert replay.requests == []


def test_a_name_that_changes_its_address_leads_where_it_was_checked(
    open_sources: Callable[..., RemoteSources], replay: Replay
) -> None:
    answers = [[PUBLIC], ["127.0.0.1"]]
    dialled: list[str] = []
    sources = open_sources()
    network = with_resolver(replay, lambda _, __: answers.pop(0))
    sources._network = Network(
        resolve=network.resolve,
        dial=lambda address, port, timeout: (
            dialled.append(address)  # type: ignore[func-returns-value]
            or network.dial(address, port, timeout)
        ),
        certificates=network.certificates,
        sleep=network.sleep,
    )
    replay.says("example.org", said(formats.PAGE, formats.HTML))

    sources.search("page", "https://example.org/")

    assert (dialled, len(answers)) == ([PUBLIC], 1)


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://inside.example.org/", "refused_url"),  # from https
        ("https://inside.example.org/", "refused_address"),
        ("//inside.example.org/x", "refused_address"),
        ("https://me:pw@example.org/", "refused_url"),
        ("https://example.org:22/", "refused_url"),
        ("gopher://example.org/", "refused_url"),
        ("javascript:alert(1)", "refused_url"),
    ],
)
def test_every_redirect_is_checked_again(
    open_sources: Callable[..., RemoteSources], replay: Replay, location: str, code: str
) -> None:
    sources = open_sources(addresses={"inside.example.org": ["192.168.0.1"]})
    replay.says("example.org", Reply(b"", 302, {"Location": location}))

    with pytest.raises(RemoteError) as caught:
        sources.search("page", "https://example.org/")

    assert (caught.value.code, len(replay.requests)) == (code, 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_page_may_move_to_another_public_host(
    sources: RemoteSources, replay: Replay, status: int
) -> None:
    replay.says("example.org", Reply(b"", status, {"Location": "https://www.example.org/bay"}))
    replay.says("www.example.org", said(formats.PAGE, formats.HTML))

    (page,) = sources.search("page", "https://example.org/").results

    assert page.url == "https://www.example.org/bay"


def test_five_redirects_are_followed_and_a_sixth_is_not(
    sources: RemoteSources, replay: Replay
) -> None:
    onward = Reply(b"", 302, {"Location": "/on"})
    replay.says("example.org", *[onward] * 5, said(formats.PAGE, formats.HTML))
    sources.search("page", "https://example.org/five")
    replay.says("example.org", *[onward] * 6, said(formats.PAGE, formats.HTML))

    with pytest.raises(RemoteError, match="redirects more than 5 times"):
        sources.search("page", "https://example.org/six")


def test_a_key_does_not_follow_to_another_host(
    open_sources: Callable[..., RemoteSources],
    replay: Replay,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from lsm.config.models.remote import ProviderConfig

    monkeypatch.setenv("FEED_KEY", "sk-canary")
    feed = ProviderConfig(
        enabled=True, kind="feed", urls=("https://example.org/feed",), key_env="FEED_KEY"
    )
    replay.says("example.org", Reply(b"", 302, {"Location": "https://www.example.org/feed"}))
    replay.says("www.example.org", said(formats.RSS))

    open_sources({"mine": feed}).search("mine", "")

    heads = {request.host: request.head for request in replay.requests}
    assert "Bearer sk-canary" in heads["example.org"]
    assert "sk-canary" not in heads["www.example.org"]


def test_a_service_that_redirects_elsewhere_is_not_followed(
    sources: RemoteSources, replay: Replay
) -> None:
    replay.says("api.crossref.org", Reply(b"", 302, {"Location": "https://www.example.org/"}))

    with pytest.raises(RemoteError, match="redirects to www"):
        sources.search("crossref", "tides")


def test_name_and_host_are_the_originals(sources: RemoteSources, replay: Replay) -> None:
    replay.says("example.org", said(formats.PAGE, formats.HTML))

    sources.search("page", "https://example.org/")

    (request,) = replay.requests
    assert (request.server_name, request.headers["host"]) == ("example.org", "example.org")


def test_a_certificate_of_somebody_else_is_refused(
    open_sources: Callable[..., RemoteSources], replay: Replay
) -> None:
    replay.says("other.test", said(formats.PAGE, formats.HTML))

    with pytest.raises(RemoteError) as caught:
        open_sources().search("page", "https://other.test/")

    assert caught.value.code == "tls"
    assert "other.test" in str(caught.value)


def test_no_proxy_of_the_environment_is_used(
    sources: RemoteSources, replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    replay.says("example.org", said(formats.PAGE, formats.HTML))

    assert sources.search("page", "https://example.org/").results


def test_an_address_of_this_very_machine_is_noticed_when_connected() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(RemoteError) as caught:
        dial("127.0.0.1", server.getsockname()[1], 1.0)

    assert caught.value.code == "refused_address"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "file:///etc/passwd",
        "example.org",
        "https://",
        "https:///x",
        "https://user@example.org/",
        "https://:pw@example.org/",
        "https://example.org:0/",
        "https://example.org:80/",
        "https://example.org:99999/",
        "http://example.org:443/",
        "https://exa mple.org/",
        "https://example.org\\@127.0.0.1/",
        "https://example.org/\r\nHost: x",
        "https://[::1",
        "https://example.org/" + "x" * 2000,
    ],
)
def test_what_is_no_address_to_ask_is_refused(url: str) -> None:
    with pytest.raises(RemoteError) as caught:
        check_url(url, plain_http=True)

    assert caught.value.code == "refused_url"
    assert "pw" not in str(caught.value)


def test_plain_http_is_asked_only_where_somebody_typed_it() -> None:
    assert check_url("http://example.org:80/a#b", plain_http=True).url == "http://example.org:80/a"
    with pytest.raises(RemoteError, match="not encrypted"):
        check_url("http://example.org/", plain_http=False)


@pytest.mark.parametrize("host", ["example.org", "", "nowhere.example.org"])
def test_a_name_without_an_address_is_unreachable(
    open_sources: Callable[..., RemoteSources], host: str
) -> None:
    def unknown(name: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    sources = open_sources()
    sources._network = Network(resolve=unknown, sleep=lambda _: None)

    with pytest.raises(RemoteError, match=r"Name or service not known|no host"):
        sources.search("page", f"https://{host}/") if host else check_url(
            "https:///", plain_http=True
        )


def with_resolver(replay: Replay, resolve: Callable[[str, int], list[str]]) -> Network:
    network = replay.network()
    return Network(
        resolve=resolve,
        dial=network.dial,
        certificates=network.certificates,
        sleep=network.sleep,
    )
