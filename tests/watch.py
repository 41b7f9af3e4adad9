"""Watches, over the whole run, that nobody but the driver opens a database file.

Closing any descriptor of a file drops every POSIX lock this process holds on it: a stray
``open("lsm.db")`` could let two writers in.
"""

from __future__ import annotations

import sys

opened: list[str] = []
_ALLOWED = "lsm/db/sqlite_file.py"  # reads a header before the first connection, and only then


def install() -> None:
    """Begin to watch this process."""
    sys.addaudithook(_watch)


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event != "open" or not isinstance(arguments[0], (str, bytes)):
        return
    name = (
        arguments[0].decode(errors="replace") if isinstance(arguments[0], bytes) else arguments[0]
    )
    if not name.rsplit("/", 1)[-1].startswith("lsm.db"):
        return
    frame = sys._getframe(1)
    if not frame.f_code.co_filename.replace("\\", "/").endswith(_ALLOWED):
        opened.append(f"{name} by {frame.f_code.co_filename}:{frame.f_lineno}")
