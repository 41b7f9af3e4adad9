"""`lsm migrate`: moving in from a predecessor, and from one engine to another."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

import click

from lsm.cli import output
from lsm.cli.nearest import NearestGroup
from lsm.cli.options import as_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.cli import Settings
    from lsm.migration.legacy.report import KindReport, Problem, Report

# Commands of modules of their own, imported when they are asked for.
_ELSEWHERE = {"database": "lsm.cli.migrate_database"}
_SHOWN = 20  # problems
_WORDS = {
    "memories": "memories",
    "candidates": "review queue",
    "schedules": "schedules",
    "manifest": "known files",
    "stats_cache": "statistics",
    "remote_cache": "remote answers",
    "feeds": "feeds",
}
_UNTOUCHED = ("absent",)


class _Migrations(NearestGroup):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_ELSEWHERE})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _ELSEWHERE:
            return getattr(import_module(_ELSEWHERE[cmd_name]), cmd_name)
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Migrations)
def migrate() -> None:
    """Move in from a predecessor, and from one engine to another.

    Both only say what they would do until you add --apply.

    \b
    lsm migrate legacy '~/Local Second Mind'
    lsm migrate database --to postgresql://me@db.example.org/mind
    """


@migrate.command()
@click.argument("home", type=click.Path())
@click.option(
    "--config", metavar="FILE", help="The predecessor's configuration [HOME/config.json]."
)
@click.option("--apply", is_flag=True, help="Do it. Without it, say what would be done.")
@click.option("--salvage", is_flag=True, help="Take what can be had of broken files.")
@as_json
@click.pass_context
def legacy(ctx: click.Context, home: str, as_json: bool, config: str | None, **how: bool) -> None:
    """Bring over what the predecessor kept in HOME: memory, schedules, known files, answers.

    HOME is only read. Every record comes in as it is, with its id and its times, or is set aside
    whole, with the reason. A second time, only what is new there is written. Interrupted, run
    it again.

    \b
    lsm migrate legacy '~/Local Second Mind'
    lsm migrate legacy '~/Local Second Mind' --apply
    """
    from lsm.cli.progress import progress_bar
    from lsm.ingest.report import Progress
    from lsm.migration.legacy.importing import Request
    from lsm.moving_in import move_in

    settings: Settings = ctx.obj
    place = os.path.abspath(os.path.expanduser(home))
    request = Request(place, config and os.path.expanduser(config), how["apply"], how["salvage"])
    with settings.open() as mind, progress_bar() as show:
        report = move_in(mind, request, lambda kind, done: show(Progress(kind, done, None)))
    if as_json:
        output.print_json(_document(report))
    else:
        _print(report)
    ctx.exit(1 if report.mismatches else 3 if report.unreadable else 0)


@migrate.command()
@as_json
@click.pass_obj
def quarantine(settings: Settings, as_json: bool) -> None:
    """Print what `lsm migrate legacy` has set aside, each record as it stood in its file.

    \b
    lsm migrate quarantine --json
    """
    from lsm.moving_in import set_aside

    with settings.open() as mind:
        found = set_aside(mind)
    if as_json:
        output.print_json(found)
        return
    if not found:
        click.echo("nothing was set aside")
    for each in found:
        click.echo(f"{each.kind} {output.clean(each.legacy_key)}: {output.clean(each.reason)}")
        click.echo(f"  {output.clean(each.original)}")


def _document(report: Report) -> dict[str, object]:
    return {
        "home": report.home,
        "config": report.config,
        "applied": report.applied,
        "kinds": report.kinds,
        "verified": report.verified,
        "problems": report.problems,
        "notes": report.notes,
        "sources": report.sources,
    }


def _print(report: Report) -> None:
    for kind, found in report.kinds.items():
        if found.state not in _UNTOUCHED:
            click.echo(f"{_WORDS[kind]:<15} {_line(found, applied=report.applied)}")
    _list(report.problems, "")
    _list(report.notes, "note: ")
    if report.kinds["manifest"].state in ("unreadable", "partly"):
        click.echo(
            "lsm: the list of known files could not be read, so no file will be taken for deleted "
            "until you run lsm ingest --confirm-delete",
            err=True,
        )
    click.echo(_outcome(report))


def _line(found: KindReport, *, applied: bool) -> str:
    if found.state == "unreadable":
        return "cannot be read; nothing was taken over"
    counts = {
        "brought over" if applied else "to bring over": found.imported,
        "here already": found.identical,
        "merged": found.merged,
        "in conflict": found.conflict,
        "set aside": found.quarantined,
        "left out": found.skipped,
    }
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    partly = "; the rest cannot be read" if found.state == "partly" else ""
    return f"{found.source:,} found: {told}{partly}" if found.source else f"none{partly}"


def _list(told: Sequence[Problem], mark: str) -> None:
    alike: dict[tuple[str, str], list[str]] = {}
    for each in told:
        alike.setdefault((each.kind, each.reason), []).append(each.key)
    for (kind, reason), keys in list(alike.items())[:_SHOWN]:
        more = f" and {len(keys) - 1:,} more" if keys[1:] else ""
        key = output.clean(keys[0])
        click.echo(f"  {mark}{kind} {key}{more}: {output.clean(reason)}", err=True)
    hidden = sum(map(len, list(alike.values())[_SHOWN:]))
    if hidden or len(alike) < len(told):
        rest = f"and {hidden:,} others; " if hidden else ""
        click.echo(f"  {rest}--json lists them all", err=True)


def _outcome(report: Report) -> str:
    if report.mismatches:
        return (
            f"NOT verified: {report.mismatches:,} records are not as they should be; run it again"
        )
    if not report.applied:
        return "nothing was changed; run again with --apply"
    if report.unreadable:
        return "what could be read is here, and was compared with the source"
    return "verified: every record was read back and compared with the source"
