"""The `lsm` command: reads options, calls one method, prints one thing."""

from __future__ import annotations

import io
import os
import sys
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any

import click

import lsm
from lsm.cli.nearest import NearestGroup
from lsm.cli.options import folders
from lsm.errors import LsmError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from lsm.app import Mind


# Where each command is and what it is for. Here, so that `lsm --help` imports none of them; a
# test holds the words against the commands' own.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "agent": ("agents", "agent", "Agents: what they do, running one, and the report it left."),
    "ask": (
        "library",
        "ask",
        "Answer QUESTION from the documents, every statement quoted and cited.",
    ),
    "cache": (
        "remote",
        "cache",
        "Answers of remote sources: kept, served while fresh, cleared away.",
    ),
    "completion": (
        "completion",
        "completion",
        "Print what teaches SHELL (bash, zsh or fish) to complete commands and options.",
    ),
    "db": ("db", "db", "The database itself: backups, old versions, room on the disk."),
    "doctor": (
        "doctor",
        "doctor",
        "Look everything over, and say what to do about what is wrong.",
    ),
    "eval": ("eval", "eval_", "Measure how well search finds, and compare it with before."),
    "export": (
        "export",
        "export",
        "Write everything to the new folder DIR as Markdown and JSON Lines.",
    ),
    "ingest": ("library", "ingest", "Read what is new or changed, and take out what is gone."),
    "init": (
        "library",
        "init",
        "Make a home: its lsm.toml, never overwriting one, and its database.",
    ),
    "mcp": ("mcp", "mcp", "The MCP server for assistants, over standard input and output."),
    "memory": (
        "memory",
        "memory",
        "What agents and people remember.",
    ),
    "migrate": (
        "migrate",
        "migrate",
        "Move in from a predecessor, and from one engine to another.",
    ),
    "remote": ("remote", "remote", "Sources elsewhere. None is asked before lsm.toml enables it."),
    "schedule": ("schedule", "schedule", "When agents run."),
    "search": ("library", "search", "Find passages by their words and by their meaning."),
    "selftest": (
        "selftest",
        "selftest",
        "Kill and cut the power, on your own disk, and see that nothing is lost.",
    ),
    "serve": (
        "serve",
        "serve",
        "Search, review and watch in a browser; API and MCP for programs.",
    ),
    "show": ("library", "show", "Print a document, or a chunk by its number, as stored."),
    "stats": (
        "stats",
        "stats",
        "What the library is made of: by type, folder and tag, its growth, largest and newest.",
    ),
    "status": ("library", "status", "Everything in a few numbers."),
    "try": ("library", "try_", "A tour on a bundled sample library, in a temporary home."),
}


class Settings:
    """The options before the command."""

    def __init__(self, home: str | None, database: str | None) -> None:
        self.home = home
        self.database = database

    def open(self) -> Mind:
        """The mind they name."""
        from lsm.app import Mind

        return Mind(self.home, self.database)


class Cli(NearestGroup):
    """Every LsmError becomes one line on stderr and its own exit status."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        return sorted(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name, _ = COMMANDS[cmd_name]
        return getattr(import_module(f"lsm.cli.{module}"), name)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        # From the table: click would import every command to ask it what it is for.
        from click.shell_completion import CompletionItem

        names = [
            CompletionItem(name, help=text)
            for name, (_, _, text) in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's
        formatter: click.HelpFormatter,
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])

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


@click.group(
    cls=Cli,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Begin with: lsm ingest ~/notes, then: lsm search 'what you are looking for'",
)
@click.option(
    "--home",
    metavar="DIR",
    help="Folder of lsm.toml and lsm.db [LSM_HOME].",
    shell_complete=folders,
)
@click.option("--database", metavar="URL", help="postgresql://..., sqlite:///path, or a path.")
@click.version_option(lsm.__version__, prog_name="lsm")
@click.pass_context
def cli(ctx: click.Context, home: str | None, database: str | None) -> None:
    """Your documents, your agents' memory and their schedules in one database file.

    Results go to standard output, everything else to standard error. Exit status: 0 done,
    1 refused or failed, 2 wrong usage or configuration, 3 done, but some files could not be read.
    """
    ctx.obj = Settings(home, database)
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        ctx.color = False  # elsewhere click colours a terminal and nothing else


def main() -> None:
    """The installed command."""
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


def _told(error: click.UsageError) -> str:
    """What is wrong, and the one name that comes nearest."""
    if isinstance(error, click.NoSuchOption) and error.possibilities:
        return f"{error.message.removesuffix('.')}; did you mean '{error.possibilities[0]}'?"
    return " ".join(error.format_message().split())


def _in_one_line(error: click.UsageError) -> click.ClickException:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error  # its message is the help
    place = error.ctx.command_path if error.ctx else "lsm"
    if isinstance(error, click.NoSuchOption) and error.option_name in ("--home", "--database"):
        rest = place.removeprefix("lsm ")
        return _WrongUsage(f"write {error.option_name} before the command: lsm ... {rest}")
    message = _told(error).removesuffix(".")
    return _WrongUsage(f"{message}{'' if message.endswith('?') else ';'} see {place} --help")
