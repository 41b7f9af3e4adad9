"""No server takes more than its share of time, memory or patience."""

from __future__ import annotations

import gzip
import zlib
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.remote.decoding import Unpacker
from lsm.remote.errors import RemoteError
from lsm.remote.network import Limits
from lsm.remote.pacing import Pacing
from tests.test_providers.remote import formats
from tests.test_providers.remote.formats import said
from tests.test_providers.replay import Replay, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.db import Database
    from lsm.remote.sources import RemoteSources
    from tests.test_providers.remote.conftest import Time

SMALL = {"body_bytes": 100_000, "decoded_bytes": 1_000_000}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"", stall=True, headers={"Content-Length": "10"}),
        Reply(b"[", stall=True, headers={"Content-Length": "10"}),
        Reply(raw=b"", stall=True),
        Reply(raw=b"HTTP/1.1 200 OK\r\nContent-", stall=True),
        Reply(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", stall=True),
    ],
)
def test_a_server_that_falls_silent_is_left(
    open_sources: Callable[..., RemoteSources], replay: Replay, reply: Reply
) -> None:
    replay.says("search.example.org", reply)

    with pytest.raises(RemoteError) as caught:
        open_sources(total_s=0.2).search("searx", "tides")

    assert caught.value.code == "timeout"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(endless=b" " * 1000),
        Reply(
            raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            endless=b"400\r\n" + b" " * 1024 + b"\r\n",
        ),
        Reply(b"x" * 100_001),
        Reply(b"", headers={"Content-Length": "99999999999999999999999"}),
        Reply(gzip.compress(b" " * 50_000_000), headers={"Content-Encoding": "gzip"}),
        Reply(zlib.compress(b" " * 2_000_000), headers={"Content-Encoding": "deflate"}),
        Reply(raw=b"HTTP/1.1 200 OK\r\n", endless=b"X-More: of the same\r\n"),
    ],
    ids=["endless", "chunks", "large", "lying", "bomb", "large inside", "head"],
)
def test_a_server_that_sends_too_much_is_left(
    open_sources: Callable[..., RemoteSources], replay: Replay, reply: Reply
) -> None:
    replay.says("search.example.org", reply)

    with pytest.raises(RemoteError) as caught:
        open_sources(**SMALL).search("searx", "tides")

    assert caught.value.code in ("too_large", "broken")


@pytest.mark.parametrize("tls", [False, True])
def test_a_server_that_drips_its_head_is_left_in_time(
    open_sources: Callable[..., RemoteSources], replay: Replay, tls: bool
) -> None:
    begun = b"HTTP/1.1 200 OK\r\nX-Slow: "
    replay.says("example.org", Reply(raw=begun, endless=b"y", drip_s=0.02))

    with pytest.raises(RemoteError, match="no complete answer within"):
        open_sources(total_s=0.3).search("page", f"http{'s' if tls else ''}://example.org/")


def test_a_bomb_is_noticed_by_its_ratio_long_before_its_size() -> None:
    unpacker = Unpacker("gzip", Limits())

    with pytest.raises(RemoteError, match="unpacks to over 100 times its size"):
        unpacker.add(gzip.compress(b" " * 5_000_000))


def test_a_server_that_drips_is_left(
    open_sources: Callable[..., RemoteSources], replay: Replay
) -> None:
    replay.says(
        "search.example.org", Reply(b"[" * 10, stall=True, headers={"Content-Length": "99"})
    )

    with pytest.raises(RemoteError) as caught:
        open_sources(grace_s=0.05, total_s=0.3).search("searx", "tides")

    assert caught.value.code == "timeout"


