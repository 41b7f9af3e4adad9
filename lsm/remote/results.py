"""What a search of a remote source brings, whichever source it is."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

import msgspec

from lsm.remote.text import plain, shortened, tidy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TITLE, _SNIPPET, _TEXT, _PAGE = 500, 500, 200_000, 2_000_000  # characters


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One result."""

    title: str  # one line, without markup
    url: str  # "" if the source gives none
    snippet: str  # one line of at most 500 characters
    score: float  # in [0, 1], the first result of an answer has the highest
    published: str | None  # an instant; where only a day or year is known, its first
    metadata: dict[str, Any]  # what this source says besides; never a secret
    text: str = ""  # all there is: an abstract, or a page; what `keep` puts into the library


@dataclass(frozen=True)
class RemoteAnswer:
    """What `lsm remote search` prints."""

    provider: str
    query: str
    cached: bool  # no server was asked for it
    stale: bool  # some of it is past its time because its source could not be asked
    results: tuple[Found, ...]  # best first
    created_at: str | None  # when the oldest part of it was fetched
    problems: tuple[str, ...]  # why something is stale or missing


def found(
    title: str | None,
    url: str | None,
    text: str | None,
    *,
    published: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Found:
    """A result from what a source says, cleaned: its markup, control characters and length."""
    whole = plain((text or "")[:_TEXT])
    return Found(
        title=shortened(plain((title or "")[: 10 * _TITLE]), _TITLE) or "(no title)",
        url=_web_address(url),
        snippet=shortened(whole, _SNIPPET),
        score=0.0,
        published=published,
        metadata={key: value for key, value in (metadata or {}).items() if value},
        text=whole,
    )


def with_page(result: Found, text: str) -> Found:
    """*result* with the *text* of a whole page, in which angle brackets mean themselves."""
    whole = tidy(text[:_PAGE])
    return msgspec.structs.replace(result, text=whole, snippet=shortened(whole, _SNIPPET))


def scored(result: Found, score: float) -> Found:
    """*result* with its source's own measure of it; higher is better."""
    return msgspec.structs.replace(result, score=score if isfinite(score) else 0.0)


def ranked(results: Sequence[Found]) -> list[Found]:
    """*results*, best first, with scores in [0, 1]: the source's own, or by place."""
    top = max((result.score for result in results), default=0.0)
    return [
        msgspec.structs.replace(
            result,
            score=round(max(0.0, result.score) / top if top > 0 else 1 / (place + 1), 6),
        )
        for place, result in enumerate(results)
    ]


def _web_address(url: str | None) -> str:
    # What is clicked must not be "javascript:" or a file.
    url = (url or "").strip()
    return url[:2000] if url.startswith(("https://", "http://")) and url.isprintable() else ""
