"""The tables of what came from where, and what was set aside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from lsm.clock import to_text
from lsm.migration.legacy.records import hashed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.clock import Clock
    from lsm.db import Database
    from lsm.migration.legacy.report import Outcome

_KNOWN = """
SELECT item_id, source_hash, outcome, target_key, target_digest, reason
  FROM lsm_legacy_items WHERE item_id IN :ids[]
"""
_RECORD = """
INSERT INTO lsm_legacy_items (item_id, kind, legacy_key, source_path, source_hash, outcome,
                              target_key, target_digest, reason, imported_at)
VALUES (:item_id, :kind, :legacy_key, :source_path, :source_hash, :outcome, :target_key,
        :target_digest, :reason, :now)
    ON CONFLICT (item_id) DO UPDATE
   SET source_path = excluded.source_path, source_hash = excluded.source_hash,
       outcome = excluded.outcome, target_key = excluded.target_key,
       target_digest = excluded.target_digest, reason = excluded.reason,
       imported_at = excluded.imported_at
"""
_KEEP = """
INSERT INTO lsm_legacy_originals (item_id, memory_id, original)
VALUES (:item_id, :memory_id, :original)
    ON CONFLICT (item_id) DO UPDATE
   SET memory_id = excluded.memory_id, original = excluded.original
"""
_SET_ASIDE = """
INSERT INTO lsm_legacy_quarantine (item_id, kind, legacy_key, source_path, reason, memory_id,
                                   original, quarantined_at)
VALUES (:item_id, :kind, :legacy_key, :source_path, :reason, :memory_id, :original, :now)
    ON CONFLICT (item_id) DO UPDATE
   SET source_path = excluded.source_path, reason = excluded.reason,
       memory_id = excluded.memory_id, original = excluded.original,
       quarantined_at = excluded.quarantined_at
"""
_RELEASE = "DELETE FROM lsm_legacy_quarantine WHERE item_id = :item_id"
_FILE = "SELECT file_hash, records, content_digest FROM lsm_legacy_files WHERE file_id = :id"
_NOTE_FILE = """
INSERT INTO lsm_legacy_files (file_id, kind, source_path, file_hash, records, content_digest,
                              verified_at)
VALUES (:file_id, :kind, :source_path, :file_hash, :records, :content_digest, :now)
    ON CONFLICT (file_id) DO UPDATE
   SET file_hash = excluded.file_hash, records = excluded.records,
       content_digest = excluded.content_digest, verified_at = excluded.verified_at
"""
_ASIDE = """
SELECT kind, legacy_key, source_path, reason, quarantined_at, original
  FROM lsm_legacy_quarantine ORDER BY kind, quarantined_at, item_id
"""
_ARE_ASIDE = "SELECT item_id FROM lsm_legacy_quarantine WHERE item_id IN :ids[]"


@dataclass(frozen=True)
class Known:
    """What became of a record at an earlier import."""

    item_id: str
    source_hash: str
    outcome: Outcome
    target_key: str | None
    target_digest: str | None
    reason: str


@dataclass(frozen=True)
class Entry:
    """What becomes of a record now. Field names are column names."""

    item_id: str
    kind: str
    legacy_key: str
    source_path: str
    source_hash: str
    outcome: Outcome
    target_key: str | None
    target_digest: str | None
    reason: str


class SetAside(msgspec.Struct, frozen=True):
    """A record in quarantine. Field names are column names."""

    kind: str
    legacy_key: str
    source_path: str
    reason: str
    quarantined_at: str
    original: str  # bytes that are no text are written as \\xNN


class LegacyLedger:
    """Reads and writes the four tables; joins the caller's transaction."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._now = clock

    def known(self, ids: Sequence[str]) -> dict[str, Known]:
        """What is known of records, by id."""
        return {row[0]: Known(*row) for row in self._db.tuples(_KNOWN, ids=list(ids))}

    def record(self, entry: Entry, original: bytes, memory_id: str | None) -> None:
        """Write down what became of a record, and keep it as it was.

        Args:
            entry: what became of it.
            original: the record to the byte; nothing is kept of what is derived.
            memory_id: the memory that takes the original along when it is purged.
        """
        now = to_text(self._now())
        self._db.run(_RECORD, **vars(entry), now=now)
        kept = {"item_id": entry.item_id, "memory_id": memory_id, "original": original}
        if entry.outcome in ("quarantined", "conflict"):
            about = {n: vars(entry)[n] for n in ("kind", "legacy_key", "source_path", "reason")}
            self._db.run(_SET_ASIDE, **kept, **about, now=now)
            return
        self._db.run(_RELEASE, item_id=entry.item_id)
        if entry.outcome != "skipped":
            self._db.run(_KEEP, **kept)

    def in_quarantine(self, ids: Sequence[str]) -> set[str]:
        """Those of *ids* that are kept there."""
        return {row[0] for row in self._db.tuples(_ARE_ASIDE, ids=list(ids))}

    def quarantine(self) -> list[SetAside]:
        """All that was set aside, by kind."""
        return [
            SetAside(*row[:-1], original=bytes(row[-1]).decode("utf-8", "backslashreplace"))
            for row in self._db.tuples(_ASIDE)
        ]

    def note_file(self, kind: str, path: str, sha256: str, records: int, digest: str) -> None:
        """Write down that a file is here, verified; nothing if that is known."""
        file_id = hashed(kind, path)
        if self._db.tuples(_FILE, id=file_id) == [(sha256, records, digest)]:
            return
        self._db.run(
            _NOTE_FILE,
            file_id=file_id,
            kind=kind,
            source_path=path,
            file_hash=sha256,
            records=records,
            content_digest=digest,
            now=to_text(self._now()),
        )
