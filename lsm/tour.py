"""`lsm try`: the main job, shown on the bundled sample library in a temporary home."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import TYPE_CHECKING

import click

from lsm.app import Mind
from lsm.cli import output
from lsm.query.terms import parsed
from lsm.sample import QUESTION, SEARCHES, library_path

if TYPE_CHECKING:
    from lsm.ingest.report import IngestReport


def run_tour() -> None:
    """Ingest, ingest again, search three times, ask once, and say where everything is."""
    place = tempfile.mkdtemp(prefix="lsm-try-")
    here = os.getcwd()
    try:
        # A copy, as if it were the user's: what the tour prints is then short to read.
        documents = os.path.join(place, "library")
        shutil.copytree(library_path(), documents)
        os.chdir(place)
        with Mind(os.path.join(place, "home")) as mind:
            _show(mind)
        click.echo("\nNow your own:  lsm ingest ~/notes   then   lsm search 'something in them'")
    finally:
        os.chdir(here)
        shutil.rmtree(place)


def _show(mind: Mind) -> None:
    _command("lsm ingest library")
    _tell(mind.ingest("library"))
    _command("lsm ingest library          # again: nothing has changed, nothing is read")
    _tell(mind.ingest("library"))
    for search in SEARCHES:
        _command(f"lsm search {_quoted(search)} -k 2")
        output.print_hits(mind.search(search, 2), parsed(search).words)
    _command(f"lsm ask {_quoted(QUESTION)} -k 3")
    output.print_answer(mind.ask(QUESTION, 3))
    _command("lsm status")
    output.print_status(mind.status())
    files = ", ".join(sorted(os.listdir(mind.home)))
    click.echo(f"\nEverything above is in one file. In the home there is: {files}")


def _command(text: str) -> None:
    click.echo(click.style(f"\n$ {text}", bold=True))


def _tell(report: IngestReport) -> None:
    output.print_report(report)
    output.print_problems(report)


def _quoted(text: str) -> str:
    return f"'{text}'"
