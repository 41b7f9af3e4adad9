"""`lsm eval`: how well search finds, and whether it has become better or worse."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from lsm.cli import eval_output, output
from lsm.cli.nearest import NearestGroup
from lsm.cli.options import as_json, files, folders, one_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from lsm.cli import Settings
    from lsm.evaluation import Evaluation
    from lsm.query.evaluation.comparing import Comparison
    from lsm.query.evaluation.measuring import Measured

_UNREADABLE = 3


@click.group("eval", cls=NearestGroup, invoke_without_command=True)
@click.option(
    "--file", "paths", multiple=True, metavar="FILE", help="Ask these queries (TOML, JSON Lines).",
    shell_complete=files,
)  # fmt: skip
@click.option(
    "--collection", "collections", multiple=True, metavar="DIR",
    help="A test collection as BEIR has them; repeat.", shell_complete=folders,
)  # fmt: skip
@click.option(
    "--keep", metavar="DIR", help="Leave collections ingested there for the next time.",
    shell_complete=folders,
)  # fmt: skip
@click.option(
    "--mode", "modes", multiple=True, metavar="MODE", help="text, vector or hybrid; repeat. [all]",
    shell_complete=one_of("text", "vector", "hybrid"),
)  # fmt: skip
@click.option(
    "-k", type=click.IntRange(1, 1000), default=10, show_default=True, metavar="N",
    help="How many passages are asked for.",
)  # fmt: skip
@click.option("--save", metavar="NAME", help="Keep the result as the baseline NAME.")
@click.option("--compare", metavar="NAME", help="Show what differs from the baseline NAME.")
@click.option(
    "--fail-below", type=click.FloatRange(0, 1), metavar="X",
    help="Status 1 if the mean nDCG of a mode fell by more.",
)  # fmt: skip
@as_json
@click.pass_context
def eval_(ctx: click.Context, as_json: bool, **given: Any) -> None:
    """Measure how well search finds, and compare it with before.

    Asks the queries that were saved with `lsm eval add`, or those of a file or a test collection,
    in every mode. Collections are read into a home of their own, with your model and chunks.

    nDCG: the best first. Recall: how much of what is expected was found. MRR: 1 / rank of the
    first. p50, p95: milliseconds. With --save and --compare, what fails is not saved.

    \b
    lsm eval add 'how often do we rotate keys' --expect ~/notes/keys.md
    lsm eval --save before
    lsm eval --compare before --fail-below 0.005
    lsm eval --collection ~/beir/scifact --mode hybrid --json
    """
    if ctx.invoked_subcommand is not None:
        _refuse_options(ctx)
        return
    if given["fail_below"] is not None and given["compare"] is None:
        raise click.UsageError("--fail-below needs --compare NAME")
    _run(ctx.obj, as_json=as_json, **given)


@eval_.command()
@click.argument("query")
@click.option(
    "--expect", multiple=True, required=True, metavar="PATH",
    help="What should be found: a path or a glob; repeat.", shell_complete=files,
)  # fmt: skip
@click.option(
    "--grade", type=click.IntRange(1, 10), default=1, show_default=True, metavar="N",
    help="How relevant that is.",
)  # fmt: skip
@as_json
@click.pass_obj
def add(settings: Settings, query: str, expect: Sequence[str], grade: int, as_json: bool) -> None:
    """Save a query with the documents it should find.

    Add it again to expect more, or the same with another grade. Of a glob, any document will do.

    \b
    lsm eval add 'how often do we rotate keys' --expect ~/notes/keys.md --grade 3
    lsm eval add 'how often do we rotate keys' --expect 'policies/**'
    """
    with settings.open() as mind:
        evaluation = _evaluation(mind)
        made = evaluation.add(query, expect, grade)
        absent = evaluation.absent(list(made.grades))
    if as_json:
        output.print_json({"query": made.query, "expect": made.grades, "absent": absent})
    else:
        eval_output.print_question(made)
    eval_output.note_absent(absent)


@eval_.command("import")
@click.argument("file", shell_complete=files)
@as_json
@click.pass_obj
def import_(settings: Settings, file: str, as_json: bool) -> None:
    """Save every query of FILE: TOML, or JSON Lines.

    \b
    lsm eval import queries.toml

    \b
    [[query]]
    query = "how often do we rotate keys"
    expect = { "keys.md" = 3, "policies/**" = 1 }     or ["keys.md", "policies/**"]
    """
    from lsm.query.evaluation.questions import read_questions

    questions = read_questions(file)
    with settings.open() as mind:
        evaluation = _evaluation(mind)
        evaluation.store.add(questions)
        absent = evaluation.absent(sorted({name for each in questions for name in each.grades}))
    if as_json:
        output.print_json({"queries": len(questions), "absent": absent})
    else:
        click.echo(f"{len(questions):,} queries saved")
    eval_output.note_absent(absent)


@eval_.command("list")
@as_json
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """The saved queries, and what each should find.

    \b
    lsm eval list --json
    """
    with settings.open() as mind:
        found = _evaluation(mind).store.questions()
    if as_json:
        output.print_json([{"query": each.query, "expect": each.grades} for each in found])
        return
    for each in found:
        eval_output.print_question(each)


@eval_.command()
@click.argument("query")
@click.option(
    "--expect", multiple=True, metavar="PATH", help="Only that it should find this; repeat."
)
@click.pass_obj
def remove(settings: Settings, query: str, expect: Sequence[str]) -> None:
    """Forget a saved query, or part of what it should find.

    \b
    lsm eval remove 'how often do we rotate keys'
    """
    from lsm.evaluation import as_pattern

    with settings.open() as mind:
        store = _evaluation(mind).store
        known = {name for each in store.questions() if each.query == query for name in each.grades}
        # As it is listed, or as it was typed.
        store.remove(query, [name if name in known else as_pattern(name) for name in expect])


@eval_.command()
@click.option("--forget", metavar="NAME", help="Delete this one.")
@as_json
@click.pass_obj
def baselines(settings: Settings, forget: str | None, as_json: bool) -> None:
    """The results that were saved, by name.

    \b
    lsm eval baselines
    lsm eval baselines --forget before
    """
    with settings.open() as mind:
        store = _evaluation(mind).store
        if forget is not None:
            store.forget(forget)
        found = store.baselines()
    if as_json:
        output.print_json([{"name": name, "created_at": saved} for name, saved in found])
        return
    for name, saved in found:
        click.echo(f"{saved[:10]}  {name}")


def _run(settings: Settings, *, as_json: bool, **given: Any) -> None:
    from lsm.evaluation import Evaluation, Wanted, check_name
    from lsm.query.search import MODES

    wanted = Wanted(
        files=given["paths"],
        collections=given["collections"],
        modes=tuple(dict.fromkeys(given["modes"])) or MODES,
        k=given["k"],
        keep=given["keep"],
    )
    with settings.open() as mind:
        evaluation = Evaluation(mind)
        # What would fail in the end fails before the work.
        if given["save"] is not None:
            check_name(given["save"])
        if given["compare"] is not None:
            evaluation.store.baseline(given["compare"])
        with _progress() as on_step:
            measured = evaluation.run(wanted, on_step)
        compared = evaluation.compare(given["compare"], measured) if given["compare"] else None
        lost = _lost(compared, given["fail_below"])
        if given["save"] is not None and not lost:
            evaluation.save(given["save"], measured)
    _tell(measured, compared, as_json=as_json)
    for problem in lost:
        click.echo(f"lsm: {problem}", err=True)
    sys.exit(1 if lost else _UNREADABLE if any(one.unread for one in measured.sets) else 0)


@contextmanager
def _progress() -> Generator[Callable[[Any], None]]:
    """A bar on a terminal's stderr; nothing anywhere else."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from lsm.cli.progress import progress_bar

    with progress_bar() as update:
        yield update


