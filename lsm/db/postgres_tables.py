"""Whole tables in and out of PostgreSQL with COPY, as values that every engine has."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any, cast

import psycopg

from lsm.db.tables import Column, Kind, Reference, Table, Values, Walk, batched

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from psycopg import Connection

    from lsm.errors import StorageError

_COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, NULL),
       coalesce(array_position(p.conkey, a.attnum), 0)
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_constraint p ON p.conrelid = c.oid AND p.contype = 'p'
 WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
   AND a.attgenerated = ''
 ORDER BY c.relname, a.attname COLLATE "C"
"""
_REFERENCES = """
SELECT c.relname, a.attname, t.relname
  FROM pg_constraint f
  JOIN pg_class c ON c.oid = f.conrelid
  JOIN pg_class t ON t.oid = f.confrelid
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(f.conkey)
 WHERE f.contype = 'f' AND c.relnamespace = current_schema()::regnamespace
 ORDER BY c.relname, a.attname COLLATE "C"
"""
_HALVES = "halfvec"
_KINDS: dict[str, Kind] = {
    "text": "text",
    "bigint": "int",
    "double precision": "real",
    "boolean": "bool",
    "bytea": "bytes",
    _HALVES: "bytes",
}
# What COPY is told to expect. A vector travels as bytes, put into its own form here.
_WIRE: dict[Kind, str] = {
    "text": "text",
    "int": "int8",
    "real": "float8",
    "bool": "bool",
    "bytes": "bytea",
}


class PostgresTables:
    """Whole tables through one connection."""

    def __init__(
        self, connection: Connection[Any], translated: Callable[[psycopg.Error], StorageError]
    ) -> None:
        self._connection = connection
        self._translated = translated

    def read(self) -> dict[str, Table]:
        """Every table of the schema, by name."""
        columns: dict[str, list[tuple[str, str, int]]] = {}
        references: dict[str, list[Reference]] = {}
        try:
            for table, *column in self._connection.execute(_COLUMNS):
                columns.setdefault(table, []).append(cast("tuple[str, str, int]", tuple(column)))
            for table, name, target in self._connection.execute(_REFERENCES):
                references.setdefault(table, []).append(Reference(name, target))
        except psycopg.Error as error:
            raise self._translated(error) from error
        return {
            name: _table(name, found, tuple(references.get(name, ())))
            for name, found in columns.items()
        }

    def walk(self, walk: Walk) -> Generator[list[Values]]:
        """Rows of a walk, in batches; the connection is busy until all are read."""
        columns = walk.table.columns
        shown = ", ".join(_sent(column) for column in columns)
        # By bytes and not by the database's collation, which each server has its own of.
        texts = {column.name for column in columns if column.kind == "text"}
        order = ", ".join(f'{n} COLLATE "C"' if n in texts else n for n in walk.table.key)
        sql = f"COPY ({walk.sql(shown, order, '')}) TO STDOUT (FORMAT BINARY)"
        vectors = [i for i, column in enumerate(columns) if column.declared == _HALVES]
        try:
            with self._connection.cursor() as cursor, cursor.copy(cast("Any", sql)) as copy:
                copy.set_types([_WIRE[column.kind] for column in columns])
                for batch in batched(cast("Iterable[Values]", copy.rows())):
                    yield _converted(batch, vectors, _received)
        except psycopg.Error as error:
            raise self._translated(error) from error

    def load(self, table: Table, columns: list[str], rows: list[Values]) -> None:
        """Insert *rows*; a transaction is open."""
        by_name = {column.name: column for column in table.columns}
        sql = f"COPY {table.name} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)"
        vectors = [i for i, name in enumerate(columns) if by_name[name].declared == _HALVES]
        try:
            with self._connection.cursor() as cursor, cursor.copy(cast("Any", sql)) as copy:
                copy.set_types([_WIRE[by_name[name].kind] for name in columns])
                for row in _converted(rows, vectors, _packed):
                    copy.write_row(row)
        except psycopg.Error as error:
            raise self._translated(error) from error


def _table(
    name: str, found: list[tuple[str, str, int]], references: tuple[Reference, ...]
) -> Table:
    columns = tuple(Column(column, _KINDS.get(kind, "other"), kind) for column, kind, _ in found)
    key = [column for _, column in sorted((place, column) for column, _, place in found if place)]
    return Table(name, columns, tuple(key or (column.name for column in columns)), references)


def _sent(column: Column) -> str:
    return f"halfvec_send({column.name})" if column.declared == _HALVES else column.name


def _converted(
    rows: list[Values], vectors: list[int], convert: Callable[[bytes], bytes]
) -> list[Values]:
    if not vectors:
        return rows
    found: list[Values] = []
    for row in rows:
        values = list(row)
        for i in vectors:
            value = values[i]
            values[i] = convert(value) if isinstance(value, bytes) else value
        found.append(tuple(values))
    return found


def _received(data: bytes) -> bytes:
    # On the wire: length and flags in two bytes each, then big-endian halves.
    return _swapped(data[4:])


def _packed(data: bytes) -> bytes:
    return (len(data) // 2).to_bytes(2, "big") + b"\0\0" + _swapped(data)


def _swapped(data: bytes) -> bytes:
    halves = array("H", data)
    halves.byteswap()
    return halves.tobytes()
