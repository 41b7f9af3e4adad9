"""From the lower-cased paths of an old manifest to the files as they are spelled."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLOCK = 1024 * 1024


class RealPaths:
    """Finds files by lower-cased path. Each folder is listed once; nothing is changed."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, list[str]]] = {}
        self._folders: dict[str, list[str]] = {}

    def find(self, path: str, size: int, file_hash: str) -> str | None:
        """The file that *path* meant; None if there is none, or which of several is unknown.

        Args:
            path: absolute, as `os` takes it, lower-cased on every system.
            size: bytes it had, to tell files from each other that differ in case alone.
            file_hash: SHA-256 it had; compared only where the size does not decide.
        """
        found = [place for place in self._spelled(path) if os.path.isfile(place)]
        if len(found) > 1:
            found = [place for place in found if _size(place) == size]
        if len(found) > 1:
            found = [place for place in found if _hash(place) == file_hash]
        return found[0] if len(found) == 1 else None

    def _spelled(self, path: str) -> Sequence[str]:
        folder, name = os.path.split(path)
        if folder == path:  # the root
            return [path] if os.path.isdir(path) else []
        known = self._folders.get(folder)
        if known is None:
            known = self._folders[folder] = [*self._spelled(folder)]
        return [
            os.path.join(place, real)
            for place in known
            for real in self._listed(place).get(name.lower(), ())
        ]

    def _listed(self, folder: str) -> dict[str, list[str]]:
        if folder not in self._names:
            names: dict[str, list[str]] = {}
            try:
                entries = os.listdir(folder)
            except OSError:  # not ours to look into, or a file
                entries = []
            for entry in entries:
                names.setdefault(entry.lower(), []).append(entry)
            self._names[folder] = names
        return self._names[folder]


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def _hash(path: str) -> str:
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()
