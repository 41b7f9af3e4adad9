"""Colour is for people who look at a terminal, and want it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.test_cli.command import LSM

if TYPE_CHECKING:
    from tests.test_cli.command import Place

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")

ESCAPE = b"\x1b["


def test_a_terminal_gets_colour(sample: Place) -> None:
    assert ESCAPE in on_a_terminal(sample, "search", "kiln")


@pytest.mark.parametrize("asked", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_gets_none_if_nobody_wants_it(sample: Place, asked: dict[str, str]) -> None:
    shown = on_a_terminal(sample, "search", "kiln", **asked)

    assert b"kiln" in shown.lower()
    assert ESCAPE not in shown


def test_an_empty_no_color_asks_for_nothing(sample: Place) -> None:
    assert ESCAPE in on_a_terminal(sample, "search", "kiln", NO_COLOR="")


@pytest.mark.parametrize("command", [("search", "kiln"), ("doctor",), ("--help",)])
def test_a_pipe_gets_none(sample: Place, command: tuple[str, ...]) -> None:
    told = sample.lsm(*command)

    assert told.out != b""
    assert ESCAPE not in told.out + told.err.encode()


def on_a_terminal(place: Place, *arguments: str, **asked: str) -> bytes:
    """What the command shows on a terminal."""
    import pty

    terminal, inside = pty.openpty()
    running = subprocess.Popen(
        [LSM, *arguments],
        cwd=place.folder,
        env=place.environment() | {"TERM": "xterm"} | asked,
        stdin=inside,
        stdout=inside,
        stderr=inside,
    )
    os.close(inside)
    shown = b"".join(iter(lambda: _read(terminal), b""))
    running.wait()
    os.close(terminal)
    return shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # on Linux, how a terminal says that the other side is closed
        return b""
