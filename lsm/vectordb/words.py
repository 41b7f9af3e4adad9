"""Whether the full text says what the rows say, word by word."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from lsm.errors import DamagedError

if TYPE_CHECKING:
    from typing import LiteralString

    from lsm.db import Database

_COUNT = "SELECT count(*) FROM lsm_chunks"
# Rank 1: compared with the rows, and not only with itself.
_CHECKS: dict[str, LiteralString] = {
    "chunks": "INSERT INTO chunks_fts (chunks_fts, rank) VALUES ('integrity-check', 1)",
    "memories": "INSERT INTO memories_fts (memories_fts, rank) VALUES ('integrity-check', 1)",
}
QUICK_CHUNKS = 50_000  # so many are compared in about a second


class _LookedAtError(Exception):
    """Ends the transaction without a change."""


def is_quick(db: Database) -> bool:
    """Whether `word_problems` holds nobody up for longer than a second or two."""
    return db.tuples(_COUNT)[0][0] <= QUICK_CHUNKS


def word_problems(db: Database) -> list[str]:
    """Indexes whose words are not those of their rows, as sentences.

    Changes nothing, but nobody else may write meanwhile: 25 s for a million chunks. PostgreSQL
    cannot be asked; there, rows and words are compared by number alone.
    """
    if db.engine != "sqlite":
        return []
    return [
        f"the words of {name} are not those of their texts"
        for name, check in _CHECKS.items()
        if not _agrees(db, check)
    ]


def _agrees(db: Database, check: LiteralString) -> bool:
    try:
        with suppress(_LookedAtError), db.transaction():
            db.run(check)
            raise _LookedAtError
    except DamagedError:
        return False
    return True
