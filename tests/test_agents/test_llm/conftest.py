"""A mind with two documents, a model that the test writes, and remote sources that are played."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

import lsm
from lsm.keeping import readers
from lsm.remote.sources import RemoteSources
from tests.test_agents.model_server import ModelServer, Say, model_server, steps
from tests.test_providers.replay import Replay, replaying

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from lsm.agents.rows import RunRow
    from lsm.app import Mind

WORD = "tangerine-4471"  # stands in the library; must never leave this machine
CONFIG = """
[llm]
model = "openai:scripted"
base_url = "{url}"
retries = 0
timeout_s = 5.0

[remote.providers.searx]
kind = "json"
enabled = true
url = "https://search.example.org/?q={{searchTerms}}&format=json"

[remote.providers.page]
enabled = true
{more}
"""


@dataclass
class Time:
    """A clock that is set by hand."""

    now: datetime = field(default_factory=lambda: datetime(2026, 3, 1, 12, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **amount: float) -> None:
        self.now += timedelta(**amount)


@dataclass
class Desk:
    """A mind, and everything around it that a test wants to reach."""

    mind: Mind
    server: ModelServer
    replay: Replay
    clock: Time
    folder: Path
    notes: Path

    def agent(self, name: str = "scout", tools: str = "[search, propose]", **front: str) -> None:
        """Write an agent of the user's."""
        agents = self.folder / "home" / "agents"
        agents.mkdir(exist_ok=True)
        lines = [f"{key}: {value}" for key, value in front.items()]
        text = "\n".join(
            ["---", "description: tries things", f"tools: {tools}", *lines, "---", "Look around."]
        )
        (agents / f"{name}.md").write_text(text)

    def run(self, name: str = "scout", allow: tuple[str, ...] = (), **params: Any) -> RunRow:
        """Run an agent by hand."""
        return self.mind.agency.run_agent(name, params, allow)

    def result(self, run: RunRow) -> dict[str, Any]:
        """What the run's row keeps as its result."""
        assert run.result_json is not None, run.error
        return msgspec.json.decode(run.result_json)

    def candidates(self) -> list[str]:
        return [each.memory.text for each in self.mind.memories.candidates()]

    def memories(self) -> list[str]:
        return [each.text for each in self.mind.memories.list()]

    def sent(self) -> list[str]:
        """All that has left for remote sources, as it stood on the wire."""
        return [request.head for request in self.replay.requests]

    def answers(self, *results: dict[str, str]) -> None:
        """What the played search engine says from now on."""
        from tests.test_providers.replay import Reply

        self.replay.says("search.example.org", Reply({"results": list(results)}))


@pytest.fixture
def more_config() -> str:
    """More lines of lsm.toml; a test module sets its own."""
    return ""


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two documents, and a database that holds them."""
    folder = tmp_path_factory.mktemp("library")
    notes = folder / "notes"
    notes.mkdir()
    (notes / "keys.md").write_text(f"# Keys\n\nWe rotate keys every 90 days. It is {WORD}.\n")
    (notes / "kiln.md").write_text("# Kiln\n\nThe kiln is fired on Fridays.\n")
    with lsm.open(str(folder / "home"), database=str(folder / "made.db")) as mind:
        mind.ingest(str(notes))
    return folder


@pytest.fixture
def desk(library: Path, tmp_path: Path, more_config: str) -> Iterator[Desk]:
    """On SQLite."""
    (tmp_path / "home").mkdir(mode=0o700)
    shutil.copyfile(library / "made.db", tmp_path / "home" / "copy.db")
    (tmp_path / "home" / "copy.db").rename(tmp_path / "home" / "lsm.db")
    with desk_at(tmp_path, library, more_config, str(tmp_path / "home" / "lsm.db")) as made:
        yield made


@pytest.fixture(params=["sqlite", "postgres"])
def either(request: pytest.FixtureRequest, library: Path, tmp_path: Path, more_config: str) -> Desk:
    """On each engine: for what is about state."""
    if request.param == "sqlite":
        return request.getfixturevalue("desk")
    return request.getfixturevalue("postgres_desk")


@pytest.fixture
def postgres_desk(
    library: Path, tmp_path: Path, more_config: str, postgres_url: str
) -> Iterator[Desk]:
    """On PostgreSQL."""
    (tmp_path / "home").mkdir(mode=0o700)
    with desk_at(tmp_path, library, more_config, postgres_url) as made:
        made.mind.ingest(str(library / "notes"))
        yield made


@contextmanager
def desk_at(folder: Path, library: Path, more: str, url: str) -> Generator[Desk]:
    """A mind in *folder* with its database at *url*."""
    clock = Time()
    with replaying() as replay, model_server(steps(Say("nothing"))) as server:
        (folder / "home" / "lsm.toml").write_text(CONFIG.format(url=server.url, more=more))
        with lsm.open(str(folder / "home"), database=url) as mind:
            mind.clock = clock
            mind.remote = RemoteSources(
                mind.config.remote, mind.db, readers(), replay.network(), clock
            )
            yield Desk(mind, server, replay, clock, folder, library / "notes")
