"""A watcher's run that dies where it is told to; run by the tests of the watcher.

    python -m tests.test_agents.dying_watcher PLACE COUNT PORT ARGUMENTS...

PLACE is `module:Class.method`; the process ends at the COUNTth call of it, before it is made, as if
somebody had killed it. The rest is `tests.test_providers.played`.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from typing import Any

from tests.test_providers.played import main


def die_at(place: str, count: int) -> None:
    module, _, name = place.partition(":")
    owner, _, method = name.partition(".")
    kind = getattr(import_module(module), owner)
    real, calls = getattr(kind, method), [0]

    def dying(*arguments: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **named)

    setattr(kind, method, dying)


if __name__ == "__main__":
    die_at(sys.argv[1], int(sys.argv[2]))
    main(int(sys.argv[3]), sys.argv[4:])
