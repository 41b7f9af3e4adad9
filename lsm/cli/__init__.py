"""The `lsm` command: reads options, calls one method, prints one thing."""

from __future__ import annotations

import io
import os
import sys
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

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
        except click.UsageError as error:
            raise _in_one_line(error) from error
        except LsmError as error:
            click.echo(f"lsm: {_one_line(error)}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("lsm: stopped", err=True)
            ctx.exit(130)
        except BrokenPipeError:
            # Whoever read our output has seen enough.
            _close_output()
            ctx.exit(0)
        except OSError as error:
            _close_output()
            # Only the current folder is looked for without a name, and only output written.
            gone = isinstance(error, FileNotFoundError)
            place = error.filename or ("the current folder" if gone else "standard output")
            click.echo(f"lsm: {place}: {error.strerror}", err=True)
            ctx.exit(1)

    def make_context(
        self, info_name: str | None, args: list[str], *rest: Any, **extra: Any
    ) -> click.Context:
        try:
            return super().make_context(info_name, args, *rest, **extra)
        except click.UsageError as error:
            raise _in_one_line(error) from error

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
    from lsm.cli.schedule import agent, schedule

    library.register(cli)
    for group in (memory, agent, schedule):
        cli.add_command(group)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal cannot show must not end a search.
            stream.reconfigure(errors="backslashreplace")
    cli.main(prog_name="lsm")


def _close_output() -> None:
    # What is still buffered goes nowhere, or Python would complain while flushing.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _one_line(error: LsmError) -> str:
    return " ".join(str(error).split())


class _WrongUsage(click.ClickException):
    """Wrong usage in one line; click prints three more."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"lsm: {self.message}", file=file, err=True)


def _in_one_line(error: click.UsageError) -> click.ClickException:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error  # its message is the help
    place = error.ctx.command_path if error.ctx else "lsm"
    if isinstance(error, click.NoSuchOption) and error.option_name in ("--home", "--database"):
        rest = place.removeprefix("lsm ")
        return _WrongUsage(f"write {error.option_name} before the command: lsm ... {rest}")
    message = " ".join(error.format_message().split()).removesuffix(".")
    return _WrongUsage(f"{message}{'' if message.endswith('?') else ';'} see {place} --help")


def _with_nearest(error: click.UsageError, typed: str, names: list[str]) -> click.UsageError:
    from difflib import get_close_matches

    near = get_close_matches(typed, names, n=1)
    hint = f" did you mean '{near[0]}'?" if near else ""
    return click.UsageError(
        f"{error.message.removesuffix('.')};{hint}" if hint else error.message, error.ctx
    )
