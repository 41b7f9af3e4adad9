"""Errors as they leave the server: a status, a code and one plain sentence. RFC 9457 for programs.

Never a stack, a statement or what is not the asker's business.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

from lsm import errors

if TYPE_CHECKING:
    from collections.abc import Mapping

_STATUS: tuple[tuple[type[errors.LsmError], int], ...] = (
    (errors.NotFoundError, 404),
    (errors.InvalidError, 400),
    (errors.ConfigError, 400),
    (errors.MissingExtraError, 501),
    (errors.RefusedError, 409),
    (errors.ConflictError, 409),
    (errors.BusyError, 503),
    (errors.DiskFullError, 507),
    (errors.EmbeddingError, 502),
)


def status_of(error: errors.LsmError) -> int:
    """The HTTP status that says what *error* says."""
    # What ends a command with 2 is wrong usage, whatever its class.
    other = 400 if error.exit_code == 2 else 500
    return next((status for kind, status in _STATUS if isinstance(error, kind)), other)


def problem(
    status: int, detail: str, request_id: str, headers: Mapping[str, str] | None = None
) -> Response:
    """``application/problem+json`` with a code made of the status' name."""
    title = HTTPStatus(status).phrase
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "code": title.lower().replace(" ", "_"),
        "detail": detail,
        "request_id": request_id,
    }
    return Response(
        msgspec.json.encode(body),
        status,
        headers=headers,
        media_type="application/problem+json",
    )
