"""What a confined child may be asked to compute, at its worst."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

from lsm.ingest.document import ParseError


def turned(payload: bytes) -> bytes:
    return payload[::-1]


def refuse(_: bytes) -> bytes:
    raise ParseError("odd", "it is odd")


def fail(_: bytes) -> bytes:
    raise KeyError("what\nis this")


def hang(_: bytes) -> bytes:
    time.sleep(600)
    return b""


def eat(_: bytes) -> bytes:
    return bytes(2**40)


def crash(_: bytes) -> bytes:
    os.abort()


def leave(_: bytes) -> bytes:
    os._exit(0)


def recurse(payload: bytes) -> bytes:
    return recurse(payload)


def flood(_: bytes) -> bytes:
    return bytes(33 * 2**20)


def chatter(_: bytes) -> bytes:
    sys.stdout.write("x" * 100_000)
    sys.stderr.write("y" * 100_000)
    return b"said"


def call_out(_: bytes) -> bytes:
    socket.create_connection(("127.0.0.1", 9), 1)
    return b""


def write(payload: bytes) -> bytes:
    Path(os.fsdecode(payload)).write_bytes(b"x")
    return b""


def tell_environment(_: bytes) -> bytes:
    return "\n".join(os.environ).encode()
