"""Compares what the disk holds with what the manifest remembers. Reads no file."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from lsm.ingest.failures import FailedFile, load_failures
from lsm.ingest.manifest import signed
from lsm.ingest.walk import Problem, Start, Walk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lsm.db import Database
    from lsm.ingest.selection import Selection

# A write within this time of our reading may have left the same times behind.
SLACK_NS = 2_000_000_000
INODE_MASK = 2**63 - 1  # some file systems use 64 bits, databases' integers have a sign

# As little as decides, for there is a row for every file: `trusted` is 0 where the times may lie.
_KNOWN = """
SELECT source_path, mtime_ns, file_size, ctime_ns, inode,
       CASE WHEN mtime_ns <= checked_ns - :slack AND ctime_ns <= checked_ns - :slack
             AND schema_version_id IN :schemas[] THEN 1 ELSE 0 END AS trusted,
       folder_tags, checked_ns
  FROM lsm_manifest
"""
# Worth another try although the file is the same: what stood against it may be gone.
_PASSING = frozenset({"changing", "vanished", "permission_denied", "unreadable", "embedding"})
# The machine may have been busy or full: tried again, but not for ever.
_UNLUCKY = frozenset({"timeout", "oom", "parser_crash", "protocol"})
_MOST_ATTEMPTS = 3
# Fewer than this many files may go at once without the user being asked.
FEW = 20


Known = tuple[str, int, int, int, int, int, str, int]
"""A row of `_KNOWN`. A bare tuple: making an object of each would double the time of a scan."""


class Candidate(NamedTuple):
    """A file that has to be read to know more."""

    path: str
    found: os.stat_result
    is_known: bool
    folder_tags: str


@dataclass
class Plan:
    """What a run has to do, and what it has not."""

    starts: Sequence[Start] = ()
    to_read: list[Candidate] = field(default_factory=list[Candidate])
    to_retag: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])  # path, tags
    # Path, and when its bytes were last known: who has read it since then knows better.
    gone: dict[str, int] = field(default_factory=dict[str, int])
    missing: list[str] = field(default_factory=list[str])  # starts that are not there at all
    problems: list[Problem] = field(default_factory=list[Problem])
    still_failing: list[str] = field(default_factory=list[str])  # unchanged since they failed
    recovered: list[str] = field(default_factory=list[str])  # failed once, and are not there now
    # Files of the manifest below each start; counted only if many are gone.
    below: dict[str, int] = field(default_factory=dict[str, int])
    seen: int = 0
    unchanged: int = 0
    skipped: int = 0


@dataclass(frozen=True)
class Rule:
    """When a file is read although its times say nothing has changed."""

    schemas: frozenset[int]  # ids of the schema versions that today's settings would make again
    chunking: str  # today's parsers, chunker, sizes and limits: what a failure was due to
    own_files: frozenset[tuple[int, int]]  # (device, inode) of our database
    force: bool = False  # read and parse everything
    verify: bool = False  # read everything, parse what differs


def scan(
    db: Database,
    starts: Sequence[Start],
    selection: Selection,
    rule: Rule,
    on_folder: Callable[[int], None] = lambda _: None,
) -> Plan:
    """Walk *starts* and say what has to be done about what is there.

    Args:
        db: holds the manifest.
        starts: where to look; only what lies below them can be found gone.
        selection: which files count.
        rule: what forces a file to be read.
        on_folder: told the number of files seen so far, folder by folder.
    """
    plan = Plan(starts)
    rows = db.tuples(_KNOWN, slack=SLACK_NS, schemas=list(rule.schemas))
    unseen: dict[str, Known] = {row[0]: row for row in rows}  # pyright: ignore[reportAssignmentType]
    failed = {file.source_path: file for file in load_failures(db)}
    judge = _Judge(plan, rule, failed, unseen)
    for seen in Walk(starts, selection):
        judge.folder(seen.files, seen.tags.text)
        plan.skipped += seen.skipped
        plan.problems += seen.problems
        on_folder(plan.seen)
    places = _Places(plan, starts)
    plan.gone = {path: row[7] for path, row in unseen.items() if places.looked_into(path)}
    if len(plan.gone) > FEW:
        plan.below = Counter(map(_start_finder(starts), (row[0] for row in rows)))
    standing = judge.failing.union(problem.path for problem in plan.problems)
    plan.recovered = [path for path in failed.keys() - standing if places.looked_into(path)]
    return plan


def doubtful(plan: Plan, gone: Sequence[str]) -> set[str]:
    """Those of *gone* that a missing disk would explain as well as a person who deletes files.

    That is all of them below a start that is not there, and below one that has lost more
    than half of its files at once, unless they are few.
    """
    start_of = _start_finder(plan.starts)
    lost: dict[str, list[str]] = {}
    for path in gone:
        lost.setdefault(start_of(path), []).append(path)
    return {
        path
        for start, paths in lost.items()
        if start in plan.missing or (len(paths) > FEW and len(paths) * 2 > plan.below[start])
        for path in paths
    }


class _Judge:
    """Sorts files, folder by folder. Tight: this runs for every file of every ingest."""

    def __init__(
        self,
        plan: Plan,
        rule: Rule,
        failed: dict[str, FailedFile],
        unseen: dict[str, Known],
    ) -> None:
        self._plan = plan
        self._rule = rule
        self._failed = failed
        self._unseen = unseen
        self.failing: set[str] = set()  # paths that failed before, and are still there

    def folder(self, files: list[tuple[str, os.stat_result]], tags: str) -> None:
        plan, take, failed = self._plan, self._unseen.pop, self._failed
        trusting = not (self._rule.force or self._rule.verify)
        plan.seen += len(files)
        for path, found in files:
            known = take(path, None)
            if (
                known is not None
                and known[1] == found.st_mtime_ns
                and known[2] == found.st_size
                and known[3] == found.st_ctime_ns
                and known[4] == found.st_ino & INODE_MASK
                and known[5]
                and trusting
                and path not in failed
            ):
                plan.unchanged += 1
                if known[6] != tags:
                    plan.to_retag.append((path, tags))
            else:
                self._read(path, found, tags, is_known=known is not None)

    def _read(self, path: str, found: os.stat_result, tags: str, *, is_known: bool) -> None:
        if path in self._failed:
            self.failing.add(path)
        if (found.st_dev, found.st_ino) in self._rule.own_files:
            self._plan.skipped += 1
            self._plan.seen -= 1
        elif not self._rule.force and self._fails_again(path, found):
            self._plan.still_failing.append(path)
        else:
            self._plan.to_read.append(Candidate(path, found, is_known, tags))

    def _fails_again(self, path: str, found: os.stat_result) -> bool:
        failed = self._failed.get(path)
        if failed is None or failed.code in _PASSING:
            return False
        if failed.code in _UNLUCKY and failed.attempts < _MOST_ATTEMPTS:
            return False
        before = (failed.file_size, failed.mtime_ns, failed.ctime_ns, failed.chunking)
        return before == (
            found.st_size,
            signed(found.st_mtime_ns),
            signed(found.st_ctime_ns),
            self._rule.chunking,
        )


class _Places:
    """Where a scan has looked, and where it could not."""

    def __init__(self, plan: Plan, starts: Sequence[Start]) -> None:
        self._exact = {start.path for start in starts}
        problems = {p.path: p.code for p in plan.problems if p.code != "tags_ignored"}
        dropped = {start.path for start in starts if start.dropped}
        plan.missing = [
            path for path in self._exact if path in dropped or problems.get(path) == "vanished"
        ]
        # What could not be looked into is not gone: it, and all below it, stays as it is.
        self._hidden = problems.keys() - plan.missing
        self._below = tuple(map(_folder, self._exact))
        self._shielded = tuple(map(_folder, self._hidden))

    def looked_into(self, path: str) -> bool:
        """Whether *path* would have been seen if it were there."""
        inside = path in self._exact or path.startswith(self._below)
        return inside and path not in self._hidden and not path.startswith(self._shielded)


def _start_finder(starts: Sequence[Start]) -> Callable[[str], str]:
    """A function from a path to the outermost start that it lies below, or to ""."""
    # Outer ones first, as they are walked.
    places = [(path, _folder(path)) for path in sorted({start.path for start in starts})]

    def start_of(path: str) -> str:
        return next((s for s, below in places if path == s or path.startswith(below)), "")

    return start_of


def _folder(path: str) -> str:
    return path if path.endswith(os.sep) else path + os.sep
