"""PostgreSQL through psycopg 3: a pool, one connection a statement or transaction.

A mind lives in a schema of its own, named by ``?schema=`` in the URL (default ``lsm``), so that
several fit into one database.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from lsm.db.dialect import POSTGRES
from lsm.errors import (
    AccessError,
    BusyError,
    ConfigError,
    ConflictError,
    DiskFullError,
    ForeignError,
    MissingExtraError,
    StorageError,
)

try:
    import psycopg
    from psycopg import errors as pg
    from psycopg_pool import ConnectionPool, PoolTimeout
except ImportError as missing:
    raise MissingExtraError("PostgreSQL", "postgres") from missing

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence
    from urllib.parse import SplitResult

    from lsm.db.postgres_tables import PostgresTables

_SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_POOL_SIZE = 8
CONNECT_SECONDS = 10
_SETTINGS = {
    "statement_timeout": "600s",
    "idle_in_transaction_session_timeout": "60s",
    "lock_timeout": "30s",
    "timezone": "UTC",
    "client_min_messages": "warning",
    "default_transaction_read_only": "on",  # a statement outside `transaction` only reads
}

_TABLES = """
SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
 WHERE nspname = %s AND relkind IN ('r', 'p', 'v', 'm', 'f')
"""

_HOLD = "SELECT pg_try_advisory_lock(1819503981, hashtext(%s))"  # "lsm-" as a number, and ours

# "lsm" as a number: whoever migrates or creates the schema holds it until commit.
SCHEMA_LOCK = 0x6C736D

_ERRORS: tuple[tuple[type[Exception], type[StorageError]], ...] = (
    (pg.IntegrityError, ConflictError),
    (pg.LockNotAvailable, BusyError),
    (pg.DeadlockDetected, BusyError),
    (pg.SerializationFailure, BusyError),
    (pg.DiskFull, DiskFullError),
    (pg.InsufficientPrivilege, AccessError),
    (pg.ReadOnlySqlTransaction, AccessError),
    (pg.InvalidPassword, AccessError),
    (pg.InvalidAuthorizationSpecification, AccessError),
)


def translate(error: psycopg.Error, url: str) -> StorageError:
    """Our error for the driver's, naming the server."""
    first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
    if isinstance(error, pg.DiskFull):
        first_line = "the server's disk is full; nothing was changed; free some space there"
    for theirs, ours in _ERRORS:
        if isinstance(error, theirs):
            return ours(f"{url}: {first_line}")
    return StorageError(f"{url}: {first_line}")


