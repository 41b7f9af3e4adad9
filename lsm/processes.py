"""Which process owns something in the database, and whether that process is still there.

A process of this machine is recognised as gone at once: by its boot, its number and its start.
"""

from __future__ import annotations

import os
import platform
import uuid
from dataclasses import dataclass
from functools import cache
from typing import Self


@dataclass(frozen=True)
class Owner:
    """Somebody in a process. Host name or process number alone would name another one too."""

    host: str  # machine, its name, and the table its process numbers are from
    boot: str  # changes with every start of the machine; empty where unknown
    pid: int
    born: str  # when the process started; empty where unknown
    nonce: str  # several owners in one process are different ones

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
        """Whether the process has certainly ended, seen from this one. False also if unknown."""
        if self.host != _host():
            return False
        here = _boot()
        if self.boot and here and self.boot != here:
            return True
        born = process_start(self.pid)
        return born is None or bool(born and self.born and born != self.born)


def new_owner() -> Owner:
    """An owner in this process that is equal to no other."""
    pid = os.getpid()
    return Owner(_host(), _boot(), pid, process_start(pid) or "", uuid.uuid4().hex[:12])


def process_start(pid: int) -> str | None:
    """When process *pid* started, as text to compare; "" if unknown, None if there is none.

    Linux: clock ticks since boot, which no change of the clock moves.
    """
    if os.path.exists("/proc/self/stat"):
        return _linux_start(pid)
    if os.name != "posix":
        return ""  # os.kill would end it there
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # another user's, so there is one
    return _ask("ps", "-o", "lstart=", "-p", str(pid))


def _linux_start(pid: int) -> str | None:
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
    return _text("/proc/sys/kernel/random/boot_id") or (
        _ask("sysctl", "-n", "kern.bootsessionuuid") if platform.system() == "Darwin" else ""
    )


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def _ask(*command: str) -> str:
    import subprocess

    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout.strip().replace("|", "")
