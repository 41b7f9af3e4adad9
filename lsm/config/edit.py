"""Changes one setting in `lsm.toml`, and leaves its comments and everything else as they are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from lsm.config import load_config
from lsm.errors import AccessError, InvalidError

if TYPE_CHECKING:
    from tomlkit import TOMLDocument


def check_url(url: str) -> None:
    """Refuse an address that must not stand in a file.

    Raises:
        InvalidError: it holds a password.
    """
    parts = urlsplit(url)
    if parts.password or {"password", "sslpassword"} & parse_qs(parts.query).keys():
        raise InvalidError(
            "--switch", "the address holds a password; keep that in ~/.pgpass or in PGPASSWORD"
        )


def set_database(path: str, url: str) -> None:
    """Make the database at *url* the one that the configuration at *path* names.

    Args:
        path: of lsm.toml, which need not be there yet.
        url: ``postgresql://...`` or an absolute path.

    Raises:
        ConfigError: what stands there is no configuration.
        AccessError: it cannot be written.
    """
    import tomlkit

    load_config(path)  # what is wrong is said before anything is written
    document = _read(path)
    if "database" not in document:
        document["database"] = tomlkit.table()
    document["database"]["url"] = url  # pyright: ignore[reportIndexIssue]
    try:
        _replace(os.path.realpath(path), tomlkit.dumps(document))
    except OSError as error:
        raise AccessError(f"{path}: {error.strerror}") from error


def _read(path: str) -> TOMLDocument:
    import tomlkit

    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return tomlkit.parse(file.read())
    except FileNotFoundError:
        return tomlkit.document()


def _replace(path: str, text: str) -> None:
    partial = f"{path}.partial"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(partial, flags, 0o600), "w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
