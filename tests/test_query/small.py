"""A small library with a history.

Version 1, of 10 January: keys.md says 30 days, and old.md is there.
Version 2, of 10 February: keys.md says 90 days, old.md is gone, new.md has come.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lsm.app import Mind

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

COPIES = 40
_RULE = (
    "Visitors leave their shoes at the door, wash their hands, and touch no pot that stands on "
    "the drying shelf, however dry it looks; the potter on duty answers questions{}."
)


@dataclass
class Small:
    """The library and its folder."""

    mind: Mind
    folder: Path

    def path(self, name: str) -> str:
        """Where *name* stands."""
        return str(self.folder / name)

    def names(self, query: str, k: int = 10, **choices: object) -> list[str]:
        """What a search finds, relative to the folder."""
        hits = self.mind.search(query, k, **choices)
        return [os.path.relpath(hit.path, self.folder) for hit in hits]


@contextmanager
def made(folder: Path, url: str) -> Generator[Small]:
    """The library, in the database at *url*."""
    now = datetime(2026, 1, 10, 12, tzinfo=UTC)
    notes = folder / "notes"
    with Mind(str(folder / "home"), url, clock=lambda: now) as mind:
        _write_first(notes)
        mind.ingest(str(notes))
        now = datetime(2026, 2, 10, 12, tzinfo=UTC)
        _write(notes, "keys.md", "# Keys\n\n## Rotation\n\nWe rotate keys every 90 days.\n")
        _write(notes, "new.md", "The heron came to the pond today.\n", modified="2026-02-10")
        (notes / "old.md").unlink()
        mind.ingest(str(notes))
        yield Small(mind, notes)


def _write_first(notes: Path) -> None:
    _write(notes, "keys.md", "# Keys\n\n## Rotation\n\nWe rotate keys every 30 days.\n")
    _write(notes, "old.md", "The otter left the pond.\n")
    _write(notes, "studio/.lsm_tags.json", '{"tags": ["Clay"]}')
    _write(notes, "studio/kiln.txt", "The kiln is fired on Fridays, never alone.\n")
    _write(notes, "studio/firing.md", "---\ntags: [heat]\n---\nThe kiln cools for a day.\n")
    _write(notes, "studio/shelf.md", "The shelf is new, and the pot is old.\n")
    _write(notes, "numbers.txt", "Order TML-25-1187 was paid; order TML-26-1187 was not.\n")
    for number in range(COPIES):
        _write(notes, f"rules/{number:02}.md", _RULE.format(f", edition {number}"))


def _write(folder: Path, name: str, text: str, modified: str = "2026-01-05") -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    seconds = datetime.fromisoformat(modified).replace(tzinfo=UTC).timestamp()
    os.utime(path, (seconds, seconds))
