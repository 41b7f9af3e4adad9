"""Opens the file behind a document for reading, and no other file.

The path is walked from its root folder by descriptors, and no link is followed below it: a folder
that is swapped for a link between the look and the opening leads nowhere.
"""

from __future__ import annotations

import os
import stat
from functools import reduce
from operator import or_

from lsm.errors import NotFoundError
from lsm.paths import shown, to_os

_SAFE = ("O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY", "O_BINARY")
_FLAGS = reduce(or_, (getattr(os, name, 0) for name in _SAFE), os.O_RDONLY)
_FOLDER = getattr(os, "O_DIRECTORY", 0)


def open_original(path: str, root: str) -> int:
    """A descriptor of the regular file at *path*, which is *root* or lies below it.

    Args:
        path: as stored.
        root: a folder or file that the user named.

    Raises:
        NotFoundError: it is no longer there, is no regular file, or a link leads to it.
    """
    try:
        handle = _walked(to_os(root), _below(path, root))
    except OSError as error:
        raise NotFoundError("file", f"{shown(path)}: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise NotFoundError("file", f"{shown(path)}: it is not a regular file")
    return handle


def _below(path: str, root: str) -> list[str]:
    """The names between *root* and *path*."""
    if path == root:
        return []
    start = root if root.endswith(os.sep) else root + os.sep
    names = path[len(start) :].split(os.sep)
    if not path.startswith(start) or any(name in ("", os.curdir, os.pardir) for name in names):
        raise NotFoundError("file", f"{shown(path)}: it does not lie below {shown(root)}")
    return [to_os(name) for name in names]


def _walked(root: str, names: list[str]) -> int:
    # The root itself may be a link: the user named it.
    handle = os.open(root, _FLAGS & ~getattr(os, "O_NOFOLLOW", 0))
    for number, name in enumerate(names, 1):
        above = handle
        try:
            handle = os.open(name, _FLAGS | (_FOLDER if number < len(names) else 0), dir_fd=above)
        finally:
            os.close(above)
    return handle
