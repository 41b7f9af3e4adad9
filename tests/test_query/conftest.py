"""Two libraries, made once: a small one with a history, on each engine, and the sample."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

from lsm.app import Mind
from lsm.sample import library_path
from tests.test_query.small import Small, made

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def small(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Small]:
    """Look, and change nothing: see `small.py` for what is in it."""
    folder = tmp_path_factory.mktemp("small")
    if request.param == "sqlite":
        with made(folder, str(folder / "home" / "lsm.db")) as library:
            yield library
        return
    server, name = request.getfixturevalue("postgres_server"), f"small_{uuid4().hex[:12]}"
    template = request.getfixturevalue("postgres_template")
    with psycopg.connect(server.format("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        with made(folder, server.format(name)) as library:
            yield library
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mind]:
    """The sample library, where it lies. Look, and change nothing."""
    with Mind(str(tmp_path_factory.mktemp("sample") / "home")) as mind:
        mind.ingest(library_path())
        yield mind
