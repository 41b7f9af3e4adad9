"""What a parsing child takes away from itself before it looks at anybody's file."""

import os
import signal
import sys

from lsm.ingest.messages import Limits

_OPEN_FILES = 64
# Audit events by their beginning. A parser computes; it talks to nobody and changes nothing.
_REFUSED = (
    "socket.",
    "subprocess.",
    "shutil.",
    "tempfile.",
    "urllib.",
    "http.client.",
    "ftplib.",
    "webbrowser.",
    "pty.",
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "os.startfile",
    "os.kill",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.mkdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.chmod",
    "os.chown",
    "os.utime",
    "os.setxattr",
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_PR_SET_PDEATHSIG = 1


def confine(limits: Limits) -> None:
    """Limit this process for good: memory, files, processes; no network, no writing."""
    # Its compiled form could not be written, and the attempt would be refused below.
    sys.dont_write_bytecode = True
    # openpyxl would import it, if it is there, for types that no file contains.
    sys.modules["numpy"] = None  # pyright: ignore[reportArgumentType]
    _die_with_parent()
    _limit_resources(limits)
    sys.addaudithook(_refuse)


def allow_processor_time(seconds: int) -> None:
    """Let this process run for *seconds* more; the system ends it after that."""
    if sys.platform != "win32":
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        soft = int(used.ru_utime + used.ru_stime) + seconds + 1
        if hard != resource.RLIM_INFINITY:
            soft = min(soft, hard)
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def address_space() -> int:
    """The bytes of memory that count against the limit now; 0 where there is no limit."""
    if sys.platform != "linux":
        return 0
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _limit_resources(limits: Limits) -> None:
    if sys.platform == "win32":
        return
    import resource

    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
    }
    if sys.platform == "linux":
        # macOS accepts the first and ignores it; the second counts all of a user's programs.
        wanted |= {resource.RLIMIT_AS: limits.memory_bytes, resource.RLIMIT_NPROC: 0}
    for kind, value in wanted.items():
        _, hard = resource.getrlimit(kind)
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (allowed, allowed))


def _die_with_parent() -> None:
    """A child that hangs in a parser does not see its pipe close when the parent is killed."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _refuse(event: str, args: tuple[object, ...]) -> None:
    writes = event == "open" and isinstance(args[2], int) and args[2] & _WRITING
    if writes or event.startswith(_REFUSED):
        raise PermissionError(f"a parser may not do this: {event}")
