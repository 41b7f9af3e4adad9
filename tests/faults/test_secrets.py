"""Keys and passwords are in no byte that the program writes or says, whatever goes wrong."""

from __future__ import annotations

import os
import socket
import ssl
import stat
from typing import TYPE_CHECKING

import pytest

from lsm.cli import cli
from lsm.remote import network
from tests.test_providers.remote import formats
from tests.test_providers.remote.formats import said
from tests.test_providers.replay import CERTIFICATE, PUBLIC, Reply, replaying

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.test_providers.replay import Replay

SECRET = "canary-7f3a91"  # noqa: S105 - of nothing; part of every key and password in here
VARIABLES = (
    "OPENALEX_API_KEY",
    "SEMANTIC_SCHOLAR_API_KEY",
    "NCBI_API_KEY",
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "SEARX_KEY",
)
SETTINGS = """
[llm]
model = "openai:scripted"
base_url = "http://127.0.0.1:9"
retries = 0
[remote.providers.openalex]
enabled = true
[remote.providers.semantic_scholar]
enabled = true
[remote.providers.page]
enabled = true
[remote.providers.searx]
kind = "json"
enabled = true
key_env = "SEARX_KEY"
url = "https://search.example.org/?q={searchTerms}"
"""
WRONG_SETTINGS = (
    f'[llm]\nmodel = "openai:x"\nbase_url = "https://me:{SECRET}@example.org"\n',
    f'[llm]\napi_key = "sk-{SECRET}"\n',
    f'[llm]\napi_key_env = "sk-{SECRET}"\n',
    f'[embedding]\nmodel = "openai:x"\nbase_url = "https://me:{SECRET}@example.org"\n',
    f'[embedding]\nmodel = "openai:x"\napi_key = "sk-{SECRET}"\n',
    f'[remote.providers.arxiv]\nenabled = "sk-{SECRET}"\n',
    f'[remote.providers.x]\nkind = "feed"\nenabled = true\nurls = ["https://a:{SECRET}@b.org/f"]\n',
    f'[database]\nurl = "mysql://me:{SECRET}@db.example.org/mind"\n',
    f'[database]\nurl = ["postgresql://me:{SECRET}@db.example.org/mind"]\n',
    f'[database]\nurl = "postgresql://me:{SECRET}@[db/mind"\n',
)
ADDRESSES = (
    f"postgresql://me:{SECRET}@127.0.0.1:9/mind",
    f"postgres://me:{SECRET}@127.0.0.1:9/mind?sslmode=nonsense",
    f"postgresql://127.0.0.1:9/mind?user=me&password={SECRET}",
    f"postgresql://me:{SECRET}@[db/mind",
    f"postgresql://me:{SECRET}@127.0.0.1:port/mind",
    f"mysql://me:{SECRET}@127.0.0.1/mind",
    f"postgresql+psycopg://me:{SECRET}@127.0.0.1/mind",
)


