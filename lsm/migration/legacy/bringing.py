"""Brings records in, batch by batch: what is written and that it was are one transaction."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lsm.errors import ConflictError, StorageError
from lsm.migration.legacy.batches import batched
from lsm.migration.legacy.ledger import Entry, LegacyLedger
from lsm.migration.legacy.records import hashed
from lsm.migration.legacy.report import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lsm.migration.legacy.ledger import Known
    from lsm.migration.legacy.records import Kind, Record
    from lsm.migration.legacy.report import Outcome, Report
    from lsm.migration.legacy.shelves import Shelf, Target

BATCH = 500
_REFUSALS = (StorageError, ConflictError)  # of the value; the others are of the place
_ERASED = "it was taken over before, and has been erased here since; it does not come back"
_TWICE = "another record of that name stands before it"
_DERIVED = "it is computed anew from the library"
_CHANGED = "changed here since it was taken over, and in the source as well; what is here stays"
_DIFFERS = "here is another one of that name; it stays"


@dataclass(frozen=True)
class Source:
    """The records of one kind in one file, read as often as asked for."""

    kind: Kind
    path: str
    read: Callable[[], Iterator[Record[Any]]]


@dataclass(frozen=True)
class _Verdict:
    outcome: Outcome
    reason: str = ""
    digest: str | None = None


class _Here:
    """What stands here for the records of a batch, asked for all of them at once."""

    def __init__(self, shelf: Shelf[Any], records: list[Record[Any]]) -> None:
        self.shelf = shelf
        typed = [record for record in records if record.value is not None]
        held = shelf.held([record.value for record in typed])
        self._held = {r.item_id: found for r, found in zip(typed, held, strict=True)}
        self._touched: set[str] = set()

    def of(self, record: Record[Any]) -> str | None:
        """The digest of what stands here for *record*, which is about to be written."""
        key = self.shelf.key(record.value)
        if key in self._touched:  # another record of the batch has come to stand there
            return self.shelf.held([record.value])[0]
        self._touched.add(key)
        return self._held[record.item_id]


class Bringer:
    """Writes records into the target and their fate into the ledger and the report."""

    def __init__(self, target: Target, report: Report) -> None:
        self._target = target
        self._report = report
        self._ledger = LegacyLedger(target.db, target.clock)
        self.fresh: set[bytes] = set()  # records that were written by this run

    def bring(self, source: Source, on_progress: Callable[[int], None]) -> None:
        """Bring in every record of *source*; what was brought before is not written again."""
        done = 0
        for records in batched(unique(source.read()), BATCH):
            if self._news(records):
                with self._target.db.transaction():
                    # Looked at again: another import may have been faster.
                    self._write(source, records)
                    self._target.reached("migrate.batch")
                self._target.reached("migrate.batch_done")
            self._count(source.kind, records)
            done += len(records)
            on_progress(done)

    def _news(self, records: list[Record[Any]]) -> list[Record[Any]]:
        known = self._ledger.known([record.item_id for record in records])
        return [
            record
            for record in records
            if record.item_id not in known
            or known[record.item_id].source_hash != record.source_hash
        ]

    def _write(self, source: Source, records: list[Record[Any]]) -> None:
        known = self._ledger.known([record.item_id for record in records])
        shelf = self._target.shelves.get(source.kind)
        news = self._news(records)
        here = _Here(shelf, news) if shelf is not None else None
        for record in news:
            verdict = self._decide(here, record, known.get(record.item_id))
            self._note(source, record, shelf, verdict)
            self.fresh.add(bytes.fromhex(record.item_id)[:12])
            self._target.reached("migrate.record")

    def _decide(self, here: _Here | None, record: Record[Any], known: Known | None) -> _Verdict:
        if record.value is None:
            return _Verdict("quarantined", record.trouble)
        if here is None:
            return _Verdict("skipped", _DERIVED)
        try:
            # A savepoint: what the engine refuses must not take the others along.
            with self._target.db.transaction():
                return self._put(here.shelf, record, known, here.of(record))
        except ValueError as error:
            return _Verdict("quarantined", str(error))
        except StorageError as error:
            if type(error) not in _REFUSALS:
                raise
            return _Verdict("quarantined", f"the database refuses it: {error}")

    def _put(
        self, shelf: Shelf[Any], record: Record[Any], known: Known | None, here: str | None
    ) -> _Verdict:
        wanted = shelf.digest(record.value)
        before = known.target_digest if known else None
        told = shelf.flaw(record.value)
        if known and before and here is None and known.target_key == shelf.key(record.value):
            return _Verdict("skipped", _ERASED, before)
        if here is None:
            shelf.insert(record.value)
            return _Verdict("imported", told, wanted)
        if here == wanted:
            return _Verdict("identical", told, wanted)
        if here == before:
            shelf.replace(record.value)
            return _Verdict("imported", told, wanted)
        absorbed = shelf.absorb(record.value)
        if absorbed is not None:
            return _Verdict("merged", absorbed, shelf.held([record.value])[0])
        return _Verdict("conflict", _CHANGED if before else _DIFFERS)

    def _note(
        self, source: Source, record: Record[Any], shelf: Shelf[Any] | None, verdict: _Verdict
    ) -> None:
        typed = shelf is not None and record.value is not None
        entry = Entry(
            item_id=record.item_id,
            kind=record.kind,
            legacy_key=record.key,
            source_path=source.path,
            source_hash=record.source_hash,
            outcome=verdict.outcome,
            target_key=shelf.key(record.value) if typed and shelf is not None else None,
            target_digest=verdict.digest,
            reason=verdict.reason,
        )
        self._ledger.record(entry, record.original, self._owner(record, verdict))

    def _owner(self, record: Record[Any], verdict: _Verdict) -> str | None:
        """The memory that a record is about, if it is here."""
        if record.value is None or record.kind not in ("memories", "candidates"):
            return None
        about = record.value.id if record.kind == "memories" else record.value.memory_id
        if verdict.outcome in ("imported", "identical"):
            return about
        if verdict.outcome == "skipped":
            return None
        here = self._target.shelves["memories"].present([about])
        return about if about in here else None

    def _count(self, kind: Kind, records: list[Record[Any]]) -> None:
        known = self._ledger.known([record.item_id for record in records])
        erased = self._erased(kind, known)
        for record in records:
            entry = known[record.item_id]
            outcome, reason = entry.outcome, entry.reason
            is_fresh = bytes.fromhex(record.item_id)[:12] in self.fresh
            if outcome in ("imported", "identical") and entry.target_key in erased:
                outcome, reason = "skipped", _ERASED
            elif outcome == "imported" and not is_fresh:
                outcome = "identical"
            self._report.kinds[kind].count(outcome)
            if reason and outcome != "merged" and reason != _DERIVED:
                self._report.tell(record.kind, record.key, reason)
            if outcome in ("imported", "identical"):
                self._remark(record)

    def _remark(self, record: Record[Any]) -> None:
        remark = self._target.shelves[record.kind].remark(record.value)
        told = "; ".join(filter(None, (record.note, remark)))
        if told:
            self._report.notes.append(Problem(record.kind, record.key, told))

    def _erased(self, kind: Kind, known: dict[str, Known]) -> set[str]:
        shelf = self._target.shelves.get(kind)
        placed = ("imported", "identical")
        keys = [e.target_key for e in known.values() if e.target_key and e.outcome in placed]
        return set(keys) - shelf.present(keys) if shelf is not None else set()


def unique(records: Iterable[Record[Any]]) -> Iterator[Record[Any]]:
    """*records*, each of an id of its own: of several, the later ones cannot be told apart."""
    seen: set[bytes] = set()
    copies: Counter[str] = Counter()
    for record in records:
        brief = bytes.fromhex(record.item_id)[:12]
        if brief in seen:
            copy = hashed(record.item_id, record.source_hash)
            copies[copy] += 1
            identity = f"{copy} {copies[copy]}"
            yield replace(record, value=None, trouble=record.trouble or _TWICE, identity=identity)
        else:
            seen.add(brief)
            yield record
