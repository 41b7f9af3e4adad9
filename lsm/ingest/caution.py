"""Files that are gone stay in the library until a person says they are meant to be.

Set when what was known of the files could not be taken over: what is missing may then be missing
for another reason than that somebody deleted it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lsm.db import Database

_KEY = "deletions_on_hold"
_GET = "SELECT value FROM lsm_meta WHERE key = :key"
_SET = """
INSERT INTO lsm_meta (key, value) VALUES (:key, :value)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value
"""
_CLEAR = "DELETE FROM lsm_meta WHERE key = :key"


def deletions_on_hold(db: Database) -> str | None:
    """Why nothing may be taken for deleted; None if it may."""
    rows = db.tuples(_GET, key=_KEY)
    return rows[0][0] if rows else None


def hold_deletions(db: Database, reason: str | None) -> None:
    """From now on take nothing for deleted, because of *reason*; None: do so again."""
    if deletions_on_hold(db) == reason:
        return
    if reason is None:
        db.run(_CLEAR, key=_KEY)
    else:
        db.run(_SET, key=_KEY, value=reason)
