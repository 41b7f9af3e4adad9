"""What a person browses: documents and their states, what rests on them, what could not be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsm.errors import NotFoundError
from lsm.once import once
from lsm.paths import shown
from lsm.vectordb.base import NOW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.agents.memory.anchored import Anchored
    from lsm.app import Mind
    from lsm.ingest.failures import FailedFile
    from lsm.ingest.roots import Root
    from lsm.ingest.stats_cache import LibraryStats
    from lsm.query.parts import DiffLine, Part
    from lsm.vectordb.listing import DocumentLine, DocumentList, LibraryVersion, VersionLine

_SMALL = 10_000  # files


class Catalogue:
    """The library of one mind, page by page."""

    def __init__(self, mind: Mind) -> None:
        self._mind = mind

    def documents(self, after: str = "", below: str = "", most: int = 50) -> list[DocumentLine]:
        """Current documents, see `DocumentList.documents`."""
        return self._list.documents(after, below, most)

    def newest(self, most: int = 5) -> list[DocumentLine]:
        """The documents that were changed last, by their files' own time.

        Of a large library nothing, unless its statistics are held: a first page is not worth a
        pass over all of it.
        """
        from lsm.ingest.stats_cache import StatsCache

        is_small = self._mind.overview().files <= _SMALL
        cache = StatsCache(self._mind.db, self._mind.clock)
        stats = cache.get() if is_small else cache.held()
        return self._list.at_paths([each.path for each in stats.newest[:most]] if stats else [])

    def versions_of(
        self, document_id: int, before: int | None = None, most: int = 50
    ) -> list[VersionLine]:
        """States of a document, the newest first."""
        return self._list.versions_of(document_id, before, most)

    def versions(self, before: int | None = None, most: int = 50) -> list[LibraryVersion]:
        """Versions of the library, the newest first."""
        return self._list.versions(before, most)

    def part(
        self,
        document_id: int,
        version: int | None = None,
        *,
        number: int | None = None,
        line: int = 1,
    ) -> Part:
        """A stretch of a document, see `read_part`; *version* None is as it is."""
        from lsm.query.parts import read_part

        at = NOW if version is None else version
        return read_part(self._mind.db, document_id, at, number=number, line=line)

    def place_of(self, chunk_id: int, version: int | None = None) -> tuple[int, int | None, int]:
        """Document, version (None: as it is) and line of a chunk.

        Raises:
            NotFoundError: there is no such chunk.
        """
        from lsm.query.parts import place_of

        found, at, line = place_of(self._mind.db, chunk_id, NOW if version is None else version)
        return found, None if at == NOW else at, line

    def compare(self, document_id: int, older: int, newer: int) -> list[DiffLine]:
        """What changed in a document between two versions of the library."""
        from lsm.query.parts import compare

        return compare(self._mind.db, document_id, older, newer)

    def memories_on(self, document_id: int) -> list[Anchored]:
        """Memories in use that rest on a document, in its order."""
        from lsm.agents.memory.anchored import anchored_in

        return anchored_in(self._mind.db, document_id, self._mind.clock)

    def failures(self, after: str = "", most: int = 50) -> list[FailedFile]:
        """Files that could not be read, by path, behind the path *after*."""
        from lsm.ingest.failures import failures_after

        return failures_after(self._mind.db, after, most)

    def roots(self) -> Sequence[Root]:
        """What is read, and when it was read last."""
        from lsm.ingest.roots import Root, load_roots

        known = {root.root_path: root for root in load_roots(self._mind.db)}
        # A root that only the settings name is written down at the first ingest.
        return [known.get(p) or Root(p, "config", "", None) for p in self._mind.roots()]

    def stats(self) -> LibraryStats:
        """Growth, kinds and sizes; computed once for each state of the library."""
        from lsm.ingest.stats_cache import StatsCache

        return StatsCache(self._mind.db, self._mind.clock).get()

    def open_original(self, document_id: int) -> tuple[int, str]:
        """A descriptor of the file behind a current document, and its path; the caller closes it.

        Raises:
            NotFoundError: the document or its file is no longer there.
        """
        from lsm.ingest.original import open_original
        from lsm.ingest.roots import outermost

        path = self.part(document_id).document.source_path
        root = outermost(path, (), self._mind.roots())
        if root is None:
            raise NotFoundError("file", f"{shown(path)}: no root holds it any more")
        return open_original(path, root), path

    @once
    def _list(self) -> DocumentList:
        from lsm.vectordb.listing import DocumentList

        return DocumentList(self._mind.db)
