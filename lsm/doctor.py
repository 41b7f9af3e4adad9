"""Looks a mind over and says what to do about what is wrong. Works when nothing opens."""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING

import msgspec

from lsm.app import Mind
from lsm.config import config_path, home_path, load_config
from lsm.db import State, inspect_database
from lsm.db.state import refuse_unusable
from lsm.errors import DamagedError, LsmError
from lsm.paths import shown, to_os
from lsm.wiring import database_url

if TYPE_CHECKING:
    from collections.abc import Iterator

_MIN_FREE_BYTES = 200 * 1024 * 1024
_RESTORE = "restore a backup: lsm db restore FILE"
_UNOPENED = {
    State.NEW: "not made yet; lsm init makes it",
    State.OLDER: "of an earlier lsm; the next command upgrades it, after a backup",
}


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str  # what was found and, if it is not ok, what to do


class Diagnosis(msgspec.Struct, frozen=True):
    """Everything that was looked at."""

    ok: bool
    checks: tuple[Check, ...]


def diagnose(home: str | None = None, database: str | None = None) -> Diagnosis:
    """Look over the mind at *home*; nothing is changed, whatever is found."""
    checks = list(_examine(home_path(home), database))
    return Diagnosis(all(check.ok for check in checks), tuple(checks))


def _examine(home: str, database: str | None) -> Iterator[Check]:
    yield _home(home)
    yield _free_space(home)
    try:
        config = load_config(config_path(home))
    except LsmError as error:
        # Which database is meant stands in there.
        yield Check("config", ok=False, detail=str(error))
        return
    yield Check("config", ok=True, detail=_config_detail(home))
    try:
        url = database_url(home, config, database)
        found = inspect_database(url)
        refuse_unusable(url, found)
        if found.state is not State.CURRENT:
            # To open it would make or upgrade it.
            yield Check("database", ok=True, detail=_UNOPENED[found.state])
            return
        yield from _opened(home, database)
    except LsmError as error:
        yield Check("database", ok=False, detail=str(error))


def _opened(home: str, database: str | None) -> Iterator[Check]:
    try:
        with Mind(home, database) as mind:
            detail = f"{mind.db.engine}, {mind.db.size():,} bytes, {mind.db.url}"
            yield Check("database", ok=True, detail=detail)
            yield from _inside(mind)
    except DamagedError as error:
        yield Check("database", ok=False, detail=f"{error}; {_RESTORE}")


def _inside(mind: Mind) -> Iterator[Check]:
    yield _found("integrity", mind.engine_problems(), _RESTORE)
    yield _found("index", mind.index_problems(), "ingest again: lsm ingest --force")
    yield _found("manifest", mind.manifest_problems(), "ingest again: lsm ingest --force")
    yield _embedder(mind)
    missing = [root for root in mind.roots() if not os.path.exists(to_os(root))]
    yield _found("roots", [f"{shown(root)} is not there" for root in missing], "is a disk missing?")
    overview = mind.overview()
    yield Check(
        "library",
        ok=True,
        detail=f"version {overview.version}, {overview.files} files, {overview.chunks} chunks, "
        f"{overview.errors} files could not be read",
    )


def _home(home: str) -> Check:
    if os.path.lexists(home) and not os.path.isdir(home):
        return Check("home", ok=False, detail=f"{home}: it is not a folder; choose another, --home")
    if not os.path.isdir(home):
        return Check("home", ok=True, detail=f"{home} is not made yet; lsm init makes it")
    mode = stat.S_IMODE(os.stat(home).st_mode)
    if os.name == "posix" and mode & 0o077:
        return Check("home", ok=False, detail=f"{home}: others may read it; chmod 700 {home}")
    return Check("home", ok=True, detail=home)


def _config_detail(home: str) -> str:
    path = config_path(home)
    return path if os.path.exists(path) else "none; the defaults are in force"


def _free_space(home: str) -> Check:
    place = home
    while not os.path.isdir(place):
        place = os.path.dirname(place)
    free = shutil.disk_usage(place).free
    detail = f"{free >> 20:,} MB free"
    if free < _MIN_FREE_BYTES:
        return Check("disk", ok=False, detail=f"{detail}; free some, or writes will be refused")
    return Check("disk", ok=True, detail=detail)


def _found(name: str, problems: list[str], remedy: str) -> Check:
    if problems:
        return Check(name, ok=False, detail=f"{'; '.join(problems)}; {remedy}")
    return Check(name, ok=True, detail="sound")


def _embedder(mind: Mind) -> Check:
    try:
        vector = mind.embedder.embed_query("a word")
    except LsmError as error:
        return Check("embedding", ok=False, detail=str(error))
    waiting = mind.chunks_of_other_models()
    detail = f"{mind.embedder.model}, {len(vector)} dimensions"
    if waiting:
        return Check("embedding", ok=False, detail=f"{detail}; {waiting}; run lsm ingest")
    return Check("embedding", ok=True, detail=detail)
