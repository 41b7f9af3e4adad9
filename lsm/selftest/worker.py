"""One process of the kill test: ``python -m lsm.selftest.worker HOME DATABASE KIND FIRST``.

Does deeds of one kind until it is killed, and says so of each on standard output.
"""

from __future__ import annotations

import os
import sys
from itertools import count

from lsm.app import Mind
from lsm.selftest.deeds import Deed, Doer


def work(home: str, database: str | None, kind: str, first: int) -> None:
    """Do deeds from number *first* on, for ever."""
    deed = Deed.parse(f"{kind} {first}")
    with Mind(home, database) as mind:
        doer = Doer(mind, os.path.join(home, "notes"))
        for number in count(first):
            deed = Deed(deed.kind, number)
            doer.do(deed)
            # One write: either the whole line is said, or nothing.
            os.write(1, f"{deed}\n".encode())


if __name__ == "__main__":
    work(sys.argv[1], sys.argv[2] or None, sys.argv[3], int(sys.argv[4]))
