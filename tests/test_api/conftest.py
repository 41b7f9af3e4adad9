"""The API of a small library, behind nothing: who may call is another module's business."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from lsm.app import Mind
from lsm.web.api import PREFIX, Runner, routes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lsm.ingest.report import IngestReport


class GatedMind(Mind):
    """A mind whose ingests begin when they are let."""

    def __init__(self, home: str, database: str | None = None) -> None:
        super().__init__(home, database)
        self.gate = threading.Event()
        self.gate.set()

    def ingest(self, *paths: str, **options: Any) -> IngestReport:
        assert self.gate.wait(20)
        return super().ingest(*paths, **options)


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    return written(tmp_path)


@pytest.fixture(params=["sqlite"])
def mind(request: pytest.FixtureRequest, tmp_path: Path, documents: Path) -> Iterator[GatedMind]:
    """On the engine that a test names; what lies below is tested on both of them."""
    url = request.getfixturevalue(f"{request.param}_url")
    with GatedMind(str(tmp_path / "h"), url) as opened:
        opened.ingest(str(documents))
        yield opened


@pytest.fixture
def api(mind: GatedMind) -> Iterator[TestClient]:
    runner = Runner(mind)
    with client(mind, runner) as opened:
        yield opened
    mind.gate.set()
    runner.close()


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The same on one engine, for tests that change nothing."""
    folder = tmp_path_factory.mktemp("reading")
    with Mind(str(folder / "home")) as opened:
        opened.ingest(str(written(folder)))
        with client(opened) as calling:
            yield calling


def client(mind: Mind, runner: Runner | None = None) -> TestClient:
    """Who calls the API of *mind*."""
    return TestClient(
        Starlette(routes=routes(mind, runner)),
        base_url=f"http://127.0.0.1{PREFIX}/",
        raise_server_exceptions=False,
    )


def written(folder: Path) -> Path:
    """Two documents below *folder*."""
    notes = folder / "notes"
    notes.mkdir()
    (notes / "keys.md").write_text("# Keys\n\nWe rotate keys every 90 days.\n")
    (notes / "kiln.txt").write_text("The kiln is fired on Fridays.\n")
    return notes
