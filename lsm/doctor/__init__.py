"""Looks a mind over and says what to do about what is wrong. Works when nothing opens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsm.config import config_path, home_path, load_config
from lsm.db import State, is_server, open_as_it_is
from lsm.db.look import look_at
from lsm.db.mark import refuse_marked
from lsm.doctor.around import config_detail, look_around, look_at_files
from lsm.doctor.report import RESTORE, Check, Diagnosis, told
from lsm.doctor.within import look_at_contents, look_at_engine, look_at_mind
from lsm.errors import AccessError, BusyError, DamagedError, LsmError
from lsm.vectordb.words import is_quick, word_problems
from lsm.wiring import database_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lsm.db import Database

__all__ = ["Check", "Diagnosis", "diagnose", "diagnose_database"]

_UNOPENED = {
    State.NEW: "not made yet; lsm init makes it",
    State.OLDER: "of an earlier lsm; the next command upgrades it, after a backup",
}
_WRITE_AGAIN = "write them again: lsm db reindex"


def diagnose(home: str | None = None, database: str | None = None) -> Diagnosis:
    """Look over the mind at *home*; nothing is changed, whatever is found."""
    return _diagnosis(_examine(home_path(home), database))


def diagnose_database(home: str | None = None, database: str | None = None) -> Diagnosis:
    """Look over the database alone, word by word; nothing is changed.

    Nobody else can write while words are compared: 25 s for a million chunks.
    """
    place = home_path(home)
    url = database_url(place, load_config(config_path(place)), database)
    return _diagnosis(_database(place, url, database_only=True))


def _diagnosis(checks: Iterator[Check]) -> Diagnosis:
    found = tuple(checks)
    return Diagnosis(all(check.ok for check in found), found)


def _examine(home: str, database: str | None) -> Iterator[Check]:
    yield from look_around(home)
    try:
        config = load_config(config_path(home))
        url = database_url(home, config, database)
    except LsmError as error:
        # Which database is meant stands in there.
        yield Check("config", ok=False, detail=str(error))
        return
    yield Check("config", ok=True, detail=config_detail(home))
    yield from _database(home, url, database_only=False)


def _database(home: str, url: str, *, database_only: bool) -> Iterator[Check]:
    try:
        around = list(look_at_files(home, url))
        yield from around
        if any(check.name == "log" and not check.ok for check in around):
            return  # to open it would play the log into it
        site = look_at(url)
        if site.state is State.NEW:
            yield Check("database", ok=True, detail=_UNOPENED[site.state])
            return
        with open_as_it_is(url) as db:
            refuse_marked(db)
            size = f"{db.engine}, {db.size():,} bytes, {db.url}"
            is_older = site.state is State.OLDER
            detail = f"{size}; {_UNOPENED[site.state]}" if is_older else size
            yield Check("database", ok=True, detail=detail)
            yield from _opened(home, url, db, database_only=database_only, is_older=is_older)
    except DamagedError as error:
        yield Check("database", ok=False, detail=f"{error}; {RESTORE}")
    except LsmError as error:
        yield Check("database", ok=False, detail=str(error))


def _opened(
    home: str, url: str, db: Database, *, database_only: bool, is_older: bool
) -> Iterator[Check]:
    from lsm.app import Mind

    yield from look_at_engine(db)
    if is_older:
        return  # what the other checks ask for may not be there yet
    yield from look_at_contents(db)
    if not is_server(url) and (database_only or is_quick(db)):
        yield from _words(url, patient=database_only)
    if not database_only:
        yield from look_at_mind(Mind(home, db))


def _words(url: str, *, patient: bool) -> Iterator[Check]:
    try:
        with open_as_it_is(url, writable=True, patient=patient) as db:
            yield told("words", word_problems(db), _WRITE_AGAIN, "those of the texts")
    except AccessError:
        return  # on a read-only disk the engine cannot be asked
    except BusyError as error:
        detail = "not compared: somebody is writing just now"
        yield Check("words", ok=not patient, detail=str(error) if patient else detail)
    except LsmError as error:
        yield Check("words", ok=False, detail=f"{error}; {_WRITE_AGAIN}")
