"""Everything as plain files, for whoever wants to leave, to look, or to compare two days.

``memories/SCOPE.md`` and ``reports/AGENT/...md`` are for people, ``tables/NAME.jsonl`` is
everything, a row a line, in an order that does not change: the difference of two exports is what
has changed.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec

from lsm.db.backup import make_names_durable, remove_partials
from lsm.errors import AccessError, RefusedError
from lsm.export.folder import Folder
from lsm.export.guide import guide
from lsm.export.memories import write_memories
from lsm.export.reports import write_reports
from lsm.export.tables import exported_tables, write_table
from lsm.ingest.report import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.db import Database


class Exported(msgspec.Struct, frozen=True):
    """What was written. The fields are those of the JSON."""

    folder: str
    files: int
    bytes: int
    memories: int
    reports: int
    tables: dict[str, int]  # rows, by name


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """What to leave out."""

    vectors: bool = False  # they are large, and any model makes them again from the texts


def export(
    db: Database,
    folder: str,
    on_progress: Callable[[Progress], None] = lambda _: None,
    options: ExportOptions = ExportOptions(),
) -> Exported:
    """Write one commit of *db* to *folder*, for its owner alone: all of it, or nothing.

    Args:
        db: others may go on writing to it.
        folder: not there yet, or empty.
        on_progress: told how many rows of a table are written; what it raises ends it.
        options: what to leave out.

    Raises:
        RefusedError: there is something in *folder*.
        AccessError: it cannot be written.
        DamagedError: a row cannot be read; names it.
    """
    folder = os.path.abspath(folder)
    _refuse(folder)
    partial = f"{folder}.partial-{os.getpid()}-{uuid4().hex[:8]}"
    try:
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        remove_partials(folder)
        try:
            written = _written(db, Folder(partial), on_progress, options)
            os.rename(partial, folder)  # takes the place of an empty one
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        make_names_durable(os.path.dirname(folder))
    except OSError as error:
        raise AccessError(f"{error.filename or folder}: {error.strerror}") from error
    return written(folder)


def _written(
    db: Database, target: Folder, on_progress: Callable[[Progress], None], options: ExportOptions
) -> Callable[[str], Exported]:
    with db.snapshot():
        db.be_patient()
        tables = exported_tables(db, vectors=options.vectors)
        target.write("README.md", guide(db, tables))
        memories = write_memories(db, target)
        reports = write_reports(db, target)
        rows = {
            table.name: write_table(
                db,
                target,
                table,
                lambda done, name=table.name: on_progress(Progress(name, done, None)),
            )
            for table in tables
        }
    return lambda place: Exported(place, target.files, target.bytes, memories, reports, rows)


def _refuse(folder: str) -> None:
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise RefusedError(f"{folder}: is a file; name a folder that is not there yet")
    if os.path.isdir(folder) and os.listdir(folder):
        raise RefusedError(f"{folder}: is not empty; name a folder that is not there yet")
