"""Rows into the target, batch by batch; how far it is stands in the same transaction."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import msgspec

from lsm.db.mark import write_mark
from lsm.db.tables import Walk
from lsm.errors import BusyError, DiskFullError, RefusedError, StorageError
from lsm.failpoints import reach
from lsm.migration.database.digest import Progress, walk
from lsm.vectordb.loading import Words, put_words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lsm.db import Database
    from lsm.db.mark import Mark
    from lsm.db.tables import Table, Values

_PASSING = (BusyError, DiskFullError)  # no row's fault


class Loader:
    """Copies tables from *source*, inside its snapshot, into *target*, which is marked."""

    def __init__(
        self,
        source: Database,
        target: Database,
        mark: Mark,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._source = source
        self._target = target
        self._mark = mark
        self._on_progress = on_progress

    def copy(self, tables: Sequence[Table], total: int) -> None:
        """Bring over every row of *tables*, in this order, that is not there yet.

        Raises:
            RefusedError: the target cannot take a row; names it.
            StorageError: the target failed; run again, it goes on.
        """
        theirs = self._target.tables()
        done = {table.name: self._mark.done.get(table.name, 0) for table in tables}
        late = _late(tables)
        for table in tables:
            with closing(walk(self._source, table, done[table.name])) as batches:
                for batch in batches:
                    done[table.name] += len(batch)
                    self._put(theirs[table.name], batch, late[table.name], done[table.name])
                    self._on_progress(Progress("copying", sum(done.values()), total))
        for table in tables:
            for column in late[table.name]:
                self._point_back(table, column)

    def _put(self, table: Table, batch: list[Values], late: Sequence[str], done: int) -> None:
        rows = _without(table, batch, late)
        with self._target.transaction():
            self._load(table, rows)
            reach("move.before_mark")
            if table.name == "lsm_chunks":
                put_words(self._target, _words(table, batch))
            self._note(table.name, done)

    def _load(self, table: Table, rows: list[Values]) -> None:
        """Insert *rows*; of those that are refused, find the first and name it."""
        try:
            self._target.load(table, list(table.names), rows)
        except _PASSING:
            raise
        except StorageError as error:
            if len(rows) == 1:
                raise RefusedError(
                    f"{table.name} {table.key_of(rows[0])}: the target does not take it ({error}); "
                    "mend or delete it in the source, then begin again with --restart"
                ) from error
            half = len(rows) // 2
            self._load(table, rows[:half])
            self._load(table, rows[half:])

    def _point_back(self, table: Table, column: str) -> None:
        """Set *column*, which refers to rows that came after its own."""
        name = f"{table.name}.{column}"
        done = self._mark.done.get(name, 0)
        places = [table.names.index(each) for each in (*table.key, column)]
        condition = f"{column} IS NOT NULL"
        with closing(self._source.each(Walk(table, condition, done))) as batches:
            for batch in batches:
                done += len(batch)
                with self._target.transaction():
                    rows = [tuple(row[place] for place in places) for row in batch]
                    self._target.set_column(table, column, rows)
                    self._note(name, done)

    def _note(self, name: str, done: int) -> None:
        self._mark = msgspec.structs.replace(self._mark, done=self._mark.done | {name: done})
        write_mark(self._target, self._mark)


def _late(tables: Sequence[Table]) -> dict[str, list[str]]:
    """The columns that refer to a row which is not there yet when their own is loaded."""
    loaded: set[str] = set()
    found: dict[str, list[str]] = {}
    moved = {table.name for table in tables}
    for table in tables:
        found[table.name] = [
            each.column for each in table.references if each.table in moved - loaded
        ]
        loaded.add(table.name)
    return found


def _without(table: Table, rows: list[Values], late: Sequence[str]) -> list[Values]:
    if not late:
        return rows
    places = {table.names.index(column) for column in late}
    return [tuple(None if i in places else value for i, value in enumerate(row)) for row in rows]


def _words(table: Table, rows: list[Values]) -> list[Words]:
    columns = [table.names.index(name) for name in ("chunk_id", "title", "heading", "text")]
    return [Words(*(row[i] for i in columns)) for row in rows]  # pyright: ignore[reportArgumentType]
