"""Puts our server into a client's settings, and takes it out again, touching nothing else."""

from __future__ import annotations

import difflib
import os
import stat
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsm.clock import utc_now
from lsm.errors import AccessError, ConfigError, ConflictError, InvalidError
from lsm.mcp import jsonc

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.clock import Clock
    from lsm.mcp.clients import Client, Launch

_MOST_BYTES = 64 << 20
_WIDEST = 160  # characters of a line in a difference


@dataclass(frozen=True)
class Change:
    """What would be written, and instead of what."""

    path: str  # of the settings, links followed
    before: str | None  # None: there is no such file yet
    after: str

    @property
    def needed(self) -> bool:
        """Whether anything would be another."""
        return self.before != self.after

    def difference(self) -> list[str]:
        """Lines that go (``-``) and come (``+``), with one line around them."""
        old, new = (self.before or "").splitlines(), self.after.splitlines()
        lines = list(difflib.unified_diff(old, new, lineterm="", n=1))[2:]
        return [line if len(line) <= _WIDEST else f"{line[:_WIDEST]}…" for line in lines]


def installed(client: Client, path: str, name: str, launch: Launch) -> Change:
    """The settings at *path* with our server under *name*.

    Raises:
        ConfigError: the file is broken, or something else stands where servers do.
        AccessError: it cannot be read.
    """
    entry = client.entry(launch)

    def edited(text: str) -> str:
        if jsonc.value_at(text or "{}", (client.section, name)) == entry:
            return text
        return jsonc.with_value(text, (client.section, name), entry)

    return _change(path, edited)


def uninstalled(client: Client, path: str, name: str) -> Change:
    """The settings at *path* without our server.

    Raises:
        as `installed`.
    """
    return _change(path, lambda text: jsonc.without(text, (client.section, name)))


def write(change: Change, clock: Clock = utc_now) -> str | None:
    """Write *change* at once and whole; the path of the backup, None where there was nothing.

    Raises:
        ConflictError: somebody else has changed the file meanwhile; nothing was written.
        AccessError: it cannot be written.
    """
    if _read(change.path) != change.before:
        raise ConflictError(f"{change.path}: changed meanwhile; run it again")
    try:
        mode = _mode_of(change.path)
        os.makedirs(os.path.dirname(change.path), mode=0o700, exist_ok=True)
        backup = None
        if change.before is not None:
            backup = f"{change.path}.{clock():%Y%m%dT%H%M%S%f}.bak"
            _put(backup, change.before, mode)
        _put(change.path, change.after, mode)
    except OSError as error:
        raise AccessError(f"{error.filename or change.path}: {error.strerror}") from error
    return backup


def our_command() -> str:
    """The absolute path of the `lsm` that runs now.

    Raises:
        ConfigError: there is none beside this Python.
    """
    name = "lsm.exe" if sys.platform == "win32" else "lsm"
    running = os.path.abspath(sys.argv[0])
    # Links stay: a link that is moved to a newer version is meant to be followed each time.
    for path in (running, os.path.join(sysconfig.get_path("scripts"), name)):
        if os.path.basename(path).lower() == name and os.access(path, os.X_OK):
            return path
    raise ConfigError("lsm", "this Python has no lsm command beside it; install local-second-mind")


def _change(path: str, edited: Callable[[str], str]) -> Change:
    place = os.path.realpath(path)
    before = _read(place)
    try:
        return Change(place, before, edited(before or ""))
    except jsonc.JsoncError as error:
        raise ConfigError(place, f"{error}; mend it first, nothing was changed") from error


def _read(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise InvalidError(path, "is not a regular file")
            raw = file.read(_MOST_BYTES + 1)
        if len(raw) > _MOST_BYTES:
            raise InvalidError(path, "is larger than 64 MB; is this the right file?")
        return raw.decode("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise ConfigError(path, f"not UTF-8 at byte {error.start}; save it as UTF-8") from error
    except OSError as error:
        raise AccessError(f"{path}: {error.strerror}") from error


def _mode_of(path: str) -> int:
    """Of the file that is there; a new one is its owner's alone, such files hold keys."""
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except FileNotFoundError:
        return 0o600


def _put(path: str, text: str, mode: int) -> None:
    """Write *text* to *path*, whole or not at all, whatever dies meanwhile."""
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".lsm-", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
