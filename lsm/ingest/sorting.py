"""Decides what each file that was read means: new, changed, moved, touched, or broken."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lsm.ingest.batches import Arrival, Batch, Move, batched
from lsm.ingest.failures import FailedFile
from lsm.ingest.incoming import file_state, new_document
from lsm.ingest.manifest import load_manifest, signed, states_with_hash
from lsm.ingest.messages import ParseRequest
from lsm.ingest.report import FileError
from lsm.paths import is_address, to_os

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lsm.db import Database
    from lsm.ingest.exchange import ParseResult
    from lsm.ingest.manifest import FileState
    from lsm.ingest.messages import Answer, FileFacts
    from lsm.ingest.report import IngestReport
    from lsm.ingest.scan import Candidate, Plan, Rule

_LOOK_AHEAD = 500  # manifest rows fetched at once
# Worth telling although the file was read.
_WARNINGS = {
    "no_text_layer": "it has no text, only pictures; nothing in it can be found",
    "damaged_pages": "some of its pages cannot be read",
    "repaired": "it is damaged, and was read as far as possible",
    "front_matter_ignored": "its front matter is not valid YAML, and was ignored",
    "encoding_guess": "its encoding is a guess",
}


@dataclass(frozen=True)
class _Asked:
    """What was known of a file when it was sent to be read."""

    candidate: Candidate
    before: FileState | None
    checked_ns: int  # just before it was read

    def state(self, file: FileFacts) -> FileState:
        """The manifest's row to be, its document and version still to be told."""
        candidate = self.candidate
        return file_state(candidate.path, file, self.checked_ns, candidate.folder_tags)


