"""Statistics of the library: computed once, served until the library is another one."""

from __future__ import annotations

import os
from collections import Counter
from datetime import timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import msgspec

from lsm.clock import to_text, utc_now
from lsm.errors import AccessError, BusyError, DiskFullError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lsm.clock import Clock
    from lsm.db import Database

# Whatever changes the library changes one of these: an ingest that finds anything opens a
# version; what failed counts its attempts; a prune takes rows; a wipe takes versions, and what
# comes after it has other numbers, for the counters never go back.
_STATE = """
SELECT (SELECT coalesce(max(version), 0) FROM lsm_versions) AS version,
       (SELECT coalesce(min(version), 0) FROM lsm_versions) AS oldest,
       (SELECT count(*) FROM lsm_versions) AS versions,
       (SELECT max(created_at) FROM lsm_versions) AS newest,
       (SELECT count(*) FROM lsm_documents) AS document_rows,
       (SELECT count(*) FROM lsm_chunks) AS chunk_rows,
       (SELECT next_value FROM lsm_counters WHERE name = 'document') AS next_document,
       (SELECT next_value FROM lsm_counters WHERE name = 'chunk') AS next_chunk,
       (SELECT count(*) FROM lsm_ingest_errors) AS errors,
       (SELECT sum(attempts) FROM lsm_ingest_errors) AS attempts,
       (SELECT max(last_seen) FROM lsm_ingest_errors) AS last_error,
       (SELECT count(*) FROM lsm_manifest) AS files,
       (SELECT max(version) FROM lsm_manifest) AS manifest_version
"""
_GET = """
SELECT stats_json
  FROM lsm_stats_cache
 WHERE stats_key = :stats_key
   AND library_state = :library_state
   AND created_at <= :now
   AND expires_at > :now
"""
_PUT = """
INSERT INTO lsm_stats_cache (stats_key, library_state, stats_json, created_at, expires_at)
VALUES (:stats_key, :library_state, :stats_json, :created_at, :expires_at)
    ON CONFLICT (stats_key) DO UPDATE
   SET library_state = excluded.library_state,
       stats_json    = excluded.stats_json,
       created_at    = excluded.created_at,
       expires_at    = excluded.expires_at
"""
_CLEAR = "DELETE FROM lsm_stats_cache"
_DOCUMENTS = """
SELECT document_id, source_path, extension, title, tags_json, file_size, modified_at
  FROM lsm_documents
 WHERE version_out IS NULL
"""
_CHUNKS = """
SELECT document_id, count(*) FROM lsm_chunks WHERE version_out IS NULL GROUP BY document_id
"""
_VERSIONS = "SELECT version, created_at FROM lsm_versions ORDER BY version"
_DOCUMENTS_IN = "SELECT version_in, count(*) FROM lsm_documents GROUP BY version_in"
_DOCUMENTS_OUT = "SELECT version_out, count(*) FROM lsm_documents GROUP BY version_out"
_CHUNKS_IN = "SELECT version_in, count(*) FROM lsm_chunks GROUP BY version_in"
_CHUNKS_OUT = "SELECT version_out, count(*) FROM lsm_chunks GROUP BY version_out"
_ERRORS = "SELECT code, count(*) FROM lsm_ingest_errors GROUP BY code"

_KEY = "library"
_FORMAT = 1  # of what is stored
DEFAULT_TTL = timedelta(hours=1)
_LISTED = 10  # largest, newest
_GROUPS = 100  # folders, tags: the largest; the rest is left out
_GROWTH = 200  # versions: the newest


class Group(msgspec.Struct, frozen=True):
    """Documents that have something in common."""

    name: str  # ".md", a folder's path, a tag
    documents: int
    chunks: int
    bytes: int


class Listed(msgspec.Struct, frozen=True):
    """A document among the largest or newest."""

    path: str
    title: str
    bytes: int
    modified_at: str


class Growth(msgspec.Struct, frozen=True):
    """The library as it was from a version on."""

    version: int
    created_at: str
    documents: int
    chunks: int


class LibraryStats(msgspec.Struct, frozen=True, kw_only=True):
    """The library as it is. Lists have the largest first, `growth` the oldest."""

    version: int  # 0: nothing was ever ingested
    documents: int
    chunks: int
    bytes: int  # of the files
    by_type: tuple[Group, ...]  # by extension; "" for names without one
    by_folder: tuple[Group, ...]  # by the folder a document lies in; the 100 with most
    by_tag: tuple[Group, ...]  # the 100 with most
    growth: tuple[Growth, ...]  # one a version, of the newest 200
    largest: tuple[Listed, ...]
    newest: tuple[Listed, ...]  # by the files' own time
    errors: int  # files that could not be read
    errors_by_code: dict[str, int]
    computed_at: str


