"""The disk is full, broken or read-only from any write on: the state is before or after.

The fault comes at every operation of each kind of deed in turn; afterwards the disk works again,
and so must everything else.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import apsw
import pytest

from lsm.app import Mind
from lsm.db.faulty_disk import Fault, FaultyDisk, on_disk, read_image, write_image
from lsm.errors import LsmError, StorageError
from lsm.selftest.deeds import KINDS, Deed, Doer, Ledger, problems

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lsm.db.faulty_disk import Image
    from lsm.selftest.deeds import Kind

ERRORS = (apsw.FullError, apsw.IOError, apsw.ReadOnlyError)
EARLIER = [Deed(kind, 100 + number) for number, kind in enumerate(KINDS)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lasting", [True, False], ids=["lasting", "once"])
def test_a_disk_that_fails_leaves_before_or_after(
    kind: Kind, lasting: bool, tmp_path: Path
) -> None:
    tried = failed_at_every(9, kind, lasting=lasting, folder=tmp_path)

    assert tried > 1


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lasting", [True, False], ids=["lasting", "once"])
def test_a_disk_that_fails_at_any_operation_leaves_before_or_after(
    kind: Kind, lasting: bool, tmp_path: Path
) -> None:
    tried = failed_at_every(1, kind, lasting=lasting, folder=tmp_path)

    assert tried > 10


def failed_at_every(step: int, kind: Kind, *, lasting: bool, folder: Path) -> int:
    """Fail at each *step*-th operation of a deed; how many there were."""
    before = prepared(folder)
    number = 0
    for number, at in enumerate(range(0, operations_of(kind, folder, before), step)):
        error = ERRORS[number % len(ERRORS)]
        told = failed(kind, Fault(at, error, lasting), folder, before)

        assert told is None or isinstance(told, StorageError), (kind, at, told)
        assert found_after(kind, folder) == [], (kind, at, error)
    return number + 1


def prepared(folder: Path) -> Image:
    """The bytes of a database in which every kind of deed has been done once."""
    with Mind(str(folder), database_in(folder)) as mind:
        for deed in EARLIER:
            Doer(mind, notes_in(folder)).do(deed)
    return read_image(database_in(folder))


def operations_of(kind: Kind, folder: Path, before: Image) -> int:
    disk = FaultyDisk()
    for _ in on_faulty(disk, folder, before, kind):
        pass
    return disk.done


def failed(kind: Kind, fault: Fault, folder: Path, before: Image) -> LsmError | None:
    """Do the deed on a disk with *fault*; what was said to whoever asked for it."""
    disk = FaultyDisk()
    disk.fault = fault
    try:
        for _ in on_faulty(disk, folder, before, kind):
            pass
    except LsmError as error:
        return error
    return None


def on_faulty(disk: FaultyDisk, folder: Path, before: Image, kind: Kind) -> Iterator[None]:
    write_image(before, database_in(folder))
    # Opening writes nothing that was acknowledged: only the deed itself is to fail.
    with Mind(str(folder), on_disk(database_in(folder), disk)) as mind:
        Doer(mind, notes_in(folder)).do(Deed(kind, 200))
    yield


def found_after(kind: Kind, folder: Path) -> list[str]:
    """What is wrong once the disk works again; the next deed has to succeed as well."""
    following = Deed(kind, 300)
    with Mind(str(folder), database_in(folder)) as mind:
        ledger = Ledger(frozenset(EARLIER), frozenset({Deed(kind, 200)}))
        found = problems(mind, ledger, [notes_in(folder)], ended=True)
        Doer(mind, notes_in(folder)).do(following)
        ledger = Ledger(ledger.done | {following}, ledger.begun)
        return found + problems(mind, ledger, [notes_in(folder)], ended=True)


def database_in(folder: Path) -> str:
    return str(folder / "a.db")


def notes_in(folder: Path) -> str:
    return os.path.join(folder, "notes")
