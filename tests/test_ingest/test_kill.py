"""``kill -9`` in the middle of ingest: no half document, and the next run completes."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")


@pytest.mark.parametrize("seed", [1, 2])
def test_thirty_two_kills_leave_no_half_document(
    sqlite_url: str, tmp_path: Path, seed: int
) -> None:
    told = killed_again_and_again(sqlite_url, tmp_path, seed, kills=32)

    assert told["problems"] == []
    assert told["killed"] == 32
    assert told["versions"] > 5  # something was written between the kills
    assert told["end"] == completed(told)


def test_kills_leave_no_half_document_on_postgres(postgres_url: str, tmp_path: Path) -> None:
    told = killed_again_and_again(postgres_url, tmp_path, seed=3, kills=8)

    assert told["problems"] == []
    assert told["killed"] == 8
    assert told["end"] == completed(told)


@pytest.mark.long
def test_a_thousand_kills_leave_no_half_document(sqlite_url: str, tmp_path: Path) -> None:
    told = killed_again_and_again(sqlite_url, tmp_path, seed=4, kills=1000)

    assert told["problems"] == []
    assert told["end"] == completed(told)


def killed_again_and_again(url: str, folder: Path, seed: int, kills: int) -> dict[str, Any]:
    done = subprocess.run(
        [
            sys.executable,
            *("-m", "tests.test_ingest.kill_child"),
            *(url, str(folder / "notes"), str(seed), str(kills)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr, done.stderr
    return json.loads(done.stdout)


def completed(told: dict[str, Any]) -> dict[str, Any]:
    """How it must end: everything is in, once, and as if nobody had ever been killed."""
    files = told["end"]["files"]
    return {
        "errors": [],
        "nothing_left": True,
        "files": files,
        "documents": files,
        "same_as_fresh": True,
    }
