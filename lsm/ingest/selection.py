"""Which names below a root are read at all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from lsm.ingest.foldertags import TAGS_NAME
from lsm.ingest.parsers import SUPPORTED, parser_for
from lsm.vectordb.pathglob import compiled

if TYPE_CHECKING:
    import re

# What programs put beside people's files: other people's packages, and caches.
_MACHINE_FOLDERS = frozenset({"node_modules", "bower_components", "venv", "__pycache__"})


@dataclass(frozen=True)
class Selection:
    """The user's choice of files."""

    exclude: tuple[str, ...] = ()  # globs
    hidden: bool = False
    home: str = ""  # our own folder, never walked from outside

    @property
    def plainly(self) -> frozenset[str]:
        """Extensions of names without a dot at the front that are read without further ado."""
        return frozenset() if self.exclude else SUPPORTED

    def reads(self, name: str, path: str) -> bool:
        """Whether the file *name*, at *path*, is of a kind we read and the user wants."""
        if name[0] == "." and (not self.hidden or name == TAGS_NAME):
            return False
        # The set first: it answers for nearly every name, and this runs for every file.
        if name[name.rfind(".") :] not in SUPPORTED and parser_for(name) is None:
            return False
        return not self._excluded(path)

    def enters(self, name: str, path: str) -> bool:
        """Whether the folder *name*, at *path*, is walked."""
        if (name[0] == "." and not self.hidden) or name in _MACHINE_FOLDERS:
            return False
        return path != self.home and not self._excluded(path)

    def _excluded(self, path: str) -> bool:
        if not self.exclude:
            return False
        path = path.replace(os.sep, "/")
        return any(pattern.match(path) for pattern in self._patterns)

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str], ...]:
        return tuple(compiled(glob) for glob in self.exclude)
