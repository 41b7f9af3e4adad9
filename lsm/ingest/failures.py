"""Files that could not be read, and why; they are tried again when they change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsm.clock import to_text, utc_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.clock import Clock
    from lsm.db import Database

_RECORD = """
INSERT INTO lsm_ingest_errors (source_path, code, reason, first_seen, last_seen, file_size,
                               mtime_ns, ctime_ns, chunking, attempts)
VALUES (:source_path, :code, :reason, :now, :now, :file_size, :mtime_ns, :ctime_ns, :chunking, 1)
    ON CONFLICT (source_path) DO UPDATE
   SET code      = excluded.code,
       reason    = excluded.reason,
       last_seen = excluded.last_seen,
       file_size = excluded.file_size,
       mtime_ns  = excluded.mtime_ns,
       ctime_ns  = excluded.ctime_ns,
       chunking  = excluded.chunking,
       attempts  = CASE WHEN lsm_ingest_errors.file_size = excluded.file_size
                         AND lsm_ingest_errors.mtime_ns = excluded.mtime_ns
                         AND lsm_ingest_errors.ctime_ns = excluded.ctime_ns
                         AND lsm_ingest_errors.chunking = excluded.chunking
                        THEN lsm_ingest_errors.attempts + 1 ELSE 1 END
"""
_CLEAR = "DELETE FROM lsm_ingest_errors WHERE source_path IN :paths[]"
_COLUMNS = """
SELECT source_path, code, reason, file_size, mtime_ns, ctime_ns, chunking, attempts
  FROM lsm_ingest_errors
"""
_SOME = _COLUMNS + " WHERE source_path IN :paths[] ORDER BY source_path"
_ALL = _COLUMNS + " ORDER BY source_path"
_AFTER = _COLUMNS + " WHERE source_path > :after ORDER BY source_path LIMIT :most"


@dataclass(frozen=True)
class FailedFile:
    """A file, as it was when it could not be read. Field names are column names."""

    source_path: str
    code: str  # stable, see docs/reference/ingest-codes.md
    reason: str  # one line
    file_size: int
    mtime_ns: int
    ctime_ns: int
    chunking: str  # what parsers, sizes and limits were in force
    attempts: int = 1  # how often the same file has failed under them; counted when recorded


def record_failures(db: Database, failures: Sequence[FailedFile], clock: Clock = utc_now) -> None:
    """Remember *failures*. Joins the caller's transaction."""
    now = to_text(clock())
    db.many(_RECORD, (_row(failure, now) for failure in failures))


def clear_failures(db: Database, paths: Sequence[str]) -> None:
    """Forget that files could not be read."""
    if paths:
        db.run(_CLEAR, paths=list(paths))


def load_failures(db: Database, paths: Sequence[str] | None = None) -> list[FailedFile]:
    """All that could not be read, or those of *paths*, by path."""
    rows = db.tuples(_ALL) if paths is None else db.tuples(_SOME, paths=list(paths))
    return [FailedFile(*row) for row in rows]


def failures_after(db: Database, after: str = "", most: int = 50) -> list[FailedFile]:
    """At most *most* files that could not be read, by path, behind the path *after*."""
    return [FailedFile(*row) for row in db.tuples(_AFTER, after=after, most=most)]


def _row(failure: FailedFile, now: str) -> dict[str, object]:
    row: dict[str, object] = {**vars(failure), "now": now}
    del row["attempts"]  # the statement counts
    return row