class Place:
    """A home, and what every command in it said."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.home = folder / "home"
        self._capture = capture
        self.leaks: list[str] = []

    def lsm(self, *words: str, database: str = "") -> int:
        """Run a command in this process; its status."""
        before = ["--home", str(self.home), *(["--database", database] if database else [])]
        status = 0
        try:
            cli.main([*before, *words], prog_name="lsm")
        except SystemExit as ended:
            status = int(ended.code or 0)
        told = "".join(self._capture.readouterr())
        if SECRET in told:
            self.leaks.append(f"{words} said {told!r}")
        return status

    def configure(self, text: str) -> None:
        (self.home / "lsm.toml").write_text(text)

    def written(self) -> list[str]:
        """The files that hold the secret, besides the configuration."""
        return [
            name
            for name, path in files_below(self.folder)
            if SECRET.encode() in path.read_bytes() and path.name != "lsm.toml"
        ]


@pytest.fixture
def place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Place:
    for name in VARIABLES:
        monkeypatch.setenv(name, f"sk-{SECRET}-{name}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    made = Place(tmp_path, capfd)
    made.home.mkdir(mode=0o700)
    made.configure(SETTINGS)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "tide.md").write_text("# Tide\n\nIt comes in twice a day.\n")
    return made


@pytest.fixture
def replay(monkeypatch: pytest.MonkeyPatch) -> Iterator[Replay]:
    real = network.Network
    with replaying() as server:

        def played() -> network.Network:
            return real(
                resolve=lambda _, __: [PUBLIC],
                dial=lambda _, __, limit: socket.create_connection(
                    ("127.0.0.1", server.port), limit
                ),
                certificates=ssl.create_default_context(cafile=str(CERTIFICATE)),
                sleep=lambda _: None,
            )

        monkeypatch.setattr(network, "Network", played)
        yield server


def test_keys_stay_in_the_environment(place: Place, replay: Replay) -> None:
    echo = Reply({"error": f"no such key: sk-{SECRET}-OPENALEX_API_KEY"}, 401)
    replay.says("api.openalex.org", said(formats.OPENALEX), echo)
    replay.says("api.semanticscholar.org", said(formats.SEMANTIC_SCHOLAR))
    replay.says("search.example.org", said(formats.SEARX), echo)

    statuses = [
        place.lsm("ingest", "notes"),
        place.lsm("remote", "list", "--json"),
        place.lsm("remote", "search", "openalex", "tide"),
        place.lsm("remote", "search", "openalex", "again", "--json"),  # refused
        place.lsm("remote", "search", "semantic_scholar", "tide", "--json"),
        place.lsm("remote", "search", "searx", "tide", "--json"),
        place.lsm("remote", "search", "searx", "again"),  # refused
        place.lsm("remote", "search", "page", f"https://me:{SECRET}@example.org/x"),  # refused
        place.lsm("ask", "when does the tide come in", "--json"),  # nobody listens there
        place.lsm("agent", "run", "researcher", "--param", "question=tide"),
        place.lsm("schedule", "add", "curator", "--every", "1h"),
        place.lsm("cache", "list", "--json"),
        place.lsm("status", "--json"),
        place.lsm("doctor", "--json"),
        place.lsm("db", "backup", "copy.db"),
        place.lsm("export", "exported"),
        place.lsm("stats", "--json"),
    ]

    sent = b"".join(request.head.encode("latin-1") for request in replay.requests)
    assert SECRET.encode() in sent  # the keys were in use
    assert statuses.count(0) >= 11
    assert place.leaks == []
    assert place.written() == []


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_password_of_a_database_that_is_not_there_is_not_said(place: Place, address: str) -> None:
    for words in (("status",), ("db", "info", "--json"), ("doctor",), ("memory", "add", "x")):
        assert place.lsm(*words, database=address) != 0
    assert place.lsm("migrate", "database", "--to", address, "--apply") != 0

    assert place.leaks == []
    assert place.written() == []


def test_a_password_of_a_database_in_use_is_not_said(place: Place, postgres_url: str) -> None:
    address = postgres_url.replace("postgres@", f"postgres:{SECRET}@")
    assert SECRET in address

    for words in (
        ("ingest", "notes"),
        ("memory", "add", "The tide comes in"),
        ("status", "--json"),
        ("status",),
        ("db", "info"),
        ("db", "backup", "copy.db"),
        ("db", "restore", "copy.db"),
        ("db", "digest", "--json"),
        ("doctor",),
        ("export", "exported"),
    ):
        place.lsm(*words, database=address)
    place.lsm("status")
    assert place.lsm("migrate", "database", "--to", address) in (0, 1)

    assert place.leaks == []
    assert place.written() == []


@pytest.mark.parametrize("text", WRONG_SETTINGS)
def test_a_secret_in_a_wrong_setting_is_not_repeated(place: Place, text: str) -> None:
    place.configure(text)

    for words in (("status",), ("search", "tide"), ("ask", "tide"), ("remote", "list")):
        place.lsm(*words)
    place.lsm("remote", "search", "x", "tide")

    assert place.leaks == []
    assert place.written() == []


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_what_a_home_holds_is_its_owners_alone(place: Place, replay: Replay) -> None:
    replay.says("api.openalex.org", said(formats.OPENALEX))
    before = os.umask(0)
    try:
        (place.home / "lsm.toml").unlink()
        place.home.rmdir()
        place.lsm("init", "--root", "notes")
        place.lsm("ingest")
        place.lsm("memory", "add", "The tide comes in")
        place.lsm("db", "backup", "copy.db")
        place.lsm("export", "exported")
        place.lsm("memory", "export", "memories.jsonl")
        place.lsm("schedule", "start", "--once")
    finally:
        os.umask(before)

    ours = {name: path for name, path in files_below(place.folder) if not name.startswith("notes")}
    assert {"home/lsm.db", "home/lsm.toml", "copy.db", "memories.jsonl"} <= set(ours)
    folders = {place.home, *(path.parent for path in ours.values())} - {place.folder}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}
    open_to_others = {n for n, path in ours.items() if stat.S_IMODE(path.stat().st_mode) & 0o077}
    assert open_to_others == set()


def files_below(folder: Path) -> list[tuple[str, Path]]:
    """Every file, under a second name: nobody but the driver opens a database by its own."""
    found: list[tuple[str, Path]] = []
    looked = folder / ".looked-at"
    looked.mkdir(mode=0o700, exist_ok=True)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and looked not in path.parents:
            name = str(path.relative_to(folder))
            other = looked / name.replace("/", "+").replace("lsm.db", "the.db")
            other.unlink(missing_ok=True)
            os.link(path, other)
            found.append((name, path if "lsm.db" not in name else other))
    return found