class PostgresSession:
    """One pooled connection, in autocommit: nothing begins or commits behind our back."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]], url: str) -> None:
        self._connection = connection
        self._url = url

    def fetch(
        self, sql: str, params: Mapping[str, object]
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        try:
            with self._connection.cursor(binary=True) as cursor:
                cursor.execute(sql, params)  # pyright: ignore[reportArgumentType,reportCallIssue]
                names = [column.name for column in cursor.description or ()]
                return names, cursor.fetchall()
        except psycopg.Error as error:
            raise translate(error, self._url) from error

    def execute(self, sql: str, params: Mapping[str, object]) -> int:
        try:
            cursor = self._connection.execute(sql, params)  # pyright: ignore[reportArgumentType,reportCallIssue]
        except psycopg.Error as error:
            raise translate(error, self._url) from error
        if sql == "COMMIT" and cursor.statusmessage == "ROLLBACK":
            # What the server answers, without an error, after a statement has failed.
            raise StorageError(f"{self._url}: a statement failed, so nothing was committed")
        return cursor.rowcount

    def execute_many(self, sql: str, params: Iterable[Mapping[str, object]]) -> None:
        try:
            with self._connection.cursor() as cursor:
                cursor.executemany(sql, params)  # pyright: ignore[reportArgumentType]
        except psycopg.Error as error:
            raise translate(error, self._url) from error

    def script(self, sql: str) -> None:
        try:
            self._connection.execute(sql)  # pyright: ignore[reportArgumentType,reportCallIssue]
        except psycopg.Error as error:
            raise translate(error, self._url) from error

    def whole_tables(self) -> PostgresTables:
        from lsm.db.postgres_tables import PostgresTables

        return PostgresTables(self._connection, lambda error: translate(error, self._url))


class PostgresBackend:
    """The connections of one process to one schema of one database."""

    dialect = POSTGRES

    def __init__(self, url: str, *, prepare: bool = True) -> None:
        address, self.schema = split_schema(url)
        self._address = address
        self.url = without_password(url)
        self._closed = False
        try:
            self._pool = ConnectionPool(
                address,
                min_size=0,
                max_size=_POOL_SIZE,
                timeout=CONNECT_SECONDS,
                kwargs={"autocommit": True, "connect_timeout": CONNECT_SECONDS},
                configure=self._configure,
                check=ConnectionPool.check_connection,
                open=False,
            )
            with psycopg.connect(
                address, autocommit=True, connect_timeout=CONNECT_SECONDS
            ) as first:
                if prepare:
                    self._prepare(first)
            self._pool.open()
        except psycopg.ProgrammingError as error:
            if error.sqlstate:
                raise translate(error, self.url) from error
            # The address itself is wrong, and the driver's message would quote its password.
            raise ConfigError("database", f"{self.url}: not a PostgreSQL address") from None
        except psycopg.Error as error:
            raise translate(error, self.url) from error

    @contextmanager
    def reading(self) -> Generator[PostgresSession]:
        if self._closed:
            raise StorageError(f"{self.url}: this database has been closed")
        try:
            connection = self._pool.getconn()
        except PoolTimeout as error:
            raise StorageError(f"{self.url}: no connection within {CONNECT_SECONDS} s") from error
        except psycopg.Error as error:
            raise translate(error, self.url) from error
        try:
            yield PostgresSession(connection, self.url)
        finally:
            self._pool.putconn(connection)

    writing = reading  # every connection may write; the server queues writers by row

    def size(self) -> int:
        with self.reading() as session:
            _, rows = session.fetch(
                "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class"
                " WHERE relnamespace = %(schema)s::regnamespace AND relkind = 'r'",
                {"schema": self.schema},
            )
        return rows[0][0]

    def files(self) -> list[str]:
        return []

    def reclaim(self, tables: Sequence[str]) -> None:
        with self.reading() as session:
            session.script("VACUUM " + ", ".join(tables))

    def count_bytes(self, needles: Sequence[bytes]) -> int | None:  # noqa: ARG002
        return None

    @contextmanager
    def hold(self, name: str) -> Generator[None]:
        # A connection of its own: the server lets go of the lock when it ends, however it ends.
        try:
            with psycopg.connect(
                self._address, autocommit=True, connect_timeout=CONNECT_SECONDS
            ) as holder:
                holder.execute("SELECT set_config('idle_session_timeout', '0', false)")
                if holder.execute(_HOLD, (f"{self.schema} {name}",)).fetchone() != (True,):
                    raise BusyError(f"{self.url}: another process is busy with it ({name})")
                yield
        except psycopg.Error as error:
            raise translate(error, self.url) from error

    def close(self) -> None:
        self._closed = True
        self._pool.close()

    def _prepare(self, connection: psycopg.Connection[Any]) -> None:
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise StorageError(
                f"{self.url}: its encoding is {encoding}; create the database with UTF8"
            )
        with connection.transaction():
            # IF NOT EXISTS looks first and creates then: two processes at once would collide.
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (SCHEMA_LOCK,))
            if not _exists(connection, "pg_namespace", "nspname", self.schema):
                connection.execute(f"CREATE SCHEMA {self.schema}")  # pyright: ignore[reportArgumentType,reportCallIssue]
            self._refuse_foreign(connection)
            if not _exists(connection, "pg_extension", "extname", "vector"):
                self._create_extension(connection)

    def _refuse_foreign(self, connection: psycopg.Connection[Any]) -> None:
        tables = {name for (name,) in connection.execute(_TABLES, (self.schema,))}
        if tables and "lsm_migrations" not in tables:
            raise ForeignError(
                f"{self.url}: schema {self.schema} holds another program's tables; choose another "
                "one with ?schema="
            )

    def _create_extension(self, connection: psycopg.Connection[Any]) -> None:
        try:
            connection.execute("CREATE EXTENSION vector SCHEMA public")
        except (pg.UndefinedFile, pg.FeatureNotSupported, pg.InsufficientPrivilege) as error:
            raise StorageError(
                f"{self.url}: the extension pgvector is missing; install it and, as a superuser, "
                "run CREATE EXTENSION vector"
            ) from error

    def _configure(self, connection: psycopg.Connection[Any]) -> None:
        connection.execute(f"SET search_path = {self.schema}, public")  # pyright: ignore[reportArgumentType,reportCallIssue]
        for name, value in _SETTINGS.items():
            connection.execute(f"SET {name} = '{value}'")  # pyright: ignore[reportArgumentType,reportCallIssue]
        if connection.execute("SHOW synchronous_commit").fetchone() == ("off",):
            connection.execute("SET synchronous_commit = on")


def _exists(connection: psycopg.Connection[Any], catalog: str, column: str, name: str) -> bool:
    query = f"SELECT 1 FROM {catalog} WHERE {column} = %s"  # noqa: S608 - two constants above
    return connection.execute(query, (name,)).fetchone() is not None  # pyright: ignore[reportArgumentType,reportCallIssue]


def split_schema(url: str) -> tuple[str, str]:
    """*url* without our ``schema`` parameter, and the schema it named.

    Raises:
        ConfigError: the name would need quoting.
    """
    parts = _split(url)
    # The other pairs stay as they are written: the server's library decodes them by its own rules.
    pairs = parts.query.split("&") if parts.query else []
    named = [unquote(pair.removeprefix("schema=")) for pair in pairs if _names(pair, "schema")]
    schema = named[-1] if named else "lsm"
    if not _SCHEMA_NAME.fullmatch(schema):
        raise ConfigError("database", f"schema={schema}: use small letters, digits and _ only")
    rest = "&".join(pair for pair in pairs if not _names(pair, "schema"))
    return _joined(parts._replace(query=rest)), schema


def without_password(url: str) -> str:
    """*url* fit to be shown."""
    parts = _split(url)
    user, at, host = parts.netloc.rpartition("@")
    secrets = ("password", "sslpassword")
    shown = [pair for pair in parts.query.split("&") if not _names(pair, *secrets)]
    shown_host = user.split(":", 1)[0] + at + host
    return _joined(parts._replace(netloc=shown_host, query="&".join(shown)))


def _joined(parts: SplitResult) -> str:
    # Without a host, which means the local socket, the standard library leaves out the slashes.
    text = urlunsplit(parts)
    return text if parts.netloc else text.replace(":", "://", 1)


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # which may quote the password
        raise ConfigError("database", "not a PostgreSQL address: postgresql://HOST/NAME") from None


def _names(pair: str, *keys: str) -> bool:
    return pair.split("=", 1)[0] in keys
