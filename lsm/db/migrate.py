"""The only place where tables are made.

Numbered scripts in `lsm/db/migrations`: ``0001_library.sql`` is for both engines,
``0002_chunk_index.sqlite.sql`` for one. The ledger `lsm_migrations` lists what has been applied.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING
from uuid import uuid4

from lsm.clock import to_text, utc_now
from lsm.db.state import APPLICATION_ID
from lsm.errors import NewerError
from lsm.failpoints import reach

if TYPE_CHECKING:
    from lsm.clock import Clock
    from lsm.db.database import Database
    from lsm.db.dialect import Engine

LEDGER = """
CREATE TABLE IF NOT EXISTS lsm_migrations (
    name       TEXT NOT NULL PRIMARY KEY,
    applied_at TEXT NOT NULL
)
"""
_APPLIED = "SELECT name FROM lsm_migrations"
_RECORD = "INSERT INTO lsm_migrations (name, applied_at) VALUES (:name, :applied_at)"
_IDENTIFY = """
INSERT INTO lsm_meta (key, value)
VALUES ('database_id', :database_id), ('created_at', :created_at)
    ON CONFLICT (key) DO NOTHING
"""


@dataclass(frozen=True, order=True)
class Migration:
    """One script of one engine. `name` is its file's, without the ending."""

    name: str
    sql: str

    @property
    def number(self) -> int:
        """Its place in the order, from 1."""
        return int(self.name.split("_", 1)[0])


@cache
def migrations(engine: Engine) -> tuple[Migration, ...]:
    """The scripts for *engine*, in the order they are applied."""
    found: list[Migration] = []
    for file in resources.files("lsm.db").joinpath("migrations").iterdir():
        parts = file.name.split(".")
        if parts[-1] == "sql" and parts[1] in ("sql", engine):
            found.append(Migration(parts[0], _spelled(file.read_text("utf-8"), engine)))
    return tuple(sorted(found))


def newest(engine: Engine) -> int:
    """The schema number this program writes."""
    return migrations(engine)[-1].number


def migrate(db: Database, clock: Clock = utc_now) -> list[str]:
    """Bring *db* up to date in one transaction; the names of the scripts that were applied.

    Any number of processes may do so at once: one applies, the others find nothing to do. An
    older SQLite file is first copied to ``FILE.before-schema-N``, which stays.

    Raises:
        NewerError: scripts were applied that this program does not know.
        DiskFullError: there is no room for the copy; nothing was changed.
    """
    with db.transaction():
        db.lock_schema()
        db.script(LEDGER)
        applied = {row["name"] for row in db.rows(_APPLIED)}
        known = migrations(db.engine)
        unknown = applied - {migration.name for migration in known}
        if unknown:
            raise NewerError(
                f"{db.url}: a newer lsm wrote it ({min(unknown)}); install that version"
            )
        pending = [migration for migration in known if migration.name not in applied]
        if applied and pending:
            _keep_a_copy(db)
        for migration in pending:
            db.script(migration.sql)
            db.run(_RECORD, name=migration.name, applied_at=to_text(clock()))
            reach("db.between_migrations")
        if pending:
            db.run(_IDENTIFY, database_id=uuid4().hex, created_at=to_text(clock()))
            _stamp(db)
    return [migration.name for migration in pending]


def _spelled(sql: str, engine: Engine) -> str:
    if engine == "sqlite":
        # Only with this very spelling is a key SQLite's own row number, and a look-up one search.
        return sql.replace("BIGINT  NOT NULL PRIMARY KEY", "INTEGER NOT NULL PRIMARY KEY").replace(
            "BIGINT NOT NULL PRIMARY KEY", "INTEGER NOT NULL PRIMARY KEY"
        )
    return sql


def _keep_a_copy(db: Database) -> None:
    # Slow, and yet inside the transaction: nobody may write between the copy and the migration.
    if db.engine == "sqlite":
        from lsm.db.backup import backup_to

        backup_to(db, f"{db.url}.before-schema-{newest(db.engine)}")


def _stamp(db: Database) -> None:
    # In the file's header, so that the next open can judge it without reading a table.
    if db.engine == "sqlite":
        db.script(f"PRAGMA application_id = {APPLICATION_ID}")
        db.script(f"PRAGMA user_version = {newest(db.engine)}")
