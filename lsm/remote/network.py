"""Connections that lead where they were checked to lead, and end in time."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

from lsm.remote.addresses import parsed_address, refusal
from lsm.remote.errors import RemoteError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator


def resolve(host: str, port: int) -> list[str]:
    """The addresses of *host*, as the system finds them.

    Raises:
        OSError: there are none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def dial(address: str, port: int, timeout: float) -> socket.socket:
    """A connection to *address*, which has been checked.

    Raises:
        OSError: nobody answers.
        RemoteError: ``refused_address``: it is one of this machine's own.
    """
    connection = socket.create_connection((address, port), timeout)
    # A public address may be our own: then both ends have it. Nothing has been sent yet.
    if connection.getsockname()[0] == connection.getpeername()[0]:
        connection.close()
        raise RemoteError("refused_address", f"{address} is an address of this machine")
    return connection


@dataclass(frozen=True)
class Limits:
    """How much is taken from a server, and how long it may take."""

    connect_s: float = 5.0
    total_s: float = 30.0  # for one request, from looking the name up to the last byte
    min_bytes_per_s: int = 1024  # after `grace_s`; slower is a server that only wants to hold us
    grace_s: float = 5.0
    body_bytes: int = 10_000_000  # as sent
    decoded_bytes: int = 50_000_000
    ratio: int = 100  # decoded to sent
    redirects: int = 5
    at_once: int = 5  # connections of this process


@dataclass(frozen=True)
class Network:
    """The way out. Tests give their own *resolve* and *dial*; nothing else may lead elsewhere."""

    resolve: Callable[[str, int], list[str]] = resolve
    dial: Callable[[str, int, float], socket.socket] = dial
    certificates: ssl.SSLContext | None = None  # None: those the system trusts
    limits: Limits = field(default_factory=Limits)
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Deadline:
    """An instant on the clock nobody sets."""

    def __init__(self, network: Network, seconds: float) -> None:
        self._monotonic = network.monotonic
        self._end = network.monotonic() + seconds
        self._seconds = seconds

    def left(self) -> float:
        """Seconds until then, more than 0.

        Raises:
            RemoteError: ``timeout``: it has passed.
        """
        left = self._end - self._monotonic()
        if left <= 0:
            raise RemoteError("timeout", f"no complete answer within {self._seconds:.0f} s")
        return left


class _Guard(httpcore.NetworkBackend):
    """Resolves once, checks every address found, and connects to one of those very addresses.

    httpcore asks it for a host and goes on with that host's name for TLS and the Host header.
    """

    def __init__(self, network: Network, deadline: Deadline) -> None:
        self._network = network
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002 - the interface is httpcore's
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        addresses = self._resolved(host, port)
        for address in addresses:
            if reason := refusal(parsed_address(address)):
                raise RemoteError("refused_address", f"{host} is not asked: {reason}")
        problem: OSError | None = None
        for address in addresses[:4]:
            wait = min(timeout or self._network.limits.connect_s, self._deadline.left())
            try:
                return _Stream(self._network.dial(address, port, wait), self._deadline)
            except OSError as error:
                problem = error
        raise RemoteError("unreachable", f"cannot connect to {host}: {problem}")

    def _resolved(self, host: str, port: int) -> list[str]:
        found: list[list[str] | OSError] = []

        def look_up() -> None:
            try:
                found.append(self._network.resolve(host, port))
            except (OSError, UnicodeError) as error:
                found.append(OSError(str(error)))

        # The system's resolver cannot be told when to stop.
        thread = threading.Thread(target=look_up, daemon=True)
        thread.start()
        thread.join(min(self._network.limits.connect_s, self._deadline.left()))
        if not found:
            raise RemoteError("timeout", f"the address of {host} could not be found out in time")
        if isinstance(found[0], OSError) or not found[0]:
            raise RemoteError("unreachable", f"{host} has no address: {found[0] or 'none'}")
        return found[0]


class _Stream(httpcore.NetworkStream):
    """A socket whose every wait ends with the deadline, however the server drips."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._socket = connection
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._limit(timeout)
        try:
            return self._socket.recv(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._limit(timeout)
        try:
            self._socket.sendall(buffer)
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        import ssl

        self._limit(timeout)
        try:
            wrapped = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except (OSError, ssl.CertificateError) as error:
            self.close()
            reason = getattr(error, "verify_message", "") or error
            raise RemoteError("tls", f"no safe connection to {server_hostname}: {reason}") from None
        return _Stream(wrapped, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._socket if info == "socket" else None

    def _limit(self, timeout: float | None) -> None:
        left = self._deadline.left()
        self._socket.settimeout(left if timeout is None else min(timeout, left))


@dataclass(frozen=True)
class Key:
    """A secret and where a service wants it; it joins a request where nothing is logged."""

    value: str = field(repr=False)
    header: str | None = None
    prefix: str = ""  # in the header, before the value
    parameter: str | None = None  # of the URL, where the service documents no other way


class Transport(httpx.BaseTransport):
    """One guarded connection for one request."""

    def __init__(self, network: Network, deadline: Deadline, key: Key | None) -> None:
        self._key = key
        self._pool = httpcore.ConnectionPool(
            ssl_context=network.certificates or _trusted(),
            network_backend=_Guard(network, deadline),
            max_connections=1,
            http2=False,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        target, headers = self._with_key(request.url.raw_path, request.headers.raw)
        answer = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=target,
                ),
                headers=headers,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Body(answer), extensions={}
        )

    def close(self) -> None:
        self._pool.close()

    def _with_key(
        self, target: bytes, headers: list[tuple[bytes, bytes]]
    ) -> tuple[bytes, list[tuple[bytes, bytes]]]:
        if self._key is None:
            return target, headers
        if self._key.header is not None:
            value = self._key.prefix + self._key.value
            return target, [*headers, (self._key.header.encode(), value.encode())]
        pair = str(httpx.QueryParams({self._key.parameter or "": self._key.value})).encode()
        return target + (b"&" if b"?" in target else b"?") + pair, headers


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


_trust: list[ssl.SSLContext] = []


def _trusted() -> ssl.SSLContext:
    # Reading the certificates takes longer than most requests.
    if not _trust:
        _trust.append(httpx.create_ssl_context(trust_env=False))
    return _trust[0]
