"""A database in a few numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString, cast

import msgspec

from lsm.db.check import engine
from lsm.db.filesystem import file_system
from lsm.db.sidecars import log_bytes

if TYPE_CHECKING:
    from lsm.db.database import Database

_META = "SELECT key, value FROM lsm_meta"
_PAGES = "SELECT page_size, freelist_count FROM pragma_page_size, pragma_freelist_count"
_APPLIED = "SELECT max(name) FROM lsm_migrations"


class DatabaseInfo(msgspec.Struct, frozen=True):
    """What a database is and holds. The fields are those of the JSON."""

    engine: str  # with its version
    path_or_url: str
    file_system: str | None  # None: a server's
    bytes: int  # on disk, log and all
    free_bytes: int | None  # inside, for `vacuum` to give back; None: a server sees to it
    log_bytes: int
    schema: str  # the newest migration
    database_id: str
    created_at: str
    tables: dict[str, int]  # rows, by name


def database_info(db: Database) -> DatabaseInfo:
    """Look *db* over; counts every row, which takes a second for a million."""
    with db.snapshot():
        meta = dict(db.tuples(_META))
        schema = db.tuples(_APPLIED)[0][0]
        names = sorted(db.tables())
        # Names out of the schema of our own database.
        counts = {
            name: db.tuples(cast("LiteralString", f"SELECT count(*) FROM {name}"))[0][0]  # noqa: S608
            for name in names
        }
    is_file = db.engine == "sqlite"
    return DatabaseInfo(
        engine=engine(db)[0],
        path_or_url=db.url,
        file_system=file_system(db.url) if is_file else None,
        bytes=db.size(),
        free_bytes=free_bytes(db),
        log_bytes=log_bytes(db.url) if is_file else 0,
        schema=schema,
        database_id=meta.get("database_id", ""),
        created_at=meta.get("created_at", ""),
        tables=counts,
    )


def free_bytes(db: Database) -> int | None:
    """Bytes inside the file that hold nothing; None where a server sees to them."""
    if db.engine != "sqlite":
        return None
    page_bytes, pages = db.tuples(_PAGES)[0]
    return page_bytes * pages
