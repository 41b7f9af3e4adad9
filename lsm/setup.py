"""Makes a home: its folder, its configuration and its database."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsm.app import Mind
from lsm.config import config_path, home_path
from lsm.db.sqlite_file import make_private_folder
from lsm.errors import AccessError, ConfigError
from lsm.paths import absolute, to_os

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
        ConfigError: the configuration that is there names another model.
        InvalidError: a root that is not there.
    """
    place = home_path(home)
    path = config_path(place)
    _make_folder(place)
    is_new = not os.path.lexists(path)
    if is_new:
        _write_new(path, _rendered(roots, embedding, database))
    with Mind(place, database) as mind:
        if embedding and mind.config.embedding.model != embedding:
            raise ConfigError(
                f"{path}: embedding.model", f'is there already; set it to "{embedding}"'
            )
        for root in roots:
            mind.add_root(root)
        return MadeHome(place, path, mind.db.url, is_new)


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
    for root in roots:
        library["roots"].append(absolute(root))  # pyright: ignore[reportIndexIssue, reportAttributeAccessIssue]
    if embedding:
        chosen["model"] = embedding  # pyright: ignore[reportIndexIssue]
    if database:
        document["database"] = tomlkit.item({"url": database})
    return tomlkit.dumps(document)


def _write_new(path: str, text: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(to_os(path), flags, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
