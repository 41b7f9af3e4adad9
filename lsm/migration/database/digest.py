"""A number that is equal for equal content, whichever engine holds it.

Every row of every table of content, in the order of its primary key by bytes, as MessagePack (whose
shortest form is unique): columns by name, text as UTF-8, numbers by value, vectors as float16,
little-endian. SHA-256 of each table and of all tables. Whether a column may be NULL, its indexes,
the order of columns, words for the full-text search and HNSW graphs are no part of it.
"""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from lsm.db.tables import Walk
from lsm.migration.database.contents import content_tables, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from lsm.db import Database
    from lsm.db.tables import Table, Values


@dataclass(frozen=True)
class Progress:
    """How far a long task is."""

    stage: str  # "reading", "copying", "indexing", "verifying"
    done: int  # rows
    total: int


@dataclass(frozen=True)
class Digest:
    """What is in a database."""

    tables: dict[str, str]  # SHA-256 by table, 64 hex digits
    all: str
    rows: dict[str, int]  # by table
    bytes: int  # of everything that was read


@dataclass
class _Sum:
    """The digest of one table while it is read."""

    table: Table
    rows: int = 0
    bytes: int = 0

    def __post_init__(self) -> None:
        self.hash = hashlib.sha256()
        self._encoder = msgspec.msgpack.Encoder()
        self._reals = [i for i, c in enumerate(self.table.columns) if c.kind == "real"]
        self._take([self.table.names])

    def add(self, rows: list[Values]) -> None:
        """Go on with *rows*."""
        self.rows += len(rows)
        self._take([_one_spelling(row, self._reals) for row in rows] if self._reals else rows)

    def _take(self, rows: list[Values] | list[tuple[str, ...]]) -> None:
        buffer = bytearray()
        for row in rows:
            self._encoder.encode_into(row, buffer, -1)
        self.hash.update(buffer)
        self.bytes += len(buffer)


def _silent(_: Progress) -> None: ...


def digest(
    db: Database,
    on_progress: Callable[[Progress], None] = _silent,
    *,
    stage: str = "reading",
    look: Callable[[Table, list[Values]], None] | None = None,
) -> Digest:
    """The digest of *db* as one commit has it; as much memory as a batch of rows takes.

    Args:
        db: either engine.
        on_progress: told after each batch.
        stage: what it is told.
        look: shown every row on the way.

    Raises:
        DamagedError: a row holds what its column is not declared to hold.
    """
    with db.snapshot():
        db.be_patient()
        tables = content_tables(db)
        total = sum(count_rows(db, tables).values())
        sums: list[_Sum] = []
        for table in tables:
            sums.append(_Sum(table))
            with closing(walk(db, table)) as batches:
                for batch in batches:
                    sums[-1].add(batch)
                    if look is not None:
                        look(table, batch)
                    on_progress(Progress(stage, sum(each.rows for each in sums), total))
    by_table = {each.table.name: each.hash.hexdigest() for each in sums}
    lines = "".join(f"{name} {by_table[name]}\n" for name in sorted(by_table))
    return Digest(
        dict(sorted(by_table.items())),
        hashlib.sha256(lines.encode()).hexdigest(),
        {each.table.name: each.rows for each in sums},
        sum(each.bytes for each in sums),
    )


def walk(db: Database, table: Table, skip: int = 0) -> Generator[list[Values]]:
    """The rows of *table* that are content, in batches, from the *skip*-th on."""
    return db.each(Walk(table, rows_of(table), skip))


def count_rows(db: Database, tables: list[Table]) -> dict[str, int]:
    """How many rows of content each of *tables* has."""
    return {table.name: db.count(Walk(table, rows_of(table))) for table in tables}


def _one_spelling(row: Values, reals: list[int]) -> Values:
    """*row* with one form for numbers that are equal: -0.0 is 0.0, and every NaN is the same."""
    values = list(row)
    for i in reals:
        value = values[i]
        if isinstance(value, (float, int)):
            number = float(value) + 0.0
            values[i] = number if number == number else float("nan")
    return tuple(values)
