"""A job as server-sent events: its row each time something of it has changed, until it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import msgspec
from anyio import to_thread
from starlette.responses import StreamingResponse

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from lsm.jobs import JobBook, JobRow

_LOOK_S = 0.5
_QUIET_S = 15.0  # without news, a comment keeps the connection up


async def following(book: JobBook, job_id: str, is_over: Callable[[], bool]) -> StreamingResponse:
    """The events of a job, in whatever process it runs.

    Args:
        book: where jobs stand.
        job_id: of the job.
        is_over: whether the server is about to end; then the stream does.

    Raises:
        NotFoundError: there is none.
    """
    row = await to_thread.run_sync(book.get, job_id)
    return StreamingResponse(_events(book, row, is_over), media_type="text/event-stream")


async def _events(book: JobBook, row: JobRow, is_over: Callable[[], bool]) -> AsyncGenerator[bytes]:
    yield _event(row)
    quiet = 0.0
    while row.state == "running" and not is_over():
        await anyio.sleep(_LOOK_S)
        found = await to_thread.run_sync(book.get, row.job_id)
        quiet = 0.0 if found != row else quiet + _LOOK_S
        if found != row:
            row = found
            yield _event(row)
        elif quiet >= _QUIET_S:
            quiet = 0.0
            yield b": still running\n\n"


def _event(row: JobRow) -> bytes:
    name = "progress" if row.state == "running" else row.state
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(row))
