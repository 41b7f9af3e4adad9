"""Points where a process may be told to die: each is reached, and survived, by a command."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lsm import failpoints
from lsm.errors import ConfigError
from lsm.failpoints import POINTS, FailpointError, arm, reach
from tests.faults.armed import OF_FILES, TRIALS
from tests.test_cli.command import LSM
from tests.test_providers.remote import formats
from tests.test_providers.remote.formats import said
from tests.test_providers.replay import replaying

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@pytest.fixture
def disarmed() -> Iterator[None]:
    yield
    arm("")


def test_the_list_of_points_is_that_of_the_code() -> None:
    named = {
        argument.value
        for path in (ROOT / "lsm").rglob("*.py")
        for argument in first_arguments(ast.parse(path.read_text("utf-8")))
    }

    assert named == POINTS


def test_there_is_a_command_for_every_point() -> None:
    assert set(TRIALS) == POINTS


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_command_that_dies_at_any_point_leaves_all_whole_and_can_be_run_again(
    tmp_path: Path,
) -> None:
    assert died_at_each(tmp_path, "", sorted(POINTS)) == {}


@pytest.mark.long
def test_it_is_no_different_on_a_server(tmp_path: Path, postgres_url: str) -> None:
    points = [point for point in POINTS if not point.startswith(OF_FILES)]

    assert died_at_each(tmp_path, postgres_url, points) == {}


def test_the_variable_arms_the_installed_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [LSM, "--home", tmp_path / "home", "init"],
        env=os.environ | {failpoints.VARIABLE: "db.before_commit:fail"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (1, "lsm: failpoint db.before_commit\n")


@pytest.mark.usefixtures("disarmed")
def test_a_point_fails_at_the_visit_that_was_named_and_at_no_other() -> None:
    arm("db.before_commit:fail@2,db.after_commit:wait=0")
    reach("db.before_commit")

    with pytest.raises(FailpointError):
        reach("db.before_commit")

    reach("db.before_commit")
    reach("db.after_commit")


@pytest.mark.parametrize(
    "text", ["nowhere:kill", "db.before_commit", "db.before_commit:burn", "db.before_commit:fail@x"]
)
def test_an_order_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="LSM_FAILPOINT"):
        arm(text)


def died_at_each(
    folder: Path, database: str, points: list[str], visit: int = 0
) -> dict[str, list[str]]:
    """What was wrong at which points; *visit* is the one to die at, if not the usual."""
    with replaying() as server:
        server.says("export.arxiv.org", said(formats.ARXIV))
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tests.faults.armed"),
                *(str(server.port), str(folder), database, str(visit), *points),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def first_arguments(tree: ast.Module) -> Iterator[ast.Constant]:
    """Of every call of `reach` and of every hook called ``reached``."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if name in ("reach", "reached") and isinstance(node.args[0], ast.Constant):
            yield node.args[0]
