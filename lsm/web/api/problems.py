"""Errors of the API as problems (RFC 9457): a status, a stable code, one line."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from lsm.agents.cron import CronError
from lsm.errors import LsmError
from lsm.remote.errors import RemoteError
from lsm.web.api.shapes import Problem
from lsm.web.problems import status_of

if TYPE_CHECKING:
    from starlette.requests import Request

_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")


def told(request: Request, error: Exception) -> Response:
    """*error* as an answer."""
    if isinstance(error, HTTPException):
        status, code, detail = error.status_code, "", error.detail
        headers = dict(error.headers or {})
    elif isinstance(error, LsmError):
        status, code, detail, headers = api_status(error), code_of(error), str(error), {}
    else:
        # What exactly is for the log: it may name what is not the asker's business.
        detail = "something went wrong here; the log says what, by the request id"
        status, code, headers = 500, "", {}
    title = HTTPStatus(status).phrase
    problem = Problem(
        type="about:blank",
        title=title,
        status=status,
        code=code or title.lower().replace(" ", "_"),
        detail=" ".join(detail.split()),
        request_id=request.scope.get("state", {}).get("request_id", ""),
    )
    return Response(
        msgspec.json.encode(problem), status, headers, media_type="application/problem+json"
    )


def api_status(error: LsmError) -> int:
    """The HTTP status that says what *error* says."""
    if isinstance(error, RemoteError):
        return 502
    # Well spelled, and yet it never fires: the schema cannot say so.
    return 409 if isinstance(error, CronError) else status_of(error)


def code_of(error: LsmError) -> str:
    """Stable: the class' name, or what a remote source's error says of itself."""
    if isinstance(error, RemoteError):
        return error.code
    return _CAPITAL.sub("_", type(error).__name__.removesuffix("Error")).lower()
