"""`lsm memory`: the queue of what agents proposed, and what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lsm.cli import output
from lsm.cli.memory_output import candidate_line, candidate_row, print_memories
from lsm.cli.options import as_json, given_only, in_scope, with_reason
from lsm.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.agents.memory import Memory
    from lsm.cli import Settings


@click.command()
@click.option(
    "--status",
    default="pending",
    show_default=True,
    metavar="S",
    help="Or promoted, rejected, expired.",
)
@in_scope
@click.option("--limit", default=50, show_default=True, metavar="N", help="How many at most.")
@as_json
@click.pass_obj
def candidates(settings: Settings, as_json: bool, **options: Any) -> None:
    """What agents proposed and nobody has reviewed yet.

    \b
    lsm memory candidates
    lsm memory candidates --status rejected --json
    """
    with settings.open() as mind:
        found = mind.memories.candidates(**given_only(options))
    if as_json:
        output.print_json([candidate_row(candidate) for candidate in found])
        return
    for candidate in found:
        click.echo(candidate_line(candidate))


@click.command()
@click.argument("candidate_ids", nargs=-1, required=True, metavar="ID...")
@click.option("--text", metavar="TEXT", help="Edited words, for a single one.")
@click.option("--into", metavar="ID", help="Take the place of this memory.")
@with_reason
@as_json
@click.pass_obj
def promote(
    settings: Settings, candidate_ids: tuple[str, ...], as_json: bool, reason: str, **given: Any
) -> None:
    """Accept candidates: they are memories from now on.

    \b
    lsm memory promote 01a2069a-cd81-7ac5-beb8-0e19f4704ab3
    lsm memory promote 01a2069a-cd81-7ac5-beb8-0e19f4704ab3 --text 'The kiln has a new relay'
    """
    with settings.open() as mind:
        if len(candidate_ids) == 1:
            changes = given_only({"text": given["text"]})
            promoted: Sequence[Memory] = [
                mind.memories.promote(
                    candidate_ids[0], into=given["into"], reason=reason, **changes
                )
            ]
        elif given["text"] or given["into"]:
            raise InvalidError("promote", "--text and --into go with a single ID")
        else:
            promoted = mind.memories.promote_many(candidate_ids, reason=reason)
    print_memories(promoted, as_json=as_json)


@click.command()
@click.argument("candidate_ids", nargs=-1, required=True, metavar="ID...")
@with_reason
@as_json
@click.pass_obj
def reject(settings: Settings, candidate_ids: tuple[str, ...], reason: str, as_json: bool) -> None:
    """Refuse candidates; the same proposal will not come back.

    \b
    lsm memory reject 01a2069a-cd81-7ac5-beb8-0e19f4704ab3 --reason 'a guess'
    """
    with settings.open() as mind:
        rejected = mind.memories.reject_many(candidate_ids, reason=reason)
    if as_json:
        output.print_json([candidate_row(candidate) for candidate in rejected])
    else:
        click.echo(f"{len(rejected)} rejected")


@click.command()
@in_scope
@click.pass_obj
def review(settings: Settings, scope: str | None) -> None:
    """Go through the queue: y promotes, e edits and promotes, n rejects, s skips, q ends.

    \b
    lsm memory review --scope assistants
    """
    from lsm.cli.review import review_queue

    with settings.open() as mind:
        review_queue(mind.memories, scope)
