"""One furnished home for all that only look; a small one of their own for those who change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lsm.app import Mind
from tests.test_web.browser import Browser, Server
from tests.test_web.stage import furnish

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with something of everything in it. Look, and change nothing."""
    return furnish(tmp_path_factory.mktemp("furnished"))


@pytest.fixture(scope="session")
def looking(furnished: Path) -> Iterator[Server]:
    """A server for `furnished`."""
    with Mind(str(furnished)) as mind, Server(mind) as server:
        yield server


@pytest.fixture
def page(looking: Server) -> Browser:
    """Somebody who was let in to `looking`."""
    return looking.browser()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server for a home that holds two documents and can be changed."""
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "keys.md").write_text("# Keys\n\nWe rotate keys every 90 days.\n", "utf-8")
    (notes / "kiln.txt").write_text("The kiln is fired on Fridays.\n", "utf-8")
    with Mind(str(tmp_path / "home")) as mind:
        mind.ingest(str(notes))
        with Server(mind) as made:
            yield made


@pytest.fixture
def own(server: Server) -> Browser:
    """Somebody who was let in to `server`."""
    return server.browser()
