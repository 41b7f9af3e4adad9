"""`lsm completion`: commands and options at the press of the tabulator."""

from __future__ import annotations

import click

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_LSM_COMPLETE"  # what click looks for when the shell asks


@click.command()
@click.argument("shell", type=click.Choice(SHELLS), metavar="SHELL")
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what teaches SHELL (bash, zsh or fish) to complete commands and options.

    \b
    lsm completion bash > ~/.local/share/bash-completion/completions/lsm
    lsm completion zsh > ~/.zfunc/_lsm        with ~/.zfunc in $fpath, before compinit
    lsm completion fish > ~/.config/fish/completions/lsm.fish
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - click has had these three since 8.0
    script = found(ctx.find_root().command, {}, "lsm", VARIABLE).source()
    click.echo(script.strip("\n"))
