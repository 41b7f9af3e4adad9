"""The stores that memory is compared with, each installed by name into a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
from typing import TYPE_CHECKING, Any

from benchmarks.corpus import paragraphs, queries

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_SQLITE_STORE = "langgraph-checkpoint-sqlite"
_SERVER = "@modelcontextprotocol/server-memory"


class Talking:
    """A process that answers each line with a line."""

    def __init__(self, command: list[str], **environment: str) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=_ROOT,
            env=os.environ | environment,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def say(self, message: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def heard(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"{self._process.args} has ended"
        return json.loads(line)


class Store(Talking):
    """A store of `benchmarks.memory_store` in a process of its own."""

    def __init__(self, python: str, name: str, path: str, texts: str) -> None:
        super().__init__([python, "-m", "benchmarks.memory_store", name, path, texts])
        assert self.heard() == "ready"

    def ask(self, method: str, *arguments: object) -> Any:
        self.say([method, *arguments])
        return self.heard()


class Server(Talking):
    """The MCP memory server, spoken to as its clients do."""

    def __init__(self, program: str, path: str) -> None:
        super().__init__(["node", program], MEMORY_FILE_PATH=path)
        self.path = path
        self._count = 0
        about = {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "bench", "version": "1"},
        }
        self._request("initialize", about)
        self._answer()
        self.say({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def send(self, tool: str, **arguments: object) -> None:
        """Call a tool; `result` waits for what comes back."""
        self._request("tools/call", {"name": tool, "arguments": arguments})

    def result(self) -> tuple[bool, Any]:
        """Whether the oldest call went well, and its structured content."""
        answer = self._answer()
        found = answer.get("result", {"isError": True})
        return not found.get("isError", False), found.get("structuredContent")

    def call(self, tool: str, **arguments: object) -> tuple[bool, Any]:
        self.send(tool, **arguments)
        return self.result()

    def _request(self, method: str, params: object) -> None:
        self._count += 1
        self.say({"jsonrpc": "2.0", "id": self._count, "method": method, "params": params})

    def _answer(self) -> dict[str, Any]:
        while True:
            message = self.heard()
            if "id" in message and "method" not in message:
                return message


class Peers:
    """Installs each peer when it is first asked for, and starts stores on fresh files."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._texts = os.path.join(folder, "texts.json")
        self._pythons = {"lsm": sys.executable}
        self._made = 0

    def store(self, name: str, path: str | None = None) -> Store:
        """lsm or SqliteStore, on a fresh file unless *path* names one."""
        if not os.path.exists(self._texts):
            with open(self._texts, "w", encoding="utf-8") as file:
                json.dump([paragraphs(2000), queries(100)], file)
        if name not in self._pythons:
            self._pythons[name] = self._with_package()
        return Store(self._pythons[name], name, path or self.fresh("store.db"), self._texts)

    def server(self, path: str) -> Server | None:
        """The MCP memory server on the file *path*; None where there is no npm to install it."""
        if shutil.which("npm") is None:
            return None
        place = os.path.join(self._folder, "node")
        program = os.path.join(place, "node_modules", *_SERVER.split("/"), "dist", "index.js")
        if not os.path.exists(program):
            _run("npm", "install", "--silent", "--prefix", place, _SERVER)
        return Server(program, path)

    def fresh(self, name: str) -> str:
        """A path of that name in a new folder."""
        self._made += 1
        place = os.path.join(self._folder, str(self._made))
        os.makedirs(place, mode=0o700)
        return os.path.join(place, name)

    def versions(self) -> dict[str, str]:
        """Of the peers that are installed, by name."""
        found: dict[str, str] = {}
        if "SqliteStore" in self._pythons:
            program = f"from importlib.metadata import version; print(version({_SQLITE_STORE!r}))"
            found[_SQLITE_STORE] = _run(self._pythons["SqliteStore"], "-c", program).strip()
        place = os.path.join(self._folder, "node", "node_modules", *_SERVER.split("/"))
        if os.path.exists(place):
            with open(os.path.join(place, "package.json"), encoding="utf-8") as file:
                found[_SERVER] = json.load(file)["version"]
        return found

    def _with_package(self) -> str:
        """An interpreter that has SqliteStore, and finds LSM's embedder behind it."""
        place = os.path.join(self._folder, "sqlite-store")
        _run(sys.executable, "-m", "venv", place)
        scripts = "Scripts" if os.name == "nt" else "bin"
        python = os.path.join(place, scripts, "python")
        extension = hasattr(sqlite3.Connection, "enable_load_extension")
        needed = (_SQLITE_STORE, *(() if extension else ("pysqlite3-binary",)))
        _run(python, "-m", "pip", "install", "--quiet", *needed)
        packages = _run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
        with open(os.path.join(packages.strip(), "lsm.pth"), "w", encoding="utf-8") as file:
            file.write(f"{_ROOT}\n{sysconfig.get_path('purelib')}\n")
        return python


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
