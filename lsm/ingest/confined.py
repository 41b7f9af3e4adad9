"""One computation on a stranger's bytes, in a child process that may hang, crash or eat memory.

Files go through `sandbox`, whose children live on. What comes from a network comes seldom and in
one piece: each call has a child of its own, under the same limits.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, BinaryIO, cast

import msgspec

from lsm.ingest.child import cause, default_command, start_process
from lsm.ingest.confinement import allow_processor_time, confine
from lsm.ingest.document import ParseError
from lsm.ingest.messages import MAX_ANSWER, FrameError, Limits, read_frame, write_frame
from lsm.ingest.parsers.blocks import one_line

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

_BOOT = "import sys; sys.path.append(sys.argv.pop()); from lsm.ingest.confined import main; main()"
_START_SECONDS = 60.0
_PATIENCE = 10.0  # seconds for a killed process to be gone
_MOST_BYTES = 256 * 2**20
_DEFAULT = Limits()


class ConfinedError(Exception):
    """The computation came to no end; says why, as a code and a plain line."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code  # timeout, oom, parser_crash, protocol, or what the function said
        self.reason = reason


class _Order(msgspec.Struct, frozen=True):
    function: str
    payload: bytes
    limits: Limits


class _Result(msgspec.Struct, frozen=True):
    answer: bytes = b""
    code: str = ""  # empty: there is an answer
    reason: str = ""


def call(function: str, payload: bytes, limits: Limits = _DEFAULT) -> bytes:
    """What *function* makes of *payload*, computed in a child.

    Args:
        function: ``package.module:name``; takes bytes, gives bytes, may raise ParseError.
        payload: for it, at most 256 MB.
        limits: time and memory of the child.

    Raises:
        ConfinedError: it took too long or too much, crashed, or refused.
        LsmError: no child can be started.
    """
    process = start_process(default_command(_BOOT))
    try:
        return _spoken(process, msgspec.msgpack.encode(_Order(function, payload, limits)), limits)
    finally:
        _kill(process)
        process.wait(_PATIENCE)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with suppress(OSError):  # what could not be sent any more
                    pipe.close()


def main() -> None:
    """The child: one order from standard input, its result to standard output."""
    # Not above: the parent needs nothing of it.
    from lsm.ingest.worker import take_over_pipes

    requests, answers = take_over_pipes()
    message = read_frame(requests, _MOST_BYTES + 2**20)
    if message is None:
        return
    order = msgspec.msgpack.decode(message, type=_Order)
    module, _, name = order.function.partition(":")
    function = cast("Callable[[bytes], bytes]", getattr(import_module(module), name))
    confine(order.limits)
    allow_processor_time(order.limits.cpu_seconds)
    os.dup2(1, 2)  # until here, complaints go to the parent
    write_frame(answers, b"")
    write_frame(answers, msgspec.msgpack.encode(_computed(function, order.payload)))


def _computed(function: Callable[[bytes], bytes], payload: bytes) -> _Result:
    try:
        answer = function(payload)
    except ParseError as error:
        return _Result(code=error.code, reason=error.reason)
    except MemoryError:
        return _Result(code="oom", reason="reading it takes too much memory")
    except RecursionError:
        return _Result(code="too_deep", reason="it is nested too deeply")
    except Exception as error:  # noqa: BLE001 - a third-party parser may raise anything
        reason = f"its parser failed: {type(error).__name__}: {one_line(error)}"
        return _Result(code="parser_error", reason=reason)
    if len(answer) > MAX_ANSWER:
        return _Result(code="too_large", reason=f"its text is over {MAX_ANSWER >> 20} MB")
    return _Result(answer)


def _spoken(process: subprocess.Popen[bytes], order: bytes, limits: Limits) -> bytes:
    # Popen's type allows for pipes that were not asked for.
    requests, answers = cast("BinaryIO", process.stdin), cast("BinaryIO", process.stdout)
    late = threading.Event()
    with suppress(OSError):  # that nobody is there shows at the first answer
        write_frame(requests, order)
    _within(_START_SECONDS, process, late, lambda: read_frame(answers, 0))
    longest = MAX_ANSWER + 2**16
    payload = _within(limits.wall_seconds, process, late, lambda: read_frame(answers, longest))
    if late.is_set():
        raise ConfinedError("timeout", f"reading it takes longer than {limits.wall_seconds:g} s")
    if payload is None:
        raise ConfinedError(*cause(process.wait(_PATIENCE)))
    try:
        result = msgspec.msgpack.decode(payload, type=_Result)
    except msgspec.DecodeError as error:
        raise ConfinedError("protocol", f"the parsing process answered nonsense: {error}") from None
    if result.code:
        raise ConfinedError(result.code, result.reason)
    return result.answer


def _within(
    seconds: float,
    process: subprocess.Popen[bytes],
    late: threading.Event,
    read: Callable[[], bytes | None],
) -> bytes | None:
    def end() -> None:
        late.set()
        _kill(process)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        return read()
    except (OSError, FrameError):
        return None
    finally:
        timer.cancel()


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    try:
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        # It ended in between; macOS says so by a lack of permission.
        return
