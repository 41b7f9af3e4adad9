"""Whether the engine itself finds its database sound."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, LiteralString, cast

import msgspec

from lsm.db.sidecars import log_bytes
from lsm.db.tables import Walk

if TYPE_CHECKING:
    from lsm.db.database import Database
    from lsm.db.tables import Table

_INTEGRITY = "SELECT integrity_check AS problem FROM pragma_integrity_check"
_FOREIGN_KEYS = """
SELECT "table" AS name, parent, count(*) AS rows FROM pragma_foreign_key_check GROUP BY 1, 2
"""
_INVALID = """
SELECT conrelid::regclass::text AS name FROM pg_constraint
 WHERE NOT convalidated AND connamespace = current_schema()::regnamespace
"""
_SERVER = """
SELECT current_setting('server_version') AS server, current_setting('fsync') AS fsync,
       (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS vectors,
       pg_is_in_recovery() AS replica
"""
_WAL_LIMIT_BYTES = 256 * 1024 * 1024
_SAFE_SQLITE = (3, 51, 3)  # before it, a log that begins anew could lose commits
_SAFE_VECTORS = (0, 8)  # before it, a filtered search stopped before it had found enough
_OF_AN_INDEX = re.compile(
    r"entries in index|missing from index|non-unique entry in index|inverted index|fts5",
    re.IGNORECASE,
)
# What is another program's, kept as it came.
_KEPT_AS_IT_CAME = "lsm_legacy_"


def engine(db: Database) -> tuple[str, list[str]]:
    """Name and version of the engine, and what is wrong with it, as sentences."""
    if db.engine == "postgres":
        return _server(db)
    version = db.tuples("SELECT sqlite_version()")[0][0]
    problems = [] if _numbers(version) >= _SAFE_SQLITE else ["it can lose commits; upgrade apsw"]
    return f"SQLite {version}", problems


def _server(db: Database) -> tuple[str, list[str]]:
    found = db.rows(_SERVER)[0]
    problems: list[str] = []
    if found["fsync"] != "on":
        problems.append("the server runs with fsync=off: a power cut can lose everything")
    if found["replica"]:
        problems.append("the server is a replica, which cannot be written; name the primary")
    if found["vectors"] is None:
        problems.append("the extension vector is missing; as a superuser: CREATE EXTENSION vector")
    elif _numbers(found["vectors"]) < _SAFE_VECTORS:
        problems.append(
            "pgvector is older than 0.8; install it, then ALTER EXTENSION vector UPDATE"
        )
    return f"PostgreSQL {found['server']}, pgvector {found['vectors']}", problems


def integrity_problems(db: Database) -> list[str]:
    """What is wrong with the database's bytes, as sentences; empty when sound.

    Reads the whole file on SQLite. PostgreSQL keeps its own pages.
    """
    if db.engine == "postgres":
        return []
    found = [str(row["problem"]) for row in db.rows(_INTEGRITY)]
    return [] if found == ["ok"] else found


def is_mendable(problem: str) -> bool:
    """Whether one of `integrity_problems` is about an index, which can be made from its table."""
    return _OF_AN_INDEX.search(problem) is not None


def rebuild_indexes(db: Database) -> None:
    """Write every index anew from its table. On a server that is the server's business."""
    if db.engine == "sqlite":
        db.script("REINDEX")


def reference_problems(db: Database) -> list[str]:
    """Rows that refer to rows that are not there, as sentences."""
    if db.engine == "postgres":
        return [f"{row['name']} has constraints not validated" for row in db.rows(_INVALID)]
    return [
        f"{row['rows']} rows of {row['name']} refer to rows of {row['parent']} that are not there"
        for row in db.rows(_FOREIGN_KEYS)
    ]


def engine_problems(db: Database) -> list[str]:
    """What is wrong with the engine, the database's bytes and its references; empty when sound."""
    return engine(db)[1] + integrity_problems(db) + reference_problems(db)


def log_problem(db: Database) -> str | None:
    """Whether SQLite's log has grown beyond what ever should be needed."""
    size = 0 if db.engine == "postgres" else log_bytes(db.url)
    if size > _WAL_LIMIT_BYTES:
        return f"its log has {size >> 20} MB: a process may be reading for hours; stop it"
    return None


def json_problems(db: Database) -> dict[str, list[str]]:
    """Values of columns that hold JSON and are none: keys of their rows, by ``table.column``."""
    found: dict[str, list[str]] = {}
    with db.snapshot():
        tables = [
            table
            for name, table in sorted(db.tables().items())
            if not name.startswith(_KEPT_AS_IT_CAME)
        ]
        for table in tables:
            for column in table.names:
                if column.endswith("_json") or column == "folder_tags":
                    keys = _unreadable(db, table, column)
                    if keys:
                        found[f"{table.name}.{column}"] = keys
    return found


def _unreadable(db: Database, table: Table, column: str) -> list[str]:
    keys = ", ".join(table.key)
    # Names out of the schema of our own database.
    condition = f"NOT json_valid({column})" if db.engine == "sqlite" else f"{column} IS NOT JSON"
    if db.engine == "postgres" and db.tuples("SHOW server_version_num")[0][0] < "160000":
        return _undecodable(db, table, column)
    sql = f"SELECT {keys} FROM {table.name} WHERE {condition} ORDER BY {keys}"  # noqa: S608
    return [" ".join(map(str, row)) for row in db.tuples(cast("LiteralString", sql))]


def drop_unreadable(db: Database, table: LiteralString, column: LiteralString) -> int:
    """Delete rows of a table that can be filled again whose *column* is no JSON; how many."""
    with db.transaction():
        key = db.tables()[table].key[0]
        keys: list[object] = list(_unreadable(db, db.tables()[table], column))
        sql = f"DELETE FROM {table} WHERE {key} IN :keys[]"  # noqa: S608 - names of our own
        return db.run(cast("LiteralString", sql), keys=keys) if keys else 0


def _undecodable(db: Database, table: Table, column: str) -> list[str]:
    """As `_unreadable`, for a server that cannot tell."""
    place = table.names.index(column)
    found: list[str] = []
    with db.snapshot():
        for batch in db.each(Walk(table)):
            for row in batch:
                value = row[place]
                try:
                    msgspec.json.decode(value if isinstance(value, str) else "null")
                except msgspec.DecodeError:
                    found.append(table.key_of(row))
    return found


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
