"""`lsm memory`: what is remembered, and the queue of what waits to be."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from lsm.cli import output
from lsm.cli.memory_output import (
    candidate_line,
    candidate_row,
    memory_line,
    memory_row,
    print_memories,
    print_memory,
    print_receipt,
    result_row,
)
from lsm.cli.memory_upkeep import (
    confirm,
    expire,
    export_,
    import_,
    quarantine,
    revert,
    stats,
    verify,
)
from lsm.cli.nearest import NearestGroup
from lsm.cli.options import as_json, in_scope, parse_duration, parse_instant
from lsm.errors import InvalidError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.agents.memory import Memory
    from lsm.cli import Settings

with_reason = click.option("--reason", default="", metavar="R", help="Why; kept in the history.")


@click.group(cls=NearestGroup)
def memory() -> None:
    """What agents and people remember: added, reviewed, recalled, forgotten.

    What you type is remembered. What an agent proposes waits for `lsm memory review`.
    """


@memory.command()
@click.argument("text")
@click.option("--type", "type_", default="fact", show_default=True, metavar="T", help="Any word.")
@in_scope
@click.option("--key", metavar="K", help="A name, once in its scope and type.")
@click.option("--tag", "tags", multiple=True, metavar="T", help="Repeat for several.")
@click.option("--ttl", metavar="2w", help="Forget after: 90m, 24h, 7d, 2w.")
@click.option("--confidence", type=float, default=1.0, show_default=True, metavar="F")
@click.option("--source", metavar="PATH[#LINE]", help="Where it comes from: a document, a URL.")
@click.option("--pin", is_flag=True, help="In every context of its scope.")
@click.option("--propose", is_flag=True, help="Into the review queue instead.")
@click.option("--author", default="", metavar="NAME", help="Who says so.")
@as_json
@click.pass_obj
def add(settings: Settings, text: str, as_json: bool, **fields: Any) -> None:
    """Remember TEXT.

    \b
    lsm memory add 'Keys rotate every 90 days' --scope team --source ~/notes/keys.md#12
    lsm memory add 'Deploy on Fridays is off' --type decision --ttl 12w
    """
    ttl, propose = parse_duration(fields.pop("ttl"), "ttl"), fields.pop("propose")
    given = {"type": fields.pop("type_"), "pinned": fields.pop("pin"), **fields}
    with settings.open() as mind:
        result = mind.memories.add(text, ttl=ttl, review=propose, **_set(given))
        sources = mind.memories.sources(result.id)
    if as_json:
        output.print_json(result_row(result))
        return
    words = {"added": "remembered", "proposed": "waits for review", "exists": "known already"}
    candidate = result.candidate
    shown = candidate.id if candidate is not None and result.outcome == "proposed" else result.id
    click.echo(f"{words[result.outcome]}: {shown}")
    for source in sources:
        if source.kind == "document" and source.document_id is None:
            path = output.clean(source.ref)
            click.echo(f"  {path} is not in the library yet: held to it once ingested", err=True)
    for near in result.similar:
        click.echo(f"  similar: {near.id}  {output.clean(near.text)}", err=True)


@memory.command()
@click.argument("query")
@in_scope
@click.option("--type", "types", multiple=True, metavar="T", help="Only of this type; repeat.")
@click.option("--tag", "tags", multiple=True, metavar="T", help="Only with this tag; repeat.")
@click.option("-k", "limit", default=10, show_default=True, metavar="N")
@click.option("--as-of", metavar="DATE", help="What was known then.")
@click.option("--explain", is_flag=True, help="Show what each part of the score is.")
@as_json
@click.pass_obj
def search(settings: Settings, query: str, as_json: bool, explain: bool, **options: Any) -> None:
    """Find memories by words and meaning, newer and surer ones first among equals."""
    options["as_of"] = parse_instant(options["as_of"], "as-of")
    with settings.open() as mind:
        found = mind.memories.search(query, **_set(options))
    if as_json:
        output.print_json([memory_row(hit) for hit in found])
        return
    for hit in found:
        click.echo(f"{hit.score:.3f}  {memory_line(hit)}")
        if explain:
            click.echo("       " + ", ".join(f"{k} {v:.3f}" for k, v in hit.parts.items()))


@memory.command(name="list")
@in_scope
@click.option("--type", "types", multiple=True, metavar="T", help="Only of this type; repeat.")
@click.option("--tag", "tags", multiple=True, metavar="T", help="Only with this tag; repeat.")
@click.option(
    "--status", default="active", show_default=True, metavar="S", help="Or deleted, ... ."
)
@click.option("--limit", default=50, show_default=True, metavar="N")
@as_json
@click.pass_obj
def list_(settings: Settings, as_json: bool, **options: Any) -> None:
    """List memories, newest first."""
    with settings.open() as mind:
        print_memories(mind.memories.list(**_set(options)), as_json=as_json)


@memory.command()
@click.argument("memory_id", metavar="ID")
@as_json
@click.pass_obj
def get(settings: Settings, memory_id: str, as_json: bool) -> None:
    """Print one memory and where it comes from."""
    with settings.open() as mind:
        found = mind.memories.get(memory_id, hidden=True)
        if found is None:
            raise NotFoundError("memory", memory_id)
        sources = mind.memories.sources(memory_id)
    if as_json:
        output.print_json(memory_row(found) | {"sources": sources})
        return
    click.echo(memory_line(found))
    for source in sources:
        line = f"#{source.line}" if source.line else ""
        mark = "  (stale)" if source.stale_since else ""
        quote = f": {output.clean(source.quote)}" if source.quote else ""
        click.echo(f"  from {output.clean(source.ref)}{line}{quote}{mark}")


@memory.command()
@click.argument("memory_id", metavar="ID")
@click.option("--text", metavar="TEXT", help="The new words.")
@click.option("--type", "type_", metavar="T")
@click.option("--tag", "tags", multiple=True, metavar="T", help="The new tags; repeat.")
@click.option("--confidence", type=float, metavar="F")
@click.option("--ttl", metavar="2w")
@click.option("--pin/--unpin", default=None, help="In every context of its scope, or not.")
@click.option("--expect-version", type=int, metavar="N", help="Refuse if it has changed since.")
@with_reason
@as_json
@click.pass_obj
def edit(settings: Settings, memory_id: str, as_json: bool, **given: Any) -> None:
    """Change a memory; what it was stays in its history."""
    changes = _set(
        {
            "text": given["text"],
            "type": given["type_"],
            "tags": given["tags"] or None,
            "confidence": given["confidence"],
            "ttl": parse_duration(given["ttl"], "ttl"),
            "pinned": given["pin"],
        }
    )
    if not changes:
        raise InvalidError("edit", "nothing to change was named; see lsm memory edit --help")
    with settings.open() as mind:
        changed = mind.memories.update(
            memory_id, expect_version=given["expect_version"], reason=given["reason"], **changes
        )
    print_memory(changed, as_json=as_json)


@memory.command()
@click.argument("memory_id", metavar="ID")
@with_reason
@as_json
@click.pass_obj
def delete(settings: Settings, memory_id: str, reason: str, as_json: bool) -> None:
    """Take a memory out of use; `restore` brings it back, `purge` forgets it for good."""
    with settings.open() as mind:
        print_memory(mind.memories.delete(memory_id, reason=reason), as_json=as_json)


@memory.command()
@click.argument("memory_id", metavar="ID")
@click.option("--version", type=int, metavar="N", help="As it was then; see `history`.")
@with_reason
@as_json
@click.pass_obj
def restore(
    settings: Settings, memory_id: str, version: int | None, reason: str, as_json: bool
) -> None:
    """Bring a memory back, or back to an earlier version."""
    with settings.open() as mind:
        restored = mind.memories.restore(memory_id, version=version, reason=reason)
    print_memory(restored, as_json=as_json)


@memory.command()
@click.argument("memory_id", metavar="ID")
@as_json
@click.pass_obj
def purge(settings: Settings, memory_id: str, as_json: bool) -> None:
    """Forget a memory for good, from every table and byte, and prove it (status 1 if not).

    The same words in a document or another memory stay, and are named.
    """
    with settings.open() as mind:
        receipt = mind.memories.purge(memory_id)
    if as_json:
        output.print_json(receipt)
    else:
        print_receipt(receipt)
    sys.exit(0 if receipt.bytes_found == 0 else 1)


@memory.command()
@click.argument("memory_id", metavar="ID")
@as_json
@click.pass_obj
def history(settings: Settings, memory_id: str, as_json: bool) -> None:
    """Every change of a memory: when, who, why."""
    with settings.open() as mind:
        revisions = mind.memories.history(memory_id)
    if as_json:
        output.print_json(revisions)
        return
    for revision in revisions:
        text = output.clean(str(revision.after.get("text", "")))
        why = f"  ({output.clean(revision.reason)})" if revision.reason else ""
        click.echo(
            f"{revision.version:>3}  {revision.changed_at}  {revision.action:<10} {text}{why}"
        )


@memory.command()
@click.option("--status", default="pending", show_default=True, metavar="S")
@in_scope
@click.option("--limit", default=50, show_default=True, metavar="N")
@as_json
@click.pass_obj
def candidates(settings: Settings, as_json: bool, **options: Any) -> None:
    """What agents proposed and nobody has reviewed yet."""
    with settings.open() as mind:
        found = mind.memories.candidates(**_set(options))
    if as_json:
        output.print_json([candidate_row(candidate) for candidate in found])
        return
    for candidate in found:
        click.echo(candidate_line(candidate))


@memory.command()
@click.argument("candidate_ids", nargs=-1, required=True, metavar="ID...")
@click.option("--text", metavar="TEXT", help="Edited words, for a single one.")
@click.option("--into", metavar="ID", help="Take the place of this memory.")
@with_reason
@as_json
@click.pass_obj
def promote(
    settings: Settings, candidate_ids: tuple[str, ...], as_json: bool, reason: str, **given: Any
) -> None:
    """Make memories of candidates."""
    with settings.open() as mind:
        if len(candidate_ids) == 1:
            changes = _set({"text": given["text"]})
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


@memory.command()
@click.argument("candidate_ids", nargs=-1, required=True, metavar="ID...")
@with_reason
@as_json
@click.pass_obj
def reject(settings: Settings, candidate_ids: tuple[str, ...], reason: str, as_json: bool) -> None:
    """Refuse candidates; the same proposal will not come back."""
    with settings.open() as mind:
        rejected = mind.memories.reject_many(candidate_ids, reason=reason)
    if as_json:
        output.print_json([candidate_row(candidate) for candidate in rejected])
    else:
        click.echo(f"{len(rejected)} rejected")


@memory.command()
@in_scope
@click.pass_obj
def review(settings: Settings, scope: str | None) -> None:
    """Go through the queue: y promotes, e edits and promotes, n rejects, s skips, q ends."""
    from lsm.cli.review import review_queue

    with settings.open() as mind:
        review_queue(mind.memories, scope)


@memory.command()
@click.argument("query")
@click.option("--budget", type=int, default=1500, show_default=True, metavar="TOKENS")
@in_scope
@as_json
@click.pass_obj
def context(settings: Settings, query: str, budget: int, scope: str | None, as_json: bool) -> None:
    """A block of memories for a model's prompt, within a budget, fenced as data."""
    with settings.open() as mind:
        found = mind.memories.context(query, budget_tokens=budget, scope=scope)
    if as_json:
        output.print_json(found)
    elif found.text:
        click.echo(found.text)
    if found.needed:
        click.echo(
            f"nothing fits into {budget} tokens: {found.dropped} found, the shortest needs "
            f"--budget {found.needed}",
            err=True,
        )


def _set(options: dict[str, Any]) -> dict[str, Any]:
    """Only what the user has given: the store has its own defaults."""
    return {name: value for name, value in options.items() if value not in (None, (), "")}


for upkeep in (verify, confirm, expire, quarantine, revert, stats, export_, import_):
    memory.add_command(upkeep)
