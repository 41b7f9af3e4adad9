"""`lsm serve` as its user runs it: where it listens, how it is told to stop, and what it says."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from lsm.errors import RefusedError
from lsm.web import server as serving
from lsm.web.keys import TOKEN_NAME
from tests.test_cli.command import Place

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

JSON = {"content-type": "application/json"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path, tmp_path / "home", tmp_path / "notes")
    made.write("keys.md", "# Keys\n\nWe rotate keys every 90 days.\n")
    return made


def test_it_listens_on_this_machine_s_own_addresses_only() -> None:
    sockets = serving._listening(0)

    addresses = {each.getsockname()[0] for each in sockets}
    ports = {each.getsockname()[1] for each in sockets}
    for each in sockets:
        each.close()

    assert {"127.0.0.1"} <= addresses <= {"127.0.0.1", "::1"}
    assert len(ports) == 1


def test_a_port_that_is_taken_is_named_with_the_next_step() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(RefusedError, match=f"lsm serve --link.*--port {port + 1}"):
            serving._listening(port)


def test_it_lets_in_serves_and_ends_cleanly_while_somebody_listens(place: Place) -> None:
    place.lsm("ingest", place.documents)
    with running(place, "--no-scheduler") as (process, told):
        cookie = opened(told)
        page = asked(told, "GET", "/?q=keys", cookie=cookie)
        stream = http.client.HTTPConnection("127.0.0.1", told["port"], timeout=20)
        stream.request("GET", "/library/progress", headers={"cookie": cookie})
        events = stream.getresponse()
        first = events.readline()

        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        stream.close()

    assert b"rotate" in page
    assert json.loads(first.removeprefix(b"data: "))["running"] is False
    assert (process.returncode, out, err) == (0, "", "")


def test_ctrl_c_is_a_clean_end_too(place: Place) -> None:
    with running(place) as (process, _):
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)

    assert (process.returncode, err) == (0, "")


def test_a_second_one_says_how_to_reach_the_first(place: Place) -> None:
    with running(place) as (_, told):
        port = str(told["port"])
        second = place.lsm("serve", "--port", port)
        link = place.lsm("serve", "--link", "--port", port, "--json")

        assert (second.code, second.out) == (1, b"")
        assert second.err.count("\n") == 1
        assert "lsm serve --link" in second.err
        assert b"Second Mind" in asked(told, "GET", "/memory", cookie=opened(link.json))
        assert link.json["url"] != told["url"]


def test_there_is_no_link_to_a_server_that_does_not_run(place: Place) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place.lsm("init")

    told = place.lsm("serve", "--link", "--port", str(port))

    assert (told.code, told.out) == (1, b"")
    assert "start it: lsm serve" in told.err


@pytest.mark.long
def test_there_is_no_link_to_the_server_of_another_home(place: Place, tmp_path: Path) -> None:
    other = Place(tmp_path, tmp_path / "other", place.documents)
    other.lsm("init")
    with running(place) as (_, told):
        refused = other.lsm("serve", "--link", "--port", str(told["port"]))

    assert refused.code == 1
    assert "is no lsm of" in refused.err


@pytest.mark.long
def test_the_token_is_never_said(place: Place) -> None:
    with running(place) as (process, told):
        token = (place.home / TOKEN_NAME).read_text("ascii").strip()
        asked(told, "GET", f"/?token={token}", cookie="", status=401)
        asked(told, "GET", "/memory", authorization=f"Bearer {token}")
        process.terminate()
        out, err = process.communicate(timeout=30)

    assert token not in out + err + json.dumps(told)


def test_what_is_due_runs_in_here_and_is_told_in_a_line(place: Place) -> None:
    schedule = place.lsm("schedule", "add", "curator", "--every", "1s", "--json").json
    with running(place) as (process, told):
        cookie = opened(told)
        until = time.monotonic() + 30
        while b'class="state succeeded"' not in asked(
            told, "GET", f"/schedules/{schedule['schedule_id']}", cookie=cookie
        ):
            assert time.monotonic() < until
            time.sleep(0.1)
        process.terminate()
        _, err = process.communicate(timeout=30)

    assert "succeeded" in err
    assert all(line.startswith("curator:") for line in err.splitlines())


def test_a_caller_who_never_finishes_the_head_is_let_go() -> None:
    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    class Hasty(serving._PatientProtocol):
        _seconds = 0.1

    async def connect(*begun: bytes) -> bytes:
        config = uvicorn.Config(answer, log_config=None, lifespan="off", timeout_keep_alive=60)
        config.load()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Hasty(config, ServerState(), {}), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        received = b""
        for number, part in enumerate(begun):
            if number:
                received += await reader.readuntil(b"\r\n\r\n")
            writer.write(part)
        received += await asyncio.wait_for(reader.read(), 20)  # until they hang up
        writer.close()
        server.close()
        return received

    complete = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
    assert asyncio.run(connect(b"")) == b""
    assert asyncio.run(connect(b"GET / HTTP/1.1\r\nx-slow: 1")) == b""
    assert asyncio.run(connect(complete, b"GET /again HT")).startswith(b"HTTP/1.1 204")


@contextmanager
def running(
    place: Place, *options: str, port: int = 0
) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """`lsm serve` until the end of the block, and what it printed first."""
    process = place.start("serve", "--port", str(port), "--json", *options)
    try:
        assert process.stdout
        yield process, json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.communicate(timeout=30)


def opened(told: dict[str, Any]) -> str:
    """The cookie that its link gives."""
    answer = whole(told, "GET", "/open/" + told["url"].rpartition("/")[2])
    assert answer.status == 200
    return (answer.headers["set-cookie"] or "").partition(";")[0]


def asked(
    told: dict[str, Any], method: str, path: str, *, status: int = 200, **headers: str
) -> bytes:
    answer = whole(told, method, path, **headers)
    body = answer.read()
    assert answer.status == status, body
    return body


def whole(told: dict[str, Any], method: str, path: str, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", told["port"], timeout=60)
    connection.request(method, path, headers=headers | {"connection": "close"})
    return connection.getresponse()
