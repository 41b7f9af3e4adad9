"""Long jobs as other processes see them: what runs, how far it is, and how it ended."""

from __future__ import annotations

import secrets
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from lsm.clock import to_text
from lsm.errors import AccessError, BusyError, DiskFullError, NotFoundError, RefusedError
from lsm.processes import Owner, new_owner

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from lsm.clock import Clock
    from lsm.db import Database

State = Literal["running", "completed", "failed"]

_INSERT = """
INSERT INTO lsm_job_status (job_id, kind, state, owner, detail_json, started_at, updated_at)
VALUES (:job_id, :kind, 'running', :owner, :detail_json, :now, :now)
"""
# Only while it runs: who was taken for dead does not come back to life.
_UPDATE = """
UPDATE lsm_job_status
   SET state = :state, detail_json = :detail_json, updated_at = :now
 WHERE job_id = :job_id AND state = 'running'
"""
_COLUMNS = """
SELECT job_id, kind, state, owner, detail_json, started_at, updated_at
  FROM lsm_job_status
"""
_GET = _COLUMNS + " WHERE job_id = :job_id"
_RUNNING = _COLUMNS + " WHERE state = 'running' ORDER BY started_at, job_id"
_PAGE = (
    _COLUMNS
    + """
 WHERE started_at < :started_at OR (started_at = :started_at AND job_id < :job_id)
 ORDER BY started_at DESC, job_id DESC
 LIMIT :most
"""
)
_FORGET = """
DELETE FROM lsm_job_status
 WHERE state <> 'running'
   AND job_id NOT IN (SELECT job_id FROM lsm_job_status ORDER BY started_at DESC LIMIT :kept)
"""
_KEPT = 200  # jobs that have ended
_EVERY_S = 1.0  # between two notes of how far it is
_PATIENCE_S = 1.0  # what is over by then is not worth a row
_LAST = ("9999", "")
_DIED = "its process has ended"


class _Detail(msgspec.Struct):
    """What `detail_json` holds."""

    what: dict[str, Any] = {}
    progress: Any = None
    result: Any = None
    error: str | None = None


class JobRow(msgspec.Struct, frozen=True):
    """A job."""

    job_id: str
    kind: str  # "ingest", "agent"
    state: State
    what: dict[str, Any]  # what it was asked to do
    progress: Any  # how far it is; of an ingest: stage, done, total
    result: Any  # what came of it, once it has completed
    error: str | None  # why it has failed
    started_at: str
    updated_at: str
    pid: int | None  # of its process


class Job:
    """A job of this process, in the database. Safe between threads."""

    def __init__(self, book: JobBook, job_id: str, detail: _Detail) -> None:
        self.id = job_id
        self._book = book
        self._detail = detail
        self._noted = time.monotonic()

    def progress(self, step: Any) -> None:
        """Note how far it is, now and then: a note that cannot be written is left out."""
        now = time.monotonic()
        if now - self._noted < _EVERY_S:
            return
        self._noted = now
        self._detail.progress = step
        try:
            self._book.update(self.id, "running", self._detail)
        except (AccessError, BusyError, DiskFullError):
            return  # the job itself will say if the database cannot be written

    def complete(self, result: Any) -> None:
        """It has ended, with *result*."""
        self._detail.result = result
        self._book.update(self.id, "completed", self._detail)

    def fail(self, error: str) -> None:
        """It has ended, without any."""
        self._detail.error = error
        self._book.update(self.id, "failed", self._detail)


