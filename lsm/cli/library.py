"""Commands on documents: init, ingest, search, ask, show, status, doctor, try."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from lsm.cli import output
from lsm.cli.options import as_json, files, folders, one_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from lsm.app import Mind
    from lsm.cli import Settings
    from lsm.ingest.report import IngestReport, Progress


@click.command()
@click.option(
    "--root",
    "roots",
    multiple=True,
    metavar="PATH",
    help="A folder to read; repeat.",
    shell_complete=folders,
)
@click.option("--embedding", metavar="NAME", help="Model: wordllama, ollama:MODEL, ... .")
@as_json
@click.pass_obj
def init(settings: Settings, roots: tuple[str, ...], embedding: str | None, as_json: bool) -> None:
    """Make a home: its lsm.toml, never overwriting one, and its database.

    \b
    lsm init --root ~/notes --root ~/papers
    """
    from lsm.setup import make_home

    made = make_home(settings.home, settings.database, roots, embedding)
    if as_json:
        output.print_json({"home": made.home, "config": made.config, "database": made.database})
        return
    click.echo(f"home      {made.home}")
    click.echo(
        f"config    {made.config}{'' if made.is_new else '  (was there already; unchanged)'}"
    )
    click.echo(f"database  {made.database}")


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", shell_complete=files)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--force", is_flag=True, help="Read and parse every file again.")
@click.option("--verify", is_flag=True, help="Read every file; parse those whose bytes differ.")
@click.option("--strict", is_flag=True, help="Fail (status 1) if a file cannot be read.")
@click.option("--confirm-delete", is_flag=True, help="Take out what is gone, however much it is.")
@click.option("--watch", is_flag=True, help="Go on, and read what changes when it changes.")
@as_json
@click.pass_obj
def ingest(settings: Settings, paths: tuple[str, ...], as_json: bool, **options: bool) -> None:
    """Read what is new or changed, and take out what is gone.

    Without PATH, everything below the known roots is looked at. A PATH that no root holds
    becomes one. What is unchanged is not even opened. Stop it at any moment: run again, it goes on.

    \b
    lsm ingest ~/notes
    lsm ingest                      everything known
    lsm ingest --dry-run --json
    lsm ingest --watch --json       one line of JSON for each time something was read
    """
    from lsm.ingest.pipeline import IngestOptions

    watch, strict = options.pop("watch"), options.pop("strict")
    chosen = IngestOptions(**options)
    with settings.open() as mind, _stopping() as should_stop, _progress() as on_progress:
        with _noted(mind, paths, on_progress, dry_run=chosen.dry_run) as on_step:
            report = mind.ingest(
                *paths, options=chosen, on_progress=on_step, should_stop=should_stop
            )
        _tell(report, as_json=as_json, on_one_line=watch)
        if not (paths or watch or report.unconfirmed or mind.roots()):
            click.echo("lsm: no folder is known yet; name one: lsm ingest ~/notes", err=True)
        if watch and not report.interrupted:
            for report in mind.watch(*paths, should_stop=should_stop):
                if report.version is not None or report.files.failed:
                    _tell(report, as_json=as_json, on_one_line=True)
    sys.exit(_exit_code(report, strict=strict))


@click.command()
@click.argument("query")
@click.option("-k", default=10, show_default=True, metavar="N", help="How many passages at most.")
@click.option(
    "--mode",
    default="hybrid",
    show_default=True,
    help="hybrid, text or vector.",
    metavar="MODE",
    shell_complete=one_of("hybrid", "text", "vector"),
)
@click.option("--path", metavar="GLOB", help="Only below these: 'notes/**', '*.md', a folder.")
@click.option("--ext", multiple=True, metavar=".md", help="Only files with this ending; repeat.")
@click.option("--tag", multiple=True, metavar="TAG", help="Only documents with this tag; repeat.")
@click.option("--since", metavar="DATE", help="Modified then or later: 2026-03-01, or 7d.")
@click.option("--as-of", metavar="DATE|VERSION", help="The library as it was.")
@as_json
@click.pass_obj
def search(settings: Settings, query: str, k: int, as_json: bool, **choices: Any) -> None:
    """Find passages by their words and by their meaning.

    Nothing in QUERY is syntax, but "words in double quotes" must stand there in that order.

    \b
    lsm search 'how do we rotate keys' -k 5
    lsm search '"exact phrase"' --mode text --ext .pdf
    lsm search 'budget' --path '~/work/**' --since 30d --as-of 2026-01-31
    """
    from lsm.query.terms import parsed

    with settings.open() as mind:
        hits = mind.search(query, k, **choices)
        _hint_if_empty(mind)
    if as_json:
        output.print_json(hits)
    else:
        output.print_hits(hits, parsed(query).words)


@click.command()
@click.argument("question")
@click.option("-k", default=5, show_default=True, metavar="N", help="How many sources at most.")
@click.option("--no-llm", is_flag=True, help="Quote only, even if a model is configured.")
@click.option("--path", metavar="GLOB", help="Only below these.")
@click.option("--ext", multiple=True, metavar=".md", help="Only files with this ending; repeat.")
@click.option("--tag", multiple=True, metavar="TAG", help="Only documents with this tag; repeat.")
@click.option("--as-of", metavar="DATE|VERSION", help="The library as it was.")
@as_json
@click.pass_obj
def ask(
    settings: Settings,
    question: str,
    k: int,
    no_llm: bool,
    as_json: bool,
    **choices: Any,
) -> None:
    """Answer QUESTION from the documents, every statement quoted and cited.

    \b
    lsm ask 'what did we decide about the lease?'
    """
    with settings.open() as mind:
        answer = mind.ask(question, k, llm=not no_llm, **choices)
        _hint_if_empty(mind)
    if answer.problem is not None:
        click.echo(f"lsm: {output.clean(answer.problem)}", err=True)
    if as_json:
        output.print_json(answer)
    else:
        output.print_answer(answer)


@click.command()
@click.argument("chunk_or_path", shell_complete=files)
@click.option("--as-of", metavar="DATE|VERSION", help="As it was then.")
@as_json
@click.pass_obj
def show(settings: Settings, chunk_or_path: str, as_of: str | None, as_json: bool) -> None:
    """Print a document, or a chunk by its number, as stored.

    \b
    lsm show ~/notes/keys.md --as-of 2026-01-31
    lsm show 1234
    """
    with settings.open() as mind:
        found = mind.show(chunk_or_path, as_of)
    if as_json:
        output.print_json(found)
    else:
        output.print_shown(found)


@click.command()
@as_json
@click.pass_obj
def status(settings: Settings, as_json: bool) -> None:
    """Everything in a few numbers.

    \b
    lsm status
    lsm status --json
    """
    with settings.open() as mind:
        found = mind.status()
    if as_json:
        output.print_json(found)
    else:
        output.print_status(found)


@click.command(name="try")
def try_() -> None:
    """A tour on a bundled sample library, in a temporary home that is removed afterwards.

    \b
    lsm try
    """
    from lsm.tour import run_tour

    run_tour()


def _tell(report: IngestReport, *, as_json: bool, on_one_line: bool) -> None:
    if as_json:
        output.print_json(report, on_one_line=on_one_line)
    else:
        output.print_report(report)
    output.print_problems(report)


def _hint_if_empty(mind: Mind) -> None:
    if mind.overview().version == 0:
        click.echo("lsm: nothing has been ingested yet: lsm ingest ~/notes", err=True)


def _exit_code(report: IngestReport, *, strict: bool) -> int:
    if report.interrupted:
        return 130
    if report.unconfirmed or (strict and report.errors):
        return 1
    return 3 if report.errors else 0


@contextmanager
def _stopping() -> Generator[Callable[[], bool]]:
    """Ctrl-C or SIGTERM once: finish what is at hand and stop. Twice: stop now, roll back."""
    asked = False

    def ask_to_stop(_number: int, _frame: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        click.echo("\nstopping after what is at hand; once more to stop now", err=True)

    before = {number: signal.signal(number, ask_to_stop) for number in _SIGNALS}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def _noted(
    mind: Mind, paths: tuple[str, ...], show: Callable[[Progress], None], *, dry_run: bool
) -> Generator[Callable[[Progress], None]]:
    """*show*, and a note in the database, so that `lsm status` elsewhere sees it running."""
    from lsm.jobs import JobBook
    from lsm.paths import absolute

    if dry_run:
        yield show
        return
    places = [absolute(path) for path in paths]
    with JobBook(mind.db, mind.clock).noting("ingest", paths=places) as note:

        def both(step: Progress) -> None:
            show(step)
            note(step)

        yield both


@contextmanager
def _progress() -> Generator[Callable[[Progress], None]]:
    """A bar on a terminal's stderr; nothing anywhere else."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from lsm.cli.progress import progress_bar

    with progress_bar() as update:
        yield update
