"""What can go wrong with a model's server, in one line that says what to do and holds no key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic_ai.exceptions import (
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestRejectedError,
    ModelTimeoutError,
    UserError,
)

from lsm.agents.llm.model import ModelError

if TYPE_CHECKING:
    from lsm.agents.llm.opening import Address

_SAID = 200  # characters of a server's own message
_KEYS = re.compile(r"\b(?:sk|pk|key)-[\w-]{6,}|\bBearer\s+\S+", re.IGNORECASE)

# What it means, and whether it may pass by itself; the first class that fits.
_MEANINGS: tuple[tuple[type[Exception], str, bool], ...] = (
    (ModelTimeoutError, "no answer in time (llm.timeout_s)", True),
    (ModelConnectionError, "cannot be reached; is it running?", True),
    (ModelRateLimitError, "too many requests", True),
    (ModelQuotaExceededError, "the account's quota is used up", False),
    (ModelAuthenticationError, "the key was refused", False),
    (ModelNotFoundError, "it does not have that model", False),
    (ModelContextWindowExceededError, "more text than the model can read at once", False),
    (ModelRequestRejectedError, "the request was refused", False),
    (ModelHTTPError, "the server failed", True),
    (UserError, "the model cannot be used like this", False),
)


def model_error(error: Exception, where: Address) -> ModelError:
    """*error* of the libraries, in our words."""
    known = ((text, again) for kind, text, again in _MEANINGS if isinstance(error, kind))
    problem, retryable = next(known, ("its answer is not one of a language model", True))
    if isinstance(error, ModelAuthenticationError) and where.key_variable:
        problem += f" (it is taken from the variable {where.key_variable})"
    if isinstance(error, ModelHTTPError):
        problem = f"HTTP {error.status_code}, {problem}"
    said = _said(error, where)
    told = f"{where.kind}:{where.model} at {where.url}: {problem}" + (f": {said}" if said else "")
    return ModelError(told, retryable=retryable)


def _said(error: Exception, where: Address) -> str:
    """The server's own words, in one short line without the key."""
    body: Any = error.body if isinstance(error, ModelAPIError) else None
    for name in ("error", "message"):
        if isinstance(body, dict):
            body = body.get(name, body)
    said = " ".join(body.split()) if isinstance(body, str) else ""
    if where.key:
        said = said.replace(where.key, "***")
    return _KEYS.sub("***", said)[:_SAID]
