"""A new folder and its files, for their owner alone."""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lsm.paths import to_os

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import BinaryIO

# What no file system minds, and nothing that a shell, a web page or Windows reads otherwise.
_ODD = re.compile(r"[^\w.@ -]")
_LONGEST = 80  # characters: four bytes each and an ending fit into any name


class Folder:
    """Where an export is written. Makes *path*, which must not be there."""

    def __init__(self, path: str) -> None:
        os.mkdir(path, 0o700)
        self.path = path
        self.files = 0
        self.bytes = 0

    def write(self, name: str, text: str) -> None:
        """Make the file *name* with *text*; folders in *name* are made as well."""
        with self.opened(name) as file:
            file.write(text.encode("utf-8", "backslashreplace"))

    @contextmanager
    def opened(self, name: str) -> Generator[BinaryIO]:
        """A new file to be written; on the disk when the block ends.

        Raises:
            OSError: it cannot be made, or is there already.
        """
        path = os.path.join(self.path, to_os(name))
        _make_private(os.path.dirname(path))
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            self.files += 1
            self.bytes += file.tell()


def _make_private(folder: str) -> None:
    # Not makedirs: the mode it is given is that of the last folder alone.
    if not os.path.isdir(folder):
        _make_private(os.path.dirname(folder))
        os.mkdir(folder, 0o700)


def file_name(text: str) -> str:
    """*text* as the name of a file: itself where it may be, else with what sets it apart.

    No two texts have one name, not even where capital letters are not told apart.
    """
    plain = _ODD.sub("_", text).strip(". ")[:_LONGEST]
    if plain and plain == text and plain == plain.lower():
        return plain
    return f"{plain or '_'}-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:8]}"
