"""Long jobs, as their own process and as others see them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from lsm import jobs
from lsm.errors import NotFoundError, RefusedError
from lsm.jobs import JobBook
from lsm.processes import new_owner

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.db import Database

NOON = "2026-03-01T12:00:00.000000Z"


def clock() -> datetime:
    return datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_another_process_sees_a_job_run_and_end(
    db: Database, open_again: Callable[[], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_EVERY_S", 0.0)
    other = JobBook(open_again(), clock)

    job = JobBook(db, clock).start("ingest", paths=["/notes"])
    job.progress({"stage": "reading", "done": 3, "total": 9})
    (running,) = other.running()
    job.complete({"version": 4})

    assert (running.job_id, running.kind, running.what) == (job.id, "ingest", {"paths": ["/notes"]})
    assert running.progress == {"stage": "reading", "done": 3, "total": 9}
    assert (running.started_at, running.state) == (NOON, "running")
    assert other.running() == []
    assert (other.get(job.id).state, other.get(job.id).result) == ("completed", {"version": 4})


def test_what_died_without_a_word_counts_as_failed(db: Database) -> None:
    gone = replace(new_owner(), pid=2**22 + 1)  # above any process number
    left = JobBook(db, clock, gone).start("ingest")
    book = JobBook(db, clock)

    assert book.running() == []
    assert (book.get(left.id).state, book.get(left.id).error) == (
        "failed",
        "its process has ended",
    )
    book.start("ingest")
    left.complete("too late")
    assert book.get(left.id).state == "failed"


def test_one_of_a_kind_runs_in_a_process_at_a_time(db: Database) -> None:
    book = JobBook(db, clock)
    book.start("agent")
    book.refuse_second("ingest")
    book.start("ingest")

    with pytest.raises(RefusedError, match="is running already"):
        book.refuse_second("ingest")


def test_a_short_job_leaves_no_row(db: Database) -> None:
    book = JobBook(db, clock)

    with book.noting("ingest") as note:
        note({"done": 1})

    assert book.jobs() == []


@pytest.mark.parametrize(("error", "state"), [(None, "completed"), (ValueError("no"), "failed")])
def test_a_long_job_is_noted_with_how_it_ended(
    db: Database, monkeypatch: pytest.MonkeyPatch, error: ValueError | None, state: str
) -> None:
    monkeypatch.setattr(jobs, "_PATIENCE_S", -1.0)
    book = JobBook(db, clock)

    def work() -> None:
        with book.noting("ingest", paths=[]) as note:
            note({"done": 1})
            assert len(book.running("ingest")) == 1
            if error is not None:
                raise error

    if error is None:
        work()
    else:
        with pytest.raises(ValueError, match="no"):
            work()

    (row,) = book.jobs()
    assert (row.state, row.error) == (state, "no" if error else None)


def test_jobs_are_listed_page_by_page_the_newest_first(db: Database) -> None:
    hours = iter(range(24))
    book = JobBook(db, lambda: datetime(2026, 3, 1, next(hours), tzinfo=UTC))
    ids = [book.start("ingest").id for _ in range(5)]

    first = book.jobs(3)
    rest = book.jobs(3, (first[-1].started_at, first[-1].job_id))

    assert [row.job_id for row in (*first, *rest)] == ids[::-1]


def test_a_job_that_there_is_not_is_not_found(db: Database) -> None:
    with pytest.raises(NotFoundError, match="no such job"):
        JobBook(db, clock).get("none")
