"""Help is the documentation: one screen, with examples, and instant."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lsm.cli import doctor, library

if TYPE_CHECKING:
    from tests.test_cli.command import Place

COMMANDS = ("init", "ingest", "search", "ask", "show", "status", "doctor", "try")
_SCREEN = 40  # lines
HEAVY = {
    "numpy", "apsw", "psycopg", "tokenizers", "safetensors", "rich", "lxml", "openpyxl", "docx",
    "pptx", "pypdfium2", "yaml", "selectolax", "watchfiles", "tomlkit", "multiprocessing",
    "asyncio", "httpx", "email", "sqlite3", "platformdirs",
}  # fmt: skip


def test_help_lists_every_command_and_says_how_to_begin(place: Place) -> None:
    told = place.lsm("--help")

    assert (told.code, told.err) == (0, "")
    assert all(f"\n  {name} " in told.text for name in COMMANDS)
    assert "lsm ingest ~/notes" in told.text
    assert not place.home.exists()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_s_help_fits_a_screen(name: str) -> None:
    from click import Context

    known = vars(library) | vars(doctor)
    command = next(c for c in known.values() if getattr(c, "name", None) == name)

    told = command.get_help(Context(command, info_name=name, max_content_width=100))

    assert told.count("\n") < _SCREEN
    for option in command.params:
        if option.param_type_name == "option":
            assert option.help, option.name


@pytest.mark.parametrize("name", ["init", "ingest", "search", "ask", "show"])
def test_a_command_s_help_has_an_example(name: str) -> None:
    command = next(c for c in vars(library).values() if getattr(c, "name", None) == name)

    assert f"\n    lsm {name} " in command.callback.__doc__


def test_help_loads_nothing_heavy() -> None:
    assert loaded_by(["--help"]) & (HEAVY | {"msgspec"}) == set()


def test_a_search_loads_only_what_searching_needs(sample: Place) -> None:
    loaded = loaded_by(["--home", str(sample.home), "search", "kiln"])

    needed = {"numpy", "apsw", "tokenizers"}
    assert loaded & HEAVY == needed


def loaded_by(arguments: list[str]) -> set[str]:
    """The packages that are loaded once the command has run."""
    code = (
        "import sys\n"
        "from lsm.cli import main\n"
        f"sys.argv = ['lsm', *{arguments!r}]\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end\n"
        "print('loaded', *{name.split('.')[0] for name in sys.modules})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])
