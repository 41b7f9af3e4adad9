"""Operations on long jobs: begun, followed as they go, cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from lsm.errors import RefusedError
from lsm.ingest.pipeline import IngestOptions
from lsm.jobs import JobRow
from lsm.paths import absolute
from lsm.web.api.operations import (
    Begun,
    Call,
    Input,
    Listing,
    Nothing,
    Operation,
    delete,
    get,
    post,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

# Absolute: where a server happens to stand means nothing to who asks.
_PLACE = Annotated[
    str, Meta(min_length=1, max_length=4096, pattern=r"^(/|[A-Za-z]:[/\\])[^\x00]*$")
]


class Ingest(Input, frozen=True):
    """What to read; without paths, everything known."""

    paths: Annotated[tuple[_PLACE, ...], Meta(max_length=100)] = ()
    dry_run: bool = False
    force: bool = False
    verify: bool = False
    confirm_delete: bool = False


class JobsQuery(Input, frozen=True):
    """How many, and from where on."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    cursor: Annotated[str, Meta(pattern=r"^[0-9TZ:.-]{27} [0-9a-f]{16}$")] | msgspec.UnsetType = (
        msgspec.UNSET
    )


def _ingest(call: Call[Nothing, Ingest]) -> Begun:
    asked, mind = call.body, call.mind
    _check(mind.roots(), asked.paths)
    options = IngestOptions(
        dry_run=asked.dry_run,
        force=asked.force,
        verify=asked.verify,
        confirm_delete=asked.confirm_delete,
    )

    def work(tell: Callable[[Any], None], should_stop: Callable[[], bool]) -> Any:
        return mind.ingest(*asked.paths, options=options, on_progress=tell, should_stop=should_stop)

    job = call.runner.start("ingest", work, **msgspec.structs.asdict(asked))
    return Begun(job, f"/jobs/{job.job_id}")


def _check(roots: Sequence[str], paths: Sequence[str]) -> None:
    """Refuse what no root holds: what may be read is decided at the machine, not over HTTP."""
    for path in paths:
        place = absolute(path)
        if not any(place == root or place.startswith(root.rstrip("/") + "/") for root in roots):
            raise RefusedError(f"{place}: no folder that is read holds it; add it: lsm ingest PATH")


def _jobs(call: Call[JobsQuery, None]) -> Listing:
    asked = call.query
    started_at, _, job_id = asked.cursor.partition(" ") if asked.cursor else ("", "", "")
    before = {"before": (started_at, job_id)} if asked.cursor else {}
    rows = call.runner.book.jobs(asked.limit, **before)
    more = len(rows) == asked.limit
    return Listing(rows, f"{rows[-1].started_at} {rows[-1].job_id}" if more else None)


def _job(call: Call[Nothing, None]) -> JobRow:
    return call.runner.book.get(call.place["job_id"])


def _cancel(call: Call[Nothing, None]) -> JobRow:
    return call.runner.cancel(call.place["job_id"])


OPERATIONS: tuple[Operation, ...] = (
    post(
        "/ingest",
        "ingest",
        "Read what is new or changed, as a job; one at a time.",
        _ingest,
        JobRow,
        body=Ingest,
        status=202,
    ),
    get(
        "/jobs",
        "listJobs",
        "Long jobs of any process, the newest first.",
        _jobs,
        list[JobRow],
        query=JobsQuery,
        paged=True,
    ),
    get("/jobs/{job_id}", "getJob", "A job, and how far it is.", _job, JobRow),
    delete(
        "/jobs/{job_id}",
        "cancelJob",
        "Ask a job to stop; what it has done is kept.",
        _cancel,
        JobRow,
        status=202,
    ),
)
