"""The one door to the database: what every store is given.

A store calls `rows`, `run` and `many`, and groups them with `transaction`; it never commits,
never sees a connection and never learns which engine answers.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, LiteralString, Protocol, Self

from lsm.db.dialect import Dialect, Engine, bind, spell
from lsm.errors import StorageError
from lsm.failpoints import reach

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from lsm.db.tables import Table, Values, Walk, WholeTables

Row = dict[str, Any]

# And yet, of a client that has died the server is to take note in the middle of a long statement:
# whoever goes on with the work would wait for it. (From PostgreSQL 14 on; refused on Windows.)
_PATIENCE = """
SELECT set_config(s.name, wanted.value, true)
  FROM pg_settings s
  JOIN (VALUES ('statement_timeout', '0'), ('idle_in_transaction_session_timeout', '0'),
               ('client_connection_check_interval', '2000')) AS wanted(name, value)
    ON wanted.name = s.name
 WHERE wanted.name <> 'client_connection_check_interval' OR version() LIKE '%linux%'
"""


class Session(Protocol):
    """One connection of an engine, speaking that engine's spelling.

    Every method raises the `StorageError` that fits, with the driver's error as its cause.
    """

    def fetch(
        self, sql: str, params: Mapping[str, object]
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Column names and all rows; no names where there are no rows."""
        ...

    def execute(self, sql: str, params: Mapping[str, object]) -> int:
        """The number of rows changed."""
        ...

    def execute_many(self, sql: str, params: Iterable[Mapping[str, object]]) -> None:
        """Run *sql* once for each of *params*."""
        ...

    def script(self, sql: str) -> None:
        """Run statements, spelled by the caller, that return nothing."""
        ...

    def whole_tables(self) -> WholeTables:
        """Tables in and out, as a whole."""
        ...


class Backend(Protocol):
    """An engine's connections."""

    dialect: Dialect
    url: str  # without a password

    def reading(self) -> AbstractContextManager[Session]:
        """A session that may only read; outside a transaction, each statement sees the newest."""
        ...

    def writing(self) -> AbstractContextManager[Session]:
        """The session that may write, after waiting for its turn; no transaction is open yet."""
        ...

    def size(self) -> int:
        """Bytes on disk."""
        ...

    def files(self) -> list[str]:
        """Paths of the files it is made of, as far as they are this machine's."""
        ...

    def reclaim(self, tables: Sequence[str]) -> None:
        """Let what was deleted from *tables* leave the disk; no transaction is open."""
        ...

    def count_bytes(self, needles: Sequence[bytes]) -> int | None:
        """How often any of *needles* stands in the files; None: they are not ours to read."""
        ...

    def hold(self, name: str) -> AbstractContextManager[None]:
        """Be the only process that holds *name*; raises BusyError if another one does."""
        ...

    def close(self) -> None:
        """Give every connection back."""
        ...


