"""Reads source and target once more and compares them, record by record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsm.migration.legacy.batches import batched
from lsm.migration.legacy.bringing import BATCH, unique
from lsm.migration.legacy.ledger import LegacyLedger

if TYPE_CHECKING:
    from lsm.migration.legacy.bringing import Source
    from lsm.migration.legacy.records import Record
    from lsm.migration.legacy.report import Report
    from lsm.migration.legacy.shelves import Target

_MODULUS = 2**256
_MISSING = "it did not arrive; run the same command again"


class _Sum:
    """A digest of records in any order, in as much memory as one of them takes."""

    def __init__(self) -> None:
        self._total = 0

    def add(self, digest: str) -> None:
        self._total = (self._total + int(digest, 16)) % _MODULUS

    def __str__(self) -> str:
        return f"{self._total:064x}"


class Verifier:
    """Says of each record of a source whether it is where the ledger says it is."""

    def __init__(self, target: Target, report: Report, fresh: set[bytes]) -> None:
        self._target = target
        self._report = report
        self._ledger = LegacyLedger(target.db, target.clock)
        self._fresh = fresh

    def verify(self, source: Source) -> None:
        """Count what is missing into the report, and sum up what is compared."""
        kind = self._report.kinds[source.kind]
        ours, theirs, count = _Sum(), _Sum(), 0
        for records in batched(unique(source.read()), BATCH):
            count += len(records)
            for record, wanted, here in self._compared(source, records):
                theirs.add(wanted)
                if here is not None:
                    ours.add(here)
                if here != wanted:
                    self._miss(record)
        kind.source_digest, kind.target_digest = str(theirs), str(ours)
        if count != kind.source or not kind.adds_up:
            self._report.mismatches += 1
            self._report.tell(source.kind, source.path, f"{count} records, not {kind.source}")

    def _compared(
        self, source: Source, records: list[Record[Any]]
    ) -> list[tuple[Record[Any], str, str | None]]:
        """Each record that should stand here, with what it should be and what it is."""
        known = self._ledger.known([record.item_id for record in records])
        aside = self._ledger.in_quarantine([record.item_id for record in records])
        shelf = self._target.shelves.get(source.kind)
        placed: list[Record[Any]] = []
        for record in records:
            entry = known.get(record.item_id)
            if entry is None or entry.source_hash != record.source_hash:
                self._miss(record)
                continue
            # What is about a memory goes with it when that is purged.
            lasting = record.value is None or self._is_fresh(record)
            if entry.outcome in ("quarantined", "conflict"):
                if lasting and record.item_id not in aside:
                    self._miss(record)
            elif entry.outcome in ("imported", "identical"):
                placed.append(record)
        if shelf is None:
            return []
        values = [record.value for record in placed]
        digests = zip(placed, map(shelf.digest, values), shelf.held(values), strict=True)
        return [each for each in digests if self._counts(each)]

    def _counts(self, compared: tuple[Record[Any], str, str | None]) -> bool:
        """Whether it must agree: not what somebody has changed here since an earlier import."""
        record, wanted, here = compared
        return here == wanted or self._is_fresh(record)

    def _is_fresh(self, record: Record[Any]) -> bool:
        return bytes.fromhex(record.item_id)[:12] in self._fresh

    def _miss(self, record: Record[Any]) -> None:
        self._report.mismatches += 1
        self._report.tell(record.kind, record.key, _MISSING)
