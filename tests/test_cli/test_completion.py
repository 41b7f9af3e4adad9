"""Completion: every shell's script, at the speed of a key press."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lsm.cli import COMMANDS
from lsm.cli.completion import SHELLS, VARIABLE
from tests.test_cli.command import LSM
from tests.test_cli.test_help import HEAVY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.test_cli.command import Place


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_one_that_the_shell_takes(place: Place, shell: str) -> None:
    script = place.lsm("completion", shell)

    assert (script.code, script.err) == (0, "")
    assert VARIABLE in script.text
    if shutil.which(shell):
        assert subprocess.run([shell, "-n"], input=script.out, check=False).returncode == 0


def test_another_shell_is_refused(place: Place) -> None:
    told = place.lsm("completion", "tcsh")

    assert told.code == 2
    assert "'bash', 'zsh', 'fish'" in told.err


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("lsm me", {"memory"}),
        ("lsm ", set(COMMANDS)),
        ("lsm memory ex", {"expire", "export"}),
        ("lsm search keys --mo", {"--mode"}),
        ("lsm search keys --mode ", {"hybrid", "text", "vector"}),
        ("lsm --home there schedule add digest --catch-up ", {"latest", "skip", "all"}),
        ("lsm mcp install claude", {"claude-code", "claude-desktop"}),
    ],
)
def test_what_may_follow_is_offered(place: Place, typed: str, offered: set[str]) -> None:
    told = place.lsm(**asked("bash", typed))

    assert {line.removeprefix("plain,") for line in told.text.split()} == offered
    assert not place.home.exists()


@pytest.mark.parametrize("typed", ["lsm ingest no", "lsm show no", "lsm db backup no"])
def test_names_of_files_are_left_to_the_shell(place: Place, typed: str) -> None:
    told = place.lsm(**asked("bash", typed))

    assert told.text.strip() == "file,no"


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_itself_completes(tmp_path: Path) -> None:
    script = (
        f'PATH="{LSM.parent}:$PATH"; source <(lsm completion bash); '
        'COMP_WORDS=(lsm memory ad); COMP_CWORD=2; _lsm_completion lsm; echo "${COMPREPLY[@]}"'
    )

    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["add"]


@pytest.mark.parametrize("typed", ["lsm se", "lsm memory a", "lsm search x --", "lsm serve --"])
def test_completing_loads_nothing_heavy(typed: str) -> None:
    code = (
        "import sys, os\n"
        f"os.environ |= {asked('bash', typed)!r}\n"
        "sys.argv = ['lsm']\n"
        "from lsm.cli import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit:\n"
        "    print('loaded', *{name.split('.')[0] for name in sys.modules})\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    loaded = set(done.stdout.splitlines()[-1].split()[1:])
    assert loaded & (HEAVY | {"msgspec", "mcp", "starlette", "uvicorn"}) == set()


def asked(shell: str, typed: str) -> dict[str, str]:
    """What the shell's script tells of a line that ends at the cursor."""
    words = typed.split(" ")
    return {
        VARIABLE: f"{shell}_complete",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(words) - 1),
    }
