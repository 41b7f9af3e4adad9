"""`lsm memory`: what is remembered, and the queue of what waits to be."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from lsm.cli import output
from lsm.cli.memory_output import (
    memory_line,
    memory_row,
    print_memories,
    print_memory,
    print_receipt,
    result_row,
)
from lsm.cli.memory_queue import candidates, promote, reject, review
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
from lsm.cli.options import (
    as_json,
    given_only,
    in_scope,
    parse_duration,
    parse_instant,
    with_reason,
)
from lsm.errors import InvalidError, NotFoundError

if TYPE_CHECKING:
    from lsm.cli import Settings


@click.group(cls=NearestGroup)
def memory() -> None:
    """What agents and people remember: added, reviewed, recalled, forgotten.

    What you type is remembered. What an agent proposes waits for `lsm memory review`.

    \b
    lsm memory add 'Keys rotate every 90 days' --scope team
    lsm memory search 'how often do keys rotate'
    lsm memory review
    """


@memory.command()
@click.argument("text")
@click.option("--type", "type_", default="fact", show_default=True, metavar="T", help="Any word.")
@in_scope
@click.option("--key", metavar="K", help="A name, once in its scope and type.")
@click.option("--tag", "tags", multiple=True, metavar="T", help="Repeat for several.")
@click.option("--ttl", metavar="2w", help="Forget after: 90m, 24h, 7d, 2w.")
@click.option(
    "--confidence",
    type=float,
    default=1.0,
    show_default=True,
    metavar="F",
    help="How sure: 0 to 1.",
)
@click.option("--source", metavar="PATH[#LINE]", help="Where it comes from: a document, a URL.")
@click.option("--pin", is_flag=True, help="In every context of its scope.")
@click.option("--propose", is_flag=True, help="Into the review queue instead.")
@click.option("--author", metavar="NAME", help="Who says so.")
@as_json
@click.pass_obj
def add(settings: Settings, text: str, as_json: bool, **fields: Any) -> None:
    """Remember TEXT; the same words in a scope only once.

    \b
    lsm memory add 'Keys rotate every 90 days' --scope team --source ~/notes/keys.md#12
    lsm memory add 'Deploy on Fridays is off' --type decision --ttl 12w
    """
    ttl, propose = parse_duration(fields.pop("ttl"), "ttl"), fields.pop("propose")
    given = {"type": fields.pop("type_"), "pinned": fields.pop("pin"), **fields}
    with settings.open() as mind:
        result = mind.memories.add(text, ttl=ttl, review=propose, **given_only(given))
        sources = mind.memories.sources(result.id)
    if as_json:
        output.print_json(result_row(result))
        return
    words = {"added": "remembered", "proposed": "waits for review", "exists": "known already"}
    candidate = result.candidate
    shown = candidate.id if candidate is not None and result.outcome == "proposed" else result.id
    standing = {"pending": " (waits for review)", "rejected": " (it was rejected)"}
    known = standing.get(candidate.status, "") if result.outcome == "exists" and candidate else ""
    click.echo(f"{words[result.outcome]}: {shown}{known}")
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
@click.option("-k", "limit", default=10, show_default=True, metavar="N", help="How many at most.")
@click.option("--as-of", metavar="DATE", help="What was known then.")
@click.option("--explain", is_flag=True, help="Show what each part of the score is.")
@as_json
@click.pass_obj
def search(settings: Settings, query: str, as_json: bool, explain: bool, **options: Any) -> None:
    """Find memories by words and meaning, newer and surer ones first among equals.

    \b
    lsm memory search 'which cone for the black glaze' --scope studio
    lsm memory search 'key rotation' --type decision --as-of 2026-01-31 --explain
    """
    options["as_of"] = parse_instant(options["as_of"], "as-of")
    with settings.open() as mind:
        found = mind.memories.search(query, **given_only(options))
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
    "--status",
    default="active",
    show_default=True,
    metavar="S",
    help="Or deleted, superseded, quarantined, expired.",
)
@click.option("--limit", default=50, show_default=True, metavar="N", help="How many at most.")
@as_json
@click.pass_obj
def list_(settings: Settings, as_json: bool, **options: Any) -> None:
    """List memories, newest first.

    \b
    lsm memory list --scope team --limit 20
    lsm memory list --status deleted
    """
    with settings.open() as mind:
        print_memories(mind.memories.list(**given_only(options)), as_json=as_json)


@memory.command()
@click.argument("memory_id", metavar="ID")
@as_json
@click.pass_obj
def get(settings: Settings, memory_id: str, as_json: bool) -> None:
    """Print one memory and where it comes from.

    \b
    lsm memory get 01a2069a-cd81-7ac5-beb8-0e19f4704ab3
    """
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
@click.option("--type", "type_", metavar="T", help="The new type.")
@click.option("--tag", "tags", multiple=True, metavar="T", help="The new tags; repeat.")
@click.option("--confidence", type=float, metavar="F", help="The new one: 0 to 1.")
@click.option("--ttl", metavar="2w", help="Forget so long from now.")
@click.option("--pin/--unpin", default=None, help="In every context of its scope, or not.")
@click.option("--expect-version", type=int, metavar="N", help="Refuse if it has changed since.")
@with_reason
@as_json
@click.pass_obj
def edit(settings: Settings, memory_id: str, as_json: bool, **given: Any) -> None:
    """Change a memory; what it was stays in its history.

    \b
    lsm memory edit 01a2069a-cd81-7ac5-beb8-0e19f4704ab3 --text 'Keys rotate every 60 days'
    """
    changes = given_only(
        {
            "text": given["text"],
            "type": given["type_"],
            "tags": given["tags"] or None,
            "confidence": given["confidence"],
            "pinned": given["pin"],
        }
    )
    if given["ttl"] is not None:
        changes["ttl"] = parse_duration(given["ttl"], "ttl")  # None: never
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
    """Take a memory out of use; `restore` brings it back, `purge` forgets it for good.

    \b
    lsm memory delete 01a2069a-cd81-7ac5-beb8-0e19f4704ab3 --reason 'no longer true'
    """
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
    """Bring a memory back, or back to an earlier version.

    \b
    lsm memory restore 01a2069a-cd81-7ac5-beb8-0e19f4704ab3
    lsm memory restore 01a2069a-cd81-7ac5-beb8-0e19f4704ab3 --version 2
    """
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

    \b
    lsm memory purge 01a2069a-cd81-7ac5-beb8-0e19f4704ab3
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
    """Every change of a memory: when, who, why.

    \b
    lsm memory history 01a2069a-cd81-7ac5-beb8-0e19f4704ab3
    """
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
@click.argument("query")
@click.option(
    "--budget",
    type=int,
    default=1500,
    show_default=True,
    metavar="TOKENS",
    help="How long at most.",
)
@in_scope
@as_json
@click.pass_obj
def context(settings: Settings, query: str, budget: int, scope: str | None, as_json: bool) -> None:
    """A block of memories for a model's prompt, within a budget, fenced as data.

    \b
    lsm memory context 'glazes' --budget 300 --scope studio
    """
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


for command in (
    *(candidates, promote, reject, review),
    *(verify, confirm, expire, quarantine, revert, stats, export_, import_),
):
    memory.add_command(command)
