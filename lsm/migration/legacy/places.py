"""Where a predecessor's home keeps what: as its configuration says, by default, or as planned."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsm.paths import shown, to_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lsm.migration.legacy.oldconfig import OldConfig

# What its plan called them, and what no release wrote.
_PLANNED = {
    "memories": ("memories.db", os.path.join("Agents", "memories.db")),
    "schedules": ("schedules.json",),
    "manifest": ("manifest.json",),
    "stats_cache": ("stats_cache.json",),
}
_ANSWERS = ("Downloads", "remote")


@dataclass(frozen=True)
class Places:
    """The files of a home. None: not there, wherever it was looked for."""

    memories: str | None
    schedules: str | None
    manifest: str | None
    stats_cache: str | None
    answers: tuple[str, ...]  # folders with a folder for each provider
    unused: tuple[tuple[str, str], ...]  # kind and path: there as well, and not what was in use
    looked_for: tuple[str, ...]  # for people

    @property
    def anything(self) -> bool:
        """Whether one of them is there."""
        found = (self.memories, self.schedules, self.manifest, self.stats_cache)
        return any(found) or bool(self.answers)


def find_places(home: str, config: OldConfig) -> Places:
    """The files below *home*, an absolute path, and below the folder that *config* names."""
    bases = _once((home, *filter(None, (config.global_folder,))))
    candidates = {
        kind: list(_once([*_set(kind, bases, config), *_by_default(kind, bases)]))
        for kind in _PLANNED
    }
    found = {
        kind: [place for place in places if os.path.lexists(place)]
        for kind, places in candidates.items()
    }
    answers = [os.path.join(base, name) for base in bases for name in _ANSWERS]
    return Places(
        **{kind: places[0] if places else None for kind, places in found.items()},
        answers=tuple(folder for folder in answers if os.path.isdir(folder)),
        unused=tuple((kind, place) for kind, places in found.items() for place in places[1:]),
        looked_for=tuple(
            shown(to_text(place))
            for place in (*(p for places in candidates.values() for p in places), *answers)
        ),
    )


def _set(kind: str, bases: Iterable[str], config: OldConfig) -> Iterator[str]:
    """As *config* says, where it says nothing as it was by default."""
    for base in bases:
        agents = _below(base, config.agents_folder)
        yield {
            "memories": _below(agents, config.memory_path),
            "schedules": os.path.join(agents, "schedules.json"),
            "manifest": _below(base, config.manifest),
            "stats_cache": os.path.join(_below(base, config.persist_dir), "stats_cache.json"),
        }[kind]


def _by_default(kind: str, bases: Iterable[str]) -> Iterator[str]:
    from lsm.migration.legacy.oldconfig import OldConfig

    yield from _set(kind, bases, OldConfig())
    for base in bases:
        for name in _PLANNED[kind]:
            yield os.path.join(base, name)


def _below(folder: str, path: str) -> str:
    # An absolute one stays as it is.
    return os.path.normpath(os.path.join(folder, os.path.expanduser(path)))


def _once(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(os.path.normpath(path) for path in paths))
