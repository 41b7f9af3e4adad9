"""The installed `lsm mcp`, started by the SDK's own client as an assistant starts it."""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from lsm.app import Mind
from tests.test_cli.command import LSM
from tests.test_mcp.talking import ERAS, command, talk, text_of

if TYPE_CHECKING:
    from pathlib import Path

    from mcp.client import Client

HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "plain", "version": "1"},
    },
}
SERVERS = 10


@pytest.mark.parametrize("mode", ERAS)
def test_an_assistant_lists_and_calls_tools(home: Path, mode: str) -> None:
    async def at_work(client: Client) -> tuple[int, str, str]:
        tools = (await client.list_tools()).tools
        found = await client.call_tool("search", {"query": "kiln"})
        wrong = await client.call_tool("search", {"qery": "kiln"})
        assert wrong.is_error
        return len(tools), text_of(found), text_of(wrong)

    count, found, wrong = talk(command(home), at_work, mode)

    assert count == 8
    assert "fired on Fridays" in found
    assert wrong == "search: no such argument: qery; did you mean query?"


def test_nothing_but_the_protocol_goes_to_standard_output(home: Path) -> None:
    messages = [
        HELLO,
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "status"}},
        {"jsonrpc": "2.0", "id": 3, "method": "no/such"},
    ]

    done = exchange(home, "".join(json.dumps(message) + "\n" for message in messages))

    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert sorted(each["id"] for each in said) == [1, 2, 3]
    assert all(each["jsonrpc"] == "2.0" for each in said)


def test_a_line_that_is_no_message_ends_nothing(home: Path) -> None:
    lines = ["{", "[]", '"x"', "\x00\xff", '{"jsonrpc": "2.0"}', "[" * 5000, json.dumps(HELLO)]

    done = exchange(home, "\n".join(lines) + "\n")

    assert done.returncode == 0
    assert '"serverInfo"' in done.stdout
    assert "Traceback" not in done.stderr


def test_a_home_that_cannot_be_opened_is_one_line_in_the_client_s_log(tmp_path: Path) -> None:
    (tmp_path / "lsm.toml").write_text("[library]\nrotos = []\n")

    done = exchange(tmp_path, json.dumps(HELLO) + "\n")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "rotos" in done.stderr


def test_a_writer_that_was_cancelled_holds_up_nobody_and_is_seen_through(home: Path) -> None:
    with Mind(str(home)) as other, ExitStack() as nobody_else_writes:
        nobody_else_writes.enter_context(other.db.transaction())

        async def impatient(client: Client) -> str:
            with anyio.move_on_after(0.5) as waiting:
                await client.call_tool("memory_add", {"text": "Fire on Saturdays"})
            assert waiting.cancelled_caught
            found = await client.call_tool("search", {"query": "kiln"})
            nobody_else_writes.close()
            with anyio.fail_after(20):
                while not other.memories.candidates():  # noqa: ASYNC110 - of another process
                    await anyio.sleep(0.05)
            return text_of(found)

        found = talk(command(home), impatient)

        proposed = [each.memory.text for each in other.memories.candidates()]

    assert "fired on Fridays" in found
    assert proposed == ["Fire on Saturdays"]


def test_ten_servers_side_by_side_on_one_database(home: Path) -> None:
    said: list[str] = []

    async def work(client: Client, number: int) -> None:
        for turn in range(3):
            words = f"Server {number} says {turn}"
            done = await client.call_tool("memory_add", {"text": words, "scope": "soak"})
            found = await client.call_tool("search", {"query": "kiln"})
            said.extend((text_of(done), text_of(found)))
            assert [done.is_error, found.is_error] == [False, False], said[-2:]

    talk_with_many(home, work)

    with Mind(str(home)) as mind:
        assert len(mind.memories.candidates(scope="soak", limit=100)) == SERVERS * 3
        assert mind.engine_problems() == []
    assert len(said) == SERVERS * 3 * 2


@pytest.fixture
def home(tmp_path: Path, documents: Path) -> Path:
    """A home with a small library."""
    with Mind(str(tmp_path / "home")) as mind:
        mind.ingest(str(documents))
    return tmp_path / "home"


def exchange(home: Path, said: str) -> subprocess.CompletedProcess[str]:
    """A server that is told *said* and then nothing more."""
    return subprocess.run(
        [LSM, "--home", home, "mcp"],
        input=said,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def talk_with_many(home: Path, work: Any) -> None:
    """*work* with each of ten servers at once."""
    from mcp.client import Client as Assistant

    async def one(number: int) -> None:
        async with Assistant(command(home), mode="legacy", read_timeout_seconds=60) as client:
            await work(client, number)

    async def everybody() -> None:
        async with anyio.create_task_group() as group:
            for number in range(SERVERS):
                group.start_soon(one, number)

    anyio.run(everybody)
