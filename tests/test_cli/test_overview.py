"""`lsm --help` lists the commands from a table, so that it need not import them."""

from __future__ import annotations

import click
import pytest

from lsm.cli import COMMANDS, cli


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_overview_says_what_the_command_says_of_itself(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)

    assert command is not None
    assert command.help is not None
    own = " ".join(command.help.split())
    assert own.startswith(COMMANDS[name][2].removesuffix("."))


def test_a_mistyped_command_of_a_group_is_answered_with_the_nearest() -> None:
    from click.testing import CliRunner

    done = CliRunner().invoke(cli, ["memory", "serch", "x"])

    assert done.exit_code == 2
    assert "did you mean 'search'?" in done.output
    assert len(done.output.splitlines()) == 1
