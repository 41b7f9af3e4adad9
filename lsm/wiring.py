"""From settings to what services take, and which places may be what. For `app` and its like."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING, Any, TypedDict

from lsm.config import CONFIG_NAME, DATABASE_NAME
from lsm.errors import InvalidError
from lsm.paths import absolute, shown, to_os

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lsm.config import Config
    from lsm.config.models import LibraryConfig
    from lsm.db import Database
    from lsm.ingest.pipeline import PipelineSettings
    from lsm.query.search import SearchOptions


class SearchChoices(TypedDict, total=False):
    """What `Mind.search` and `Mind.ask` take besides the question: the options of the commands."""

    mode: str  # "hybrid", "text" or "vector"
    path: str | None  # glob: "notes/**", "*.md", a folder
    ext: str | Sequence[str]  # ".md"; one or several
    tag: str | Sequence[str]  # every one of them
    since: str | date | None  # modified then or later: a date, or "7d"
    as_of: str | int | date | None  # the library as it was: a date, or a version


def pipeline_settings(library: LibraryConfig, home: str, db: Database) -> PipelineSettings:
    """What an ingest is told of the user's settings."""
    from lsm.ingest.chunking import ChunkOptions
    from lsm.ingest.messages import Limits
    from lsm.ingest.pipeline import PipelineSettings
    from lsm.ingest.selection import Selection

    return PipelineSettings(
        selection=Selection(exclude=library.exclude, hidden=library.hidden, home=absolute(home)),
        chunking=ChunkOptions(library.chunk_target, library.chunk_maximum),
        limits=Limits(
            wall_seconds=library.seconds_per_file,
            text_bytes=library.max_text_mb << 20,
            document_bytes=library.max_document_mb << 20,
            memory_bytes=library.memory_per_child_mb << 20,
        ),
        workers=library.workers or min(os.cpu_count() or 1, 8),
        own_files=own_files(home, db),
    )


def database_url(home: str, config: Config, given: str | None = None) -> str:
    """Where the database is: *given*, else as configured, else in *home*."""
    if given or "://" in config.database.url:
        return given or config.database.url
    # A path in the configuration means the same wherever one stands: it begins at the home.
    place = os.path.expanduser(config.database.url or DATABASE_NAME)
    return os.path.join(home, place)


def check_root(path: str, home: str) -> None:
    """Refuse *path*, absolute text, where it cannot be read as documents.

    Raises:
        InvalidError: it is not there, no kind of file we read, or the home of lsm.
    """
    from lsm.ingest.parsers import parser_for
    from lsm.ingest.walk import made_up

    place = to_os(path)
    if not os.path.exists(place):
        raise InvalidError(shown(path), "there is no such file or folder")
    if os.stat(place).st_dev in made_up():
        raise InvalidError(shown(path), "the system invents what is there; name documents on disk")
    if os.path.isfile(place) and parser_for(os.path.basename(place)) is None:
        raise InvalidError(shown(path), "lsm does not read files of this kind")
    if os.path.realpath(place) == os.path.realpath(home):
        raise InvalidError(
            shown(path), "this is the home of lsm itself; name a folder of documents"
        )


def search_options(given: Mapping[str, Any]) -> SearchOptions:
    """*given*, keywords of a caller, as the search takes them.

    Raises:
        InvalidError: one that there is not.
    """
    from lsm.query.search import SearchOptions

    choices = dict(given)
    for name in ("ext", "tag"):
        if isinstance(choices.get(name), str):
            choices[name] = (choices[name],)
    for name in ("as_of", "since"):
        if isinstance(choices.get(name), date):  # a datetime is one, too
            choices[name] = choices[name].isoformat()
    try:
        return SearchOptions(**choices)
    except TypeError as error:
        raise InvalidError("search", str(error).split(") ", 1)[-1]) from error


def own_files(home: str, db: Database) -> frozenset[tuple[int, int]]:
    """Our own files: never documents, wherever a link to them stands."""
    found: set[tuple[int, int]] = set()
    for place in (os.path.join(home, CONFIG_NAME), *db.files()):
        if (known := identity(place)) is not None:
            found.add(known)
    return frozenset(found)


def identity(path: str) -> tuple[int, int] | None:
    """The device and inode at *path*, or None if nothing is there."""
    with suppress(OSError):
        status = os.stat(to_os(path))
        return status.st_dev, status.st_ino
    return None
