"""Walks the folders of a root, link by link refused, and says what regular files it saw.

Folders are opened one inside the other by descriptor, so no path is ever too long, and a folder
that is swapped for a link while we walk is not followed.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from lsm.ingest.foldertags import TAGS_NAME, FolderTags, read_folder_tags
from lsm.ingest.parsers import parser_for
from lsm.paths import to_os, to_text

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from lsm.ingest.selection import Selection

MAX_DEPTH = 128  # folders inside folders; deeper ones are reported, not silently left out
_BY_DESCRIPTOR = os.scandir in os.supports_fd and os.open in os.supports_dir_fd
_OPEN_FOLDER = (
    os.O_RDONLY
    | getattr(os, "O_DIRECTORY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
)


@dataclass
class Problem:
    """Something under a root that cannot be read, and everything below it."""

    path: str
    code: str
    reason: str


@dataclass
class Seen:
    """One folder's files: those we can read, as (path, what the system says of it)."""

    tags: FolderTags
    files: list[tuple[str, os.stat_result]] = field(
        default_factory=list[tuple[str, os.stat_result]]
    )
    skipped: int = 0  # not regular, not a kind we read, or left out by the user
    problems: list[Problem] = field(default_factory=list[Problem])


@dataclass(frozen=True)
class Start:
    """Where to begin: a root, or something below it that alone is to be read."""

    path: str
    root: str  # tags are inherited from here down
    dropped: bool = False  # no longer wanted: not walked, and so all of it is gone


class Walk:
    """A walk from some places downwards. Iterate once."""

    def __init__(self, starts: Sequence[Start], selection: Selection) -> None:
        # Outer ones first, so that what lies inside them has been visited when its turn comes.
        places = {start.path: start for start in starts}
        self._starts = sorted(places.values(), key=lambda start: start.path)
        self._selection = selection
        self._visited: set[tuple[int, int]] = set()  # folders

    def __iter__(self) -> Iterator[Seen]:
        for start in self._starts:
            if not start.dropped:
                yield from self._start(start)

    def _start(self, start: Start) -> Iterator[Seen]:
        path = to_os(start.path)
        try:
            found = os.stat(path)  # a root may be a link: the user named it
        except OSError as error:
            yield _trouble(start.path, error)
            return
        tags = _inherited(start)
        if stat.S_ISDIR(found.st_mode):
            yield from self._folder(None, path, start.path, tags, 0)
            return
        seen = Seen(tags)
        if not stat.S_ISREG(found.st_mode) or parser_for(os.path.basename(path)) is None:
            seen.problems.append(Problem(start.path, "unsupported", "it is no file lsm can read"))
        elif not self._has_seen(start.path):
            seen.files.append((start.path, found))
        yield seen

    def _has_seen(self, path: str) -> bool:
        """Whether the file at *path*, which exists, was met in a folder walked before."""
        folder, name = os.path.split(to_os(path))
        try:
            above = os.stat(folder)
        except OSError:
            return False
        return (above.st_dev, above.st_ino) in self._visited and self._selection.reads(name, path)

    def _folder(
        self, parent: int | None, name: str, path: str, tags: FolderTags, depth: int
    ) -> Iterator[Seen]:
        try:
            with _opened(parent, name, path, is_root=depth == 0) as (handle, identity):
                if identity in self._visited:
                    return
                self._visited.add(identity)
                if identity[0] in made_up():
                    yield Seen(tags, problems=[Problem(path, "not_files", "the system invents it")])
                    return
                seen, folders = self._read(handle, path, tags)
                yield seen
                if depth == MAX_DEPTH and folders:
                    reason = f"folders inside it are more than {MAX_DEPTH} deep"
                    yield Seen(tags, problems=[Problem(path, "too_deep", reason)])
                    return
                for inner, inner_path in folders:
                    yield from self._folder(handle, inner, inner_path, seen.tags, depth + 1)
        except OSError as error:
            yield _trouble(path, error)

    def _read(
        self, handle: int | None, path: str, tags: FolderTags
    ) -> tuple[Seen, list[tuple[str, str]]]:
        seen = Seen(tags)
        folders: list[tuple[str, str]] = []
        start = path if path.endswith(os.sep) else path + os.sep
        plainly, reads, enters = (
            self._selection.plainly,
            self._selection.reads,
            self._selection.enters,
        )
        tagged = False
        with os.scandir(handle if handle is not None else to_os(path)) as entries:
            for entry in entries:
                name = entry.name
                inner = start + (name if name.isascii() else to_text(name))
                try:
                    if name[name.rfind(".") :] in plainly and name[0] != ".":
                        # By far the most: one call to the system tells all there is to know.
                        found = entry.stat(follow_symlinks=False)
                        if stat.S_ISREG(found.st_mode):
                            seen.files.append((inner, found))
                            continue
                    tagged = (
                        tagged or name == TAGS_NAME
                    )  # whatever it is: a link is worth a warning
                    if entry.is_dir(follow_symlinks=False):
                        if enters(name, inner):
                            folders.append((name, inner))
                    elif entry.is_file(follow_symlinks=False) and reads(name, inner):
                        seen.files.append((inner, entry.stat(follow_symlinks=False)))
                    else:
                        seen.skipped += 1  # a link, a pipe, a device, or not for us
                except OSError as error:
                    seen.problems += _trouble(inner, error).problems
        if tagged:
            seen.tags, problem = read_folder_tags(handle, path, tags)
            seen.problems += [Problem(*problem)] if problem else []
        return seen, sorted(folders)


@cache
def made_up() -> frozenset[int]:
    """Devices of the file systems that show the machine itself, and answer without an end."""
    return frozenset(os.stat(path).st_dev for path in ("/proc", "/sys") if os.path.ismount(path))


@contextmanager
def _opened(
    parent: int | None, name: str, path: str, *, is_root: bool
) -> Generator[tuple[int | None, tuple[int, int]]]:
    """A folder's descriptor (None where the system has none) and what it is."""
    if not _BY_DESCRIPTOR:
        found = os.stat(to_os(path))
        yield None, (found.st_dev, found.st_ino)
        return
    flags = _OPEN_FOLDER & ~getattr(os, "O_NOFOLLOW", 0) if is_root else _OPEN_FOLDER
    handle = os.open(name, flags, dir_fd=parent)
    try:
        found = os.fstat(handle)
        yield handle, (found.st_dev, found.st_ino)
    finally:
        os.close(handle)


def _inherited(start: Start) -> FolderTags:
    """The tags that the folders from the root down to, but without, the start give it."""
    folder = os.path.dirname(start.path) if start.path == start.root else start.root
    below = os.path.relpath(os.path.dirname(start.path), folder)
    tags = FolderTags()
    if start.path == start.root and os.path.isdir(to_os(start.root)):
        return tags
    for part in (".", *(part for part in below.split(os.sep) if part != ".")):
        folder = os.path.normpath(os.path.join(folder, part))
        if os.path.lexists(os.path.join(to_os(folder), TAGS_NAME)):
            tags, _ = read_folder_tags(None, folder, tags)
    return tags


def _trouble(path: str, error: OSError) -> Seen:
    codes = {errno.EACCES: "permission_denied", errno.ENOENT: "vanished"}
    code = codes.get(error.errno or 0, "unreadable")
    reason = {
        "permission_denied": "you have no permission to read it",
        "vanished": "it is not there",
    }.get(code, f"the system cannot read it: {error.strerror or error}")
    return Seen(FolderTags(), problems=[Problem(path, code, reason)])
