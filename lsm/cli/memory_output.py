"""How memories and candidates look: rows for programs, lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lsm.cli import output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.agents.memory import Candidate, Memory
    from lsm.agents.memory.values import PurgeReceipt


def memory_row(found: Memory) -> dict[str, Any]:
    """A memory with the fields of the JSON contract."""
    from lsm.agents.memory import as_row

    return as_row(found)


def candidate_row(candidate: Candidate) -> dict[str, Any]:
    """A candidate with the fields of the JSON contract."""
    from lsm.agents.memory import as_candidate_row

    return as_candidate_row(candidate)


def result_row(result: Any) -> dict[str, Any]:
    """What `add` did, with the fields of the JSON contract."""
    return {
        "outcome": result.outcome,
        "id": result.id,
        "candidate_id": result.candidate.id if result.candidate else None,
        "similar": [memory_row(hit) for hit in result.similar],
    }


def print_memory(found: Memory, *, as_json: bool) -> None:
    """One memory, for a program or for a person."""
    if as_json:
        output.print_json(memory_row(found))
    else:
        click.echo(memory_line(found))


def print_memories(found: Sequence[Memory], *, as_json: bool) -> None:
    """Memories, for a program or for a person."""
    if as_json:
        output.print_json([memory_row(each) for each in found])
        return
    for each in found:
        click.echo(memory_line(each))


def memory_line(found: Memory) -> str:
    """A memory on one line, for people."""
    marks = [found.type, found.scope, *(f"#{tag}" for tag in found.tags)]
    marks += ["stale"] if found.stale else []
    marks += [found.status] if found.status != "active" else []
    return f"{found.id}  {output.clean(found.text)}  [{output.clean(' '.join(marks))}]"


def candidate_line(candidate: Candidate) -> str:
    """A candidate on one line, for people."""
    flags = f"  look twice: {', '.join(candidate.flags)}" if candidate.flags else ""
    flags += f"  merges {', '.join(candidate.merges)}" if candidate.merges else ""
    by = f"  [by {output.clean(candidate.provenance)}]" if candidate.provenance else ""
    return f"{candidate.id}  {output.clean(candidate.memory.text)}{by}{flags}"


def print_receipt(receipt: PurgeReceipt) -> None:
    """What a purge removed, and what else says the same, for people."""
    left = f"{receipt.bytes_found} traces left" if receipt.bytes_found else "no byte left"
    click.echo(f"{receipt.rows} rows gone, {left}" + (f"; {receipt.note}" if receipt.note else ""))
    for other in receipt.also_in:
        line = f"#{other.line}" if other.line else ""
        version = "" if other.current else " (an earlier version)"
        name = output.clean(f"{other.path or other.id}{line}{version}")
        click.echo(f"  the same words are in {other.kind} {name}", err=True)
