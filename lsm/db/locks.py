"""Who holds a lock on the database file, for the message that says it is busy."""

from __future__ import annotations

import os

LOCK_TABLE = "/proc/locks"  # Linux keeps it; elsewhere nobody can be named


def holders(path: str) -> str:
    """The other processes that lock *path*'s files, as words; "another process" if unknown.

    Read from the kernel's list: opening the file to ask would drop our own locks on it.
    """
    return _named(_lock_owners(path, LOCK_TABLE, {"WRITE"}))


def openers(path: str) -> str:
    """The other processes that have *path* open, busy with it or not; as `holders`."""
    return _named(_lock_owners(path, LOCK_TABLE, {"READ", "WRITE"}))


def _named(owners: set[int]) -> str:
    # 0 stands for a process outside of this container.
    pids = owners - {os.getpid(), 0}
    if not pids:
        return "another process"
    return " and ".join(f"process {pid}{_command(pid)}" for pid in sorted(pids))


def _lock_owners(path: str, table: str, kinds: set[str]) -> set[int]:
    try:
        inodes = {
            os.stat(path + suffix).st_ino
            for suffix in ("", "-shm")
            if os.path.exists(path + suffix)
        }
        with open(table, encoding="ascii") as lines:
            fields = [line.split() for line in lines]
    except OSError:
        return set()  # not Linux, or the file has just gone
    # A line: number, POSIX, ADVISORY, WRITE, pid, major:minor:inode, first byte, last byte.
    return {
        int(field[4])
        for field in fields
        if len(field) > 5 and field[3] in kinds and int(field[5].rsplit(":", 1)[1]) in inodes
    }


def _command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as name:
            return f" ({name.read().strip()})"
    except OSError:
        return ""
