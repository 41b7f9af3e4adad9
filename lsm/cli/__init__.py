"""The `lsm` command: reads options, calls one method, prints one thing."""

from __future__ import annotations

import io
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

import lsm
from lsm.errors import LsmError

if TYPE_CHECKING:
    from lsm.app import Mind


@dataclass(frozen=True)
class Settings:
    """The options before the command."""

    home: str | None
    database: str | None

    def open(self) -> Mind:
        """The mind they name."""
        from lsm.app import Mind

        return Mind(self.home, self.database)


class Cli(click.Group):
    """Every LsmError becomes one line on stderr and its own exit status."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except LsmError as error:
            click.echo(f"lsm: {_one_line(error)}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("lsm: stopped", err=True)
            ctx.exit(130)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            raise _with_nearest(error, args[0], self.list_commands(ctx)) from error


@click.group(
    cls=Cli,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Begin with: lsm ingest ~/notes, then: lsm search 'what you are looking for'",
)
@click.option("--home", metavar="DIR", help="Folder of lsm.toml and lsm.db [LSM_HOME].")
@click.option("--database", metavar="URL", help="postgresql://..., sqlite:///path, or a path.")
@click.version_option(lsm.__version__, prog_name="lsm")
@click.pass_context
def cli(ctx: click.Context, home: str | None, database: str | None) -> None:
    """Your documents, your agents' memory and their schedules in one database file.

    Results go to standard output, everything else to standard error. Exit status: 0 done,
    1 refused or failed, 2 wrong usage or configuration, 3 done, but some files could not be read.
    """
    ctx.obj = Settings(home, database)


def main() -> None:
    """The installed command."""
    from lsm.cli import library
    from lsm.cli.memory import memory

    library.register(cli)
    cli.add_command(memory)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal cannot show must not end a search.
            stream.reconfigure(errors="backslashreplace")
    try:
        cli.main(prog_name="lsm")
    except BrokenPipeError:
        # Whoever read our output has seen enough. Python would complain while flushing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)


def _one_line(error: LsmError) -> str:
    return " ".join(str(error).split())


def _with_nearest(error: click.UsageError, typed: str, names: list[str]) -> click.UsageError:
    from difflib import get_close_matches

    near = get_close_matches(typed, names, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return click.UsageError(f"{error.message}{hint}", error.ctx)
