"""Whole tables in and out of a SQLite file, as values that every engine has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import apsw

from lsm.db.tables import Column, Kind, Reference, Table, Values, Walk, batched
from lsm.errors import DamagedError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from lsm.errors import StorageError

_TABLES = """
SELECT name FROM pragma_table_list
 WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
 ORDER BY name
"""
_COLUMNS = "SELECT name, type, pk FROM pragma_table_xinfo(?) WHERE hidden = 0 ORDER BY name"
_REFERENCES = """
SELECT "from", "table" FROM pragma_foreign_key_list(?) ORDER BY "from"
"""
_KINDS: dict[str, Kind] = {
    "TEXT": "text",
    "BIGINT": "int",
    "INTEGER": "int",
    "DOUBLE PRECISION": "real",
    "BOOLEAN": "bool",
    "BYTEA": "bytes",
}
# SQLite keeps whatever it is given; a copy keeps only what the column is declared to hold.
_TYPES: dict[Kind, frozenset[type]] = {
    "text": frozenset({str, type(None)}),
    "int": frozenset({int, type(None)}),
    "real": frozenset({float, int, type(None)}),
    "bool": frozenset({int, type(None)}),
    "bytes": frozenset({bytes, type(None)}),
    "other": frozenset(),
}
_HELD: dict[Kind, str] = {
    "text": "text",
    "int": "a whole number",
    "real": "a number",
    "bool": "true or false",
    "bytes": "bytes",
    "other": "of a type that both engines have",
}


class SqliteTables:
    """Whole tables through one connection."""

    def __init__(
        self,
        connection: apsw.Connection,
        path: str,
        translated: Callable[[Exception], StorageError],
    ) -> None:
        self._connection = connection
        self._path = path
        self._translated = translated

    def read(self) -> dict[str, Table]:
        """Every table but those that SQLite or a full-text index keeps for itself, by name."""
        names = [cast("str", name) for (name,) in self._connection.execute(_TABLES)]
        return {name: _table(self._connection, name) for name in names}

    def walk(self, walk: Walk) -> Generator[list[Values]]:
        """Rows of a walk, in batches.

        Raises:
            DamagedError: a value that is not what its column is declared to hold; names the row.
        """
        table = walk.table
        sql = walk.sql(", ".join(table.names), ", ".join(table.key), "LIMIT -1")
        try:
            for batch in batched(cast("Iterable[Values]", self._connection.execute(sql))):
                yield _typed(table, batch, self._path)
        except UnicodeDecodeError as error:
            place = _not_utf8(self._connection, table)
            raise DamagedError(
                f"{self._path}: {place} is not UTF-8 text; mend or delete that row"
            ) from error
        except apsw.Error as error:
            raise self._translated(error) from error

    def load(self, table: Table, columns: list[str], rows: list[Values]) -> None:
        """Insert *rows*; a transaction is open."""
        marks = ", ".join("?" * len(columns))
        sql = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608
        try:
            self._connection.executemany(sql, cast("Any", rows))
        except apsw.Error as error:
            raise self._translated(error) from error


def _table(connection: apsw.Connection, name: str) -> Table:
    found = connection.execute(_COLUMNS, (name,)).fetchall()
    rows = cast("list[tuple[str, str, int]]", found)
    columns = tuple(Column(column, _KINDS.get(kind, "other"), kind) for column, kind, _ in rows)
    key = [column for _, column in sorted((pk, column) for column, _, pk in rows if pk)]
    references = connection.execute(_REFERENCES, (name,)).fetchall()
    pairs = cast("list[tuple[str, str]]", references)
    return Table(
        name,
        columns,
        tuple(key or (column.name for column in columns)),
        tuple(Reference(*pair) for pair in pairs),
    )


def _typed(table: Table, batch: list[Values], path: str) -> list[Values]:
    changed: dict[int, list[Any]] = {}
    for i, (column, values) in enumerate(zip(table.columns, zip(*batch, strict=True), strict=True)):
        if not set(map(type, values)) <= _TYPES[column.kind]:
            raise _misfit(table, batch, i, path)
        if column.kind == "bool":
            if not set(values) <= {0, 1, None}:
                raise _misfit(table, batch, i, path)
            changed[i] = [None if value is None else bool(value) for value in values]
    if not changed:
        return batch
    columns = [changed.get(i, values) for i, values in enumerate(zip(*batch, strict=True))]
    return list(zip(*columns, strict=True))


def _misfit(table: Table, batch: list[Values], i: int, path: str) -> DamagedError:
    column = table.columns[i]
    wrong = next(row for row in batch if not _fits(column.kind, row[i]))
    return DamagedError(
        f"{path}: {table.name} {table.key_of(wrong)}: {column.name} is not "
        f"{_HELD[column.kind]}; mend or delete that row"
    )


def _fits(kind: Kind, value: object) -> bool:
    return type(value) in _TYPES[kind] and (kind != "bool" or value in (0, 1, None))


def _not_utf8(connection: apsw.Connection, table: Table) -> str:
    """Which value cannot be read as text, as words."""
    raw = [f"CAST({column.name} AS BLOB)" for column in table.columns]
    for row in connection.execute(f"SELECT {', '.join(raw)} FROM {table.name}"):  # noqa: S608
        values = cast("list[bytes | None]", row)
        # What stands in a key may be the very thing that cannot be read.
        shown = [(value or b"").decode("utf-8", "backslashreplace") for value in values]
        for column, value in zip(table.columns, values, strict=True):
            if column.kind == "text" and value is not None and not _is_utf8(value):
                return f"{table.name} {table.key_of(shown)}: {column.name}"
    return table.name


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
