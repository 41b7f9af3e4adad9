"""`lsm export`: everything as plain files."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
import msgspec

from lsm.cli import output
from lsm.cli.options import as_json

if TYPE_CHECKING:
    from lsm.cli import Settings
    from lsm.ingest.report import Progress


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path())
@click.option("--vectors", is_flag=True, help="The vectors too, which any model makes again.")
@as_json
@click.pass_obj
def export(settings: Settings, folder: str, vectors: bool, as_json: bool) -> None:
    """Write everything to the new folder DIR as Markdown and JSON Lines.

    Memories by scope and the reports of agents as Markdown, every table as JSON Lines, described
    in DIR/README.md. Of one moment, all of it or nothing, in an order that does not change: the
    difference of two exports is what has changed.

    \b
    lsm export ~/mind-2026-03-01
    """
    from lsm.cli.progress import progress_bar
    from lsm.export import ExportOptions
    from lsm.export import export as write_all

    def silent(_: Progress) -> None: ...

    options = ExportOptions(vectors=vectors)
    with settings.open() as mind:
        if sys.stderr.isatty():
            with progress_bar() as on_progress:
                written = write_all(mind.db, folder, on_progress, options)
        else:
            written = write_all(mind.db, folder, silent, options)
    if as_json:
        output.print_json(msgspec.structs.asdict(written))
        return
    rows = sum(written.tables.values())
    click.echo(
        f"{written.folder}: {written.memories:,} memories, {written.reports:,} reports, "
        f"{rows:,} rows of {len(written.tables)} tables; {written.bytes:,} bytes"
    )
