"""Who owns a run, and whether that process is still there.

A process of this machine is recognised as gone at once: by its boot, its number and its start.
Any other is judged by its silence, on the observer's own clock that nobody sets: neither a
suspended laptop nor a corrected clock takes a run from a living owner.
"""

from __future__ import annotations

import os
import platform
import subprocess
import uuid
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lsm.agents.rows import RunRow


@dataclass(frozen=True)
class Owner:
    """A scheduler in a process. Host name or process number alone would name another one too."""

    host: str  # machine, its name, and the table its process numbers are from
    boot: str  # changes with every start of the machine; empty where unknown
    pid: int
    born: str  # when the process started; empty where unknown
    nonce: str  # several schedulers in one process

    def __str__(self) -> str:
        return "|".join((self.host, self.boot, str(self.pid), self.born, self.nonce))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The owner that `str` wrote; None if *text* is not one."""
        parts = text.split("|")
        if len(parts) != 5 or not parts[2].isdigit():
            return None
        return cls(parts[0], parts[1], int(parts[2]), parts[3], parts[4])

    def is_gone(self, here: Owner) -> bool:
        """Whether the process has certainly ended, seen from *here*. False also if unknown."""
        if self.host != here.host:
            return False
        if self.boot and here.boot and self.boot != here.boot:
            return True
        born = process_start(self.pid)
        return born is None or bool(born and self.born and born != self.born)


def this_process() -> Owner:
    """A new owner in this process."""
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
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout.strip().replace("|", "")


class Watch:
    """What this process has seen of other owners' beats, on its own monotonic clock."""

    def __init__(self, monotonic: Callable[[], float], ttl: float) -> None:
        self._monotonic = monotonic
        self._ttl = ttl  # seconds of silence after which an owner counts as gone
        self._seen: dict[str, tuple[int | None, int, float]] = {}

    def silent(self, live: Iterable[RunRow]) -> set[str]:
        """Ids of those of *live*, all that is running, whose beat has stood still for the ttl.

        The first sight of a beat only starts the watch; nothing is judged by what is written.
        """
        now = self._monotonic()
        before, self._seen = self._seen, {}
        for run in live:
            fence, beat, since = before.get(run.run_id, (None, -1, now))
            if (fence, beat) != (run.fence, run.beat):
                since = now
            self._seen[run.run_id] = (run.fence, run.beat, since)
        return {run for run, (_, _, since) in self._seen.items() if now - since >= self._ttl}
