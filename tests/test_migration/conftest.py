"""A mind of each engine, and an old home to bring into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lsm.app import Mind
from tests.test_migration.old_home import OldHome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def old(tmp_path: Path) -> OldHome:
    """A home of the predecessor, with nothing in it yet."""
    root = tmp_path / "Local Second Mind"
    root.mkdir()
    return OldHome(root)


@pytest.fixture
def mind(database_url: str, tmp_path: Path) -> Iterator[Mind]:
    """An empty mind of each engine."""
    with Mind(str(tmp_path / "home"), database_url) as opened:
        yield opened


@pytest.fixture
def sqlite_mind(sqlite_url: str, tmp_path: Path) -> Iterator[Mind]:
    """An empty mind, for what does not depend on the engine."""
    with Mind(str(tmp_path / "home"), sqlite_url) as opened:
        yield opened
