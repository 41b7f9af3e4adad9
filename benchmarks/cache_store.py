"""Caches under the clock, in an interpreter that has it.

The seconds of a put and of a get.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_ENTRIES, _GETS = 500, 3000
_ANSWER = {"results": [{"title": f"Result {n}", "snippet": "words " * 40} for n in range(10)]}


def lsm_cache(path: str) -> tuple[Callable[[int], object], Callable[[int], object]]:
    """Writes and reads an answer by number."""
    from datetime import timedelta

    from lsm.db import open_database
    from lsm.remote.storage import RemoteCache

    cache = RemoteCache(open_database(path))
    day = timedelta(days=1)
    return (
        lambda n: cache.put("bench", {"query": n}, _ANSWER, day),
        lambda n: cache.get("bench", {"query": n}),
    )


def disk_cache(path: str) -> tuple[Callable[[int], object], Callable[[int], object]]:
    """The same with diskcache and its default durability (synchronous=NORMAL)."""
    from diskcache import Cache  # type: ignore[import-not-found]

    cache = Cache(path)
    return (
        lambda n: cache.set(f"bench:{n}", _ANSWER, expire=86_400),
        lambda n: cache.get(f"bench:{n}"),
    )


def requests_cache(path: str) -> tuple[Callable[[int], object], Callable[[int], object]]:
    """The same with requests-cache's SQLite backend: a whole response as it keeps them."""
    from requests_cache import CachedResponse, SQLiteCache  # type: ignore[import-not-found]

    cache = SQLiteCache(path + ".sqlite")
    content = json.dumps(_ANSWER).encode()

    def put(n: int) -> None:
        url = f"http://example.org/{n}"
        cache.responses[str(n)] = CachedResponse(status_code=200, url=url, content=content)

    return put, lambda n: cache.responses[str(n)].json()


def measured(name: str, path: str) -> dict[str, float]:
    """Mean seconds of each."""
    kinds = {"lsm": lsm_cache, "diskcache": disk_cache, "requests-cache": requests_cache}
    put, get = kinds[name](path)
    began = time.perf_counter()
    for n in range(_ENTRIES):
        put(n)
    written = time.perf_counter() - began
    assert get(7) == _ANSWER
    began = time.perf_counter()
    for n in range(_GETS):
        get(n * 7 % _ENTRIES)
    return {"put": written / _ENTRIES, "get": (time.perf_counter() - began) / _GETS}
