"""`lsm migrate database`: the whole mind into another database."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from lsm.cli import output
from lsm.cli.options import as_json
from lsm.errors import InvalidError

if TYPE_CHECKING:
    from lsm.cli import Settings
    from lsm.migration.database.report import MoveReport

_SHOWN = 20  # problems


@click.command()
@click.option(
    "--to", "url", required=True, metavar="URL", help="postgresql://..., sqlite:///path, or a path."
)
@click.option("--apply", is_flag=True, help="Do it. Without it, say what would be done.")
@click.option("--switch", is_flag=True, help="Name the new database in lsm.toml when it is done.")
@click.option("--restart", is_flag=True, help="Throw away what an interrupted move has left there.")
@as_json
@click.pass_obj
def database(settings: Settings, url: str, as_json: bool, **options: bool) -> None:
    """Move everything into another database: SQLite to PostgreSQL, and back.

    The source is only read, and stays as it is. The target must be empty. Stop it at any moment:
    run again, it goes on; until it is done, the target opens for nothing else. It is done when
    both sides have been read and hold the same.

    \b
    lsm migrate database --to postgresql://me@db.example.org/mind
    lsm migrate database --to postgresql://me@db.example.org/mind --apply --switch
    lsm --database postgresql://me@db.example.org/mind migrate database --to ~/mind.db --apply
    """
    from lsm.cli.progress import progress_bar
    from lsm.config import config_path
    from lsm.config.edit import check_url, set_database
    from lsm.migration.database.moving import Move

    _check(url, options)
    if options["switch"]:
        check_url(url)
    with settings.open() as mind, progress_bar() as on_progress:
        move = Move(mind.db, url, mind.clock, on_progress)
        report = move.apply(restart=options["restart"]) if options["apply"] else move.plan()
        config = config_path(mind.home)
    switched = options["switch"] and report.verified and not report.problems
    if switched:
        set_database(config, report.target)
    if as_json:
        output.print_json(report)
    else:
        _tell(report)
        if report.verified and not report.dry_run:
            _tell_what_next(config, report.target, switched=switched)
    for problem in report.problems[:_SHOWN]:
        place = f"{problem.kind} {problem.key}".rstrip()
        click.echo(f"lsm: {output.clean(place)}: {output.clean(problem.reason)}", err=True)
    if len(report.problems) > _SHOWN:
        click.echo(f"lsm: and {len(report.problems) - _SHOWN} more; --json has them", err=True)
    sys.exit(_exit_code(report))


def _check(url: str, options: dict[str, bool]) -> None:
    if not url.strip():
        raise InvalidError("--to", "name a database: postgresql://HOST/NAME, or the path of a file")
    for name in ("switch", "restart"):
        if options[name] and not options["apply"]:
            raise InvalidError(f"--{name}", "goes together with --apply")


def _exit_code(report: MoveReport) -> int:
    if report.problems:
        # Verified, but somebody has gone on writing to the source.
        return 3 if report.verified else 1
    return 0


def _tell(report: MoveReport) -> None:
    about = f"  ({report.about})" if report.about else ""
    click.echo(f"from  {output.short(report.source)}")
    click.echo(f"to    {output.short(report.target)}{about}")
    kinds = {name: kind for name, kind in report.kinds.items() if kind.source}
    for name, kind in kinds.items():
        told = "  (true of one place only: not moved)" if kind.skipped else ""
        click.echo(f"  {name:<30} {kind.source:>12,}{told}")
    tables = sum(1 for kind in kinds.values() if kind.imported)
    rows = f"{report.rows:,} rows of {tables} tables"
    if report.resumed:
        rows += f", {report.resumed:,} of them by an earlier run"
    if report.verified and not report.rows:
        click.echo("everything is there already, and equal")
    elif report.verified:
        click.echo(f"moved: {rows}; both sides are equal, digest {report.digest.source[:16]}")
    elif report.dry_run and not report.problems:
        free = "" if report.free_bytes is None else f", {report.free_bytes >> 20:,} MiB are free"
        click.echo(f"would move {rows}, about {(report.needed_bytes >> 20) + 1:,} MiB{free}")
        click.echo("nothing has been changed: run it with --apply")
    else:
        click.echo("not moved")


def _tell_what_next(config: str, url: str, *, switched: bool) -> None:
    from msgspec.json import encode

    if switched:
        click.echo(f"{output.short(config)} names it now; the old one is as it was")
        return
    click.echo(f"to use it, write into {output.short(config)}:")
    click.echo(f"\n[database]\nurl = {encode(url).decode()}\n")  # TOML quotes as JSON does
    click.echo("The old one is as it was; delete it when you no longer want it.")
