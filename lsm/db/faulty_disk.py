"""A disk that keeps a diary of what SQLite writes and syncs, and that can be told to fail.

From the diary come the images that a power cut may leave: what was synced is there, and of what
was not, any part. Real disks lose, tear and reorder exactly those writes (Zheng et al., FAST 2013).
What a real disk may do beyond that, such as lying about a sync, is not shown here.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

import apsw

from lsm.db.database import Database
from lsm.db.sqlite import SqliteBackend, SqliteSession, open_alone

if TYPE_CHECKING:
    import random
    from collections.abc import Generator

SECTOR = 512  # bytes that a disk writes as one
Kind = Literal["write", "truncate", "sync", "mark"]
Image = dict[str, bytes]  # a file's suffix ("" or "-wal") and its bytes


@dataclass(frozen=True)
class Operation:
    """One thing the disk was told to do."""

    kind: Kind
    file: str = ""  # suffix of the file's name
    offset: int = 0  # of a write; of a truncate, the new length
    data: bytes = b""


@dataclass
class Fault:
    """Which operation fails, and how."""

    at: int  # counted from 0 over writes, truncations and syncs
    error: type[apsw.Error]  # apsw.FullError, apsw.IOError, apsw.ReadOnlyError
    lasting: bool  # whether all later ones fail, too


class FaultyDisk(apsw.VFS):
    """The file system under one database; see `on_disk`."""

    def __init__(self) -> None:
        self.name = f"lsm-{uuid4().hex[:12]}"
        self.diary: list[Operation] = []
        self.fault: Fault | None = None
        self.done = 0  # operations that could have failed
        super().__init__(self.name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> _File:  # noqa: N802
        return _File(self, name, flags)

    def mark(self, what: str) -> None:
        """Note *what* in the diary: at this moment somebody was told that it is done."""
        self.diary.append(Operation("mark", data=what.encode()))

    def enter(self, operation: Operation) -> None:
        """Write *operation* into the diary, or fail as told."""
        fault, number = self.fault, self.done
        self.done += 1
        if fault is not None and (number == fault.at or (fault.lasting and number > fault.at)):
            raise fault.error(f"told to fail at operation {number}")
        self.diary.append(operation)


class _File(apsw.VFSFile):
    """One file of it. Everything is done on the real disk as well."""

    def __init__(
        self, disk: FaultyDisk, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        self._disk = disk
        path = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
        self._suffix = "-wal" if path.endswith("-wal") else ""
        super().__init__("", name, flags)  # pyright: ignore[reportArgumentType]

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.enter(Operation("write", self._suffix, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.enter(Operation("truncate", self._suffix, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.enter(Operation("sync", self._suffix))
        super().xSync(flags)


@dataclass
class Platter:
    """What the disk holds for certain at one moment of a diary, and what it may hold."""

    synced: dict[str, bytearray]
    waiting: dict[str, list[Operation]] = field(default_factory=dict[str, list[Operation]])

    def do(self, operation: Operation) -> None:
        """Go one operation on."""
        if operation.kind == "mark":
            return
        if operation.kind == "sync":
            content = self.synced.setdefault(operation.file, bytearray())
            for each in self.waiting.pop(operation.file, ()):
                _apply(content, each)
            return
        self.waiting.setdefault(operation.file, []).append(operation)

    def after_a_cut(self, chance: random.Random) -> Image:
        """What is found when the power comes back: any part of what was not synced."""
        found = {name: bytearray(content) for name, content in self.synced.items()}
        for name, operations in self.waiting.items():
            surviving = _surviving(operations, chance)
            if surviving or name in found:
                content = found.setdefault(name, bytearray())
                for operation in surviving:
                    _apply(content, operation)
        return {name: bytes(content) for name, content in found.items()}


class _OneConnection(SqliteBackend):
    """Reads and writes with one connection: a file system of ours has no memory to share."""

    def __init__(self, path: str, disk: FaultyDisk, synchronous: str) -> None:
        super().__init__(path)
        self._only = SqliteSession(open_alone(path, disk.name, synchronous), path)

    @contextmanager
    def reading(self) -> Generator[SqliteSession]:
        with self._turn:
            yield self._only

    writing = reading

    def close(self) -> None:
        # Closing writes the log back, which a failing disk refuses; it stays for the next open.
        with suppress(apsw.Error):
            self._only.close()
        super().close()


def on_disk(path: str, disk: FaultyDisk, *, synchronous: str = "full") -> Database:
    """The database at *path*, which must exist and be up to date, on *disk*.

    Nobody else may have it open.

    Args:
        path: of the SQLite file.
        disk: notes every write.
        synchronous: SQLite's setting; anything but "full" is a mistake to be shown.
    """
    return Database(_OneConnection(path, disk, synchronous))


def write_image(image: Image, path: str) -> None:
    """Put *image* where a database at *path* would be, in place of what is there."""
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(path + suffix):
            os.unlink(path + suffix)
    for suffix, content in image.items():
        with os.fdopen(os.open(path + suffix, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(content)


def read_image(path: str) -> Image:
    """The files of the database at *path*, which nobody may have open."""
    found: Image = {}
    for suffix in ("", "-wal"):
        if os.path.exists(path + suffix):
            with open(path + suffix, "rb") as file:
                found[suffix] = file.read()
    return found


def _surviving(operations: list[Operation], chance: random.Random) -> list[Operation]:
    match chance.randrange(4):
        case 0:
            return []
        case 1:
            return operations
        case 2:
            return operations[: chance.randint(0, len(operations))]
        case _:
            # In any order and number, and the last of them perhaps torn.
            kept = [each for each in operations if chance.random() < 0.5]
            if kept and kept[-1].kind == "write":
                kept[-1] = _torn(kept[-1], chance)
            return kept


def _torn(write: Operation, chance: random.Random) -> Operation:
    sectors = range(0, len(write.data), SECTOR)
    end = chance.choice(sectors) if sectors else 0
    return Operation("write", write.file, write.offset, write.data[:end])


def _apply(content: bytearray, operation: Operation) -> None:
    if operation.kind == "truncate":
        del content[operation.offset :]
        content.extend(bytes(operation.offset - len(content)))
        return
    end = operation.offset + len(operation.data)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    content[operation.offset : end] = operation.data
