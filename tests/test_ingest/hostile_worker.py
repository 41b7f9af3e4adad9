"""A parsing child whose parser does what the file tells it to. Run as a program by tests."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable

from lsm.ingest.document import Document, Section
from lsm.ingest.worker import main


def parse(data: bytes, name: str) -> Document:
    order, _, argument = data.decode().partition(" ")
    if order == "title":
        return Document(sections=(), title="x" * int(argument))
    return Document(sections=(Section(text=ORDERS[order](argument) + "\n"),))


def attempt(action: Callable[[], object]) -> str:
    """What became of something that a parser must not be able to do."""
    try:
        action()
    except (OSError, PermissionError) as error:
        return f"refused: {error}"
    return "it worked"


def answer_rubbish(rubbish: bytes) -> str:
    """Find the pipe to the parent and write to it, as a wild pointer might."""
    for descriptor in range(3, 20):
        try:
            if os.readlink(f"/proc/self/fd/{descriptor}").startswith("pipe:"):
                os.write(descriptor, rubbish)
        except OSError:
            continue
    return "written"


def spin() -> str:
    while True:
        pass


def nest(depth: int = 0) -> str:
    return nest(depth + 1)


ORDERS: dict[str, Callable[[str], str]] = {
    "say": lambda text: text,
    "say-badly": lambda _: "before \0 \ud800 after",
    "hang": lambda _: str(time.sleep(600)),
    "spin": lambda _: spin(),
    "crash": lambda _: str(ctypes.string_at(0)),
    "be-killed": lambda _: str(signal.raise_signal(signal.SIGKILL)),
    "exit": lambda status: sys.exit(int(status)),
    "print": lambda text: str(os.write(1, text.encode() * 1000) + os.write(2, b"x" * 2**20)),
    "eat": lambda _: str(len(bytearray(3 << 30))),
    "nest": lambda _: nest(),
    "raise": lambda text: str({}[text]),
    "rubbish": lambda _: answer_rubbish(b"\0\0\0\5nojson"),
    "huge-frame": lambda _: answer_rubbish(b"\xff\xff\xff\xff"),
    "environment": lambda _: " ".join(sorted(os.environ)),
    "write": lambda path: attempt(lambda: open(path, "w")),  # noqa: SIM115
    "delete": lambda path: attempt(lambda: os.remove(path)),
    "connect": lambda _: attempt(lambda: socket.create_connection(("127.0.0.1", 9))),
    "start": lambda _: attempt(lambda: subprocess.run(["true"], check=True)),
}

if __name__ == "__main__":
    main(lambda name: parse if name.endswith(".order") else None)
