"""The mark on a database that another one is being copied into: unfinished, to be left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lsm.errors import UnfinishedError

if TYPE_CHECKING:
    from lsm.db.database import Database

KEY = "unfinished_move"

_READ = "SELECT value FROM lsm_meta WHERE key = :key"
_WRITE = """
INSERT INTO lsm_meta (key, value) VALUES (:key, :value)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value
"""
_REMOVE = "DELETE FROM lsm_meta WHERE key = :key"


class Mark(msgspec.Struct, frozen=True):
    """How far a copy has come; written in the transaction of each of its batches."""

    source_id: str  # `database_id` of what is copied
    source: str  # its address, for people
    digest: str  # of its content: another one is another source
    began_at: str
    done: dict[str, int] = {}  # rows by table, or by TABLE.COLUMN for what is set afterwards


def read_mark(db: Database) -> Mark | None:
    """The mark on *db*; None where everything is in it that belongs there."""
    rows = db.tuples(_READ, key=KEY)
    return msgspec.json.decode(rows[0][0], type=Mark) if rows else None


def write_mark(db: Database, mark: Mark) -> None:
    """Mark *db*, in the caller's transaction."""
    db.run(_WRITE, key=KEY, value=msgspec.json.encode(mark).decode())


def remove_mark(db: Database) -> None:
    """Say that all is there."""
    db.run(_REMOVE, key=KEY)


def refuse_marked(db: Database) -> None:
    """Let nobody work in a database of which a part is missing.

    Raises:
        UnfinishedError: it is one.
    """
    mark = read_mark(db)
    if mark is not None:
        raise UnfinishedError(
            f"{db.url}: {mark.source} is being moved here and not all of it has arrived; finish "
            f"with: lsm migrate database --to '{db.url}' --apply"
        )


def identity(db: Database) -> str:
    """What no other database has."""
    return db.tuples(_READ, key="database_id")[0][0]
