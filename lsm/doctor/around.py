"""What is around a database: its folder, its disk, its files. Nothing is opened."""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING

from lsm.config import config_path
from lsm.db import file_of
from lsm.db.filesystem import file_system, place_problem
from lsm.db.sidecars import sidecar_problems
from lsm.doctor.report import Check, told

if TYPE_CHECKING:
    from collections.abc import Iterator

_MIN_FREE_BYTES = 200 * 1024 * 1024
_OURS = ("", "-wal", "-shm")


def look_around(home: str) -> Iterator[Check]:
    """The home and its disk."""
    yield _home(home)
    yield _free_space("disk", home)


def look_at_files(home: str, url: str) -> Iterator[Check]:
    """The files of the database, as far as they are this machine's."""
    path = file_of(url)
    if path is None:
        return
    yield _place(path)
    if not os.path.isfile(path):
        return
    yield told("files", list(_loose(path)), "chmod 600 them", "for their owner alone")
    yield told("log", sidecar_problems(path), "nothing was changed")
    if not os.path.isdir(home) or os.stat(path).st_dev != os.stat(home).st_dev:
        yield _free_space("database disk", os.path.dirname(path))


def config_detail(home: str) -> str:
    """Where the configuration is."""
    path = config_path(home)
    return path if os.path.exists(path) else "none; the defaults are in force"


def _home(home: str) -> Check:
    if os.path.lexists(home) and not os.path.isdir(home):
        return Check("home", ok=False, detail=f"{home}: it is not a folder; choose another, --home")
    if not os.path.isdir(home):
        return Check("home", ok=True, detail=f"{home} is not made yet; lsm init makes it")
    status = os.stat(home)
    if os.name == "posix" and stat.S_IMODE(status.st_mode) & 0o077:
        return Check("home", ok=False, detail=f"{home}: others may read it; chmod 700 {home}")
    return Check("home", ok=True, detail=home)


def _free_space(name: str, place: str) -> Check:
    while not os.path.isdir(place):
        place = os.path.dirname(place)
    free = shutil.disk_usage(place).free
    detail = f"{free >> 20:,} MB free"
    if free < _MIN_FREE_BYTES:
        return Check(name, ok=False, detail=f"{detail}; free some, or writes will be refused")
    return Check(name, ok=True, detail=detail)


def _place(path: str) -> Check:
    problem = place_problem(path)
    if problem:
        remedy = "move the home to a disk of this machine and name it with --home"
        return Check("place", ok=False, detail=f"{problem}; {remedy}")
    return Check("place", ok=True, detail=file_system(path) or "of a kind that is not known")


def _loose(path: str) -> Iterator[str]:
    for suffix in _OURS:
        try:
            status = os.stat(path + suffix)
        except OSError:
            continue
        if os.name == "posix" and stat.S_IMODE(status.st_mode) & 0o077:
            yield f"{path + suffix}: others may read it"
        if hasattr(os, "getuid") and os.getuid() not in (0, status.st_uid):
            yield f"{path + suffix}: belongs to another user"
