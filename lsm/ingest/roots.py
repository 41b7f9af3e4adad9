"""The folders and files that `lsm ingest` reads."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsm.clock import to_text, utc_now
from lsm.ingest.walk import Start

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.clock import Clock
    from lsm.db import Database

_LIST = "SELECT root_path, origin, added_at, scanned_at FROM lsm_roots ORDER BY root_path"
_ADD = """
INSERT INTO lsm_roots (root_path, origin, added_at) VALUES (:root_path, :origin, :added_at)
    ON CONFLICT (root_path) DO NOTHING
"""
_REMOVE = "DELETE FROM lsm_roots WHERE root_path IN :paths[]"
_SCANNED = "UPDATE lsm_roots SET scanned_at = :now WHERE root_path IN :paths[]"


@dataclass(frozen=True)
class Root:
    """A row of `lsm_roots`."""

    root_path: str
    origin: str  # "config", or "command": named to `lsm ingest`
    added_at: str
    scanned_at: str | None


def load_roots(db: Database) -> list[Root]:
    """All roots, by path."""
    return [Root(*row) for row in db.tuples(_LIST)]


def add_root(db: Database, path: str, clock: Clock = utc_now) -> None:
    """Read *path*, absolute text, from now on; roots of commands that lie in it go into it."""
    inside = [
        root.root_path
        for root in load_roots(db)
        if root.origin == "command" and _holds(path, root.root_path)
    ]
    with db.transaction():
        db.run(_REMOVE, paths=inside)
        db.run(_ADD, root_path=path, origin="command", added_at=to_text(clock()))


def follow_config(db: Database, paths: Sequence[str], clock: Clock = utc_now) -> None:
    """Add the roots that the configuration names."""
    added = set(paths) - {root.root_path for root in load_roots(db)}
    if added:
        now = to_text(clock())
        db.many(_ADD, ({"root_path": p, "origin": "config", "added_at": now} for p in added))


def left_by_config(paths: Sequence[str], roots: Sequence[Root]) -> list[str]:
    """Those of *roots* that the configuration named once, and no longer does."""
    return [r.root_path for r in roots if r.origin == "config" and r.root_path not in paths]


def drop_roots(db: Database, paths: Sequence[str]) -> None:
    """Forget roots; what was read there is not touched."""
    db.run(_REMOVE, paths=list(paths))


def note_scanned(db: Database, paths: Sequence[str], clock: Clock = utc_now) -> None:
    """Remember that roots have been read just now."""
    db.run(_SCANNED, paths=list(paths), now=to_text(clock()))


def outermost(path: str, roots: Sequence[Root], configured: Sequence[str] = ()) -> str | None:
    """The root that *path* is or lies below, the outermost if several do; None if none does."""
    places = [*configured, *(root.root_path for root in roots)]
    around = [place for place in places if _holds(place, path)]
    return min(around, key=len) if around else None


def starts_at(paths: Sequence[str], roots: Sequence[Root]) -> list[Start]:
    """Where to walk for *paths*, each with the root its tags are inherited from."""
    return [Start(path, outermost(path, roots) or path) for path in paths]


def _holds(root: str, path: str) -> bool:
    return path == root or path.startswith(root if root.endswith(os.sep) else root + os.sep)
