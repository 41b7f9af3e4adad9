"""The predecessor's remote answers and feeds: one JSON file each, named by a hash."""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING, Any, cast

from lsm.errors import LsmError
from lsm.migration.legacy import checks
from lsm.migration.legacy.files import read_file
from lsm.migration.legacy.oldjson import BrokenJsonError, loads, text_of
from lsm.migration.legacy.records import LegacyAnswer, LegacyFeed, Record
from lsm.migration.legacy.times import of_seconds
from lsm.paths import shown, to_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lsm.migration.legacy.oldconfig import OldConfig
    from lsm.migration.legacy.records import Kind

_NAME = re.compile(r"[0-9a-f]{24}\.json")
_ANSWER = {"provider", "query", "saved_at", "results"}
_FEED = {"feed_url", "saved_at", "items", "seen_ids"}
_DOWNLOADS_OF_OTHERS = "scholarly"  # papers, among them JSON that is none of ours


def answer_files(folders: tuple[str, ...]) -> list[str]:
    """Paths of what may be an answer or a feed, in order."""
    found: list[str] = []
    for folder in folders:
        for place, _, names in os.walk(folder):
            found += [os.path.join(place, name) for name in names if _NAME.fullmatch(name)]
    return sorted(found)


def read_answer(
    path: str, base: str, config: OldConfig
) -> tuple[Record[LegacyAnswer] | Record[LegacyFeed] | None, bool]:
    """The record in the file at *path*, and whether the file could be understood at all.

    No record: it is neither an answer nor a feed, but somebody's download.
    """
    key = shown(to_text(os.path.relpath(path, base)))
    try:
        data = read_file(path).data
    except LsmError as error:
        return Record("remote_cache", key, b"", None, trouble=str(error)), False
    try:
        found = loads(text_of(data))
    except BrokenJsonError as error:
        if _is_download(path):
            return None, True
        return Record("remote_cache", key, data, None, trouble=f"broken: {error}"), False
    keys: set[str] = set(found) if isinstance(found, dict) else set()  # pyright: ignore[reportUnknownArgumentType]
    if keys not in (_ANSWER, _FEED):
        if _is_download(path):
            return None, True
        trouble = "it is neither an answer nor a feed"
        return Record("remote_cache", key, data, None, trouble=trouble), True
    kind: Kind = "remote_cache" if keys == _ANSWER else "feeds"
    try:
        value = _answer(path, found, config) if kind == "remote_cache" else _feed(path, found)
    except ValueError as error:
        return Record(kind, key, data, None, trouble=str(error)), True
    return cast("Any", Record(kind, key, data, value)), True


def _answer(path: str, found: dict[str, Any], config: OldConfig) -> LegacyAnswer:
    provider, query = checks.name(found, "provider"), checks.text(found, "query")
    _check_name(path, query)
    results = found["results"]
    if not isinstance(results, list):
        raise ValueError("results is not a list")  # noqa: TRY004 - a wrong value
    for number, result in enumerate(cast("list[Any]", results), 1):
        checks.object_of(f"result {number}", result)
    return LegacyAnswer(
        provider=provider,
        query=query,
        saved_at=of_seconds(found["saved_at"]),
        ttl_s=config.ttl_s(provider),
        results=checks.json_value("results", results),
    )


def _feed(path: str, found: dict[str, Any]) -> LegacyFeed:
    url = checks.text(found, "feed_url")
    _check_name(path, url)
    seen = found["seen_ids"]
    if not isinstance(seen, list) or not all(type(each) is str for each in cast("list[Any]", seen)):
        raise ValueError("seen_ids is not a list of texts")
    if not isinstance(found["items"], list):
        raise ValueError("items is not a list")  # noqa: TRY004 - a wrong value
    ids = tuple(sorted(set(cast("list[str]", seen))))
    return LegacyFeed(feed_url=url, saved_at=of_seconds(found["saved_at"]), seen_ids=ids)


def _check_name(path: str, asked: str) -> None:
    name = hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()[:24]
    if os.path.basename(path) != f"{name}.json":
        raise ValueError("its name is not the hash of what was asked: it belongs elsewhere")


def _is_download(path: str) -> bool:
    return os.path.basename(os.path.dirname(path)) == _DOWNLOADS_OF_OTHERS


def iterate(paths: list[str], home: str, config: OldConfig) -> Iterator[tuple[Record[Any], bool]]:
    """Each record of *paths*, and whether its file could be understood."""
    for path in paths:
        record, understood = read_answer(path, home, config)
        if record is not None:
            yield record, understood
