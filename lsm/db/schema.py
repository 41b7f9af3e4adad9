"""Whether every table, index, view and trigger of the migrations is there, as it was shipped."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, cast

from lsm.db.migrate import LEDGER, migrations
from lsm.errors import StorageError

if TYPE_CHECKING:
    from lsm.db.database import Database
    from lsm.db.dialect import Engine

_APPLIED = "SELECT name FROM lsm_migrations"
_SQLITE_OBJECTS = """
SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%'
   ESCAPE '\\'
"""
_POSTGRES_OBJECTS = """
SELECT CASE relkind WHEN 'i' THEN 'index' WHEN 'v' THEN 'view' ELSE 'table' END, relname, ''
  FROM pg_class
 WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'i', 'v')
UNION ALL
SELECT 'trigger', tgname, '' FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
 WHERE c.relnamespace = current_schema()::regnamespace AND NOT tgisinternal
UNION ALL
SELECT 'function', proname, '' FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
"""
# Statements of a script; what stands between dollars, quotes or in a comment is no end of one.
_STATEMENT = re.compile(r"(?:--[^\n]*|\$\$.*?\$\$|'(?:[^']|'')*'|[^;])+;", re.DOTALL)
_COMMENT = re.compile(r"--[^\n]*")
_NAMED = re.compile(
    r"\s*(CREATE|DROP)\s+(?:OR\s+REPLACE\s+)?(?:UNIQUE\s+|VIRTUAL\s+)?"
    r"(TABLE|INDEX|VIEW|TRIGGER|FUNCTION)\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(\w+)",
    re.IGNORECASE,
)
_NOTED = re.compile(r"((?:^--[^\n]*\n)*)^CREATE (?:VIRTUAL )?TABLE (\w+)", re.MULTILINE)
# What can be made again from the rest, or asked for again.
_DERIVED = (
    "vec_",
    "chunks_fts",
    "memories_fts",
    "memory_labels",
    "lsm_stats_cache",
    "lsm_remote_cache",
)


@dataclass(frozen=True)
class Object:
    """A table, index, view, trigger or function."""

    kind: str
    name: str
    sql: str  # as the engine keeps it, or the statement that makes it


@dataclass(frozen=True)
class Misfit:
    """Where the schema is not what was shipped."""

    problem: str  # a sentence
    makes: str | None  # the statement that mends it without touching what is not derived


def schema_misfits(db: Database) -> list[Misfit]:
    """Every difference that matters; empty when the schema is complete.

    Compared with the migrations that the database says it has had, so one that is older than this
    program can be looked at as well.
    """
    with db.snapshot():
        applied = frozenset(row[0] for row in db.tuples(_APPLIED))
        query = _SQLITE_OBJECTS if db.engine == "sqlite" else _POSTGRES_OBJECTS
        there = {Object(*row) for row in db.tuples(query)}
    wanted = expected(db.engine, applied)
    names = {(each.kind, each.name): each for each in there}
    found: list[Misfit] = []
    for each in wanted:
        present = names.get((each.kind, each.name))
        if present is None:
            found.append(Misfit(f"{each.kind} {each.name} is missing", _makes(each)))
        elif present.sql and _plain(present.sql) != _plain(each.sql):
            found.append(Misfit(f"{each.kind} {each.name} is not as it was made", None))
    known = {(each.kind, each.name) for each in wanted}
    # A trigger of somebody else's runs inside our transactions.
    strange = sorted(each.name for each in there if each.kind == "trigger")
    found += [
        Misfit(f"trigger {name} is not ours", None)
        for name in strange
        if ("trigger", name) not in known
    ]
    return found


def make_missing(db: Database) -> list[str]:
    """Make what is missing and derived; what was made.

    Raises:
        StorageError: what is there stands against it; nothing was made.
    """
    done: list[str] = []
    with db.transaction():
        db.lock_schema()
        for misfit in schema_misfits(db):
            if misfit.makes is not None:
                db.script(misfit.makes)
                done.append(misfit.problem.removesuffix(" is missing"))
    return done


@cache
def expected(engine: Engine, applied: frozenset[str]) -> tuple[Object, ...]:
    """What the migrations named *applied* make, in the order they make it."""
    scripts = [each.sql for each in migrations(engine) if each.name in applied]
    return _made_by_sqlite(scripts) if engine == "sqlite" else _named_in(scripts)


def _made_by_sqlite(scripts: list[str]) -> tuple[Object, ...]:
    import apsw

    made = apsw.Connection(":memory:")
    try:
        made.execute(LEDGER)
        for script in scripts:
            made.execute(script)
        rows = made.execute(_SQLITE_OBJECTS).fetchall()
    except apsw.Error as error:
        raise StorageError(f"a migration of this lsm cannot be run: {error}") from error
    finally:
        made.close()
    return tuple(Object(*row) for row in cast("list[tuple[str, str, str]]", rows))


def _named_in(scripts: list[str]) -> tuple[Object, ...]:
    found: dict[tuple[str, str], Object] = {}
    for script in scripts:
        for statement in _STATEMENT.findall(script):
            named = _NAMED.match(_COMMENT.sub("", statement))
            if named is None:
                continue
            key = (named[2].lower(), named[3])
            if named[1].upper() == "DROP":
                found.pop(key, None)
            else:
                found[key] = Object(*key, statement)
    return tuple(found.values())


def table_notes(engine: Engine) -> dict[str, str]:
    """What each table is for, by name: what stands above it, or above the one it belongs to."""
    found: dict[str, str] = {}
    for migration in migrations(engine):
        note = ""
        for comment, name in _NOTED.findall(migration.sql):
            note = " ".join(comment.replace("--", " ").split()) or note
            found[name] = note
    return found


def _makes(each: Object) -> str | None:
    if each.kind == "table" and not each.name.startswith(_DERIVED):
        return None
    if each.kind == "table" and "_fts_" in each.name:
        return None  # part of a full-text index, which only makes them all at once
    return each.sql


def _plain(sql: str) -> str:
    # SQLite keeps the very text, which a script may have broken otherwise.
    return " ".join(_COMMENT.sub("", sql).split()).rstrip(";")
