"""A server on this machine that plays the services: what it is told, byte for byte.

It speaks HTTP and HTTPS on one port, whatever the host it is asked for; `Replay.network` leads
every request of a test there, past a resolver and an address check that are the real ones.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections import defaultdict
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from lsm.remote.network import Limits, Network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A key and a certificate of nobody: they secure nothing and are trusted only in tests.
CERTIFICATE = Path(__file__).with_name("replay.pem")
PUBLIC = "93.184.216.34"


@dataclass
class Reply:
    """What the server says to one request."""

    body: Any = b""  # bytes are sent as they are, anything else as JSON
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None  # the whole answer, head and all
    stall: bool = False  # after what is sent, silence until the server ends
    endless: bytes = b""  # sent again and again after the body, until nobody listens
    drip_s: float = 0.0  # seconds before each of those times

    def head(self, body: bytes) -> bytes:
        """Status line and headers."""
        length = {} if self.endless else {"Content-Length": str(len(body))}
        lines = [f"HTTP/1.1 {self.status} Said"]
        lines += [
            f"{name}: {value}"
            for name, value in ({"Connection": "close"} | length | self.headers).items()
        ]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def content(self) -> bytes:
        """The body as it is sent."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Request:
    """What somebody asked the server."""

    method: str
    host: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]  # names in small letters
    body: bytes
    head: str  # all of it, as it came
    server_name: str | None  # asked for by TLS


class Replay:
    """Answers the requests of each host with the replies it was given, the last one for ever."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.on_request: Callable[[Request], None] = lambda _: None
        self._replies: dict[str, list[Reply]] = defaultdict(list)
        self._guard = threading.Lock()
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._names = threading.local()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(CERTIFICATE)
        self._tls.sni_callback = self._note_name
        threading.Thread(target=self._serve, daemon=True).start()

    def says(self, host: str, *replies: Reply) -> None:
        """From now on *host* answers with *replies*, one after the other."""
        with self._guard:
            self._replies[host] = list(replies)

    def network(self, addresses: dict[str, list[str]] | None = None, **limits: Any) -> Network:
        """A way out that ends here, for every host that resolves to a public address."""
        return Network(
            resolve=lambda host, _: (addresses or {}).get(host, [PUBLIC]),
            dial=lambda _, __, timeout: socket.create_connection(("127.0.0.1", self.port), timeout),
            certificates=ssl.create_default_context(cafile=str(CERTIFICATE)),
            limits=Limits(**limits),
            sleep=lambda _: None,
        )

    def close(self) -> None:
        """Let go of everybody."""
        self._over.set()
        self._listener.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            with suppress(OSError):
                connection, _ = self._listener.accept()
                threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _note_name(self, _: object, name: str | None, __: object) -> None:
        self._names.value = name

    def _converse(self, connection: socket.socket) -> None:
        self._names.value = None
        with suppress(OSError, ssl.SSLError):
            if connection.recv(1, socket.MSG_PEEK) == b"\x16":  # a TLS handshake
                connection = self._tls.wrap_socket(connection, server_side=True)
            request = self._received(connection)
            self.requests.append(request)
            self.on_request(request)
            self._send(connection, self._next(request.host))
        connection.close()

    def _next(self, host: str) -> Reply:
        with self._guard:
            replies = self._replies[host]
            if not replies:
                return Reply(b"nothing to say", 404)
            return replies.pop(0) if len(replies) > 1 else replies[0]

    def _received(self, connection: socket.socket) -> Request:
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        while len(body) < int(headers.get("content-length", "0")):
            body += connection.recv(65536)
        method, target, _ = first.split(" ")
        parts = urlsplit(target)
        host = headers["host"].partition(":")[0]
        query = parse_qs(parts.query, keep_blank_values=True)
        return Request(
            method, host, parts.path, query, headers, body, head.decode(), self._names.value
        )

    def _send(self, connection: socket.socket, reply: Reply) -> None:
        body = reply.content()
        whole = reply.raw if reply.raw is not None else reply.head(body) + body
        connection.sendall(whole)
        while reply.endless and not self._over.wait(reply.drip_s):
            connection.sendall(reply.endless)
        if reply.stall:
            self._over.wait(20)


@contextmanager
def replaying() -> Iterator[Replay]:
    """A server for the time inside."""
    server = Replay()
    try:
        yield server
    finally:
        server.close()
