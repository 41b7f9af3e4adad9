"""`lsm db digest`: what says that two databases hold the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lsm.cli import output
from lsm.cli.options import as_json

if TYPE_CHECKING:
    from lsm.cli import Settings


@click.command()
@as_json
@click.pass_obj
def digest(settings: Settings, as_json: bool) -> None:
    """SHA-256 of each table and of all: equal for equal content on either engine.

    What is made from content is no part of it (words and graphs for the search), nor what is true
    of one place only (which database it is, who is asking a remote source just now).

    \b
    lsm db digest --json
    lsm --database postgresql://db.example.org/mind db digest
    """
    from lsm.cli.progress import progress_bar
    from lsm.migration.database.digest import digest as digest_of

    with settings.open() as mind, progress_bar() as on_progress:
        found = digest_of(mind.db, on_progress)
    if as_json:
        output.print_json({"tables": found.tables, "all": found.all, "rows": found.rows})
        return
    for name, each in found.tables.items():
        click.echo(f"{each}  {name} ({found.rows[name]:,} rows)")
    click.echo(f"{found.all}  all")
