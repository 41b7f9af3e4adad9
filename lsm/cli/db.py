"""`lsm db`: looking after the database itself."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
import msgspec

from lsm.cli import output
from lsm.cli.doctor import say
from lsm.cli.nearest import NearestGroup
from lsm.cli.options import as_json, parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from lsm.cli import Settings
    from lsm.ingest.prune import PruneReport


class _Db(NearestGroup):
    """Imports `digest` only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), "digest"])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "digest":
            from lsm.cli.db_digest import digest

            return digest
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Db)
def db() -> None:
    """The database itself: backups, old versions, room on the disk.

    \b
    lsm db backup ~/backups/mind.db
    lsm db restore ~/backups/mind.db
    lsm db prune --older-than 90d
    """


@db.command()
@as_json
@click.pass_obj
def info(settings: Settings, as_json: bool) -> None:
    """What the database is and holds, in numbers.

    \b
    lsm db info --json
    """
    from lsm.db.info import database_info

    with settings.open() as mind:
        found = database_info(mind.db)
    if as_json:
        output.print_json(found)
        return
    for name, value in msgspec.structs.asdict(found).items():
        if name != "tables" and value is not None:
            shown = f"{value:,}" if isinstance(value, int) else value
            click.echo(f"{name.replace('_', ' '):<12} {shown}")
    for name, rows in found.tables.items():
        if rows:
            click.echo(f"  {name:<32} {rows:>12,} rows")


@db.command()
@as_json
@click.pass_obj
def check(settings: Settings, as_json: bool) -> None:
    """Read the whole database, and compare all that must agree.

    The status is 1 if something does not. Others cannot write while words are compared: 25 seconds
    for a million passages.

    \b
    lsm db check
    """
    from lsm.doctor import diagnose_database

    diagnosis = diagnose_database(settings.home, settings.database)
    if as_json:
        output.print_json(diagnosis)
    else:
        output.print_diagnosis(diagnosis)
    sys.exit(0 if diagnosis.ok else 1)


@db.command()
@click.argument("file", type=click.Path())
@as_json
@click.pass_obj
def backup(settings: Settings, file: str, as_json: bool) -> None:
    """Copy the database to the new FILE, and read the copy back.

    Others may go on writing: the copy is of one moment. It is complete in one file, only its owner
    can read it, and it takes its name when it has been read back and is on the disk. A file that
    is there is never replaced. PostgreSQL has pg_dump for this; the command is named.

    \b
    lsm db backup ~/backups/mind.db
    """
    from lsm.db.backup import back_up

    with settings.open() as mind, _pages("copying") as on_pages:
        made = back_up(mind.db, file, on_pages)
    if as_json:
        output.print_json(vars(made))
        return
    rows = sum(made.tables.values())
    click.echo(f"{made.file}: {made.bytes:,} bytes, {rows:,} rows, read back and sound")


@db.command()
@click.argument("file", type=click.Path())
@as_json
@click.pass_obj
def restore(settings: Settings, file: str, as_json: bool) -> None:
    """Put the backup FILE in the place of the database, which is kept under another name.

    FILE is read through first. Refused while another process has the database open. Whatever ends
    it, the database is the old one or the new one; run again, it does what is left.

    \b
    lsm db restore ~/backups/mind.db
    """
    from lsm.config import config_path, home_path, load_config
    from lsm.db.backup import file_to_restore
    from lsm.db.restore import RestoreHooks
    from lsm.db.restore import restore as put_back
    from lsm.wiring import database_url

    home = home_path(settings.home)
    url = database_url(home, load_config(config_path(home)), settings.database)
    with _pages("restoring") as on_pages:
        done = put_back(file_to_restore(url, file), file, RestoreHooks(on_pages=on_pages))
    if as_json:
        output.print_json(vars(done) | {"from": file})
        return
    click.echo(f"{done.database}: restored, {sum(done.tables.values()):,} rows")
    if done.kept:
        click.echo(f"what was there is kept: {done.kept}")


@db.command()
@click.option("--keep-versions", type=int, metavar="N", help="So many of the newest stay readable.")
@click.option("--older-than", metavar="90d", help="What is older than this goes.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and do nothing.")
@as_json
@click.pass_obj
def prune(
    settings: Settings,
    keep_versions: int | None,
    older_than: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Take old versions out of the library, for good.

    What is current is never touched, and neither are memories: a passage that one rests on without
    quoting it stays. Stop it at any moment: run again, it goes on. Afterwards --as-of refuses what
    lies before, and `lsm db vacuum` gives the room back.

    \b
    lsm db prune --older-than 90d --dry-run
    lsm db prune --keep-versions 1
    """
    from lsm.ingest.pipeline import Hooks
    from lsm.ingest.prune import Keep, Pruning
    from lsm.vectordb import open_chunk_index

    keep = Keep(versions=keep_versions, younger_than=parse_duration(older_than, "older-than"))
    with settings.open() as mind, _steps() as on_progress:
        hooks = Hooks(on_progress=on_progress, clock=mind.clock)
        report = Pruning(mind.db, open_chunk_index(mind.db), hooks).run(keep, dry_run=dry_run)
    if as_json:
        output.print_json(report)
    else:
        _tell_pruned(report)


@db.command()
@as_json
@click.pass_obj
def vacuum(settings: Settings, as_json: bool) -> None:
    """Give back to the disk what the database holds and no longer needs.

    Others may have it open: readers go on, writers wait. It needs room for a second copy.

    \b
    lsm db vacuum
    """
    from lsm.db.vacuum import vacuum as give_back

    with settings.open() as mind:
        say("writing the database anew")
        done = give_back(mind.db)
    if as_json:
        output.print_json(done)
        return
    click.echo(f"{done.before:,} bytes before, {done.after:,} after")
    if done.waits_for:
        click.echo(f"lsm: {done.waits_for} reads an older state; the rest goes later", err=True)


@db.command()
@as_json
@click.pass_obj
def reindex(settings: Settings, as_json: bool) -> None:
    """Make anew whatever derives from the rest: full text, missing vectors, indexes, counts.

    \b
    lsm db reindex
    """
    from lsm.doctor.mending import reindex as mend

    with settings.open() as mind:
        done = mend(mind, say)
    if as_json:
        output.print_json({"done": done})
        return
    for line in done:
        click.echo(line)


def _tell_pruned(report: PruneReport) -> None:
    would = "would go: " if report.dry_run else "gone: "
    click.echo(
        f"{would}{report.versions:,} versions, {report.documents:,} states of documents, "
        f"{report.chunks:,} chunks"
    )
    if report.kept_for_memories:
        click.echo(f"kept: {report.kept_for_memories:,} chunks that memories rest on")
    if report.oldest:
        click.echo(f"readable from version {report.oldest} on")
    if report.chunks and not report.dry_run:
        click.echo("lsm: lsm db vacuum gives the room back", err=True)


@contextmanager
def _pages(word: str) -> Generator[Callable[[int, int], None]]:
    from lsm.ingest.report import Progress

    with _steps() as on_progress:
        yield lambda done, total: on_progress(Progress(word, done, total))


@contextmanager
def _steps() -> Generator[Callable[[object], None]]:
    """A bar on a terminal's stderr; nothing anywhere else."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from lsm.cli.progress import progress_bar

    with progress_bar() as update:
        yield update  # pyright: ignore[reportReturnType]
