"""What only a server can do to a database.

How PostgreSQL differs from SQLite behind the seam, each held by a test of this folder:

* Booleans come back as ``bool``, from SQLite as 0 and 1.
* Text may not hold NUL; SQLite keeps it.
* ``LIKE`` minds the case of ASCII letters; SQLite does not.
* After a statement that failed, the rest of the transaction is given up unless it stood in a
  savepoint; SQLite takes only the statement back. Neither takes it for a commit.
* Writers wait for each other by row, SQLite's by database; a transaction sees what others have
  committed meanwhile, on SQLite nobody can.
* Text is sorted by the collation of the database, on SQLite by code point.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from lsm.db import Database, open_database
from lsm.db.migrate import migrations
from lsm.db.postgres import split_schema, without_password
from lsm.errors import ConfigError, ForeignError, NewerError, StorageError
from tests.test_db.test_open_states import child

if TYPE_CHECKING:
    from collections.abc import Iterator

INSERT = "INSERT INTO lsm_meta (key, value) VALUES (:key, :value)"
KEYS = "SELECT key FROM lsm_meta WHERE key LIKE 'k%' ORDER BY key"


@pytest.fixture(scope="module")
def postgres_url(postgres_server: str) -> Iterator[str]:
    """One empty database for all tests here; each takes a schema of its own in it."""
    name = f"server_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_server.format("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")  # pyright: ignore[reportArgumentType]
    yield postgres_server.format(name)
    with psycopg.connect(postgres_server.format("postgres"), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")  # pyright: ignore[reportArgumentType]


@pytest.fixture
def url(postgres_url: str) -> str:
    """An address that nobody else uses."""
    return f"{postgres_url}&schema=mind_{uuid4().hex[:12]}"


class TestSchemas:
    def test_two_minds_in_one_database_know_nothing_of_each_other(self, postgres_url: str) -> None:
        first, second = (f"{postgres_url}&schema={name}" for name in ("first", "second"))
        with open_database(first) as one, open_database(second) as other:
            one.run(INSERT, key="k", value="one")

            assert (keys(one), keys(other)) == (["k"], [])
            assert identity(one) != identity(other)
            assert one.size() > 0

    def test_the_same_schema_is_the_same_mind(self, url: str) -> None:
        with open_database(url) as one:
            one.run(INSERT, key="k", value="one")
            with open_database(url) as again:
                assert (keys(again), identity(again)) == (["k"], identity(one))

    def test_another_programs_schema_is_refused_untouched(self, postgres_url: str) -> None:
        ask(postgres_url, "CREATE SCHEMA theirs", "CREATE TABLE theirs.lines (x int)")

        with pytest.raises(ForeignError, match=r"schema theirs .*choose another"):
            open_database(f"{postgres_url}&schema=theirs")

        assert tables(postgres_url, "theirs") == ["lines"]

    def test_an_empty_schema_is_taken(self, postgres_url: str) -> None:
        ask(postgres_url, "CREATE SCHEMA empty_one")

        with open_database(f"{postgres_url}&schema=empty_one") as db:
            assert keys(db) == []

    def test_a_newer_lsms_schema_is_refused_untouched(self, url: str) -> None:
        with open_database(url) as db:
            db.run("INSERT INTO lsm_migrations VALUES ('4711_later', 'then')")
            before = db.rows("SELECT * FROM lsm_migrations ORDER BY name")

            with pytest.raises(NewerError, match=r"4711_later.*install"):
                open_database(url)
            assert db.rows("SELECT * FROM lsm_migrations ORDER BY name") == before

    @pytest.mark.parametrize("name", ["Upper", "a-b", "a;b", 'a"b', "", "1a", "x" * 64, "a%20b"])
    def test_a_schema_that_would_need_quotes_is_refused(self, name: str) -> None:
        with pytest.raises(ConfigError, match="small letters"):
            open_database(f"postgresql://nowhere/mind?schema={name}")

    def test_eight_processes_that_start_at_once_make_one_schema(self, url: str) -> None:
        answers = child("start_together", url, "8")

        assert len(set(answers)) == 1
        assert answers[0].startswith(f"{len(migrations('postgres'))} ")


class TestAddresses:
    @pytest.mark.parametrize(
        "address",
        [
            "postgresql://me:s3cret@127.0.0.1:1/mind",
            "postgresql://me@127.0.0.1:1/mind?password=s3cret",
            "postgresql://me:s3cret@127.0.0.1:abc/mind",
            "postgresql://me:s3cret%@127.0.0.1:1/mind",
            "postgresql://me:s3cret@127.0.0.1:1/mind?no_such_setting=1",
            "postgresql://me:s3cret@[::1/mind",
            "postgresql://me:s3cret@\u2100host/mind",
        ],
    )
    def test_one_line_says_what_is_wrong_and_never_the_password(self, address: str) -> None:
        with pytest.raises((StorageError, ConfigError)) as caught:
            open_database(address)

        assert "s3cret" not in chain(caught.value)
        assert "\n" not in str(caught.value)

    def test_a_wrong_password_is_told_without_it(self, postgres_url: str) -> None:
        role = f"role_{uuid4().hex[:8]}"
        with psycopg.connect(postgres_url, autocommit=True) as admin:
            admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'right'")  # pyright: ignore[reportArgumentType]
            rules = Path(one(admin, "SHOW hba_file"))
            before = rules.read_text("utf-8")
            rules.write_text(f"local all {role} scram-sha-256\n{before}", "utf-8")
            admin.execute("SELECT pg_reload_conf()")
        wrong = postgres_url.replace("//postgres@", f"//{role}:s3cret@")

        try:
            with pytest.raises(StorageError, match="password authentication failed") as caught:
                eventually_refused(wrong)
        finally:
            rules.write_text(before, "utf-8")
            ask(postgres_url, "SELECT pg_reload_conf()")

        assert "s3cret" not in chain(caught.value)
        assert "\n" not in str(caught.value)

    def test_a_role_that_may_make_nothing_is_told_so(self, postgres_url: str) -> None:
        role = f"role_{uuid4().hex[:8]}"
        ask(postgres_url, f"CREATE ROLE {role} LOGIN")
        theirs = postgres_url.replace("//postgres@", f"//{role}@")

        with pytest.raises(StorageError, match="permission denied"):
            open_database(f"{theirs}&schema=not_yours")

    def test_the_schema_is_ours_and_the_rest_reaches_the_server_unchanged(self) -> None:
        given = "postgresql://me:a%40b@h1,h2/mind?options=-c%20a=b+c&schema=mine&host=%2Ftmp"

        assert split_schema(given) == (
            "postgresql://me:a%40b@h1,h2/mind?options=-c%20a=b+c&host=%2Ftmp",
            "mine",
        )
        assert without_password(given) == given.replace(":a%40b", "")

    @pytest.mark.parametrize("given", ["postgresql:///mind", "postgres://", "postgresql:///"])
    def test_an_address_without_a_host_stays_an_address(self, given: str) -> None:
        shown = without_password(given)
        sent, _ = split_schema(given)

        assert (shown, sent) == (given, given)

    def test_the_local_socket_is_reached_without_naming_a_host(
        self, postgres_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        known = conninfo_to_dict(postgres_url)
        monkeypatch.setenv("PGHOST", str(known["host"]))
        monkeypatch.setenv("PGUSER", str(known["user"]))

        with open_database(f"postgresql:///{known['dbname']}") as db:
            assert db.rows("SELECT 1 AS one") == [{"one": 1}]


class TestLostConnections:
    def test_a_transaction_that_lost_its_connection_left_nothing(self, url: str) -> None:
        with open_database(url) as db:
            with pytest.raises(StorageError), db.transaction():  # noqa: PT012
                db.run(INSERT, key="k1", value="v")
                ask(url, f"SELECT pg_terminate_backend({backend(db)})")
                db.run(INSERT, key="k2", value="v")

            assert not db.in_transaction
            assert keys(db) == []
            db.run(INSERT, key="k3", value="v")
            assert keys(db) == ["k3"]

    def test_a_connection_lost_at_the_commit_is_told(self, url: str) -> None:
        with open_database(url) as db:
            with pytest.raises(StorageError), db.transaction():  # noqa: PT012
                db.run(INSERT, key="k1", value="v")
                ask(url, f"SELECT pg_terminate_backend({backend(db)})")

            assert keys(db) == []

    def test_an_idle_connection_that_was_lost_is_replaced_unnoticed(self, url: str) -> None:
        with open_database(url) as db:
            ask(url, f"SELECT pg_terminate_backend({backend(db)})")

            assert keys(db) == []

    def test_a_failed_statement_is_never_committed_around(self, url: str) -> None:
        with open_database(url) as db:
            with (  # noqa: PT012
                pytest.raises(StorageError, match="nothing was committed"),
                db.transaction(),
            ):
                db.run(INSERT, key="k1", value="v")
                with pytest.raises(StorageError):
                    db.run("INSERT INTO nothing_there VALUES (1)")

            assert keys(db) == []


class TestDifferences:
    def test_every_session_is_set_up_the_same(self, url: str) -> None:
        with open_database(url) as db:
            shown = {name: db.rows(f"SHOW {name}")[0][name] for name in SETTINGS}  # pyright: ignore[reportArgumentType]

        assert shown == SETTINGS

    def test_text_may_not_hold_nul(self, url: str) -> None:
        with open_database(url) as db, pytest.raises(StorageError, match="NUL"):
            db.run(INSERT, key="k\0", value="v")

    def test_like_minds_the_case(self, url: str) -> None:
        with open_database(url) as db:
            assert db.tuples("SELECT 'A' LIKE 'a'") == [(False,)]

    def test_a_transaction_sees_what_others_commit_meanwhile(self, url: str) -> None:
        with open_database(url) as db, open_database(url) as other, db.transaction():
            before = keys(db)
            other.run(INSERT, key="k", value="v")
            after = keys(db)

        assert (before, after) == ([], ["k"])


SETTINGS = {
    "default_transaction_read_only": "on",
    "TimeZone": "UTC",
    "statement_timeout": "10min",
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "1min",
    "synchronous_commit": "on",
}


def ask(url: str, *statements: str) -> None:
    with psycopg.connect(split_schema(url)[0], autocommit=True) as admin:
        for statement in statements:
            admin.execute(statement)  # pyright: ignore[reportArgumentType]


def one(connection: psycopg.Connection[Any], query: Any) -> Any:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def tables(url: str, schema: str) -> list[str]:
    with psycopg.connect(url) as admin:
        found = admin.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", (schema,))
        return [name for (name,) in found]


def keys(db: Database) -> list[str]:
    return [key for (key,) in db.tuples(KEYS)]


def identity(db: Database) -> str:
    return db.tuples("SELECT value FROM lsm_meta WHERE key = 'database_id'")[0][0]


def backend(db: Database) -> int:
    return db.tuples("SELECT pg_backend_pid()")[0][0]


def eventually_refused(url: str) -> None:
    """Opens *url* until the server has read its new rules: it tells nobody when it has."""
    for _ in range(200):
        open_database(url).close()


def chain(error: BaseException | None) -> str:
    """The message of *error* and of everything that led to it, as a traceback would show it."""
    told = ""
    while error is not None:
        told += f"{type(error).__name__}: {error}\n"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return told
