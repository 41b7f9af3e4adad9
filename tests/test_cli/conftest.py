"""One ingested sample library for all that only read it; an empty place for the others."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from lsm.sample import library_path
from tests.test_cli.command import Place

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The sample library, ingested once. Look, and change nothing."""
    folder = tmp_path_factory.mktemp("sample")
    place = Place(folder, folder / "home", folder / "library")
    shutil.copytree(library_path(), place.documents)
    assert place.lsm("ingest", "library").code == 0
    return place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A home that is not made yet, and two documents."""
    made = Place(tmp_path, tmp_path / "home", tmp_path / "notes")
    made.write("keys.md", "# Keys\n\nWe rotate keys every 90 days.\n")
    made.write("studio/kiln.txt", "The kiln is fired on Fridays.\n")
    return made
