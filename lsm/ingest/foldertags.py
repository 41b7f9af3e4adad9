"""`.lsm_tags.json`: tags a person gives to a folder and everything below it.

It is the user's file: read, never written, moved or removed. A broken one costs a warning.
"""

from __future__ import annotations

import errno
import json
import os
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from lsm.paths import to_os

if TYPE_CHECKING:
    from collections.abc import Iterable

TAGS_NAME = ".lsm_tags.json"
_MAX_BYTES = 64 * 1024
_MAX_TAGS = 64
_MAX_TAG_LENGTH = 100  # characters


class _TagsFile(msgspec.Struct):
    tags: list[str]


@dataclass(frozen=True)
class FolderTags:
    """Tags in force in a folder, those from above included."""

    tags: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """As the manifest keeps them, so that a change is seen by comparing texts."""
        return msgspec.json.encode(self.tags).decode()


def read_folder_tags(
    folder: int | None, path: str, above: FolderTags
) -> tuple[FolderTags, tuple[str, str, str] | None]:
    """The tags of a folder that holds a tags file, and, if it is broken, why it was ignored.

    Args:
        folder: the folder's descriptor, or None where the system opens none.
        path: the folder's, for messages.
        above: what is inherited.
    """
    shown = os.path.join(path, TAGS_NAME)
    try:
        return FolderTags(merged(above.tags, _tags_in(_read(folder, shown)))), None
    except OSError as error:
        is_link = error.errno == errno.ELOOP
        reason = "it is a link" if is_link else f"it cannot be read: {error.strerror or error}"
        return above, (shown, "tags_ignored", f"ignored, {reason}")
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        reason = f'ignored, {error}; it should read {{"tags": ["one", "two"]}}'
        return above, (shown, "tags_ignored", reason)


def merged(*groups: Iterable[str]) -> tuple[str, ...]:
    """Tags in the order they come, each once whatever its case; blank and overlong ones go."""
    found: dict[str, str] = {}
    for tag in chain(*groups):
        clean = " ".join(tag.replace("\0", "").split()).lstrip("# ")
        if 0 < len(clean) <= _MAX_TAG_LENGTH and len(found) < _MAX_TAGS:
            found.setdefault(clean.casefold(), clean)
    return tuple(found.values())


def _tags_in(raw: bytes) -> list[str]:
    if raw.startswith(b"\xef\xbb\xbf"):
        raise ValueError("it begins with a byte order mark; save it as UTF-8 without one")
    # First the strict one, which takes no lone surrogates; it does not see keys that stand twice.
    tags = msgspec.json.decode(raw, type=_TagsFile).tags
    json.loads(raw, object_pairs_hook=_each_once)
    if any(len(tag) > _MAX_TAG_LENGTH for tag in tags):
        raise ValueError(f"a tag is longer than {_MAX_TAG_LENGTH} characters")
    return tags


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key stands in it twice")
    return dict(pairs)


def _read(folder: int | None, path: str) -> bytes:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    if folder is None:
        handle = os.open(to_os(path), flags | getattr(os, "O_BINARY", 0))
    else:
        handle = os.open(TAGS_NAME, flags, dir_fd=folder)
    try:
        raw = os.read(handle, _MAX_BYTES + 1)
    finally:
        os.close(handle)
    if len(raw) > _MAX_BYTES:
        raise ValueError("it is larger than 64 KB")
    return raw
