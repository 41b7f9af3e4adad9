"""A process that reads while others write: ``python -m lsm.selftest.reader HOME DATABASE``.

Shows and searches documents that are being replaced, and says how often it did, and what it saw
that nobody may see: none of a document, or parts of two editions at once.
"""

from __future__ import annotations

import os
import sys
from itertools import cycle
from typing import TYPE_CHECKING

from lsm.app import Mind
from lsm.errors import NotFoundError
from lsm.selftest.deeds import editions_in, is_whole, places

if TYPE_CHECKING:
    from collections.abc import Callable

_SAY_EVERY = 10  # reads
_QUERY = "the edition goes on: salt, sand and wind"


def read(home: str, database: str | None, say: Callable[[str], None]) -> None:
    """Read for ever; *say* is told how often so far, or what was wrong."""
    met: set[str] = set()  # what has been there cannot be gone
    number = 0  # of documents that were there
    with Mind(home, database) as mind:
        for place in cycle(places(os.path.join(home, "notes"))):
            problem = problem_of(mind, place, there=place in met)
            if problem is None:
                met.add(place)
                number += 1
                if number % _SAY_EVERY == 0:
                    say(f"read {number}")
            elif problem:
                say(f"problem {problem}")


def problem_of(mind: Mind, place: str, *, there: bool) -> str | None:
    """What is wrong with the document at *place*; None: nothing; "": it is not there yet.

    Args:
        mind: the database.
        place: the document's path.
        there: whether it has been there before.
    """
    try:
        shown = mind.show(place)
    except NotFoundError:
        return f"{place} was there and is gone" if there else ""
    if not is_whole(shown.text):
        return f"{place} is shown as a mixture of {sorted(editions_in(shown.text))}"
    hits = mind.search(_QUERY, 20, path=place, mode="text")
    found = editions_in(" ".join(hit.text for hit in hits))
    return None if len(found) == 1 else f"a search found editions {sorted(found)} of {place}"


def _say(line: str) -> None:
    # One write: either the whole line is said, or nothing.
    os.write(1, f"{line}\n".encode())


if __name__ == "__main__":
    read(sys.argv[1], sys.argv[2] or None, _say)
