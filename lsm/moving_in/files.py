"""What a predecessor knew of files, in the manifest of ours.

Known, and not trusted: each file is read at the next ingest, which is what fills the library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsm.ingest.manifest import FileState, load_manifest, save_manifest
from lsm.moving_in.digests import digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.clock import Clock
    from lsm.db import Database
    from lsm.migration.legacy.records import LegacyFile


class FileShelf:
    """Keeps `LegacyFile`."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._now = clock

    def key(self, item: LegacyFile) -> str:
        return item.source_path

    def digest(self, item: LegacyFile) -> str:
        return _content(item)

    def held(self, items: Sequence[LegacyFile]) -> list[str | None]:
        here = load_manifest(self._db, [item.source_path for item in items])
        found = [here.get(item.source_path) for item in items]
        return [None if state is None else _content(state) for state in found]

    def present(self, keys: Sequence[str]) -> set[str]:
        return set(load_manifest(self._db, keys))

    def remark(self, item: LegacyFile) -> str:  # noqa: ARG002 - it is what it was
        return ""

    def flaw(self, item: LegacyFile) -> str:  # noqa: ARG002 - what cannot be used is not typed
        return ""

    def insert(self, item: LegacyFile) -> None:
        # ctime, inode and the time of the last look stay 0: nothing is believed without reading.
        state = FileState(**vars(item))
        save_manifest(self._db, [state], self._now)

    def replace(self, item: LegacyFile) -> None:
        self.insert(item)

    def absorb(self, item: LegacyFile) -> str | None:
        here = load_manifest(self._db, [item.source_path])[item.source_path]
        if here.checked_ns or here.document_id is not None:
            return "lsm has read the file itself since"
        if here.updated_at >= item.updated_at:
            return "what is known of the file is newer"
        self.insert(item)
        return "newer than what was known of the file"


def _content(item: LegacyFile | FileState) -> str:
    return digest(
        item.source_path,
        item.mtime_ns,
        item.file_size,
        item.file_hash,
        item.version,
        item.updated_at,
    )
