"""Opens what a home holds, once, for as often as it is read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from lsm.db.foreign import foreign_file
from lsm.errors import DamagedError, LsmError
from lsm.migration.legacy.answers import answer_files, iterate
from lsm.migration.legacy.bringing import Source
from lsm.migration.legacy.files import read_file
from lsm.migration.legacy.manifest import read_entries, read_manifest
from lsm.migration.legacy.memories import (
    CANDIDATES,
    MEMORIES,
    check_table,
    read_candidates,
    read_memories,
)
from lsm.migration.legacy.oldjson import BrokenJsonError, loads, readable_start, text_of
from lsm.migration.legacy.realpaths import RealPaths
from lsm.migration.legacy.records import Record
from lsm.migration.legacy.report import Problem, SourceState
from lsm.migration.legacy.schedules import read_rows, read_schedules
from lsm.paths import shown, to_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import ExitStack

    from lsm.db.foreign import ForeignFile
    from lsm.migration.legacy.oldconfig import OldConfig
    from lsm.migration.legacy.places import Places
    from lsm.migration.legacy.records import Kind
    from lsm.migration.legacy.report import Report, State

_ON_A_SERVER = (
    "the predecessor kept its memory on a PostgreSQL server, which is not read; "
    "let it use storage_backend sqlite once, and migrate again"
)
_LEFT_OVER = (
    "the predecessor's configuration keeps memory on a server: this file may be from before that"
)
_TAIL = "(what follows)"


class Sources:
    """The readable files of a home; what is wrong with the others stands in the report.

    Args:
        places: where they are.
        config: the predecessor's.
        report: told what is found.
        salvage: take what can be had of a broken file.
    """

    def __init__(self, places: Places, config: OldConfig, report: Report, *, salvage: bool) -> None:
        self._places = places
        self._config = config
        self._report = report
        self._salvage = salvage
        self._told: set[str] = set()
        self.hashes: dict[str, str] = {}  # by path, of the bytes that were read

    def open(self, stack: ExitStack) -> list[Source]:
        """All of them, in the order in which they come in; copies are gone when *stack* ends."""
        report = self._report
        found = [
            *self._memory(stack),
            *self._json("schedules", self._places.schedules, self._schedules),
            *self._json("manifest", self._places.manifest, self._manifest),
            *self._json("stats_cache", self._places.stats_cache, self._statistics),
            *self._answers(),
        ]
        for kind, path in self._places.unused:
            report.sources.append(SourceState(kind, self._shown(path), "unused"))
        return found

    def _memory(self, stack: ExitStack) -> list[Source]:
        path = self._places.memories
        if path is None:
            if self._config.memory_on_a_server:
                self._broken(("memories", "candidates"), self._config.path, _ON_A_SERVER)
            return []
        try:
            file = stack.enter_context(foreign_file(path, salvage=self._salvage))
            self._check(file)
            check_table(file, MEMORIES)
        except LsmError as error:
            self._broken(("memories", "candidates"), path, str(error))
            return []
        self.hashes[path] = file.sha256
        self._note("memories", path, "read")
        if self._config.memory_on_a_server:
            self._report.notes.append(Problem("memories", self._shown(path), _LEFT_OVER))
        queue = self._has_queue(file)
        sources = [
            Source(
                "memories",
                path,
                lambda: self._whole("memories", path, read_memories(file, with_queue=queue)),
            )
        ]
        if queue:
            sources.append(
                Source(
                    "candidates",
                    path,
                    lambda: self._whole("candidates", path, read_candidates(file)),
                )
            )
        return sources

    def _check(self, file: ForeignFile) -> None:
        problems = file.problems()
        if problems and not self._salvage:
            raise DamagedError(f"{file.path}: damaged ({problems[0]}); try --salvage")
        if problems:
            self._partly("memories", file.path, f"damaged: {problems[0]}")

    def _has_queue(self, file: ForeignFile) -> bool:
        try:
            check_table(file, CANDIDATES)
        except DamagedError as error:
            self._broken(("candidates",), file.path, str(error))
            return False
        self._note("candidates", file.path, "read")
        return True

    def _whole(
        self, kind: Kind, path: str, records: Iterator[Record[Any]]
    ) -> Iterator[Record[Any]]:
        """*records* up to a page that cannot be read."""
        try:
            yield from records
        except DamagedError as error:
            self._partly(kind, path, f"not all of it can be read: {error}")

    def _json(
        self,
        kind: Kind,
        path: str | None,
        records: Callable[[str, bytes], Callable[[], Iterator[Record[Any]]] | None],
    ) -> list[Source]:
        if path is None:
            return []
        try:
            file = read_file(path)
        except LsmError as error:
            self._broken((kind,), path, str(error))
            return []
        self.hashes[path] = file.sha256
        read = records(path, file.data)
        if read is None:
            return []
        self._note(kind, path, "read")
        return [Source(kind, path, read)]

    def _schedules(self, path: str, data: bytes) -> Callable[[], Iterator[Record[Any]]] | None:
        text = self._text("schedules", path, data)
        if text is None:
            return None
        found = read_rows(text)
        if not self._usable("schedules", path, found.problem):
            return None
        tail = _tail("schedules", path, found.problem, found.lost)
        return lambda: _followed(read_schedules(found.rows), tail)

    def _manifest(self, path: str, data: bytes) -> Callable[[], Iterator[Record[Any]]] | None:
        text = self._text("manifest", path, data)
        if text is None:
            return None
        found, paths = read_entries(text), RealPaths()
        if not self._usable("manifest", path, found.problem):
            return None
        tail = _tail("manifest", path, found.problem, found.lost)
        return lambda: _followed(read_manifest(found.entries, paths), tail)

    def _statistics(self, path: str, data: bytes) -> Callable[[], Iterator[Record[Any]]] | None:
        try:
            loads(text_of(data))
        except BrokenJsonError as error:
            self._broken(("stats_cache",), path, str(error))
            return None
        return lambda: iter([Record("stats_cache", self._shown(path), data, value=True)])

    def _text(self, kind: Kind, path: str, data: bytes) -> str | None:
        try:
            return text_of(data)
        except BrokenJsonError as error:
            if self._salvage and data.strip():
                self._partly(kind, path, str(error))
                return readable_start(data)
            self._broken((kind,), path, str(error))
            return None

    def _usable(self, kind: Kind, path: str, problem: str) -> bool:
        if not problem:
            return True
        if self._salvage:
            self._partly(kind, path, f"broken: {problem}; what stands before it was saved")
            return True
        self._broken((kind,), path, f"broken: {problem}; --salvage saves what stands before it")
        return False

    def _answers(self) -> list[Source]:
        folders = self._places.answers
        if not folders:
            return []
        paths, base = answer_files(folders), os.path.dirname(folders[0])

        def read(kind: Kind) -> Iterator[Record[Any]]:
            for record, understood in iterate(paths, base, self._config):
                if record.kind != kind:
                    continue
                if not understood:
                    self._partly(kind, os.path.join(base, record.key), record.trouble)
                yield record

        for kind in ("remote_cache", "feeds"):
            self._note(kind, folders[0], "read")
        return [
            Source("remote_cache", folders[0], lambda: read("remote_cache")),
            Source("feeds", folders[0], lambda: read("feeds")),
        ]

    def _broken(self, kinds: tuple[Kind, ...], path: str, reason: str) -> None:
        self._tell(kinds[0], path, reason)
        for kind in kinds:
            self._note(kind, path, "unreadable")

    def _partly(self, kind: Kind, path: str, reason: str) -> None:
        if path not in self._told:  # a file is read more than once
            self._told.add(path)
            self._tell(kind, path, reason)
        self._report.kinds[kind].state = "partly"

    def _tell(self, kind: Kind, path: str, reason: str) -> None:
        # An error of reading begins with the path, which the report names by itself.
        shown_path = self._shown(path)
        self._report.tell(kind, shown_path, reason.removeprefix(f"{shown_path}: "))

    def _note(self, kind: Kind, path: str, state: State) -> None:
        found = self._report.kinds[kind]
        if found.state != "partly":
            found.state = state
        self._report.sources.append(SourceState(kind, self._shown(path), found.state))

    def _shown(self, path: str) -> str:
        return shown(to_text(path))


def _followed(records: Iterable[Record[Any]], tail: Record[Any] | None) -> Iterator[Record[Any]]:
    yield from records
    if tail is not None:
        yield tail


def _tail(kind: Kind, path: str, problem: str, lost: str) -> Record[Any] | None:
    if not lost:
        return None
    original = lost.encode("utf-8", "surrogatepass")
    trouble = f"broken: {problem}"
    return Record(kind, _TAIL, original, None, trouble=trouble, identity=f"{path} tail")
