"""A PostgreSQL server, looked at without making a schema, a table or an extension there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg

from lsm.db.look import Site
from lsm.db.migrate import migrations
from lsm.db.postgres import CONNECT_SECONDS, split_schema, translate, without_password
from lsm.db.state import State
from lsm.errors import AccessError, ForeignError, NewerError, StorageError

if TYPE_CHECKING:
    from psycopg import Connection

_OLDEST_VECTORS = (0, 8)  # the first with halfvec and with scans that go on until enough is found
_EXTENSION = """
SELECT coalesce(installed_version, default_version)
  FROM pg_available_extensions WHERE name = 'vector'
"""
_TABLES = "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind = 'r'"
_MAY_CREATE = """
SELECT CASE WHEN to_regnamespace(%(schema)s) IS NULL
            THEN has_database_privilege(current_database(), 'CREATE')
            ELSE has_schema_privilege(to_regnamespace(%(schema)s), 'CREATE') END
"""


def look_at_server(url: str) -> Site:
    """What stands at the ``postgresql://`` address *url*.

    Raises:
        ForeignError, NewerError, AccessError, StorageError: as `look_at`.
    """
    address, schema = split_schema(url)
    place = without_password(url)
    try:
        with psycopg.connect(address, autocommit=True, connect_timeout=CONNECT_SECONDS) as server:
            server.execute("SET default_transaction_read_only = on")
            about = _about(server, place)
            if server.execute(_MAY_CREATE, {"schema": schema}).fetchone() != (True,):
                raise AccessError(f"{place}: this user may not create tables; GRANT it the right")
            return Site("postgres", place, _state(server, schema, place), about, None)
    except psycopg.Error as error:
        raise translate(error, place) from error


def _about(server: Connection[Any], place: str) -> str:
    encoding = server.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StorageError(f"{place}: its encoding is {encoding}; create the database with UTF8")
    found = server.execute(_EXTENSION).fetchone()
    if found is None:
        raise StorageError(f"{place}: the extension pgvector is missing; install it on the server")
    version = tuple(int(part) for part in found[0].split(".")[:2])
    if version < _OLDEST_VECTORS:
        raise StorageError(
            f"{place}: pgvector {found[0]} is too old; install 0.8 or newer and, as a superuser, "
            "run ALTER EXTENSION vector UPDATE"
        )
    return f"PostgreSQL {server.info.parameter_status('server_version')}, pgvector {found[0]}"


def _state(server: Connection[Any], schema: str, place: str) -> State:
    tables = {name for (name,) in server.execute(_TABLES, (schema,))}
    if not tables:
        return State.NEW
    if "lsm_migrations" not in tables:
        raise ForeignError(
            f"{place}: schema {schema} holds another program's tables; choose another one with "
            "?schema="
        )
    ledger = f"SELECT name FROM {schema}.lsm_migrations"  # noqa: S608 - split_schema checked it
    applied = {name for (name,) in server.execute(ledger)}  # pyright: ignore[reportArgumentType,reportCallIssue]
    known = {migration.name for migration in migrations("postgres")}
    if unknown := applied - known:
        raise NewerError(f"{place}: a newer lsm wrote it ({min(unknown)}); install that version")
    return State.CURRENT if applied == known else State.OLDER
