"""One request to somebody else's server: checked, paced, limited, and tried again where that
helps."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from threading import BoundedSemaphore
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import httpcore
import httpx

from lsm.remote.addresses import check_url
from lsm.remote.decoding import ACCEPTED, Unpacker
from lsm.remote.errors import RemoteError
from lsm.remote.network import Deadline, Key, Network, Transport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lsm.clock import Clock
    from lsm.remote.addresses import Target
    from lsm.remote.pacing import Pacing

OPERATION_SECONDS = 90.0  # for all requests that one question takes; less than a lease
_ATTEMPTS = 3
_CONNECTIONS = 2  # somebody is waiting, and may be offline
_MAY_PASS = frozenset({"unreachable", "broken"})
_PATIENCE_S = 5.0  # a server that asks for more is left, and what is held is served
_AGAIN = frozenset({408, 500, 502, 504})
_SLOW_DOWN = frozenset({429, 503})
_MOVED = frozenset({301, 302, 303, 307, 308})
_DEFAULT_BLOCK = timedelta(seconds=30)  # after a 429 that does not say how long


@dataclass(frozen=True)
class Ask:
    """A request."""

    url: str
    form: Mapping[str, str] | None = None  # sent by POST if given
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    key: Key | None = None
    plain_http: bool = False
    # Where a redirect may lead besides the host itself; None: to any public host.
    hosts: frozenset[str] | None = frozenset()
    interval_s: float = 1.0  # between two requests to this host


@dataclass(frozen=True)
class Reply:
    """An answer that says it is one (200), or that nothing has changed (304)."""

    url: str  # after redirects
    status: int
    headers: Mapping[str, str]  # names in small letters
    body: bytes  # unpacked

    @property
    def media_type(self) -> str:
        """As in ``text/html``; "" if not said."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def charset(self) -> str:
        """As the server declares it; "" if not."""
        for part in self.headers.get("content-type", "").split(";")[1:]:
            name, _, value = part.partition("=")
            if name.strip().lower() == "charset":
                return value.strip().strip("\"'")[:40]
        return ""


class Gate:
    """What all requests of a process share: the way out, and how many go at once."""

    def __init__(self, network: Network, pacing: Pacing, clock: Clock, agent: str) -> None:
        self.network = network
        self.pacing = pacing
        self.clock = clock
        self.agent = agent
        self.places = BoundedSemaphore(network.limits.at_once)


