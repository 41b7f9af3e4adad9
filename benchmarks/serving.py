"""`lsm serve` before twenty people who search at once while an ingest runs beside it."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import TYPE_CHECKING
from urllib.parse import quote_plus, urlsplit

from benchmarks.corpus import Shape, queries, write_corpus
from benchmarks.findings import Finding, Table, milliseconds, percentile

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from benchmarks.library import Made

_LSM = os.path.join(os.path.dirname(sys.executable), "lsm")
_CLIENTS = 20
_EACH = 20  # searches of each
_PAUSE = 1.0  # seconds a person looks at an answer, on average
_PATHS = (("the page, k=20", "/?q="), ("the API, k=10", "/api/v1/search?query="))
_ASKED = tuple(queries(200))
_NEW = Shape(files=5000, words=170, files_per_folder=100, words_per_section=1000)


@dataclass(frozen=True)
class _Server:
    port: int
    cookie: str

    def connection(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=60)

    def seconds(self, connection: HTTPConnection, path: str, query: str) -> float:
        """How long the answer to one search took, to its last byte."""
        began = time.perf_counter()
        connection.request("GET", path + quote_plus(query), headers={"cookie": self.cookie})
        answer = connection.getresponse()
        body = answer.read()
        taken = time.perf_counter() - began
        assert answer.status == 200, body[:300]
        return taken


def run(library: Made, folder: str) -> Finding:
    """Time searches of twenty clients over HTTP, with an ingest in another process."""
    home, more = os.path.join(folder, "home"), os.path.join(folder, "more")
    shutil.copytree(library.home, home)
    write_corpus(more, _NEW)
    rows: list[tuple[str, ...]] = []
    with _serving(home) as server:
        for name, path in _PATHS:
            alone = server.connection()
            server.seconds(alone, path, _ASKED[0])  # loads what is loaded at the first use
            one = [server.seconds(alone, path, query) for query in _ASKED[:50]]
            rows.append(_row(f"{name}, one client", one))
            with _ingesting(home, more):
                people = _together(server, path, _PAUSE)
                programs = _together(server, path, 0.0)
            rows.append(_row(f"{name}, {_CLIENTS} people, an ingest beside", people))
            rows.append(_row(f"{name}, {_CLIENTS} programs, an ingest beside", programs))
    return Finding("Search over HTTP", _ABOUT, Table(("who asks", "p50", "p95"), tuple(rows)))


_ABOUT = (
    f"`lsm serve` over 10,000 documents and {_CLIENTS} connections. People look at an answer for a "
    f"second on average (exponentially distributed) before they ask again; programs ask again at "
    "once, so that each waits for the other nineteen. The ingest is a process of its own that "
    "reads 5,000 files into the same database, again and again. Clients, server and ingest share "
    "the machine. Times are to the last byte, as the client sees them."
)


def _row(name: str, times: Sequence[float]) -> tuple[str, ...]:
    return name, milliseconds(percentile(times, 50)), milliseconds(percentile(times, 95))


def _together(server: _Server, path: str, pause: float) -> list[float]:
    """The times of all clients, which begin at once."""
    times: list[float] = []
    start = threading.Barrier(_CLIENTS)

    def work(number: int) -> None:
        dice = random.Random(number)
        connection = server.connection()
        start.wait()
        for _ in range(_EACH):
            # At most so long that the server still keeps the connection.
            time.sleep(min(dice.expovariate(1 / pause), 4.0) if pause else 0.0)
            times.append(server.seconds(connection, path, dice.choice(_ASKED)))
        connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(times) == _CLIENTS * _EACH
    return times


@contextmanager
def _serving(home: str) -> Generator[_Server]:
    """`lsm serve`, and the cookie of somebody who was let in."""
    command = (_LSM, "--home", home, "serve", "--port", "0", "--json", "--no-scheduler")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            link = urlsplit(json.loads(process.stdout.readline())["url"])
            assert link.port
            connection = HTTPConnection("127.0.0.1", link.port, timeout=60)
            connection.request("GET", link.path)
            answer = connection.getresponse()
            answer.read()
            cookie = (answer.headers["set-cookie"] or "").partition(";")[0]
            yield _Server(link.port, cookie)
        finally:
            process.terminate()


@contextmanager
def _ingesting(home: str, folder: str) -> Generator[None]:
    """An ingest in another process until the end of the block; it begins anew when it is done."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            # Not cut short: a killed ingest would leave the next row another library.
            done = subprocess.run(
                (_LSM, "--home", home, "ingest", "--force", folder),
                capture_output=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr[-500:]

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(1.0)  # until it has begun to read
    try:
        yield
    finally:
        over.set()
        thread.join()
