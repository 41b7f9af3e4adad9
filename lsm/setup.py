"""Makes a home: its folder, its configuration and its database."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsm.app import Mind
from lsm.config import config_path, home_path, load_config
from lsm.db import inspect_database
from lsm.db.sqlite_file import make_private_folder
from lsm.db.state import refuse_unusable
from lsm.embedding import open_embedder
from lsm.errors import AccessError, ConfigError
from lsm.paths import absolute, shown, to_os
from lsm.wiring import check_root, database_url

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class MadeHome:
    """Where everything is."""

    home: str
    config: str
    database: str
    is_new: bool  # whether the configuration was written just now


_TEMPLATE = """\
# Settings of Local Second Mind. Every setting is described in docs/reference/config.md;
# what is not set here has its default.

[library]
# Folders and files that `lsm ingest` reads.
roots = []

[embedding]
# What turns text into vectors. The default works offline and needs no key.
model = "wordllama"
"""


def make_home(
    home: str | None, database: str | None, roots: Sequence[str], embedding: str | None
) -> MadeHome:
    """Make what is missing of a home; a configuration that is there is never changed.

    Args:
        home: the folder, or None for the default.
        database: its URL or path, or None for ``lsm.db`` in the home.
        roots: folders to be read; without a configuration of ours they go into it, with one into
            the database.
        embedding: name of the model.

    Raises:
        ConfigError: the configuration that is there names another model, or *embedding* none.
        InvalidError: a root that is not there.
        StorageError: the database cannot be opened.
    """
    place = home_path(home)
    path = config_path(place)
    _check(place, database, roots, embedding)
    _make_folder(place)
    is_new = not os.path.lexists(path)
    if is_new:
        _write_new(path, _rendered(roots, embedding, database))
    with Mind(place, database) as mind:
        for root in roots:
            mind.add_root(root)
        return MadeHome(place, path, mind.db.url, is_new)


def _check(place: str, database: str | None, roots: Sequence[str], embedding: str | None) -> None:
    """Refuse what cannot be, before anything is written."""
    path = config_path(place)
    config = load_config(path)
    is_set = os.path.lexists(path)
    if is_set and embedding and config.embedding.model != embedding:
        raise ConfigError(
            f"{path}: embedding.model",
            f'is "{config.embedding.model}" already; write "{embedding}" there to change it',
        )
    open_embedder(embedding or config.embedding.model)
    url = database_url(place, config, database)
    refuse_unusable(shown(url), inspect_database(url))
    for root in roots:
        check_root(absolute(root), place)


def _make_folder(place: str) -> None:
    try:
        make_private_folder(place)
    except OSError as error:
        raise AccessError(f"{place}: {error.strerror}; choose another with --home") from error


def _rendered(roots: Sequence[str], embedding: str | None, database: str | None) -> str:
    """The template with the user's choices in it, comments kept."""
    import tomlkit

    document = tomlkit.parse(_TEMPLATE)
    library = document["library"]
    chosen = document["embedding"]
    for root in dict.fromkeys(map(absolute, roots)):
        library["roots"].append(root)  # pyright: ignore[reportIndexIssue, reportAttributeAccessIssue]
    if embedding:
        chosen["model"] = embedding  # pyright: ignore[reportIndexIssue]
    if database:
        # A path is meant from here, and must mean the same from anywhere.
        url = database if "://" in database else os.path.abspath(os.path.expanduser(database))
        document["database"] = tomlkit.item({"url": url})
    return tomlkit.dumps(document)


def _write_new(path: str, text: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(to_os(path), flags, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
