"""The bytes of a database file, read past SQLite's own idea of what is in it.

Through SQLite's file layer and not with `open()`: that layer knows this process's locks on the
file and keeps its descriptor until they are gone, where closing our own would drop them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import apsw

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BLOCK = 1024 * 1024
_KINDS = {"": apsw.SQLITE_OPEN_MAIN_DB, "-wal": apsw.SQLITE_OPEN_WAL}


def count_bytes(path: str, needles: Sequence[bytes]) -> int:
    """How often any of *needles* stands in the database at *path* or in its log.

    The log must have been emptied into the file for the answer to be final. Reads everything
    once: 1 GB takes some seconds.
    """
    wanted = [needle for needle in dict.fromkeys(needles) if needle]
    return sum(
        _count(path + suffix, kind, wanted)
        for suffix, kind in _KINDS.items()
        if wanted and os.path.exists(path + suffix)
    )


def _count(path: str, kind: int, needles: Sequence[bytes]) -> int:
    overlap = max(map(len, needles)) - 1
    found = 0
    before = b""
    for block in blocks(path, kind):
        text = before + block
        # What ends within the overlap was counted with the block before.
        found += sum(text.count(needle) - before.count(needle) for needle in needles)
        before = text[len(text) - overlap :] if overlap else b""
    return found


def blocks(path: str, kind: int) -> Iterator[bytes]:
    """All of the file at *path*, of *kind* as the driver names it, in order."""
    file = apsw.VFSFile("", path, [kind | apsw.SQLITE_OPEN_READONLY, 0])
    try:
        size = file.xFileSize()
        for offset in range(0, size, _BLOCK):
            yield file.xRead(min(_BLOCK, size - offset), offset)
    finally:
        file.xClose()