class Reading:
    """The files of one run that have to be read, and what comes of them."""

    def __init__(
        self, db: Database, rule: Rule, plan: Plan, report: IngestReport, *, hash_only: bool
    ) -> None:
        self.plan = plan
        self.report = report
        self.batch = Batch()
        self._db = db
        self._rule = rule
        self._hash_only = hash_only
        self._queue = list(plan.to_read)
        self._asked: dict[bytes, _Asked] = {}
        self._twins: list[tuple[Candidate, FileState]] = []  # same bytes as a file that is gone
        self._insist: set[str] = set()  # to be parsed although their bytes are known
        self._moved: set[str] = set()  # paths that files have moved away from

    def requests(self, stopped: Callable[[], bool]) -> Iterator[ParseRequest]:
        """What to ask the children, until there is no more or *stopped* says so."""
        queue, self._queue = self._queue, []
        for part in batched(queue, _LOOK_AHEAD):
            known = load_manifest(self._db, [c.path for c in part if c.is_known])
            for candidate in part:
                if stopped():
                    return
                yield self._request(candidate, known.get(candidate.path))

    def has_more(self) -> bool:
        """Whether `requests` has to be asked again."""
        return bool(self._queue)

    def accept(self, result: ParseResult) -> None:
        """Sort one answer into the batch."""
        asked = self._asked.pop(result.request.path)
        answer = result.answer
        if answer.status == "failed" or answer.file is None:
            self.batch.failures.append(self._failed(asked, answer))
        elif answer.status == "same":
            self._unchanged(asked, answer.file)
        elif answer.status == "known":
            self._twins.append((asked.candidate, asked.state(answer.file)))
        else:
            self._parsed(asked, answer, answer.file)

    def next_batch(self) -> Batch:
        """What has been sorted since the last call, moves told from new files."""
        batch, self.batch = self.batch, Batch()
        twins, self._twins = self._twins, []
        fresh = [a.state for a in batch.arrivals if a.before is None]
        left = self._leavers([*fresh, *(state for _, state in twins)])
        kept: list[Arrival] = []
        for arrival in batch.arrivals:
            old = left.take(arrival.state) if arrival.before is None else None
            if old is None:
                kept.append(arrival)
            else:
                batch.moves.append(Move(old.source_path, arrival.state, old))
        batch.arrivals = kept
        for candidate, state in twins:
            old = None if candidate.is_known else left.take(state)
            if old is not None:
                batch.moves.append(Move(old.source_path, state, old))
            elif self._hash_only:
                batch.untold.append(candidate)
            else:
                self._insist.add(candidate.path)
                self._queue.append(candidate)
        self._moved.update(move.old_path for move in batch.moves)
        return batch

    def left_behind(self) -> list[str]:
        """The files that are gone and have not turned up elsewhere."""
        return sorted(path for path in self.plan.gone if path not in self._moved)

    def gone_digests(self) -> bytes:
        """SHA-256 digests of files that are gone: one that has them may have moved."""
        if self._rule.force:
            return b""
        gone = load_manifest(self._db, list(self.plan.gone))
        return b"".join(
            bytes.fromhex(state.file_hash) for state in gone.values() if self._movable(state)
        )

    def _request(self, candidate: Candidate, before: FileState | None) -> ParseRequest:
        path = os.fsencode(to_os(candidate.path))
        self._asked[path] = _Asked(candidate, before, time.time_ns())
        current = before is not None and before.schema_version_id in self._rule.schemas
        return ParseRequest(
            path=path,
            device=candidate.found.st_dev,
            inode=candidate.found.st_ino,
            known_hash=before.file_hash if before is not None and current else None,
            # A dry run never parses, so there is nothing to force.
            force=not self._hash_only and (self._rule.force or candidate.path in self._insist),
            hash_only=self._hash_only,
        )

    def _unchanged(self, asked: _Asked, file: FileFacts) -> None:
        before, candidate = asked.before, asked.candidate
        assert before is not None  # noqa: S101 - there was a hash to be the same as
        state = asked.state(file)
        self.batch.restamps.append(
            replace(
                before,
                mtime_ns=state.mtime_ns,
                ctime_ns=state.ctime_ns,
                inode=state.inode,
                device=state.device,
                checked_ns=state.checked_ns,
            )
        )
        same_times = (before.mtime_ns, before.ctime_ns, before.inode) == (
            state.mtime_ns,
            state.ctime_ns,
            state.inode,
        )
        self.report.files.unchanged += same_times
        self.report.files.touched += not same_times
        if before.folder_tags != candidate.folder_tags:
            self.plan.to_retag.append((candidate.path, candidate.folder_tags))

    def _parsed(self, asked: _Asked, answer: Answer, file: FileFacts) -> None:
        path, before = asked.candidate.path, asked.before
        self.report.warnings += [
            FileError(path, flag, _WARNINGS[flag]) for flag in answer.flags if flag in _WARNINGS
        ]
        document_id = before.document_id if before is not None else None
        document = new_document(path, answer, asked.candidate.folder_tags, document_id)
        self.batch.arrive(Arrival(document, asked.state(file), before))

    def _failed(self, asked: _Asked, answer: Answer) -> FailedFile:
        found = asked.candidate.found
        return FailedFile(
            asked.candidate.path,
            answer.code,
            answer.reason,
            found.st_size,
            signed(found.st_mtime_ns),
            signed(found.st_ctime_ns),
            self._rule.chunking,
        )

    def _leavers(self, states: list[FileState]) -> _Leavers:
        hashes = {state.file_hash for state in states}
        known = states_with_hash(self._db, list(hashes)) if hashes else []
        return _Leavers(
            state
            for state in known
            if self._movable(state)
            and state.source_path not in self._moved
            and _is_gone(state.source_path)
        )

    def _movable(self, state: FileState) -> bool:
        # Empty files are all alike: which of them moved where, nobody can tell.
        return (
            state.file_size > 0
            and state.document_id is not None
            and state.schema_version_id in self._rule.schemas
            # What was kept of the web has the same words as a file now and then; it stays.
            and not is_address(state.source_path)
        )


def _is_gone(path: str) -> bool:
    """Whether nothing is at *path*; a folder that we may not look into is no proof of that."""
    try:
        os.lstat(to_os(path))
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


class _Leavers:
    """Files that are no longer where they were, by their bytes; each is taken once."""

    def __init__(self, states: Iterable[FileState]) -> None:
        self._by_hash: dict[str, list[FileState]] = {}
        for state in states:
            self._by_hash.setdefault(state.file_hash, []).append(state)

    def take(self, state: FileState) -> FileState | None:
        """One that had the bytes *state* has now; of the same name, if there is a choice."""
        found = self._by_hash.get(state.file_hash)
        if not found:
            return None
        name = os.path.basename(state.source_path)
        found.sort(key=lambda old: os.path.basename(old.source_path) == name)
        return found.pop()
