"""A mind that has been lived in, made once for each engine, and places to move it to."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

from lsm.db import Database, open_database
from lsm.db.tables import Walk
from lsm.migration.database.contents import content_tables, rows_of
from lsm.migration.database.digest import digest
from lsm.migration.database.moving import Move
from tests.test_migration_database.real import live

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Lived:
    """Where it is. Look, and change nothing."""

    home: Path
    documents: Path
    database: Path
    digest: str


@pytest.fixture(scope="package")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    folder = tmp_path_factory.mktemp("lived")
    (folder / "home").mkdir(mode=0o700)
    database = folder / "home" / "made.db"
    live(folder / "home", folder / "documents", str(database))
    with open_database(str(database)) as db:
        return Lived(folder / "home", folder / "documents", database, digest(db).all)


@pytest.fixture(scope="package")
def server(postgres_server: str) -> Iterator[str]:
    """One PostgreSQL database for the whole folder; each place is a schema of its own in it."""
    name = f"moving_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_server.format("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        yield postgres_server.format(name)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="package")
def shared_postgres(server: str) -> Iterator[tuple[str, psycopg.Connection]]:
    url = f"{server}&schema=shared"
    open_database(url).close()
    with psycopg.connect(server, autocommit=True) as cleaner:
        cleaner.execute("SET search_path = shared, public")
        cleaner.execute("CREATE TABLE public.seeds AS SELECT * FROM lsm_counters")
        yield url, cleaner


@pytest.fixture
def postgres_url(shared_postgres: tuple[str, psycopg.Connection]) -> str:
    """One database for the whole folder, emptied before each test: cloning costs 0.3 s."""
    url, cleaner = shared_postgres
    with open_database(url) as db:
        db.empty([Walk(table, rows_of(table)) for table in content_tables(db)[::-1]])
    cleaner.execute("TRUNCATE lsm_counters, lsm_remote_fetches")
    cleaner.execute("INSERT INTO lsm_counters SELECT * FROM public.seeds")
    return url


@pytest.fixture
def place(server: str, tmp_path: Path) -> Callable[[str], str]:
    """The address of a place on an engine where nothing is yet."""

    def new(engine: str) -> str:
        if engine == "postgres":
            return f"{server}&schema=mind_{uuid4().hex[:12]}"
        return str(tmp_path / f"{uuid4().hex[:12]}.db")

    return new


@pytest.fixture
def lived_copy(lived: Lived, tmp_path: Path) -> str:
    """The lived-in database in SQLite, to be changed."""
    shutil.copyfile(lived.database, tmp_path / "copied")
    return str((tmp_path / "copied").rename(tmp_path / "source.db"))


@pytest.fixture
def small(place: Callable[[str], str]) -> Iterator[Database]:
    """A database in SQLite with a few rows, to be changed."""
    with open_database(place("sqlite")) as db:
        db.run("INSERT INTO lsm_meta (key, value) VALUES ('a', 'one'), ('b', 'two')")
        db.run("INSERT INTO lsm_versions (version, created_at) VALUES (1, 'now'), (2, 'later')")
        yield db


@pytest.fixture
def move(place: Callable[[str], str]) -> Callable[[str, str], str]:
    """Moves the database at an address to a fresh place on an engine, and gives that."""

    def moved(source: str, engine: str) -> str:
        target = place(engine)
        with open_database(source) as db:
            assert Move(db, target).apply().verified
        return target

    return moved
