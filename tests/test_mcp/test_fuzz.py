"""Calls that no assistant in its right mind makes: each is answered, none with a traceback."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from mcp.shared.exceptions import MCPError

from lsm.app import Mind
from lsm.mcp.tools import TOOLS
from tests.test_mcp.talking import command, talk, text_of
from tests.test_mcp.test_http import serving

if TYPE_CHECKING:
    from pathlib import Path

    from mcp.client import Client

NASTY: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    2**63,
    10**400,
    "",
    " ",
    "\0",
    "a\0b",
    "'; DROP TABLE lsm_chunks; --",
    '" OR "x" NEAR/2 *',
    "*",
    "[",
    "{a,b}" * 50,
    "**/" * 200,
    "%s%n%x",
    "../../../etc/passwd",
    "\u202e\u0000\uffff\U0010ffff",
    "x" * 5000,
    "9" * 5000,
    "2026-02-31",
    "9999-12-31T23:59:59+14:00",
    "99999y",
    [],
    [None],
    ["x"] * 100,
    [[[[]]]],
    {},
    {"$ref": "#"},
    {"a": {"b": {"c": [1, 2, {"d": None}]}}},
]


def test_three_hundred_wild_calls_are_answered(
    tmp_path: Path, documents: Path, database_url: str, capfd: Any
) -> None:
    with Mind(str(tmp_path / "h"), database_url) as mind, serving(mind) as address:
        mind.ingest(str(documents))
        outcomes = talk(address, wild(300, seed=1), "auto")
        problems = mind.engine_problems()

    assert outcomes["answered"] + outcomes["refused"] + outcomes["no such tool"] == 300
    assert min(outcomes.values()) > 10
    assert "Traceback" not in capfd.readouterr().err
    assert problems == []


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
def test_five_thousand_wild_calls_are_answered(tmp_path: Path, capfd: Any, seed: int) -> None:
    outcomes = talk(command(tmp_path / "home"), wild(1000, seed=seed))

    assert sum(outcomes.values()) == 1000
    assert "Traceback" not in capfd.readouterr().err


def wild(calls: int, seed: int) -> Any:
    """A conversation of *calls* calls, each made up."""
    chance = random.Random(seed)

    async def talking(client: Client) -> dict[str, int]:
        outcomes = {"answered": 0, "refused": 0, "no such tool": 0}
        for _ in range(calls):
            name, arguments = made_up(chance)
            try:
                result = await client.call_tool(name, arguments)
            except MCPError as error:
                outcomes[str(error).partition(":")[0]] += 1
                continue
            told = text_of(result)
            assert not result.is_error or "\n" not in told, told
            outcomes["refused" if result.is_error else "answered"] += 1
        return outcomes

    return talking


def made_up(chance: random.Random) -> tuple[str, dict[str, Any]]:
    """A tool and arguments: half of them nearly right."""
    if chance.random() < 0.1:
        return chance.choice(["", "serch", "__init__", "x" * 300, "\0", "tools/call"]), {}
    tool = chance.choice(TOOLS)
    known = tool.definition()["inputSchema"]["properties"]
    given: dict[str, Any] = {}
    for name, schema in known.items():
        if chance.random() < 0.5:
            given[name] = right(schema, chance) if chance.random() < 0.6 else chance.choice(NASTY)
    if chance.random() < 0.1:
        given[chance.choice(["limt", "", "\0", "__class__"])] = chance.choice(NASTY)
    return tool.name, given


def right(schema: dict[str, Any], chance: random.Random) -> Any:
    """A value that *schema* allows."""
    if schema["type"] == "integer":
        return chance.randint(schema["minimum"], min(schema["maximum"], 100))
    if schema["type"] == "array":
        return [f"t{chance.randint(0, 3)}"]
    return chance.choice(["kiln", "keys", "1", "2026-01-01", "fact", "7d", "arxiv"])
