"""Strangers' bytes are read where they can do no harm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from lsm.ingest.confined import ConfinedError, call
from lsm.ingest.messages import Limits
from lsm.ingest.webtext import Cut, PageBytes, PageText, Texts
from lsm.keeping import readers
from lsm.remote.errors import RemoteError
from lsm.remote.providers.feed_formats import FeedBytes
from tests.test_ingest.library import SMALL

if TYPE_CHECKING:
    from pathlib import Path

HERE = "tests.test_ingest.hostile_calls"


def test_what_it_computes_comes_back() -> None:
    assert call(f"{HERE}:turned", b"abc\0\xff") == b"\xff\0cba"


@pytest.mark.parametrize(
    ("function", "code", "says"),
    [
        ("refuse", "odd", "it is odd"),
        ("fail", "parser_error", "KeyError: 'what\\nis this'"),
        ("hang", "timeout", "longer than 1 s"),
        ("eat", "oom", "too much memory"),
        ("crash", "parser_crash", "SIGABRT"),
        ("leave", "parser_crash", "ended the process with status 0"),
        ("recurse", "too_deep", "nested too deeply"),
        ("flood", "too_large", "over 32 MB"),
        ("call_out", "parser_error", "may not do this: socket."),
    ],
)
def test_whatever_it_does_is_an_error_with_a_code(function: str, code: str, says: str) -> None:
    with pytest.raises(ConfinedError) as caught:
        call(f"{HERE}:{function}", b"", Limits(wall_seconds=1))

    assert caught.value.code == code
    assert says in caught.value.reason


def test_what_it_prints_is_lost_and_no_answer() -> None:
    assert call(f"{HERE}:chatter", b"") == b"said"


def test_it_writes_no_file_and_knows_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENALEX_API_KEY", "secret")

    with pytest.raises(ConfinedError, match="may not do this: open"):
        call(f"{HERE}:write", str(tmp_path / "made").encode())

    assert list(tmp_path.iterdir()) == []
    assert b"OPENALEX_API_KEY" not in call(f"{HERE}:tell_environment", b"")


def test_a_page_is_markdown_and_what_only_looks_like_a_heading_is_none() -> None:
    page = PageBytes(b"<title>T</title><h1>One</h1><p>a<h2>Two</h2><pre># no heading\n</pre>")

    told = call("lsm.ingest.webtext:readable", msgspec.msgpack.encode(page))

    text = msgspec.msgpack.decode(told, type=PageText)
    assert (text.title, text.text) == ("T", "## One\n\na\n\n### Two\n\n\\# no heading\n\n")


@pytest.mark.parametrize("media_type", ["text/plain", "text/markdown"])
def test_a_text_file_stays_what_it_is(media_type: str) -> None:
    page = readers().page(b"# A <b> & c\n\nText.", media_type, "utf-8")

    assert page.text.rstrip() == "# A <b> & c\n\nText."


def test_texts_are_cut_one_by_one_and_a_bad_one_is_told_apart() -> None:
    texts = Texts(["# A\n\nfirst", "x " * 5_000_000], SMALL)

    cuts = msgspec.msgpack.decode(
        call("lsm.ingest.webtext:chunked", msgspec.msgpack.encode(texts)), type=list[Cut]
    )

    assert [piece.text for piece in cuts[0].chunks] == ["# A\n\nfirst"]
    assert (cuts[1].code, cuts[1].chunks) == ("too_many_chunks", ())


def test_a_feed_is_read_in_the_child_as_it_is_here() -> None:
    feed = (
        b"<rss version='2.0'><channel><title>T</title><item><title>I</title></item></channel></rss>"
    )

    found = readers().feed(FeedBytes(feed, "https://example.org/f", "application/xml"))

    assert found is not None
    assert (found.title, [item.title for item in found.items]) == ("T", ["I"])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<rss><channel>" + b"<a>" * 20_000, "too_large"),
        (b"<rss>" + b"<item/>" * 30_000 + b"</rss>", "too_large"),
        (b"<!DOCTYPE r [<!ENTITY a 'b'>]><rss>&a;</rss>", "not_an_answer"),
        (b"<rss><channel><item><title>cut of", "not_an_answer"),
    ],
)
def test_a_feed_bomb_ends_in_a_typed_error(body: bytes, code: str) -> None:
    with pytest.raises(RemoteError) as caught:
        readers().feed(FeedBytes(body, "https://example.org/f", "application/xml"))

    assert caught.value.code == code


def test_a_feed_that_takes_too_long_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    from lsm import keeping

    monkeypatch.setattr(keeping, "LIMITS", Limits(wall_seconds=0.5))
    slow = b"<rss><channel>" + b"<item><title>&lt;b&gt;x</title></item>" * 19_000
    slow += b"</channel></rss>"

    with pytest.raises(RemoteError, match=r"cannot be read: reading it takes longer than 0\.5 s"):
        readers().feed(FeedBytes(slow, "https://example.org/f", "application/xml"))
