"""One PostgreSQL database for all tests of a module, emptied in between.

Making a database takes a third of a second; these tests are many and write four tables only.
Import both fixtures into the module that wants them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_EMPTY = """
DELETE FROM lsm.lsm_agent_runs;
DELETE FROM lsm.lsm_agent_schedules;
DELETE FROM lsm.lsm_job_status;
DELETE FROM lsm.lsm_meta WHERE key LIKE 'note%';
"""


@pytest.fixture(scope="module")
def shared_postgres(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """Address of a migrated database that the tests of a module share."""
    import psycopg

    name = f"shared_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_server.format("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {postgres_template}")  # pyright: ignore[reportArgumentType,reportCallIssue]
        yield postgres_server.format(name)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")  # pyright: ignore[reportArgumentType,reportCallIssue]


@pytest.fixture
def postgres_url(shared_postgres: str) -> Iterator[str]:
    """Address of that database, empty."""
    import psycopg

    yield shared_postgres
    with psycopg.connect(shared_postgres, autocommit=True) as admin:
        admin.execute(_EMPTY)
