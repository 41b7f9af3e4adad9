"""A database whose process dies at a chosen statement."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lsm.db.database import Database

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

    from lsm.db.database import Backend, Session


class Crash(BaseException):
    """Nothing that catches errors catches this."""


class CrashingBackend:
    """*backend*, but the writer's statement number `at` (from 0) and all later ones fail."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.at: int | None = None
        self.seen = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    @contextmanager
    def writing(self) -> Generator[Session]:
        with self._backend.writing() as session:
            yield _CrashingSession(session, self)

    def crash_at(self, statement: int | None) -> None:
        self.at, self.seen = statement, 0

    def count(self) -> None:
        self.seen += 1
        if self.at is not None and self.seen > self.at:
            raise Crash


class _CrashingSession:
    def __init__(self, session: Session, backend: CrashingBackend) -> None:
        self._session = session
        self._backend = backend

    def fetch(self, sql: str, params: Mapping[str, object]) -> Any:
        self._backend.count()
        return self._session.fetch(sql, params)

    def execute(self, sql: str, params: Mapping[str, object]) -> int:
        # What a dead process leaves open, its engine rolls back.
        if not sql.startswith(("ROLLBACK", "RELEASE")):
            self._backend.count()
        return self._session.execute(sql, params)

    def execute_many(self, sql: str, params: Iterable[Mapping[str, object]]) -> None:
        self._backend.count()
        self._session.execute_many(sql, params)

    def script(self, sql: str) -> None:
        self._backend.count()
        self._session.script(sql)


def crashing(db: Database) -> tuple[Database, CrashingBackend]:
    """Another `Database` over the connections of *db*, and what makes it crash."""
    backend = CrashingBackend(db._backend)
    return Database(backend), backend
