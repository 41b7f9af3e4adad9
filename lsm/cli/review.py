"""`lsm memory review`: one candidate after the other, one key each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lsm.cli import output
from lsm.errors import InvalidError, RefusedError

if TYPE_CHECKING:
    from lsm.agents.memory import Candidate, MemoryStore

_KEYS = "[y]es  [e]dit  [n]o  [s]kip  [q]uit"


def review_queue(memories: MemoryStore, scope: str | None) -> None:
    """Show every pending candidate of *scope* and do what is typed."""
    done, cursor = 0, None
    while True:
        page = memories.candidates(scope=scope, limit=20, cursor=cursor)
        for candidate in page:
            _show(memories, candidate)
            key = _key()
            if key == "q":
                _end(done)
                return
            try:
                done += _decide(memories, candidate, key)
            except (InvalidError, RefusedError) as error:  # decided by another, or no such words
                click.echo(f"lsm: {error}", err=True)
        cursor = page.cursor
        if cursor is None:
            _end(done)
            return


def _show(memories: MemoryStore, candidate: Candidate) -> None:
    memory = candidate.memory
    click.echo(f"\n{click.style(output.clean(memory.text), bold=True)}")
    click.echo(f"  {memory.type} in {output.clean(memory.scope)}, trust {memory.trust}")
    click.echo(f"  by {output.clean(candidate.provenance)}  {output.clean(candidate.rationale)}")
    for source in memories.sources(memory.id):
        if source.kind == "memory" and source.ref in candidate.merges:
            continue  # named below
        click.echo(f"  from {output.clean(source.ref)}: {output.clean(source.quote)[:200]}")
    for old in (*candidate.merges, *([candidate.supersedes] if candidate.supersedes else [])):
        replaced = memories.get(old, hidden=True)
        click.echo(f"  takes the place of {old}: {output.clean(replaced.text if replaced else '')}")
    for flag in candidate.flags:
        click.echo(click.style(f"  look twice: {flag}", fg="yellow"))
    for near in memories.similar(memory.text, memory.scope):
        if near.id in candidate.merges:
            continue
        click.echo(f"  similar, {near.id}: {output.clean(near.text)}")


def _key() -> str:
    while True:
        key = click.prompt(_KEYS, default="s", show_default=False).strip().lower()[:1]
        if key in "yensq":
            return key


def _decide(memories: MemoryStore, candidate: Candidate, key: str) -> int:
    match key:
        case "y":
            memories.promote(candidate.id)
        case "e":
            text = click.edit(candidate.memory.text)
            if text is None:  # left without saving: whoever does that has not agreed to anything
                click.echo("  not saved, skipped", err=True)
                return 0
            memories.promote(candidate.id, text=text.strip())
        case "n":
            memories.reject(
                candidate.id, reason=click.prompt("why", default="", show_default=False)
            )
        case _:
            return 0
    return 1


def _end(done: int) -> None:
    click.echo(f"{done} reviewed")
