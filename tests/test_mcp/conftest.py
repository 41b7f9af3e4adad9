"""A small library that an assistant may ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lsm.app import Mind
from lsm.config.models.remote import ProviderConfig, RemoteConfig
from lsm.keeping import readers
from lsm.remote.sources import RemoteSources
from tests.test_providers.replay import Replay, replaying

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEYS = "# Keys\n\nWe rotate keys every 90 days.\n\n## Who\n\nAda rotates them.\n"


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    return written(tmp_path)


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mind]:
    """The same, for tests that change nothing."""
    folder = tmp_path_factory.mktemp("reading")
    with Mind(str(folder / "home")) as opened:
        opened.ingest(str(written(folder)))
        yield opened


@pytest.fixture
def mind(tmp_path: Path, documents: Path) -> Iterator[Mind]:
    with Mind(str(tmp_path / "home")) as opened:
        opened.ingest(str(documents))
        yield opened


@pytest.fixture
def replay() -> Iterator[Replay]:
    with replaying() as server:
        yield server


@pytest.fixture
def asking_elsewhere(mind: Mind, replay: Replay) -> Mind:
    """The mind, with two sources enabled that lead to `replay`."""
    url = "https://search.example.org/?q={searchTerms}&format=json"
    searx = ProviderConfig(enabled=True, kind="json", url=url)
    config = RemoteConfig(providers={"searx": searx, "page": ProviderConfig(enabled=True)})
    sources = RemoteSources(config, mind.db, readers(), replay.network(), mind.clock)
    mind.__dict__["remote"] = sources  # as if the settings said so
    return mind


def written(folder: Path) -> Path:
    """Two documents below *folder*."""
    notes = folder / "notes"
    notes.mkdir()
    (notes / "keys.md").write_text(KEYS)
    (notes / "kiln.txt").write_text("The kiln is fired on Fridays.\n")
    return notes
