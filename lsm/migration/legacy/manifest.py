"""The predecessor's manifest: one entry a file, by lower-cased path."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsm.migration.legacy import checks
from lsm.migration.legacy.oldjson import BrokenJsonError, Scanner
from lsm.migration.legacy.records import LegacyFile, Record, hashed
from lsm.migration.legacy.times import instant
from lsm.paths import shown, to_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lsm.migration.legacy.realpaths import RealPaths

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
    """A key of a JSON object and its value, as text and as Python reads it."""

    key: str
    raw: str
    value: Any


@dataclass(frozen=True)
class Entries:
    """What could be read of an object."""

    entries: list[Entry]
    problem: str = ""  # why it is not all
    lost: str = ""  # the text from where it is broken on


def read_entries(text: str) -> Entries:
    """The members of the object that *text* is, up to where it breaks."""
    scanner, found = Scanner(text), list[Entry]()
    at = scanner.at
    try:
        for key in scanner.members():
            found.append(Entry(key, *scanner.value()))
            at = scanner.at
        scanner.end()
    except BrokenJsonError as error:
        return Entries(found, str(error), scanner.rest(at))
    return Entries(found)


def read_manifest(entries: list[Entry], paths: RealPaths) -> Iterator[Record[LegacyFile]]:
    """Each of *entries*; of several with one key the last, which is what Python reads."""
    last = {entry.key: number for number, entry in enumerate(entries)}
    for number, entry in enumerate(entries):
        original = f"{_json(entry.key)}: {entry.raw}".encode("utf-8", "surrogatepass")
        try:
            value = _file(entry, paths, is_last=last[entry.key] == number)
        except ValueError as error:
            identity = hashed(str(number), entry.key, entry.raw)
            key = shown(entry.key.replace("\0", "\\0"))
            yield Record("manifest", key, original, None, trouble=str(error), identity=identity)
        else:
            yield Record("manifest", value.source_path, original, value, identity=entry.key)


def _file(entry: Entry, paths: RealPaths, *, is_last: bool) -> LegacyFile:
    if not is_last:
        raise ValueError("the same path stands there again further down")
    row = checks.object_of("the entry", entry.value)
    file_hash, size = row.get("file_hash"), checks.whole(row, "size", 0)
    if not isinstance(file_hash, str) or not _SHA256.fullmatch(file_hash):
        raise ValueError("file_hash is not a SHA-256")
    version = 1 if row.get("version") is None else checks.whole(row, "version", 1)
    return LegacyFile(
        source_path=_path(entry.key, size, file_hash, paths),
        mtime_ns=checks.whole(row, "mtime_ns"),
        file_size=size,
        file_hash=file_hash,
        version=version,
        updated_at=instant(row.get("updated_at")),
    )


def _path(key: str, size: int, file_hash: str, paths: RealPaths) -> str:
    if "\0" in key:
        raise ValueError("no path holds the character NUL")
    if not os.path.isabs(key) and not re.match(r"[a-z]:[\\/]", key):
        raise ValueError("it is not an absolute path")
    try:
        os.fsencode(key)
    except UnicodeEncodeError:
        raise ValueError("no path holds half of a character (a lone surrogate)") from None
    return to_text(paths.find(key, size, file_hash) or key)


def _json(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)