class StatsCache:
    """Statistics of the library in *db*.

    Args:
        ttl: after that they are computed again even if nothing has changed.
    """

    def __init__(self, db: Database, clock: Clock = utc_now, ttl: timedelta = DEFAULT_TTL) -> None:
        self._db = db
        self._now = clock
        self._ttl = ttl

    def get(self) -> LibraryStats:
        """The statistics, true of the library as this thread sees it now.

        Costs a few counts while they are held, and a pass over all documents when they are not.
        """
        with self._db.snapshot():
            state = self._state()
            held = self._held(state)
            if held is not None:
                return held
            stats = self._computed()
        self._put(state, stats)
        return stats

    def held(self) -> LibraryStats | None:
        """The statistics if they need not be computed, else None."""
        with self._db.snapshot():
            return self._held(self._state())

    def invalidate(self) -> None:
        """Compute them again next time. Joins the caller's transaction."""
        self._db.run(_CLEAR)

    def _state(self) -> str:
        state = self._db.tuples(_STATE)[0]
        # PostgreSQL sums to a Decimal.
        return msgspec.json.encode([_FORMAT, *(str(value) for value in state)]).decode()

    def _held(self, state: str) -> LibraryStats | None:
        now = to_text(self._now())
        rows = self._db.tuples(_GET, stats_key=_KEY, library_state=state, now=now)
        try:
            return msgspec.json.decode(rows[0][0], type=LibraryStats) if rows else None
        except msgspec.MsgspecError:
            return None  # not written by this program

    def _put(self, state: str, stats: LibraryStats) -> None:
        now = self._now()
        try:
            self._db.run(
                _PUT,
                stats_key=_KEY,
                library_state=state,
                stats_json=msgspec.json.encode(stats).decode(),
                created_at=to_text(now),
                expires_at=to_text(now + self._ttl),
            )
        except (AccessError, BusyError, DiskFullError):
            # They are right all the same; the next to ask computes them again.
            return

    def _computed(self) -> LibraryStats:
        chunks: dict[int, int] = dict(self._db.tuples(_CHUNKS))
        documents = [
            _Document(*row, chunks=chunks.get(row[0], 0)) for row in self._db.tuples(_DOCUMENTS)
        ]
        errors = sorted(self._db.tuples(_ERRORS), key=lambda row: (-row[1], row[0]))
        growth = self._growth()
        return LibraryStats(
            version=growth[-1].version if growth else 0,
            documents=len(documents),
            chunks=sum(document.chunks for document in documents),
            bytes=sum(document.bytes for document in documents),
            by_type=_grouped((document.extension, document) for document in documents),
            by_folder=_grouped((_folder(document.path), document) for document in documents),
            by_tag=_grouped((tag, document) for document in documents for tag in _tags(document)),
            growth=growth,
            largest=_listed(sorted(documents, key=lambda d: (-d.bytes, d.path))),
            newest=_listed(sorted(documents, key=lambda d: d.modified_at, reverse=True)),
            errors=sum(count for _, count in errors),
            errors_by_code=dict(errors),
            computed_at=to_text(self._now()),
        )

    def _growth(self) -> tuple[Growth, ...]:
        """What each version held: what came in up to it, less what had gone out."""
        db = self._db
        versions = db.tuples(_VERSIONS)
        numbers = [version for version, _ in versions]
        documents = _running(numbers, db.tuples(_DOCUMENTS_IN), db.tuples(_DOCUMENTS_OUT))
        chunks = _running(numbers, db.tuples(_CHUNKS_IN), db.tuples(_CHUNKS_OUT))
        return tuple(
            Growth(version, created_at, documents[version], chunks[version])
            for version, created_at in versions[-_GROWTH:]
        )


class _Document(msgspec.Struct, frozen=True):
    document_id: int
    path: str
    extension: str
    title: str
    tags_json: str
    bytes: int
    modified_at: str
    chunks: int


def _tags(document: _Document) -> list[str]:
    return msgspec.json.decode(document.tags_json, type=list[str])


def _folder(path: str) -> str:
    # What was kept from the web lies on its host.
    if path.startswith(("https://", "http://")):
        return "/".join(path.split("/", 3)[:3])
    return os.path.dirname(path)


def _grouped(members: Iterable[tuple[str, _Document]]) -> tuple[Group, ...]:
    sums: dict[str, list[int]] = {}
    for name, document in members:
        total = sums.setdefault(name, [0, 0, 0])
        total[0] += 1
        total[1] += document.chunks
        total[2] += document.bytes
    groups = [Group(name, *total) for name, total in sums.items()]
    return tuple(sorted(groups, key=lambda group: (-group.documents, group.name))[:_GROUPS])


def _listed(documents: Iterable[_Document]) -> tuple[Listed, ...]:
    return tuple(
        Listed(document.path, document.title, document.bytes, document.modified_at)
        for document, _ in zip(documents, range(_LISTED), strict=False)
    )


def _running(
    versions: list[int],
    came: Iterable[tuple[Any, int]],
    went: Iterable[tuple[Any, int]],
) -> dict[int, int]:
    change = Counter[int]()
    for version, count in came:
        change[version] += count
    for version, count in went:
        if version is not None:  # NULL: still there
            change[version] -= count
    steps = sorted(change.keys() | set(versions))
    return dict(zip(steps, accumulate(change[step] for step in steps), strict=True))
