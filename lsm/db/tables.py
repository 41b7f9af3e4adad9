"""Tables as both engines have them: what a copy of the whole database is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

# "other": what only one engine has; such a table is an index of its own, never content.
Kind = Literal["text", "int", "real", "bool", "bytes", "other"]
Value = str | int | float | bool | bytes | None
Values = tuple[Value, ...]

BATCH_ROWS = 2000
BATCH_BYTES = 8 * 1024 * 1024
_SIZED = (str, bytes)


@dataclass(frozen=True)
class Column:
    """A column that is stored, not computed."""

    name: str
    kind: Kind
    declared: str = ""  # the engine's own word for its type


@dataclass(frozen=True)
class Reference:
    """A foreign key."""

    column: str
    table: str


@dataclass(frozen=True)
class Table:
    """A table and how to walk it. Columns are sorted by name: their order differs by history."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]  # what its rows are sorted by: the primary key
    references: tuple[Reference, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in the order of a row's values."""
        return tuple(column.name for column in self.columns)

    def key_of(self, row: Sequence[Value]) -> str:
        """*row*'s primary key, for people: the value, or ``name=value`` of each of several."""
        found = dict(zip(self.names, row, strict=True))
        if len(self.key) == 1:
            return str(found[self.key[0]])
        return ", ".join(f"{name}={found[name]}" for name in self.key)


@dataclass(frozen=True)
class Walk:
    """Rows of a table in the order of its key, compared by bytes as SQLite does."""

    table: Table
    where: str = ""  # a condition in the SQL that both engines share; a constant of the caller
    skip: int = 0  # rows at the beginning

    def sql(self, columns: str, order: str, no_limit: str) -> str:
        """The query, of *columns* and in *order*, each in the engine's own spelling."""
        offset = f" {no_limit} OFFSET {self.skip}" if self.skip else ""
        return f"SELECT {columns} FROM {self._rows()} ORDER BY {order}{offset}"  # noqa: S608

    def counting(self) -> str:
        """The query for how many rows there are."""
        return f"SELECT count(*) FROM {self._rows()}"  # noqa: S608

    def deleting(self) -> str:
        """The statement that deletes them."""
        return f"DELETE FROM {self._rows()}"  # noqa: S608

    def _rows(self) -> str:
        return f"{self.table.name} WHERE {self.where}" if self.where else self.table.name


class WholeTables(Protocol):
    """What a session of either engine does with whole tables."""

    def read(self) -> dict[str, Table]:
        """Every table, by name."""
        ...

    def walk(self, walk: Walk) -> Generator[list[Values]]:
        """Rows in batches; nothing else runs on the session until all are read."""
        ...

    def load(self, table: Table, columns: list[str], rows: list[Values]) -> None:
        """Insert *rows*, values of *columns*, the fastest way the engine has."""
        ...


def batched(rows: Iterable[Values]) -> Iterator[list[Values]]:
    """*rows* in lists that are limited by their number and by their bytes."""
    batch: list[Values] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += sum(len(value) for value in row if isinstance(value, _SIZED))
        if len(batch) >= BATCH_ROWS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def in_order(tables: Iterable[Table]) -> list[Table]:
    """*tables* with those that others refer to first; by name where that leaves a choice."""
    waiting = {table.name: table for table in sorted(tables, key=lambda table: table.name)}
    found: list[Table] = []
    while waiting:
        free = [
            table
            for table in waiting.values()
            if not {each.table for each in table.references} & waiting.keys() - {table.name}
        ]
        # In a circle of references any may begin; the ones that point back are set afterwards.
        chosen = free or [next(iter(waiting.values()))]
        found += chosen
        for table in chosen:
            del waiting[table.name]
    return found
