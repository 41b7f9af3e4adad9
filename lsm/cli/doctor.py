"""`lsm doctor`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from lsm.cli import output
from lsm.cli.options import as_json
from lsm.errors import InvalidError

if TYPE_CHECKING:
    from lsm.cli import Settings


@click.command()
@click.option(
    "--repair", is_flag=True, help="Make anew what derives from the rest, after a backup."
)
@click.option("--backed-up", is_flag=True, help="There is a backup: --repair makes none.")
@as_json
@click.pass_obj
def doctor(settings: Settings, repair: bool, backed_up: bool, as_json: bool) -> None:
    """Look everything over, and say what to do about what is wrong.

    Nothing is changed, whatever is found; the status is 1 if something is not ok. With --repair,
    what can be made from the rest is made anew: full text, vectors, indexes, counts, caches. What
    cannot is never touched, and what to do about it is said.

    \b
    lsm doctor
    lsm doctor --repair --json
    """
    if backed_up and not repair:
        raise InvalidError("--backed-up", "goes together with --repair")
    if repair:
        _repair(settings, backed_up=backed_up, as_json=as_json)
    from lsm.doctor import diagnose

    diagnosis = diagnose(settings.home, settings.database)
    if as_json:
        output.print_json(diagnosis)
    else:
        output.print_diagnosis(diagnosis)
    sys.exit(0 if diagnosis.ok else 1)


def _repair(settings: Settings, *, backed_up: bool, as_json: bool) -> None:
    from lsm.doctor import Diagnosis
    from lsm.doctor.mending import repair

    told = repair(settings.home, settings.database, say, backed_up=backed_up)
    if as_json:
        output.print_json(told)
        sys.exit(0 if told.ok else 1)
    if told.backup:
        click.echo(f"backup   {told.backup}")
    for line in told.repaired:
        click.echo(f"mended   {line}")
    if not told.repaired:
        click.echo("nothing to mend")
    output.print_diagnosis(Diagnosis(told.ok, told.checks))
    sys.exit(0 if told.ok else 1)


def say(step: str) -> None:
    """Name a step of something that may take long, where somebody is looking."""
    if sys.stderr.isatty():
        click.echo(f"{step} ...", err=True)
