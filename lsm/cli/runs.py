"""What `lsm agent` and `lsm schedule` share: parameters, and how a run is shown."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from lsm.cli import output
from lsm.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.agents.rows import RunRow
    from lsm.app import Mind

with_params = click.option("--param", "params", multiple=True, metavar="K=V", help="Repeat.")


def params(pairs: Sequence[str]) -> dict[str, Any]:
    """``("days=7", "topic=moss")`` as what they say: a number and a text."""
    import msgspec

    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise InvalidError("--param", f"{pair!r} is not K=V")
        try:
            found[name] = msgspec.json.decode(text)
        except msgspec.DecodeError:
            found[name] = text  # not JSON: then it is the text it looks like
    return found


def row_of(mind: Mind, found: RunRow) -> dict[str, Any]:
    """A run with the fields of the JSON contract."""
    memories, candidates = mind.agency.written_by_run(found.run_id)
    return vars(found) | {"memories": memories, "candidates": candidates}


def print_run(row: dict[str, Any], *, as_json: bool) -> None:
    """A run: its report on stdout, what it is on stderr."""
    if as_json:
        output.print_json(row)
        return
    click.echo(f"{row['run_id'] or ''} {row['state']}".strip(), err=True)
    # A model, or a document it has read, may have written this: it must not move the cursor.
    click.echo(output.harmless((row["report"] or row.get("error") or "no report").rstrip("\n")))
    for each in row["candidates"]:
        if each["status"] == "pending":
            click.echo(f"waits for review: {output.clean(each['text'])}", err=True)


def exit_by(row: dict[str, Any]) -> None:
    """A run that was made now and did not succeed is a failure of the command."""
    if row["state"] not in ("succeeded", "dry run"):
        sys.exit(1)
