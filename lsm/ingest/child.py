"""One parsing child process, from its parent's side."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, BinaryIO, cast

import msgspec

from lsm.errors import LsmError
from lsm.ingest.messages import (
    MAX_ANSWER,
    Answer,
    FrameError,
    read_frame,
    write_frame,
)

_ENVIRONMENT = ("PATH", "LANG", "TZ", "SYSTEMROOT")
_MAX_COMPLAINT = 2**16  # bytes of what a child that does not start wrote about it
_PATIENCE = 10.0  # seconds for a killed process to be gone
# -I keeps out PYTHON* variables, the working directory and the user's packages. When LSM
# itself lies among the latter, or in a folder of its own, the child would not find it.
_BOOT = "import sys; sys.path.append(sys.argv.pop()); from lsm.ingest.worker import main; main()"


class ChildDiedError(Exception):
    """The child ended before it answered; says how, as a code and a reason."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class NonsenseError(Exception):
    """What the child answered is not an answer."""


class Child:
    """A started process. Everything but `kill` belongs to the thread that made it.

    Raises:
        LsmError: it cannot be started.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._process = start_process(command)
        self._requests = _pipe(self._process.stdin)
        self._answers = _pipe(self._process.stdout)
        self._answer = msgspec.json.Decoder(Answer)

    def begin(self, startup: bytes) -> None:
        """Give it the start-up message and wait until it is ready.

        Raises:
            LsmError: it ends before it is ready.
        """
        try:
            write_frame(self._requests, startup)
            ready = read_frame(self._answers, 0)
        except (OSError, FrameError):
            ready = None
        if ready is None:
            self.kill()
            raise LsmError(f"the process that reads files does not start: {self._complaint()}")
        _pipe(self._process.stderr).close()

    def send(self, request: bytes) -> None:
        """Pass on a request. That nobody is there any more shows at `receive`."""
        with suppress(OSError):  # a broken pipe, or what Windows calls one
            write_frame(self._requests, request)

    def receive(self) -> tuple[Answer, int]:
        """The next answer and its size in bytes; waits for it.

        Raises:
            ChildDiedError: it ended.
            NonsenseError: it said something that is not an answer.
        """
        try:
            payload = read_frame(self._answers, MAX_ANSWER)
            if payload is not None:
                return self._answer.decode(payload), len(payload)
        except (FrameError, msgspec.DecodeError) as error:
            raise NonsenseError(f"the parsing process answered nonsense: {error}") from error
        try:
            raise ChildDiedError(*cause(self._process.wait(_PATIENCE)))
        except subprocess.TimeoutExpired:
            raise NonsenseError("the parsing process closed its end of the pipe") from None

    def kill(self) -> None:
        """End it and whatever it may have started, now. Any thread may do this."""
        if self._process.poll() is not None:
            return
        try:
            if sys.platform == "win32":
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            # It ended in between; macOS says so by a lack of permission.
            return

    def close(self) -> None:
        """Kill it, wait until it is gone and close its pipes."""
        self.kill()
        self._process.wait(_PATIENCE)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with suppress(OSError):  # what could not be sent any more
                _pipe(pipe).close()

    def _complaint(self) -> str:
        text = _pipe(self._process.stderr).read(_MAX_COMPLAINT).decode("utf-8", "replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1] if lines else cause(self._process.wait(_PATIENCE))[1]


def default_command(boot: str = _BOOT) -> tuple[str, ...]:
    """The command line of a production child that runs *boot*."""
    import lsm

    return (sys.executable, "-I", "-c", boot, os.path.dirname(os.path.abspath(lsm.__path__[0])))


def start_process(command: Sequence[str]) -> "subprocess.Popen[bytes]":
    """*command* in a group of its own, with pipes and next to no environment.

    Raises:
        LsmError: it cannot be started.
    """
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            # Its own group, to be killed as one; and Ctrl-C is the parent's business.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
    except OSError as error:
        raise LsmError(f"the process that reads files does not start: {error}") from error


def _pipe(stream: IO[bytes] | None) -> BinaryIO:
    """Popen's type allows for pipes that were not asked for."""
    assert stream is not None  # noqa: S101
    return cast("BinaryIO", stream)


def cause(status: int) -> tuple[str, str]:
    """The code and the reason that fit an exit status, as `Popen` gives it."""
    if sys.platform != "win32" and status == -signal.SIGXCPU:
        return "timeout", "it took more processor time than one file may take"
    if sys.platform != "win32" and status == -signal.SIGKILL:
        return "oom", "the system ended its parser, most likely for lack of memory"
    if status >= 0:
        return "parser_crash", f"its parser ended the process with status {status}"
    names = {-int(number): number.name for number in signal.Signals}
    return "parser_crash", f"its parser crashed with {names.get(status, f'signal {-status}')}"
