"""What stands at an address, found out without making or changing anything there."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsm.db import inspect_database, is_server, sqlite_path
from lsm.db.state import refuse_unusable

if TYPE_CHECKING:
    from lsm.db.dialect import Engine
    from lsm.db.state import State


@dataclass(frozen=True)
class Site:
    """An address that a database can be at."""

    engine: Engine
    url: str  # without a password
    state: State
    about: str  # the server and its extension; empty for a file
    free_bytes: int | None  # None: the disk is a server's


def look_at(url: str) -> Site:
    """What stands at *url*.

    Raises:
        StorageError: nothing of ours can be there: it belongs to another program, is damaged or
            newer, the server cannot be reached, or lacks what we need.
        ConfigError: *url* names no engine we know.
    """
    if is_server(url):
        from lsm.db.postgres_look import look_at_server

        return look_at_server(url)
    path = sqlite_path(url)
    found = inspect_database(path)
    refuse_unusable(path, found)
    return Site("sqlite", path, found.state, "", _free(path))


def _free(path: str) -> int:
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return shutil.disk_usage(path).free
