"""Operations on remote sources and on what they answered."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from lsm.errors import NotFoundError, RefusedError
from lsm.remote.results import RemoteAnswer
from lsm.remote.sources import SourceInfo
from lsm.remote.storage import CacheEntry, CacheStats
from lsm.web.api.operations import Call, Input, Nothing, Operation, get, post
from lsm.web.api.shapes import Purged


class Ask(Input, frozen=True):
    """What to ask a source."""

    query: Annotated[str, Meta(min_length=1, max_length=2000)]
    k: Annotated[int, Meta(ge=1, le=200)] = 10
    freshness: Literal["any", "refresh", "offline"] = "any"  # ask anew, or nobody


class Entries(Input, frozen=True):
    """How many."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class Purge(Input, frozen=True):
    """Which answers: those that are stale, unless a source or all are named."""

    provider: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{1,64}$")] | UnsetType = UNSET
    all: bool = False


def _sources(call: Call[Nothing, None]) -> list[SourceInfo]:
    return call.mind.remote.sources()


def _search(call: Call[Nothing, Ask]) -> RemoteAnswer:
    asked, provider = call.body, call.place["provider"]
    if provider not in {each.name for each in call.mind.remote.sources() if each.enabled}:
        raise NotFoundError("enabled source", provider)
    answer = call.mind.remote.search(
        provider,
        asked.query,
        k=asked.k,
        refresh=asked.freshness == "refresh",
        offline=asked.freshness == "offline",
    )
    call.mind.remote.mark_shown(answer)
    return answer


def _entries(call: Call[Entries, None]) -> list[CacheEntry]:
    return call.mind.cache.entries(call.query.limit)


def _stats(call: Call[Nothing, None]) -> CacheStats:
    return call.mind.cache.stats()


def _purge(call: Call[Nothing, Purge]) -> Purged:
    provider = None if call.body.provider is UNSET else call.body.provider
    if provider is not None and call.body.all:
        raise RefusedError("provider and all exclude each other; give one of them")
    return Purged(call.mind.cache.purge(provider=provider, everything=call.body.all))


OPERATIONS: tuple[Operation, ...] = (
    get(
        "/remote",
        "listSources",
        "Sources elsewhere, and which may be asked.",
        _sources,
        list[SourceInfo],
    ),
    post(
        "/remote/{provider}/search",
        "searchRemote",
        "Ask a source that the settings enable; its answer is kept.",
        _search,
        RemoteAnswer,
        body=Ask,
    ),
    get(
        "/cache",
        "listCache",
        "The answers kept, newest first.",
        _entries,
        list[CacheEntry],
        query=Entries,
    ),
    get("/cache/stats", "cacheStats", "How much is kept, and of whom.", _stats, CacheStats),
    post(
        "/cache/purge",
        "purgeCache",
        "Delete answers; they are asked for again when they are wanted.",
        _purge,
        Purged,
        body=Purge,
    ),
)
