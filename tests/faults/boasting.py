"""A known mistake: a worker of the kill test that says what it has done before it does it."""

from __future__ import annotations

import os
import sys
import time
from itertools import count

from lsm.app import Mind
from lsm.selftest.deeds import Deed, Doer

HOME, DATABASE, KIND, FIRST = sys.argv[1:]

with Mind(HOME, DATABASE or None) as mind:
    doer = Doer(mind, os.path.join(HOME, "notes"))
    for number in count(int(FIRST)):
        deed = Deed.parse(f"{KIND} {number}")
        os.write(1, f"{deed}\n".encode())
        time.sleep(0.2)
        doer.do(deed)