class JobBook:
    """The jobs of a database. What its process left behind unfinished counts as failed."""

    def __init__(self, db: Database, clock: Clock, owner: Owner | None = None) -> None:
        self._db = db
        self._now = clock
        self._owner = owner or new_owner()

    def start(self, kind: str, **what: Any) -> Job:
        """Write down that a job of *kind* begins."""
        detail = _Detail(what=what)
        job_id = secrets.token_hex(8)
        with self._db.transaction():
            self._bury()
            self._db.run(_FORGET, kept=_KEPT)
            self._db.run(
                _INSERT,
                job_id=job_id,
                kind=kind,
                owner=str(self._owner),
                detail_json=_spelled(detail),
                now=to_text(self._now()),
            )
        return Job(self, job_id, detail)

    @contextmanager
    def noting(self, kind: str, **what: Any) -> Generator[Callable[[Any], None]]:
        """Gives what is to be told of each step of a job; one of under a second leaves no row."""
        noted = _Noted(lambda: self.start(kind, **what))
        try:
            yield noted.step
        except BaseException as error:
            why = str(error) or type(error).__name__
            noted.end(lambda job: job.fail(why))
            raise
        noted.end(lambda job: job.complete(None))

    def update(self, job_id: str, state: State, detail: _Detail) -> None:
        """Write how a running job stands."""
        self._db.run(
            _UPDATE,
            job_id=job_id,
            state=state,
            detail_json=_spelled(detail),
            now=to_text(self._now()),
        )

    def get(self, job_id: str) -> JobRow:
        """The job. Raises NotFoundError."""
        rows = self._db.rows(_GET, job_id=job_id)
        if not rows:
            raise NotFoundError("job", job_id)
        return _row(**rows[0])

    def running(self, kind: str | None = None) -> list[JobRow]:
        """Jobs that run now, in any process, the oldest first."""
        rows = [_row(**row) for row in self._db.rows(_RUNNING)]
        return [row for row in rows if row.state == "running" and kind in (None, row.kind)]

    def jobs(self, most: int = 50, before: tuple[str, str] = _LAST) -> list[JobRow]:
        """Jobs, the newest first, behind (started_at, job_id) *before*."""
        started_at, job_id = before
        rows = self._db.rows(_PAGE, started_at=started_at, job_id=job_id, most=most)
        return [_row(**row) for row in rows]

    def refuse_second(self, kind: str) -> None:
        """Raises RefusedError if this process runs a job of *kind* already."""
        mine = [row for row in self.running(kind) if row.pid == self._owner.pid]
        if mine:
            raise RefusedError(f"{kind} {mine[0].job_id} is running already; wait, or cancel it")

    def _bury(self) -> None:
        """Mark as failed what died without saying so."""
        for row in self._db.rows(_RUNNING):
            if _is_dead(row["owner"]):
                detail = _read(row["detail_json"])
                detail.error = _DIED
                self.update(row["job_id"], "failed", detail)


class _Noted:
    """A job that gets its row once it has lasted a while."""

    def __init__(self, start: Callable[[], Job]) -> None:
        self._start = start
        self._began = time.monotonic()
        self._job: Job | None = None

    def step(self, step: Any) -> None:
        if self._job is not None:
            self._job.progress(step)
        elif time.monotonic() - self._began > _PATIENCE_S:
            self._quietly(self._open)

    def end(self, how: Callable[[Job], None]) -> None:
        job = self._job
        if job is not None:
            self._quietly(lambda: how(job))

    def _open(self) -> None:
        self._job = self._start()

    def _quietly(self, write: Callable[[], None]) -> None:
        try:
            write()
        except (AccessError, BusyError, DiskFullError):
            return  # a note is no reason to stop what it is about


def _row(
    job_id: str, kind: str, state: State, owner: str, detail_json: str, **times: str
) -> JobRow:
    detail = _read(detail_json)
    known = Owner.parse(owner)
    if state == "running" and _is_dead(owner):
        state, detail.error = "failed", _DIED
    return JobRow(
        job_id=job_id,
        kind=kind,
        state=state,
        what=detail.what,
        progress=detail.progress,
        result=detail.result,
        error=detail.error,
        started_at=times["started_at"],
        updated_at=times["updated_at"],
        pid=known.pid if known else None,
    )


def _is_dead(owner: str) -> bool:
    known = Owner.parse(owner)
    return known is not None and known.is_gone()


def _spelled(detail: _Detail) -> str:
    return msgspec.json.encode(detail).decode()


def _read(detail_json: str) -> _Detail:
    try:
        return msgspec.json.decode(detail_json, type=_Detail)
    except msgspec.MsgspecError:
        return _Detail()  # another program's row
