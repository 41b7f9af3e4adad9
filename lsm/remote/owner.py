"""Which process holds a lease, and whether that process is still there."""

from __future__ import annotations

import os
import platform
import uuid
from dataclasses import dataclass
from functools import cache
from typing import Self


@dataclass(frozen=True)
class Owner:
    """Somebody who fetches. Host and process number alone would name a later process too."""

    host: str  # machine, its name, and the table its process numbers are from
    boot: str  # changes with every start of the machine; empty where unknown
    pid: int
    born: str  # when the process started, in ticks since boot; empty where unknown
    nonce: str  # threads of one process are different owners

    def __str__(self) -> str:
        return "|".join((self.host, self.boot, str(self.pid), self.born, self.nonce))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The owner that `str` wrote; None if *text* is not one."""
        parts = text.split("|")
        if len(parts) != 5 or not parts[2].isdecimal():
            return None
        return cls(parts[0], parts[1], int(parts[2]), parts[3], parts[4])

    def is_gone(self) -> bool:
        """Whether the process has certainly ended, seen from this one. False if unknown."""
        if self.host != _host():
            return False
        if self.boot != _boot():
            return True
        born = _born(self.pid)
        return born is None or bool(born and self.born and born != self.born)


def new_owner() -> Owner:
    """An owner in this process that is equal to no other."""
    pid = os.getpid()
    return Owner(_host(), _boot(), pid, _born(pid) or "", uuid.uuid4().hex[:12])


def _born(pid: int) -> str | None:
    """When *pid* started; "" if unknown, None if there is no such process."""
    if os.path.exists("/proc/self/stat"):
        return _born_by_proc(pid)
    if os.name != "posix":
        return ""  # os.kill would end it there
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # another user's, so there is one
    return ""


def _born_by_proc(pid: int) -> str | None:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            # The name, in brackets, may hold blanks and brackets itself.
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    except OSError:
        return ""
    # A zombie has ended; it only waits for its parent to take note.
    return None if fields[0] in {"Z", "X"} else fields[19]


@cache
def _host() -> str:
    try:
        # In a container, process numbers are its own: 7 there is not 7 here.
        numbers = os.readlink("/proc/self/ns/pid")
    except OSError:
        numbers = ""
    machine = _text("/etc/machine-id") or f"{uuid.getnode():x}"
    return ",".join((machine, platform.node().replace("|", "").replace(",", ""), numbers))


@cache
def _boot() -> str:
    return _text("/proc/sys/kernel/random/boot_id")


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""