def _tell(measured: Measured, compared: Comparison | None, *, as_json: bool) -> None:
    if as_json:
        output.print_json(eval_output.row_of(measured, compared))
    else:
        eval_output.print_measured(measured)
        if compared is not None:
            eval_output.print_comparison(compared)
    for one in measured.sets:
        eval_output.note_absent(one.absent)
        for problem in one.unread:
            click.echo(f"lsm: {one.name}: could not be read: {output.clean(problem)}", err=True)


def _lost(compared: Comparison | None, limit: float | None) -> list[str]:
    if compared is None or limit is None:
        return []
    return [
        f"nDCG in mode {each.mode} fell by {-each.scores.ndcg:.4f}, which is more than {limit:g}"
        for each in compared.lost(limit)
    ]


def _refuse_options(ctx: click.Context) -> None:
    """An option before the subcommand would be read by nobody."""
    for option in ctx.command.params:
        source = ctx.get_parameter_source(option.name or "")
        if source is click.core.ParameterSource.COMMANDLINE:
            name = f"lsm eval {ctx.invoked_subcommand}"
            raise click.UsageError(f"{option.opts[0]} does not go with {name}")


def _evaluation(mind: Any) -> Evaluation:
    from lsm.evaluation import Evaluation

    return Evaluation(mind)
