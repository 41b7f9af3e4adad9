"""One POST to an embedding server: time limit, retries, and errors of one line."""

from __future__ import annotations

import re
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from lsm.clock import utc_now
from lsm.embedding.batches import TooLongError
from lsm.errors import EmbeddingError
from lsm.once import once

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from lsm.embedding.settings import EmbeddingSettings

Answer = TypeVar("Answer")

_LONGEST_WAIT_S = 60.0  # a server that asks for more patience than that gets none
_LARGEST_ANSWER = 256 << 20  # bytes; 512 vectors of 8,192 numbers are about 90 MB
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_TOO_LONG = re.compile(r"too (long|large|many)|maximum|context.length|exceed", re.IGNORECASE)
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class _AgainError(Exception):
    """The request failed in a way that may pass."""

    def __init__(self, problem: str, wait_s: float | None = None) -> None:
        super().__init__(problem)
        self.wait_s = wait_s  # None: the server did not say how long


class Endpoint:
    """A URL that takes and answers JSON.

    Args:
        url: shown in errors, so it holds no secret.
        settings: the time limit and the number of attempts are used.
        key: sent as a bearer token and never shown; None for a server without.
        sleep: called with seconds between two attempts.
    """

    def __init__(
        self,
        url: str,
        settings: EmbeddingSettings,
        key: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = url
        self._settings = settings
        self._key = key
        self._sleep = sleep

    def post(self, question: dict[str, Any], answer: type[Answer]) -> Answer:
        """What the server says to *question*, as *answer*.

        Raises:
            TooLongError: the server takes only shorter questions.
            EmbeddingError: no attempt brought an answer of that type.
        """
        content = self._persist(msgspec.json.encode(question))
        try:
            return msgspec.json.decode(content, type=answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._error(f"the answer is not what an embedding server says: {error}") from None

    def _persist(self, body: bytes) -> bytes:
        attempts = self._settings.attempts
        for attempt in range(1, attempts + 1):
            try:
                return self._attempt(body)
            except _AgainError as error:
                wait_s = error.wait_s if error.wait_s is not None else 2 ** (attempt - 2)
                if wait_s > _LONGEST_WAIT_S:
                    wish = f"it asks to wait {wait_s:.0f} s"
                    raise self._error(f"{error}; {wish}") from error
                if attempt == attempts:
                    raise self._error(f"{error}; gave up after {attempts} attempts") from error
                self._sleep(wait_s)
        raise AssertionError("attempts is at least 1")

    def _attempt(self, body: bytes) -> bytes:
        limit = self._settings.timeout_s
        try:
            with self._client() as client, client.stream("POST", self._url, content=body) as reply:
                content = self._received(reply, time.monotonic() + limit)
        except httpx.TimeoutException:
            raise self._error(f"no answer within {limit:g} s (embedding.timeout_s)") from None
        except httpx.ConnectError as error:
            raise self._error(f"cannot connect: {error}") from None
        except httpx.TransportError as error:
            raise _AgainError(f"the connection broke: {error}") from error
        self._refuse_failure(reply, content)
        return content

    def _received(self, reply: httpx.Response, deadline: float) -> bytes:
        """The body; httpx limits the wait for each piece of it, not for the whole."""
        content = bytearray()
        for block in reply.iter_bytes():
            content += block
            if time.monotonic() > deadline:
                raise httpx.ReadTimeout("the answer takes too long")
            if len(content) > _LARGEST_ANSWER:
                raise self._error(f"the answer is larger than {_LARGEST_ANSWER >> 20} MB")
        return bytes(content)

    def _refuse_failure(self, reply: httpx.Response, content: bytes) -> None:
        if reply.is_success:
            return
        status = reply.status_code
        said = self._said(content)
        problem = f"HTTP {status} {reply.reason_phrase}".rstrip() + (f": {said}" if said else "")
        if status in _AGAIN:
            raise _AgainError(problem, _wait_s(reply.headers.get("Retry-After")))
        if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or (
            status == HTTPStatus.BAD_REQUEST and _TOO_LONG.search(said)
        ):
            raise TooLongError(f"{self._url}: {problem}")
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            problem += f" (the key is taken from the variable {self._settings.api_key_env})"
        raise self._error(problem)

    def _said(self, content: bytes) -> str:
        """The server's own message in at most 200 characters, without the key."""
        said = " ".join(_message(content).split())
        # Some servers quote the key they refuse.
        return (said.replace(self._key, "***") if self._key else said)[:200]

    def _error(self, problem: str) -> EmbeddingError:
        return EmbeddingError(f"{self._url}: {problem}")

    def _client(self) -> httpx.Client:
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        # A proxy for the outside cannot reach our own machine, and redirects are not
        # followed: they could take texts and key to another host.
        proxied = urlsplit(self._url).hostname not in _LOOPBACK
        return httpx.Client(
            headers=headers,
            timeout=self._settings.timeout_s,
            verify=self._certificates,
            trust_env=proxied,
        )

    @once
    def _certificates(self) -> ssl.SSLContext | bool:
        # Reading the certificates takes longer than a request; plain HTTP needs none.
        return httpx.create_ssl_context() if self._url.startswith("https:") else False


def _message(content: bytes) -> str:
    """What a failing server says, in the shapes that are in use; "" if in none of them."""
    try:
        body = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    if not isinstance(body, dict):
        return ""
    said = body.get("error") or body.get("message") or body.get("detail")
    if isinstance(said, dict):
        said = said.get("message")
    return said if isinstance(said, str) else ""


def _wait_s(retry_after: str | None) -> float | None:
    """Seconds from a Retry-After header (RFC 9110, 10.2.3); None if it cannot be read."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - utc_now()).total_seconds())
