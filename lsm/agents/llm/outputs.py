"""What a run with a model writes, in the transaction that ends it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from lsm.agents.memory import MemoryStore, NewMemory
from lsm.errors import InvalidError, NotFoundError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.agents.llm.session import Session
    from lsm.agents.memory import AddResult
    from lsm.db.database import Database

_REFUSALS = (RefusedError, NotFoundError, InvalidError)


class _ProbeError(Exception):
    """Ends a transaction that was for looking only."""


class Outputs:
    """Proposals and memories of one run. Each is written by itself: what a limit of the review
    queue refuses is told at the end of the report, and the rest stays."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def propose(self, db: Database) -> str | None:
        """Queue what was proposed; what could not be, in words."""
        store = self._store(db, trusted=False)
        told = [
            f"Not proposed, because {problem}: {new.text}"
            for new in self._session.proposed
            if (problem := _problem(db, lambda new=new: store.add_many([new])))
        ]
        return "\n".join(told) or None

    def remember(self, db: Database) -> str | None:
        """Remember what was granted, if it still is; what could not be, in words."""
        session = self._session
        if not session.remembered:
            return None
        ended = session.reach.grants.spend(session.use, "remember")
        told = [
            f"Not remembered, because {problem}: {new.text}"
            for new in session.remembered
            if (problem := ended or _problem(db, lambda new=new: self._remember_one(db, new)))
        ]
        return "\n".join(told) or None

    def _remember_one(self, db: Database, new: NewMemory) -> None:
        known = self._known(db, new)
        if known is None:
            self._store(db, trusted=True).add_many([new])
        elif known.memory is None or known.memory.status != "active":
            # Said with a person's trust it would come back into use: only a person may do that.
            raise RefusedError("the same words wait for a review, or were rejected or locked away")

    def _known(self, db: Database, new: NewMemory) -> AddResult | None:
        """What says the same already, whatever became of it."""
        found: list[AddResult] = []
        with suppress(_ProbeError), db.transaction():
            found += self._store(db, trusted=False).add_many([replace(new, review=True)])
            raise _ProbeError
        return found[0] if found[0].outcome == "exists" else None

    def _store(self, db: Database, *, trusted: bool) -> MemoryStore:
        session = self._session
        # Without a model for vectors: nothing slow inside a transaction.
        store = MemoryStore(db, session.reach.clock, None, session.reach.config.memory)
        return store.acting(session.memories(trusted=trusted).writer)


def _problem(db: Database, write: Callable[[], object]) -> str | None:
    """Why *write* was refused; nothing of it stays then."""
    try:
        with db.transaction():
            write()
    except _REFUSALS as error:
        return str(error)
    return None
