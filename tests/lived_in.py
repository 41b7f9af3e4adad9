"""A mind that has been lived in: documents in several versions, memories, schedules, answers."""

from __future__ import annotations

import hashlib
import os
import shutil
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import apsw
import pytest

import lsm.embedding
from lsm.agents.ledger import pending_run
from lsm.agents.memory import MemoryStore, Writer
from lsm.agents.run_store import RunStore
from lsm.agents.schedules import Schedule, every
from lsm.app import Mind
from lsm.clock import utc_now
from lsm.db import Database, open_as_it_is
from lsm.ingest.stats_cache import StatsCache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

T = TypeVar("T")

# Not what the others are derived from, and what a second look may change.
_DERIVED = ("_fts", "vec_", "memory_labels", "lsm_stats_cache", "lsm_counters", "lsm_manifest")


@pytest.fixture(scope="session", autouse=True)
def one_model() -> Iterator[None]:
    """The default model, real, but loaded once instead of at every look of the doctor."""
    opened = lsm.embedding.open_embedder
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lsm.embedding, "open_embedder", cache(opened))
        yield


@pytest.fixture(scope="session")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a home and documents. Copy it; its paths are where `settled` puts it."""
    folder = tmp_path_factory.mktemp("lived-in") / "place"
    with Mind(str(folder / "home")) as mind:
        live(mind, folder / "notes")
    # Under another name it may be read and copied as any other file.
    (folder / "home" / "lsm.db").rename(folder / "home" / "made.db")
    return folder


@pytest.fixture
def home(lived_in: Path, tmp_path: Path) -> str:
    """A home of one's own on SQLite; the documents are shared."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    shutil.copyfile(lived_in / "home" / "made.db", home / "made.db")
    (home / "made.db").chmod(0o600)
    (home / "made.db").rename(home / "lsm.db")
    return str(home)


@pytest.fixture(scope="session")
def lived_in_postgres(
    postgres_server: str, postgres_template: str, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """Name of a PostgreSQL database to be cloned."""
    name = f"lived_{uuid4().hex[:12]}"
    _admin(postgres_server, f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    folder = tmp_path_factory.mktemp("lived-in-postgres")
    with Mind(str(folder / "home"), postgres_server.format(name)) as mind:
        live(mind, folder / "notes")
    return name


@pytest.fixture(scope="session")
def mended_mind(postgres_server: str, lived_in_postgres: str) -> Iterator[str]:
    """Address of one that is whole again after every test: a database of one's own costs 2 s."""
    yield from _cloned(postgres_server, lived_in_postgres)


@pytest.fixture
def postgres_mind(postgres_server: str, lived_in_postgres: str) -> Iterator[str]:
    """Address of a lived-in PostgreSQL database of one's own."""
    yield from _cloned(postgres_server, lived_in_postgres)


def _cloned(postgres_server: str, lived_in_postgres: str) -> Iterator[str]:
    name = f"test_{uuid4().hex[:12]}"
    _admin(postgres_server, f"CREATE DATABASE {name} TEMPLATE {lived_in_postgres}")
    yield postgres_server.format(name)
    _admin(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


def live(mind: Mind, notes: Path) -> None:
    """Do a little of everything."""
    for turn in range(3):
        for name in ("keys", "kiln", "lease"):
            text = f"# {name}\n\nThe {name} are looked after every {turn + 7} days.\n"
            write(notes / f"{name}.md", text if name != "lease" or turn == 0 else text[:40])
        write(notes / f"day-{turn}.txt", f"On day {turn} it rained and nobody came.\n")
        mind.ingest(str(notes))
    (notes / "day-0.txt").unlink()
    mind.ingest(str(notes))
    mind.memories.add("Keys rotate every 9 days", scope="team", source=f"{notes / 'keys.md'}#3")
    mind.memories.add("Rain keeps people away", scope="team/weather", tags=["rain"])
    agent = MemoryStore(
        mind.db, mind.clock, mind.embedder, writer=Writer("agent", "digest", "run-1", "agents")
    )
    agent.add("Nobody comes when it rains", scope="agents/digest")
    schedule = mind.scheduler.add(
        Schedule(agent="digest", trigger=every("1h"), params={}), source="command"
    )
    _queue(mind, schedule.schedule_id)
    mind.cache.put("wikipedia", "kiln", [{"title": "Kiln"}], timedelta(days=1))
    StatsCache(mind.db).get()


def write(path: Path, text: str) -> None:
    """A document."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def changed(path: str, *statements: str) -> None:
    """Run *statements* past everything that watches over the file."""
    connection = apsw.Connection(path)
    connection.pragma("foreign_keys", 0)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def changed_on_server(url: str, *statements: str) -> None:
    """As `changed`, past foreign keys and triggers."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET search_path = lsm, public")
        connection.execute("SET session_replication_role = replica")
        for statement in statements:
            connection.execute(statement)  # type: ignore[call-overload]


def content_of(url: str) -> dict[str, str]:
    """A digest of each table that is no index and no cache, by name."""
    with open_as_it_is(url) as db:
        return {
            name: _digest(db, name)
            for name in sorted(db.tables())
            if not any(part in name for part in _DERIVED)
        }


def reading(path: str, read: Callable[[Database], T]) -> T:
    """What *read* says of the database at *path*."""
    with open_as_it_is(path) as db:
        return read(db)


def _queue(mind: Mind, schedule_id: str) -> None:
    now = utc_now()
    with mind.db.transaction():
        row = mind.scheduler._ledger.lock(schedule_id)
        RunStore(mind.db).add(pending_run(schedule_id, now, "manual", now, now))
        mind.scheduler._ledger.schedules.save(row)


def _digest(db: Database, table: str) -> str:
    rows: list[tuple[Any, ...]] = db.tuples(f"SELECT * FROM {table}")  # type: ignore[arg-type]
    return hashlib.sha256(repr(sorted(map(repr, rows))).encode()).hexdigest()


def _admin(server: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(server.format("postgres"), autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[call-overload]


def overwritten(path: str, at: int, data: bytes) -> None:
    """Put *data* at the offset *at* of a file that nobody has open."""
    other = os.path.join(os.path.dirname(path), "being-damaged")
    os.rename(path, other)
    with open(other, "r+b") as file:
        file.seek(at)
        file.write(data)
    os.rename(other, path)
