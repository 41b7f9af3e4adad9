"""What the user has set: `lsm.toml` in the home folder, checked before anything opens."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from difflib import get_close_matches
from typing import Any

import msgspec

from lsm.config.models import Config
from lsm.errors import ConfigError

__all__ = ["CONFIG_NAME", "DATABASE_NAME", "Config", "config_path", "home_path", "load_config"]

CONFIG_NAME = "lsm.toml"
DATABASE_NAME = "lsm.db"
_MAX_BYTES = 1024 * 1024

_REMOVED = {
    "sqlite_path": "memory lives in the one database now; bring it over with `lsm migrate legacy`",
    "manifest": "the manifest lives in the one database now; `lsm migrate legacy` brings it over",
    "agents_folder": "schedules live in the one database now; see `lsm migrate legacy`",
    "vectordb": "the database is set as [database] url",
}
_TYPE = re.compile("`([^`]*)`")
_IN_TOML = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "object": "a section",
    "str": "text in quotes",
}
_UNKNOWN = re.compile(r"unknown field `(?P<field>[^`]*)`(?: - at `\$\.?(?P<where>[^`]*)`)?")
_WRONG = re.compile(r"(?P<problem>.*?)(?: - at `\$\.?(?P<where>[^`]*)`)?\Z", re.DOTALL)


def home_path(given: str | None) -> str:
    """The home folder: *given*, else ``LSM_HOME``, else the platform's place for user data."""
    chosen = given or os.environ.get("LSM_HOME")
    if chosen:
        return os.path.abspath(os.path.expanduser(chosen))
    import platformdirs

    return platformdirs.user_data_dir("lsm", appauthor=False)


def config_path(home: str) -> str:
    """Where *home* keeps its configuration."""
    return os.path.join(home, CONFIG_NAME)


def load_config(path: str) -> Config:
    """The settings in the file at *path*; the defaults where there is none.

    Raises:
        ConfigError: it cannot be read, or a setting is unknown or wrong.
    """
    text = _read(path)
    if text is None:
        return Config()
    try:
        settings = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(path, f"not valid TOML: {error}") from error
    return parse_config(settings, path)


def parse_config(settings: dict[str, Any], path: str) -> Config:
    """*settings* as read from *path*, typed.

    Raises:
        ConfigError: a setting is unknown or wrong.
    """
    try:
        return msgspec.convert(settings, Config)
    except msgspec.ValidationError as error:
        raise _explained(error, path) from error


def _read(path: str) -> str | None:
    try:
        # Not waiting for a pipe's other end.
        with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ConfigError(path, "it is not a regular file")
            raw = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        if os.path.islink(path):
            raise ConfigError(path, "it is a link to nothing") from None
        return None
    except OSError as error:
        raise ConfigError(path, f"cannot be read: {error.strerror}") from error
    if len(raw) > _MAX_BYTES:
        raise ConfigError(path, "larger than 1 MB; is this the right file?")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(path, f"not UTF-8 at byte {error.start}; save it as UTF-8") from error


def _explained(error: msgspec.ValidationError, path: str) -> ConfigError:
    unknown = _UNKNOWN.search(str(error))
    if unknown:
        return _unknown_key(unknown["field"], unknown["where"] or "", path)
    wrong = _WRONG.match(str(error))
    where = wrong["where"] if wrong and wrong["where"] else ""
    problem = wrong["problem"] if wrong else str(error)
    return ConfigError(f"{path}: {where}", _in_toml(problem))


def _in_toml(problem: str) -> str:
    """*problem* in the words of the file: "Expected `array`" is "expected a list"."""
    words = _TYPE.sub(lambda match: _IN_TOML.get(match[1], match[1]), problem)
    return words[:1].lower() + words[1:]


def _unknown_key(field: str, where: str, path: str) -> ConfigError:
    key = f"{where}.{field}" if where else field
    if field in _REMOVED:
        return ConfigError(f"{path}: {key}", _REMOVED[field])
    known = _keys(Config)
    elsewhere = [name for name in known if name.rsplit(".", 1)[-1] == field]
    near = elsewhere or get_close_matches(key, (n for n in known if not _holds(n, key)), n=1)
    hint = f"did you mean {near[0]}?" if near else "see docs/reference/config.md"
    return ConfigError(f"{path}: {key}", f"no such setting; {hint}")


def _holds(section: str, key: str) -> bool:
    return key.startswith(f"{section}.")


def _keys(model: type[msgspec.Struct], prefix: str = "") -> list[str]:
    found: list[str] = []
    for field in msgspec.structs.fields(model):
        name = prefix + field.encode_name
        found.append(name)
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            found += _keys(field.type, name + ".")
    return found
