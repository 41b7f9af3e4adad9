"""The corpus of bad inputs: one case for each thing that real folders and attackers contain.

`CASES` has files and folders of the first kind (what the file system can do to a scan) and of
the second (what content can do to a parser). Each is made in a folder of its own choosing
below the one it is given, and says what must become of it.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

INGESTED = "ingested"
SKIPPED = "skipped"  # by the walk, without being opened


class CannotBeMadeError(Exception):
    """This machine, file system or user cannot have such a file."""


@dataclass(frozen=True)
class Case:
    """A bad input. `outcomes` are codes of errors, `INGESTED` or `SKIPPED`; any of them is right.

    More than one stands there only where the rule allows it: bounded is enough.
    """

    name: str
    make: Callable[[Path], Path]  # returns the file that is meant; raises CannotBeMadeError
    outcomes: frozenset[str]


def cases() -> Iterator[Case]:
    """All of them; names are unique."""
    from tests.bad_inputs import documents, files, texts

    yield from files.cases()
    yield from texts.cases()
    yield from documents.cases()


def case(name: str, make: Callable[[Path], Path], *outcomes: str) -> Case:
    return Case(name, make, frozenset(outcomes))


def content(name: str, data: bytes | Callable[[], bytes], *outcomes: str) -> Case:
    """A case that is a file of that *name* with *data* in it."""

    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(data() if callable(data) else data)
        return path

    return Case(name, make, frozenset(outcomes))


def make_all(folder: Path) -> dict[Path, Case]:
    """Make every case that can be made here, each in a folder of its own below *folder*."""
    made: dict[Path, Case] = {}
    for number, each in enumerate(cases()):
        own = folder / f"{number:03}"
        own.mkdir()
        try:
            made[each.make(own)] = each
        except CannotBeMadeError:
            own.rmdir()
    return made


def unmake(folder: Path) -> None:
    """Remove the folder, even what is closed and what is too deep for other tools."""
    for own in folder.iterdir():
        for name in ("closed", "secret.md"):
            if (own / name).exists():
                (own / name).chmod(0o700)
        _shorten(own / "down", own / "up")
    shutil.rmtree(folder)


def _shorten(folder: Path, spare: Path) -> None:
    """Pull up what lies below, again and again: the path to the bottom is never needed."""
    while (folder / folder.name).exists():
        (folder / folder.name).rename(spare)
        folder.rmdir()
        spare.rename(folder)
