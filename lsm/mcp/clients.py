"""Assistants that start MCP servers: where each keeps its settings, and how it wants ours."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from lsm.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Machine:
    """What decides where programs keep their settings."""

    platform: str  # as sys.platform
    home: str
    environment: Mapping[str, str]

    def settings(self, *parts: str) -> str:
        """A file of a program that follows the platform's habit."""
        if self.platform == "darwin":
            base = os.path.join(self.home, "Library", "Application Support")
        elif self.platform == "win32":
            base = self.environment.get("APPDATA") or os.path.join(self.home, "AppData", "Roaming")
        else:
            base = self.environment.get("XDG_CONFIG_HOME") or os.path.join(self.home, ".config")
        return os.path.join(base, *parts)


@dataclass(frozen=True)
class Launch:
    """How our server is started."""

    command: str  # absolute
    args: tuple[str, ...]


@dataclass(frozen=True)
class Client:
    """An assistant."""

    name: str
    title: str
    path: Callable[[Machine], str]
    section: str  # of its settings that holds servers, by name
    typed: bool  # whether an entry names its transport
    afterwards: str  # what makes it take notice

    def entry(self, launch: Launch) -> dict[str, Any]:
        """What stands under the server's name."""
        kind = {"type": "stdio"} if self.typed else {}
        return kind | {"command": launch.command, "args": list(launch.args)}


def _claude_code(machine: Machine) -> str:
    chosen = machine.environment.get("CLAUDE_CONFIG_DIR")
    return os.path.join(chosen or machine.home, ".claude.json")


def _zed(machine: Machine) -> str:
    if machine.platform == "darwin":
        # Like on Linux, not like a program of that platform.
        return os.path.join(machine.home, ".config", "zed", "settings.json")
    return machine.settings("Zed" if machine.platform == "win32" else "zed", "settings.json")


_CLIENTS = (
    Client(
        "claude-desktop",
        "Claude Desktop",
        lambda machine: machine.settings("Claude", "claude_desktop_config.json"),
        "mcpServers",
        typed=False,
        afterwards="quit Claude Desktop and start it again",
    ),
    Client(
        "claude-code",
        "Claude Code",
        _claude_code,
        "mcpServers",
        typed=True,
        afterwards="start claude anew; /mcp lists its servers",
    ),
    Client(
        "cursor",
        "Cursor",
        lambda machine: os.path.join(machine.home, ".cursor", "mcp.json"),
        "mcpServers",
        typed=False,
        afterwards="enable it in Cursor's settings, under MCP",
    ),
    Client(
        "vscode",
        "VS Code",
        lambda machine: machine.settings("Code", "User", "mcp.json"),
        "servers",
        typed=True,
        afterwards="run 'MCP: List Servers' in VS Code and start it",
    ),
    Client(
        "zed",
        "Zed",
        _zed,
        "context_servers",
        typed=False,
        afterwards="Zed takes notice at once",
    ),
)
NAMES = tuple(client.name for client in _CLIENTS)


def find_client(name: str) -> Client:
    """The client called *name*.

    Raises:
        InvalidError: there is none; names the nearest.
    """
    for client in _CLIENTS:
        if client.name == name:
            return client
    near = get_close_matches(name, NAMES, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there is {', '.join(NAMES)}"
    raise InvalidError("client", f"{name!r} is none we know; {hint}")


def this_machine() -> Machine:
    """The one we run on."""
    return Machine(sys.platform, os.path.expanduser("~"), os.environ)
