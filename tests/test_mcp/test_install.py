"""Our server in a client's settings: put in, taken out, and nothing else touched."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from lsm.cli import cli
from lsm.errors import ConflictError
from lsm.mcp.clients import NAMES, Launch, Machine, find_client
from lsm.mcp.install import installed, write
from tests.test_cli.command import LSM

if TYPE_CHECKING:
    from click.testing import Result

LAUNCH = Launch("/bin/lsm", ("mcp",))


@pytest.mark.parametrize(
    ("client", "platform", "path"),
    [
        ("claude-desktop", "darwin", "Library/Application Support/Claude"),
        ("claude-desktop", "linux", ".config/Claude"),
        ("claude-desktop", "win32", "AppData/Roaming/Claude"),
        ("claude-code", "linux", ".claude.json"),
        ("claude-code", "win32", ".claude.json"),
        ("cursor", "darwin", ".cursor/mcp.json"),
        ("vscode", "darwin", "Library/Application Support/Code/User/mcp.json"),
        ("vscode", "linux", ".config/Code/User/mcp.json"),
        ("vscode", "win32", "AppData/Roaming/Code/User/mcp.json"),
        ("zed", "darwin", ".config/zed/settings.json"),
        ("zed", "linux", ".config/zed/settings.json"),
        ("zed", "win32", "AppData/Roaming/Zed/settings.json"),
    ],
)
def test_each_client_s_settings_are_where_it_looks_for_them(
    client: str, platform: str, path: str
) -> None:
    found = find_client(client).path(Machine(platform, "/u", {}))

    assert found.startswith(f"/u/{path}")


@pytest.mark.parametrize(
    ("client", "variable", "path"),
    [
        ("claude-code", "CLAUDE_CONFIG_DIR", "/else/.claude.json"),
        ("zed", "XDG_CONFIG_HOME", "/else/zed/settings.json"),
        ("vscode", "XDG_CONFIG_HOME", "/else/Code/User/mcp.json"),
    ],
)
def test_a_user_who_keeps_settings_elsewhere_is_followed(
    client: str, variable: str, path: str
) -> None:
    assert find_client(client).path(Machine("linux", "/u", {variable: "/else"})) == path


@pytest.mark.parametrize("client", NAMES)
def test_installing_twice_is_installing_once_and_uninstalling_leaves_no_trace(
    desk: Desk, client: str
) -> None:
    first = desk.lsm("mcp", "install", client, "--yes", "--json")
    again = desk.lsm("mcp", "install", client, "--yes", "--json")
    path = Path(first.json["path"])
    entry = json.loads(path.read_text())[find_client(client).section]["lsm"]
    gone = desk.lsm("mcp", "uninstall", client, "--yes", "--json")

    assert (first.json["changed"], again.json["changed"]) == (True, False)
    assert (entry["command"], entry["args"]) == (str(LSM), ["--home", str(desk.home), "mcp"])
    assert entry.get("type") == ("stdio" if client in ("vscode", "claude-code") else None)
    assert gone.json["changed"] is True
    assert json.loads(path.read_text()) == {find_client(client).section: {}}
    assert desk.lsm("mcp", "uninstall", client, "--yes", "--json").json["changed"] is False


def test_what_is_printed_is_what_would_be_written(desk: Desk) -> None:
    shown = desk.lsm("mcp", "install", "cursor", "--print", "--read-only")

    assert shown.json["mcpServers"]["lsm"]["args"][-2:] == ["mcp", "--read-only"]
    assert not (desk.user / ".cursor").exists()


def test_nothing_is_written_unless_it_is_confirmed(desk: Desk) -> None:
    asked = desk.lsm("mcp", "install", "zed")

    assert asked.code == 1
    assert '+    "lsm": {' in asked.out
    assert "--yes" in asked.err
    assert list(desk.user.iterdir()) == []


def test_what_was_there_stays_and_a_backup_is_kept(desk: Desk) -> None:
    text = '{\n  // mine\n  "context_servers": {"other": {"command": "x"}}\n}\n'
    path = desk.write(".config/zed/settings.json", text, mode=0o640)

    done = desk.lsm("mcp", "install", "zed", "--yes", "--json")

    assert "// mine" in path.read_text()
    assert '"other": {"command": "x"}' in path.read_text()
    assert Path(done.json["backup"]).read_text() == text
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(os.listdir(path.parent)) == ["settings.json", Path(done.json["backup"]).name]


def test_a_link_to_the_settings_stays_a_link(desk: Desk) -> None:
    real = desk.write("dotfiles/mcp.json", "{}")
    (desk.user / ".cursor").mkdir()
    (desk.user / ".cursor" / "mcp.json").symlink_to(real)

    desk.lsm("mcp", "install", "cursor", "--yes")

    assert (desk.user / ".cursor" / "mcp.json").is_symlink()
    assert "mcpServers" in real.read_text()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{broken", "line 1, column 2"),
        (b'{"mcpServers": []}', "expected an object"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b"[1, 2]", "expected an object"),
    ],
)
def test_a_broken_file_is_refused_in_one_line_and_left_alone(
    desk: Desk, content: bytes, told: str
) -> None:
    path = desk.write(".cursor/mcp.json", content)

    done = desk.lsm("mcp", "install", "cursor", "--yes")

    assert done.code == 2
    assert told in done.err
    assert done.err.count("\n") == 1
    assert path.read_bytes() == content
    assert os.listdir(path.parent) == ["mcp.json"]


def test_what_somebody_else_writes_meanwhile_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text("{}")
    change = installed(find_client("cursor"), str(path), "lsm", LAUNCH)
    path.write_text('{"theirs": 1}')

    with pytest.raises(ConflictError):
        write(change)

    assert path.read_text() == '{"theirs": 1}'


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("mcp", "install", "claude-cod"), "did you mean claude-code?"),
        (("mcp", "instal", "zed"), "did you mean 'install'?"),
        (("mcp", "install", "zed", "--trusted", "--read-only"), "exclude each other"),
        (("mcp", "--trusted", "install", "zed"), "write --trusted behind install"),
        (("--database", "postgresql://u:secret@h/d", "mcp", "install", "zed"), "password"),
    ],
)
def test_what_cannot_be_is_told_and_changes_nothing(
    desk: Desk, arguments: tuple[str, ...], told: str
) -> None:
    done = desk.lsm(*arguments)

    assert done.code in (1, 2)
    assert told in done.err
    assert "secret" not in done.err
    assert list(desk.user.iterdir()) == []


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Desk:
    """Somebody's user folder, and a home of lsm."""

    user: Path
    home: Path

    def lsm(self, *arguments: str) -> Outcome:
        before = () if "--database" in arguments else ("--home", str(self.home))
        done: Result = CliRunner().invoke(cli, [*before, *arguments])
        return Outcome(done.exit_code, done.stdout, done.stderr)

    def write(self, name: str, content: str | bytes, mode: int = 0o600) -> Path:
        path = self.user / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        return path


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    for name in ("XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "APPDATA", "LSM_HOME"):
        monkeypatch.delenv(name, raising=False)
    user = tmp_path / "user"
    user.mkdir()
    monkeypatch.setenv("HOME", str(user))
    return Desk(user, tmp_path / "home")
