"""`lsm memory`: looking after what is remembered, and moving it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from lsm.cli import output
from lsm.cli.memory_output import memory_row, print_memories, print_memory
from lsm.cli.options import as_json, in_scope, parse_instant

if TYPE_CHECKING:
    from lsm.cli import Settings


@click.command()
@in_scope
@as_json
@click.pass_obj
def verify(settings: Settings, scope: str | None, as_json: bool) -> None:
    """Which memories no longer stand in their sources, with the old and the new text.

    \b
    lsm memory verify --scope team
    """
    with settings.open() as mind:
        report = mind.memories.verify(scope=scope)
    if as_json:
        rows = [vars(f) | {"memory": memory_row(f.memory)} for f in report.stale]
        output.print_json(
            {
                "checked": report.checked,
                "fresh": report.fresh,
                "stale": rows,
                "waiting": report.waiting,
            }
        )
        return
    click.echo(f"{report.checked} sources, {report.fresh} fresh, {len(report.stale)} not")
    if report.waiting:
        click.echo(f"{report.waiting} wait for a document that is not in the library yet")
    for finding in report.stale:
        click.echo(f"{finding.memory.id}  {output.clean(finding.memory.text)}")
        click.echo(f"  {finding.state} in {output.clean(finding.source.ref)}")
        click.echo(f"  was: {output.clean(finding.old)}")
        click.echo(f"  now: {output.clean(finding.new) or 'nothing like it'}")


@click.command()
@as_json
@click.pass_obj
def expire(settings: Settings, as_json: bool) -> None:
    """Clear away what has run out. (It is never recalled, cleared away or not.)

    \b
    lsm memory expire
    """
    with settings.open() as mind:
        expired = mind.memories.expire()
    if as_json:
        output.print_json(expired)
    else:
        click.echo(f"{expired.memories} memories, {expired.candidates} candidates")


@click.command()
@click.option("--run", "run_id", required=True, metavar="ID", help="The run to undo.")
@click.option("--yes", is_flag=True, help="Do it; without, it is only shown.")
@as_json
@click.pass_obj
def revert(settings: Settings, run_id: str, yes: bool, as_json: bool) -> None:
    """Undo what a run did to memory; shown first, done with --yes.

    \b
    lsm memory revert --run 01a2069b-0f3d-7c42-9a55-6f1d8e2c7b90
    lsm memory revert --run 01a2069b-0f3d-7c42-9a55-6f1d8e2c7b90 --yes
    """
    with settings.open() as mind:
        undone = mind.memories.revert_run(run_id, preview=not yes)
    if as_json:
        output.print_json(undone)
        return
    for step in undone:
        click.echo(f"{step.action:<8} {step.id}  {output.clean(step.text)}  {step.why}")
    if not undone:
        click.echo(f"no memory was changed by a run {output.clean(run_id)}", err=True)
    elif not yes:
        click.echo("nothing was changed; run again with --yes", err=True)


@click.command()
@click.argument("memory_id", metavar="ID")
@click.option("--reason", default="", metavar="R", help="Why; kept in the history.")
@as_json
@click.pass_obj
def confirm(settings: Settings, memory_id: str, reason: str, as_json: bool) -> None:
    """Say that a stale memory is true all the same: it rests on its source as it is now.

    \b
    lsm memory confirm 01a2069a-cd81-7ac5-beb8-0e19f4704ab3
    """
    with settings.open() as mind:
        print_memory(mind.memories.confirm(memory_id, reason=reason), as_json=as_json)


@click.command()
@click.option("--source", metavar="PATH|URL", help="What names this source.")
@click.option("--run", "run_id", metavar="ID", help="What this run wrote.")
@click.option("--author", metavar="NAME", help="What this author wrote.")
@click.option("--since", metavar="DATE", help="What was written then or later.")
@click.option("--reason", default="", metavar="R", help="Why; kept in the history.")
@click.option("--yes", is_flag=True, help="Do it; without, it is only shown.")
@as_json
@click.pass_obj
def quarantine(
    settings: Settings, since: str | None, yes: bool, as_json: bool, **given: Any
) -> None:
    """Lock away what can no longer be trusted, and what was derived from it.

    With several options, all must fit. Shown first, done with --yes; `restore` brings one back.

    \b
    lsm memory quarantine --source https://example.org/article
    lsm memory quarantine --run 01a2069b-0f3d-7c42-9a55-6f1d8e2c7b90 --yes
    """
    from lsm.agents.memory import Suspicion

    suspicion = Suspicion(since=parse_instant(since, "since"), **given)
    with settings.open() as mind:
        found = mind.memories.suspected(suspicion)
        if yes:
            mind.memories.quarantine(suspicion)
    print_memories(found, as_json=as_json)
    if found and not yes:
        click.echo(f"{len(found)} found; nothing was changed; run again with --yes", err=True)


@click.command()
@as_json
@click.pass_obj
def stats(settings: Settings, as_json: bool) -> None:
    """Memories in numbers.

    \b
    lsm memory stats
    """
    with settings.open() as mind:
        found = mind.memories.stats()
    if as_json:
        output.print_json(found)
        return
    click.echo(f"{found.memories} memories, {found.pinned} pinned, {found.stale} stale")
    click.echo(f"{found.candidates} candidates wait for review")


@click.command(name="export")
@click.argument("file", type=click.Path(dir_okay=False))
@in_scope
@as_json
@click.pass_obj
def export_(settings: Settings, file: str, scope: str | None, as_json: bool) -> None:
    """Write memories with their history to FILE, as JSON Lines; - is standard output.

    \b
    lsm memory export memories.jsonl
    lsm memory export - --scope team
    """
    with settings.open() as mind:
        if file == "-":
            mind.memories.export(sys.stdout.buffer, scope=scope)
            return
        count = mind.export_memories(file, scope)
    if as_json:
        output.print_json({"exported": count, "file": file})
    else:
        click.echo(f"{count} memories written to {file}")


@click.command(name="import")
@click.argument("file", type=click.Path())
@in_scope
@as_json
@click.pass_obj
def import_(settings: Settings, file: str, scope: str | None, as_json: bool) -> None:
    """Take over memories from FILE: ours, memory.jsonl, mem0's JSON, or Markdown notes.

    All or nothing; a second time changes nothing.

    \b
    lsm memory import memories.jsonl
    lsm memory import ~/memory.jsonl --scope assistants
    """
    with settings.open() as mind:
        report = mind.memories.load(file, scope=scope)
    if as_json:
        output.print_json(report)
        return
    counts = {name: value for name, value in vars(report).items() if isinstance(value, int)}
    told = ", ".join(f"{value} {name}" for name, value in counts.items() if value)
    click.echo(f"{report.format}: {told or 'nothing in it'}")
    for problem in report.problems:
        click.echo(f"  {output.clean(problem)}", err=True)
