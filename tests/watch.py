"""Watches, over the whole run, what the program under test opens.

Nobody but the driver opens a database file: closing any descriptor of one drops every POSIX lock
this process holds on it, and a stray ``open("lsm.db")`` could let two writers in. And beside the
database nothing is written but the configuration and a token: there is no second store.
"""

from __future__ import annotations

import os
import sys

opened: list[str] = []
_ALLOWED = "lsm/db/sqlite_file.py"  # reads a header before the first connection, and only then
# What may be written in a home: the token of `lsm serve` is a secret, and those are in no database.
_BESIDE = ("lsm.db", "lsm.toml", "serve.token")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_PACKAGE = os.path.join(os.path.dirname(os.path.dirname(__file__)), "lsm") + os.sep


def install() -> None:
    """Begin to watch this process."""
    sys.addaudithook(_watch)


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event != "open" or not isinstance(arguments[0], (str, bytes)):
        return
    path = os.fsdecode(arguments[0])
    folder, name = os.path.split(path)
    frame = sys._getframe(1)
    caller = frame.f_code.co_filename
    if name.startswith("lsm.db"):
        if not caller.replace("\\", "/").endswith(_ALLOWED):
            opened.append(f"{path} by {caller}:{frame.f_lineno}")
    elif (
        caller.startswith(_PACKAGE)
        and _writes(arguments)
        and not name.startswith(_BESIDE)
        # The home is the folder that holds the database.
        and os.path.lexists(os.path.join(folder, "lsm.db"))
    ):
        opened.append(f"{path} written by {caller}:{frame.f_lineno}")


def _writes(arguments: tuple[object, ...]) -> bool:
    flags = arguments[2] if len(arguments) > 2 else 0
    return isinstance(flags, int) and bool(flags & _WRITING)
