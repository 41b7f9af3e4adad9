"""Whether the engine itself finds its database sound."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lsm.db.database import Database

_INTEGRITY = "SELECT integrity_check AS problem FROM pragma_integrity_check"
_FOREIGN_KEYS = 'SELECT "table" AS name, count(*) AS rows FROM pragma_foreign_key_check GROUP BY 1'
_INVALID = """
SELECT conrelid::regclass::text AS name FROM pg_constraint
 WHERE NOT convalidated AND connamespace = current_schema()::regnamespace
"""
_SERVER = "SELECT current_setting('server_version') AS server, current_setting('fsync') AS fsync"
_WAL_LIMIT_BYTES = 256 * 1024 * 1024


def engine_problems(db: Database) -> list[str]:
    """What is wrong with the database's bytes and references, as sentences; empty when sound.

    Reads the whole file on SQLite. PostgreSQL keeps its own pages; its references are checked.
    """
    if db.engine == "postgres":
        problems = [f"{row['name']} has constraints not validated" for row in db.rows(_INVALID)]
        if db.rows(_SERVER)[0]["fsync"] != "on":
            problems.append("the server runs with fsync=off: a power cut can lose everything")
        return problems
    found = [row["problem"] for row in db.rows(_INTEGRITY)]
    problems = [] if found == ["ok"] else [str(problem) for problem in found]
    return problems + [
        f"{row['rows']} rows of {row['name']} refer to rows that are not there"
        for row in db.rows(_FOREIGN_KEYS)
    ]


def log_problem(db: Database) -> str | None:
    """Whether SQLite's log has grown beyond what ever should be needed."""
    if db.engine == "postgres":
        return None
    with suppress(FileNotFoundError):
        size = os.stat(db.url + "-wal").st_size
        if size > _WAL_LIMIT_BYTES:
            return f"its log has {size >> 20} MB: a process may be reading for hours; stop it"
    return None