def test_a_name_that_takes_too_long_to_resolve_is_given_up(
    open_sources: Callable[..., RemoteSources],
) -> None:
    import threading

    from lsm.remote.network import Network

    over = threading.Event()
    sources = open_sources()
    sources._network = Network(
        resolve=lambda _, __: [str(over.wait(20))],
        limits=Limits(connect_s=0.05),
        sleep=lambda _: None,
    )

    with pytest.raises(RemoteError) as caught:
        sources.search("page", "https://example.org/")
    over.set()

    assert caught.value.code == "timeout"


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b"body" * 1000, mtime=0)),
        ("x-gzip", gzip.compress(b"body" * 500, mtime=0) * 2),
        ("deflate", zlib.compress(b"body" * 1000)),
        ("deflate", zlib.compress(b"body" * 1000)[2:-4]),
        ("identity", b"body" * 1000),
        ("", b"body" * 1000),
    ],
)
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_what_is_packed_as_servers_pack_is_unpacked(
    encoding: str, packed: bytes, step: int
) -> None:
    unpacker = Unpacker(encoding, Limits())

    for start in range(0, len(packed), step):
        unpacker.add(packed[start : start + step])

    assert unpacker.finish() == b"body" * 1000


@given(st.binary(max_size=2000), st.sampled_from([gzip.compress, zlib.compress]))
def test_every_body_survives_packing(body: bytes, pack: Callable[[bytes], bytes]) -> None:
    unpacker = Unpacker("gzip" if pack is gzip.compress else "deflate", Limits())

    unpacker.add(pack(body))

    assert unpacker.finish() == body


@pytest.mark.parametrize("wait", ["7200", "in an hour"])
def test_a_server_is_left_alone_for_as_long_as_it_asks(
    sources: RemoteSources, replay: Replay, clock: Time, wait: str
) -> None:
    header = wait if wait.isdigit() else format_datetime(clock() + timedelta(hours=1), usegmt=True)
    replay.says("api.crossref.org", Reply(b"", 429, {"Retry-After": header}))
    with pytest.raises(RemoteError) as first:
        sources.search("crossref", "tides")
    replay.says("api.crossref.org", said(formats.CROSSREF))
    clock.pass_by(minutes=59)
    with pytest.raises(RemoteError, match="asks to wait 60 s"):
        sources.search("crossref", "another question")
    asked = len(replay.requests)
    clock.pass_by(minutes=2)

    answer = sources.search("crossref", "tides")

    assert (first.value.code, asked, len(answer.results)) == ("rate_limited", 1, 2)
    assert first.value.retry_at is not None


def test_a_short_wait_is_waited(
    open_sources: Callable[..., RemoteSources], replay: Replay, clock: Time
) -> None:
    waits: list[float] = []
    sources = open_sources()
    network = sources._network
    assert network is not None
    object.__setattr__(network, "sleep", waits.append)
    busy = Reply(b"", 503, {"Retry-After": "3"})
    replay.says("api.crossref.org", busy, said(formats.CROSSREF))

    sources.search("crossref", "tides")

    assert waits == [3.0, 1.0]  # what it asks for, and its next turn on a clock that stands still


def test_a_host_is_asked_once_in_its_interval(db: Database, clock: Time) -> None:
    interval = timedelta(seconds=3)
    pacing, elsewhere = Pacing(db, clock), Pacing(db, clock)

    waits = [each.turn("a", interval) for each in (pacing, elsewhere, pacing)]

    assert waits == [0.0, 3.0, 6.0]
    assert elsewhere.turn("b", interval) == 0.0


def test_a_queue_that_is_too_long_is_not_joined(db: Database, clock: Time) -> None:
    pacing = Pacing(db, clock)
    pacing.turn("a", timedelta(seconds=31))

    with pytest.raises(RemoteError, match="too many requests wait for a"):
        pacing.turn("a", timedelta(seconds=31))


def test_a_clock_set_back_blocks_nobody_for_long(db: Database, clock: Time) -> None:
    pacing = Pacing(db, clock)
    pacing.turn("a", timedelta(seconds=3))
    pacing.block("a", clock() + timedelta(minutes=10))
    clock.pass_by(days=-30)

    assert pacing.turn("a", timedelta(seconds=3)) == 0.0
