"""Imports a home in a process of its own, which kills itself at a point of its choice.

Usage: killed.py DATABASE OLD_HOME POINT NUMBER: dies when POINT is reached for the NUMBERth time.
"""

from __future__ import annotations

import os
import signal
import sys

from lsm.app import Mind
from lsm.migration.legacy.importing import Request, import_home
from lsm.moving_in import target_of


def main(database: str, home: str, point: str, number: str) -> None:
    left = int(number)

    def reached(here: str) -> None:
        nonlocal left
        if point in ("any", here):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    with Mind(os.path.join(os.path.dirname(home), "home"), database) as mind:
        import_home(target_of(mind, reached), Request(home, apply=True), lambda *_: None)


if __name__ == "__main__":
    main(*sys.argv[1:])
