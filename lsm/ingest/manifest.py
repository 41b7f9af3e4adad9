"""What every file was like at its last ingest: the memory behind "nothing has changed"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsm.clock import to_text, utc_now

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lsm.clock import Clock
    from lsm.db import Database

_COLUMNS = """
SELECT source_path, mtime_ns, file_size, file_hash, version, embedding_model, schema_version_id,
       updated_at, ctime_ns, inode, device, checked_ns, document_id, chunk_count, folder_tags
  FROM lsm_manifest
"""
_LOAD_SOME = _COLUMNS + " WHERE source_path IN :paths[]"
_WITH_HASH = _COLUMNS + " WHERE file_hash IN :hashes[]"
_SAVE = """
INSERT INTO lsm_manifest (source_path, mtime_ns, file_size, file_hash, version, embedding_model,
                          schema_version_id, updated_at, ctime_ns, inode, device, checked_ns,
                          document_id, chunk_count, folder_tags)
VALUES (:source_path, :mtime_ns, :file_size, :file_hash, :version, :embedding_model,
        :schema_version_id, :updated_at, :ctime_ns, :inode, :device, :checked_ns,
        :document_id, :chunk_count, :folder_tags)
    ON CONFLICT (source_path) DO UPDATE
   SET mtime_ns          = excluded.mtime_ns,
       file_size         = excluded.file_size,
       file_hash         = excluded.file_hash,
       version           = excluded.version,
       embedding_model   = excluded.embedding_model,
       schema_version_id = excluded.schema_version_id,
       updated_at        = excluded.updated_at,
       ctime_ns          = excluded.ctime_ns,
       inode             = excluded.inode,
       device            = excluded.device,
       checked_ns        = excluded.checked_ns,
       document_id       = excluded.document_id,
       chunk_count       = excluded.chunk_count,
       folder_tags       = excluded.folder_tags
"""
_FORGET = "DELETE FROM lsm_manifest WHERE source_path IN :paths[]"
# Files that went take their manifest rows along; the versions they had are not given again.
_NEXT_VERSION = """
SELECT coalesce(max(version), 0) + 1
  FROM (SELECT max(version) AS version FROM lsm_manifest
        UNION ALL SELECT max(version) FROM lsm_versions) AS known
"""
_NEWEST_VERSION = "SELECT max(version) FROM lsm_versions"
_OPEN_VERSION = "INSERT INTO lsm_versions (version, created_at) VALUES (:version, :created_at)"


@dataclass(frozen=True, slots=True)
class FileState:
    """A file as last ingested. Field names are column names."""

    source_path: str  # absolute, as `lsm.paths` writes it
    mtime_ns: int  # nanoseconds since 1970, as os.stat gives them
    file_size: int  # bytes
    file_hash: str  # SHA-256, 64 hex digits
    version: int  # of the ingest that last changed it, from 1
    embedding_model: str | None = None  # what made the vectors of its chunks
    schema_version_id: int | None = None
    updated_at: str = ""  # set when saved, unless given
    ctime_ns: int = 0  # 0: not trusted; the file is hashed at the next ingest
    inode: int = 0
    device: int = 0
    checked_ns: int = 0  # when its bytes were last known to be these
    document_id: int | None = None
    chunk_count: int = 0
    folder_tags: str = "[]"  # JSON: the tags its folders gave it


def load_manifest(db: Database, paths: Sequence[str] | None = None) -> dict[str, FileState]:
    """Every file known, by path; or only those of *paths* that are."""
    rows = db.tuples(_COLUMNS) if paths is None else db.tuples(_LOAD_SOME, paths=list(paths))
    return {row[0]: FileState(*row) for row in rows}


def states_with_hash(db: Database, hashes: Sequence[str]) -> list[FileState]:
    """Every file known whose bytes have one of *hashes*."""
    return [FileState(*row) for row in db.tuples(_WITH_HASH, hashes=list(hashes))]


def save_manifest(
    db: Database,
    states: Mapping[str, FileState] | Iterable[FileState],
    clock: Clock = utc_now,
) -> None:
    """Insert or replace *states*: all of them, or none. What is not among them stays.

    Raises:
        ConflictError: a version below 1 or a size below 0.
    """
    files = states.values() if isinstance(states, Mapping) else states
    now = to_text(clock())
    db.many(_SAVE, (_row(file, now) for file in files))


def forget_files(db: Database, paths: Sequence[str]) -> int:
    """Remove files from the manifest; the number that were there."""
    return db.run(_FORGET, paths=list(paths))


def get_next_version(db: Database) -> int:
    """One more than any version given so far; 1 in an empty library."""
    return db.tuples(_NEXT_VERSION)[0][0]


def newest_version(db: Database) -> int | None:
    """The version that was opened last; None in an empty library."""
    return db.tuples(_NEWEST_VERSION)[0][0]


def open_version(db: Database, clock: Clock = utc_now) -> int:
    """Take the next version for a run of ingest. Joins the caller's transaction."""
    version = get_next_version(db)
    db.run(_OPEN_VERSION, version=version, created_at=to_text(clock()))
    return version


def signed(number: int) -> int:
    """*number* moved to the nearest that a database holds: some clocks are centuries off."""
    return max(min(number, 2**63 - 1), -(2**63))


_NAMES = tuple(FileState.__slots__)


def _row(file: FileState, now: str) -> dict[str, object]:
    # Not asdict(): a deep copy of 100,000 rows costs a second.
    row: dict[str, object] = {name: getattr(file, name) for name in _NAMES}
    row["updated_at"] = file.updated_at or now
    return row
