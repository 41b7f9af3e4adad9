"""Power cuts: what a disk may hold after one is opened, and held against what was acknowledged."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

from lsm.app import Mind
from lsm.db import open_database
from lsm.db.faulty_disk import FaultyDisk, Platter, on_disk, read_image, write_image
from lsm.errors import LsmError
from lsm.selftest.deeds import KINDS, Deed, Doer, Ledger, problems
from lsm.selftest.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.db.faulty_disk import Image, Operation

_DEEDS = 40  # in one diary
_PROBLEMS = 20  # enough to see what is wrong


def cut_power(
    folder: str, cuts: int, seed: int, on_progress: Callable[[], None], *, synchronous: str = "full"
) -> Tally:
    """Note what is written while deeds are done, then cut the power at *cuts* random moments.

    Args:
        folder: on the disk in question; empty.
        cuts: how many.
        seed: of the moments, and of what survives.
        on_progress: called after each cut.
        synchronous: SQLite's setting; with "normal" acknowledged writes must be lost.
    """
    before, diary = _lived(folder, synchronous)
    chance = random.Random(seed)  # noqa: S311 - which moment, not a secret
    tally = Tally(trials=cuts)
    platter = Platter({name: bytearray(content) for name, content in before.items()})
    done: list[Deed] = []
    at = 0
    for moment in sorted(chance.randrange(len(diary)) for _ in range(cuts)):
        for operation in diary[at:moment]:
            platter.do(operation)
            if operation.kind == "mark":
                done.append(Deed.parse(operation.data.decode()))
        at = moment
        found = _opened(folder, platter.after_a_cut(chance), _ledger(done, diary, at))
        tally.add(len(done), found[:_PROBLEMS])
        on_progress()
    return tally


def _lived(folder: str, synchronous: str) -> tuple[Image, list[Operation]]:
    """A short life of a mind: its database before, and everything written since."""
    path = os.path.join(folder, "lived.db")
    open_database(path).close()
    before = read_image(path)
    disk = FaultyDisk()
    with Mind(folder, on_disk(path, disk, synchronous=synchronous)) as mind:
        doer = Doer(mind, os.path.join(folder, "notes"))
        for number in range(_DEEDS):
            deed = Deed(KINDS[number % len(KINDS)], number)
            doer.do(deed)
            disk.mark(str(deed))
        diary = list(disk.diary)
    return before, diary


def _ledger(done: list[Deed], diary: list[Operation], at: int) -> Ledger:
    """What was acknowledged before operation *at* of *diary*, and the deed it is part of."""
    following = next((each for each in diary[at:] if each.kind == "mark"), None)
    begun = [Deed.parse(following.data.decode())] if following else []
    return Ledger(frozenset(done), frozenset(begun))


def _opened(folder: str, image: Image, ledger: Ledger) -> list[str]:
    path = os.path.join(folder, "found.db")
    write_image(image, path)
    try:
        with Mind(folder, path) as mind:
            return problems(mind, ledger, [os.path.join(folder, "notes")], ended=True)
    except LsmError as error:
        return [str(error)]
