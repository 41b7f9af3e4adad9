"""Runs a server on this machine's own addresses until it is told to stop."""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import uvicorn
from h11 import IDLE
from uvicorn.protocols.http.h11_impl import H11Protocol

from lsm.errors import AccessError, LsmError, RefusedError
from lsm.web.api.running import Runner
from lsm.web.application import application
from lsm.web.ingesting import Ingesting
from lsm.web.keys import Keys, load_token
from lsm.web.limits import Limits
from lsm.web.render import Renderer
from lsm.web.site import Site

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Generator
    from types import FrameType

    from lsm.app import Mind

DEFAULT_PORT = 8321
_GRACE = 3  # seconds that requests may take to end when the server stops
_TRIES = 10  # free ports that another program may take before us


@dataclass(frozen=True)
class ServeOptions:
    """How to serve."""

    port: int = DEFAULT_PORT  # 0: any that is free
    scheduler: bool = True
    database: str | None = None  # as given on the command line
    limits: Limits = field(default_factory=Limits)


def serve(
    mind: Mind,
    options: ServeOptions,
    on_ready: Callable[[str, int], None],
    say: Callable[[str], None],
) -> None:
    """Serve *mind* until SIGINT or SIGTERM, then end cleanly.

    Args:
        mind: what is shown; not closed here.
        options: see there.
        on_ready: told the address to open, which works once, and the port; connections are taken.
        say: told one line for each thing worth one.

    Raises:
        RefusedError: another program has the port.
        AccessError: the token cannot be kept.
    """
    sockets = _listening(options.port)
    port: int = sockets[0].getsockname()[1]
    site = open_site(mind, port, options, say)
    server = _server(site, options.limits)
    # Obeyed from the moment it is told: whoever reads the address may stop us at once.
    with _obeying(server, site), _scheduling(site):
        on_ready(f"http://127.0.0.1:{port}/open/{site.keys.new_link()}", port)
        try:
            server.run(sockets=sockets)
        finally:
            site.runner.close()


def open_site(mind: Mind, port: int, options: ServeOptions, say: Callable[[str], None]) -> Site:
    """What the pages of one server share.

    Raises:
        AccessError: the token cannot be kept.
    """
    runner = Runner(mind)
    return Site(
        mind=mind,
        runner=runner,
        keys=Keys(load_token(mind.home), mind.clock),
        port=port,
        renderer=Renderer(mind.clock),
        ingesting=Ingesting(mind, runner, say),
        scheduler=mind.agency.scheduler_telling(lambda event: say(event.text)),
        runs_schedules=options.scheduler,
        database=options.database,
        say=say,
    )


def _listening(port: int) -> list[socket.socket]:
    """Sockets on 127.0.0.1 and, where there is one, ::1, of the same port."""
    for _ in range(_TRIES):
        first = _bound(socket.AF_INET, "127.0.0.1", port)
        chosen: int = first.getsockname()[1]
        try:
            return [first, _bound(socket.AF_INET6, "::1", chosen)]
        except RefusedError:
            first.close()
            if port:
                raise
        except AccessError:
            return [first]  # this machine does not speak IPv6
    raise RefusedError("no port is free on both 127.0.0.1 and ::1; name one with --port")


def _bound(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    made = None
    try:
        made = socket.socket(family, socket.SOCK_STREAM)
        if os.name == "posix":
            # A port that our predecessor left a moment ago; elsewhere this would share it.
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # Of a socket it did not make, the event loop leaves Nagle's delay on: 40 ms an answer.
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.bind((host, port))
        made.listen(128)
    except OSError as error:
        if made is not None:
            made.close()
        if error.errno == errno.EADDRINUSE:
            raise RefusedError(
                f"port {port} is taken; if that is lsm already, lsm serve --link gives a new link "
                f"to it, else choose another port: lsm serve --port {port + 1}"
            ) from error
        if error.errno == errno.EACCES:
            raise RefusedError(f"port {port} is not for you; choose one above 1023") from error
        raise AccessError(f"{host} port {port}: {error.strerror}") from error
    return made


def _server(site: Site, limits: Limits) -> uvicorn.Server:
    log = logging.getLogger("uvicorn.error")
    log.handlers = [_Lines(site.say)]
    log.propagate = False
    config = uvicorn.Config(
        application(site, limits),
        http=_PatientProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=limits.connections,
        timeout_graceful_shutdown=_GRACE,
        h11_max_incomplete_event_size=limits.header_bytes,
    )
    return _Server(config, site.stopping)


class _Server(uvicorn.Server):
    """Lets those who listen to events go as soon as it is told to stop."""

    def __init__(self, config: uvicorn.Config, stopping: threading.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._stopping.set()
        super().handle_exit(sig, frame)


class _PatientProtocol(H11Protocol):
    """Waits for the head of a request, but not for ever."""

    _seconds = Limits().seconds
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not IDLE:
            self._stop_waiting()
        elif self._waiting is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(self._seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._waiting = None
        if self.conn.their_state is IDLE:
            self.transport.close()


class _Lines(logging.Handler):
    """What the server itself says: one line, no stack."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        self._say(f"lsm: {' '.join(record.getMessage().split())}")


@contextmanager
def _obeying(server: uvicorn.Server, site: Site) -> Generator[None]:
    """Ends the server at a signal before it listens for them itself, and once it no longer does.

    It raises the signal that stopped it once more; by then it has been obeyed.
    """

    def obey(_number: int, _frame: FrameType | None) -> None:
        site.stopping.set()
        server.should_exit = True

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, obey) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _scheduling(site: Site) -> Generator[None]:
    """The scheduler in a thread of its own, if it is wanted."""
    if not site.runs_schedules:
        yield
        return
    site.mind.agency.follow_config()
    stop = threading.Event()

    def work() -> None:
        try:
            site.scheduler.run_forever(stop)
        except LsmError as error:
            site.say(f"lsm: no schedule runs any more: {error}")

    thread = threading.Thread(target=work, name="lsm-scheduler")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def ask_for_link(home: str, port: int) -> str:
    """A new link to the server that runs on *port* for *home*.

    Raises:
        RefusedError: none does.
    """
    import http.client

    import msgspec

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {
        "authorization": f"Bearer {load_token(home)}",
        "content-type": "application/json",
    }
    try:
        connection.request("POST", "/links", b"{}", headers)
        answer = connection.getresponse()
        body = answer.read()
    except OSError as error:
        raise RefusedError(f"nothing answers on port {port}; start it: lsm serve") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise RefusedError(f"what answers on port {port} is no lsm of {home}; name its --port")
    return f"http://127.0.0.1:{port}{msgspec.json.decode(body)['path']}"


def to_stderr(line: str) -> None:
    """One line for whoever watches."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201