class Web:
    """Asks servers on behalf of one question."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._network = gate.network
        self._whole = Deadline(gate.network, OPERATION_SECONDS)

    def fetch(self, ask: Ask) -> Reply:
        """What the server answers to *ask*.

        Raises:
            RemoteError: it does not, or not with 200 or 304.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                reply = self._followed(ask)
            except RemoteError as error:
                if error.code not in _MAY_PASS or attempt == _CONNECTIONS:
                    raise
                self._wait(1.0)
                continue
            if reply.status in (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED):
                return reply
            again_s = self._again_after(reply, attempt)
            if again_s is None or attempt == _ATTEMPTS:
                raise _refused(reply)
            self._wait(again_s)
        raise AssertionError("the last attempt returns or raises")

    def _again_after(self, reply: Reply, attempt: int) -> float | None:
        """Seconds until it is worth trying again; None if it is not.

        Raises:
            RemoteError: ``rate_limited``: later than we wait.
        """
        if reply.status in _AGAIN:
            return float(attempt)
        if reply.status not in _SLOW_DOWN:
            return None
        host = check_url(reply.url, plain_http=True).host
        now = self._gate.clock()
        until = _retry_at(reply.headers.get("retry-after"), now)
        if until is None and reply.status != HTTPStatus.TOO_MANY_REQUESTS:
            return float(attempt)
        wait_s = max(0.0, ((until or now + _DEFAULT_BLOCK) - now).total_seconds())
        if wait_s <= _PATIENCE_S and attempt < _ATTEMPTS:
            return wait_s
        until = self._gate.pacing.block(host, until or now + _DEFAULT_BLOCK)
        wait_s = (until - now).total_seconds()
        problem = f"HTTP {reply.status} from {host}; it is left alone for {wait_s:.0f} s"
        raise RemoteError("rate_limited", problem, until)

    def _followed(self, ask: Ask) -> Reply:
        target = check_url(ask.url, plain_http=ask.plain_http)
        first_host = target.host
        for _ in range(self._network.limits.redirects + 1):
            reply = self._once(replace(ask, url=target.url), target)
            if reply.status not in _MOVED or "location" not in reply.headers:
                return reply
            if ask.form is not None:
                raise RemoteError("refused_url", f"{target.host} wants the form sent elsewhere")
            target = self._moved(target, reply.headers["location"])
            if target.host != first_host:
                if ask.hosts is not None and target.host not in ask.hosts:
                    raise RemoteError("refused_url", f"{first_host} redirects to {target.host}")
                ask = replace(ask, key=None)  # it was given for the first host only
        raise RemoteError("refused_url", f"{first_host} redirects more than 5 times")

    def _moved(self, target: Target, location: str) -> Target:
        try:
            url = urljoin(target.url, location)
        except ValueError as error:
            raise RemoteError(
                "refused_url", f"{target.host} redirects to no URL: {error}"
            ) from None
        return check_url(url, plain_http=target.scheme == "http")

    def _once(self, ask: Ask, target: Target) -> Reply:
        interval = timedelta(seconds=ask.interval_s)
        self._wait(self._gate.pacing.turn(target.host, interval))
        with self._gate.places:
            deadline = Deadline(
                self._network, min(self._network.limits.total_s, self._whole.left())
            )
            return self._sent(ask, target, deadline)

    def _sent(self, ask: Ask, target: Target, deadline: Deadline) -> Reply:
        transport = Transport(self._network, deadline, ask.key)
        headers = {"User-Agent": self._gate.agent, "Accept-Encoding": ACCEPTED, **ask.headers}
        method = "GET" if ask.form is None else "POST"
        try:
            with (
                httpx.Client(transport=transport, trust_env=False, timeout=None) as client,  # noqa: S113 - the deadline
                client.stream(method, target.url, data=ask.form, headers=headers) as response,
            ):
                return self._read(response, ask, target, deadline)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise RemoteError("refused_url", f"{target.host[:100]!r}: {error}") from None
        except httpcore.TimeoutException:
            deadline.left()
            raise RemoteError("timeout", f"{target.host} fell silent") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpx.HTTPError) as error:
            raise RemoteError("broken", f"{target.host}: the connection broke: {error}") from None

    def _read(
        self, response: httpx.Response, ask: Ask, target: Target, deadline: Deadline
    ) -> Reply:
        limits = self._network.limits
        headers = {name.lower(): value for name, value in response.headers.items()}
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > limits.body_bytes:
            raise RemoteError("too_large", f"the answer is larger than {limits.body_bytes} bytes")
        unpacker = Unpacker(headers.get("content-encoding", ""), limits)
        began = self._network.monotonic()
        for block in response.iter_raw():
            unpacker.add(block)
            deadline.left()
            spent = self._network.monotonic() - began
            if spent > limits.grace_s and unpacker.received() < limits.min_bytes_per_s * spent:
                raise RemoteError("timeout", f"{target.host} sends less than 1 KB a second")
        body = _without(unpacker.finish(), ask.key)
        return Reply(target.url, response.status_code, headers, body)

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            if seconds > self._whole.left():
                raise RemoteError("timeout", f"no complete answer within {OPERATION_SECONDS:.0f} s")
            self._network.sleep(seconds)


def _without(body: bytes, key: Key | None) -> bytes:
    # Some servers quote the request; what is stored must not hold the key.
    return body.replace(key.value.encode(), b"***") if key and key.value else body


def _refused(reply: Reply) -> RemoteError:
    status = reply.status
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    hint = ""
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        hint = "; it may want a key (key_env)"
    host = check_url(reply.url, plain_http=True).host
    return RemoteError("status", f"HTTP {status} {phrase}".rstrip() + f" from {host}{hint}")


def _retry_at(retry_after: str | None, now: datetime) -> datetime | None:
    """The instant a Retry-After header names (RFC 9110, 10.2.3); None if it cannot be read."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isdecimal() and text.isascii():
        # Far beyond what we wait, and still a date.
        return now + timedelta(seconds=min(int(text[:9]), 10**8))
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return until.replace(tzinfo=UTC) if until.tzinfo is None else until