class Database:
    """An open database, safe to share between threads.

    Readers see the newest commit and never wait for a writer. Writers of one process queue.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._dialect = backend.dialect
        self._mine = _PerThread()
        self._pid = os.getpid()

    @property
    def engine(self) -> Engine:
        """For `vectordb`, which alone may ask."""
        return self._dialect.engine

    @property
    def url(self) -> str:
        """Path of the file, or address of the server without a password."""
        return self._backend.url

    @property
    def in_transaction(self) -> bool:
        """Whether this thread has a write transaction open."""
        return self._mine.writer is not None

    def rows(self, sql: LiteralString, /, **params: object) -> list[Row]:
        """All rows, as dictionaries by column name.

        Raises:
            AccessError: outside a transaction, where this may only read; a statement that changes
                rows and returns them belongs into `transaction`.
        """
        with self._reader() as session:
            names, found = session.fetch(spell(sql, self._dialect), bind(params, self._dialect))
        return [dict(zip(names, row, strict=True)) for row in found]

    def tuples(self, sql: LiteralString, /, **params: object) -> list[tuple[Any, ...]]:
        """All rows, as tuples: for the few places that read 100,000 of them, or all the time."""
        statement, bound = spell(sql, self._dialect), bind(params, self._dialect)
        session = self._session()
        if session is not None:
            return session.fetch(statement, bound)[1]
        # Not `_reader`: entering it takes a third as long as looking a row up.
        with self._backend.reading() as session:
            return session.fetch(statement, bound)[1]

    def run(self, sql: LiteralString, /, **params: object) -> int:
        """Change rows; the number changed. Its own transaction unless one is open."""
        with self._writer() as session:
            return session.execute(spell(sql, self._dialect), bind(params, self._dialect))

    def many(self, sql: LiteralString, params: Iterable[Mapping[str, object]], /) -> None:
        """Run *sql* for each of *params*: for all of them, or for none."""
        bound = (bind(each, self._dialect) for each in params)
        with self.transaction(), self._writer() as session:
            session.execute_many(spell(sql, self._dialect), bound)

    @contextmanager
    def transaction(self) -> Generator[None]:
        """All or nothing; inside another one, a savepoint of it.

        Nothing slow belongs in here: no network, no model, no parsing, no sleep. To go on after a
        statement that may fail, give it a savepoint: PostgreSQL gives the rest up otherwise.

        Raises:
            BusyError: another process wrote for longer than we wait.
        """
        self._check_process()
        if self._mine.writer is not None:
            with self._savepoint(self._mine.writer):
                yield
            return
        with self._backend.writing() as session:
            try:
                # Inside: a Ctrl-C right after BEGIN must not leave the transaction open.
                session.execute(self._dialect.begin, {})
                self._mine.writer = session
                yield
                reach("db.before_commit")
                # Still "in transaction" while committing: a failed COMMIT is rolled back below.
                session.execute("COMMIT", {})
            except BaseException:
                _roll_back(session, "ROLLBACK")
                raise
            finally:
                self._mine.writer = None
        reach("db.after_commit")

    @contextmanager
    def snapshot(self) -> Generator[None]:
        """Every read of this thread inside sees one and the same commit."""
        self._check_process()
        if self._mine.writer is not None or self._mine.reader is not None:
            yield  # already reading one state
            return
        with self._backend.reading() as session:
            try:
                session.execute(self._dialect.begin_snapshot, {})
                self._mine.reader = session
                yield
            finally:
                self._mine.reader = None
                _roll_back(session, "ROLLBACK")

    def script(self, sql: str) -> None:
        """Run statements as they are: for `migrate`, which alone makes tables."""
        with self._writer() as session:
            session.script(sql)

    def lock_schema(self) -> None:
        """Until the transaction ends, no other process migrates. SQLite has one writer anyway."""
        if self._dialect.engine == "postgres":
            self.rows("SELECT pg_advisory_xact_lock(7107437)")  # "lsm" as a number

    def tables(self) -> dict[str, Table]:
        """Every table as both engines see it, by name; an index's own among them on a server."""
        with self._reader() as session:
            return session.whole_tables().read()

    def each(self, walk: Walk) -> Generator[list[Values]]:
        """Rows of a table in batches, with no more than one of them in memory.

        Only inside `snapshot` or `transaction`; nothing else is read in there until all rows are,
        or the generator is closed.

        Raises:
            DamagedError: a value that is not what its column is declared to hold.
        """
        self._check_process()
        session = self._mine.writer or self._mine.reader
        if session is None:
            raise StorageError("a table is walked inside a snapshot")
        return session.whole_tables().walk(walk)

    def count(self, walk: Walk) -> int:
        """How many rows `each` would give without skipping any."""
        with self._reader() as session:
            return session.fetch(walk.counting(), {})[1][0][0]

    def load(self, table: Table, columns: list[str], rows: list[Values]) -> None:
        """Insert *rows*, values of *columns*: all of them, or none."""
        with self.transaction(), self._writer() as session:
            session.whole_tables().load(table, columns, rows)

    def set_column(self, table: Table, column: str, rows: list[Values]) -> None:
        """Give *column* of rows that are there a value.

        Args:
            table: whose.
            column: its name.
            rows: the values of the table's key, then the new one.
        """
        keys = " AND ".join(f"{name} = :key_{i}" for i, name in enumerate(table.key))
        sql = f"UPDATE {table.name} SET {column} = :value WHERE {keys}"  # noqa: S608
        names = [*(f"key_{i}" for i in range(len(table.key))), "value"]
        with self.transaction(), self._writer() as session:
            session.execute_many(
                spell(sql, self._dialect), (dict(zip(names, row, strict=True)) for row in rows)
            )

    def empty(self, walks: Sequence[Walk]) -> None:
        """Delete the rows of *walks*; tables that refer to others first in the sequence."""
        whole = [walk.table.name for walk in walks if not walk.where]
        with self.transaction(), self._writer() as session:
            if self._dialect.engine == "postgres" and whole:
                session.script(f"TRUNCATE {', '.join(whole)} CASCADE")
            for walk in walks:
                session.script(walk.deleting())

    def be_patient(self) -> None:
        """Until the transaction or snapshot ends, a server sets no limit on how long it takes."""
        if self._dialect.engine == "postgres":
            self.rows(_PATIENCE)

    def hold(self, name: str) -> AbstractContextManager[None]:
        """Be the only process that holds *name* on this database; let go when it ends or dies.

        Raises:
            BusyError: another one does; nobody waits.
        """
        return self._backend.hold(name)

    @contextmanager
    def writer_turn(self) -> Generator[None]:
        """No other thread of this process writes meanwhile; no transaction is begun."""
        self._check_process()
        with self._backend.writing():
            yield

    def files(self) -> list[str]:
        """Paths of the files it is made of; empty where a server keeps them."""
        return self._backend.files()

    def size(self) -> int:
        """Bytes the database takes on disk."""
        return self._backend.size()

    def reclaim(self, tables: Sequence[LiteralString]) -> None:
        """Let what was deleted from *tables* leave the disk as far as the engine can.

        SQLite empties its log into the file, PostgreSQL vacuums the tables. Not in a transaction.
        """
        if self.in_transaction:
            raise StorageError("what a transaction deleted leaves the disk only after its commit")
        self._check_process()
        self._backend.reclaim(tables)

    def count_bytes(self, needles: Sequence[bytes]) -> int | None:
        """How often any of *needles* stands in the database's files, deleted or not.

        None where the files are a server's.
        """
        return self._backend.count_bytes(needles)

    def close(self) -> None:
        """Give every connection back. Using it afterwards raises StorageError."""
        # In a forked child they are the parent's: closing them there would take its locks, or
        # its server, away.
        if os.getpid() == self._pid:
            self._backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _savepoint(self, session: Session) -> Generator[None]:
        point = f"lsm_{self._mine.depth}"
        session.execute(f"SAVEPOINT {point}", {})
        self._mine.depth += 1
        try:
            yield
            session.execute(f"RELEASE {point}", {})
        except BaseException:
            _roll_back(session, f"ROLLBACK TO {point}")
            _roll_back(session, f"RELEASE {point}")
            raise
        finally:
            self._mine.depth -= 1

    def _session(self) -> Session | None:
        """That of the transaction or snapshot this thread is in."""
        self._check_process()
        return self._mine.writer or self._mine.reader

    @contextmanager
    def _reader(self) -> Generator[Session]:
        session = self._session()
        if session is not None:
            yield session
            return
        with self._backend.reading() as session:
            yield session

    @contextmanager
    def _writer(self) -> Generator[Session]:
        self._check_process()
        session = self._mine.writer
        if session is not None:
            yield session
            return
        with self.transaction():
            session = self._mine.writer
            assert session is not None  # noqa: S101 - transaction() has just set it
            yield session

    def _check_process(self) -> None:
        # A connection carried over a fork corrupts the file; closing it there drops our locks.
        if os.getpid() != self._pid:
            raise StorageError("a database opened before fork() cannot be used after it; reopen it")


class _PerThread(threading.local):
    """What one thread has open."""

    def __init__(self) -> None:
        self.writer: Session | None = None
        self.reader: Session | None = None
        self.depth = 0


def _roll_back(session: Session, statement: str) -> None:
    try:
        session.execute(statement, {})
    except StorageError:
        # The engine has rolled back by itself (disk full, lost server): the first error is
        # the one to report.
        return
