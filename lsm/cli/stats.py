"""`lsm stats`: what the library is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lsm.cli import output
from lsm.cli.options import as_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.cli import Settings
    from lsm.ingest.stats_cache import Group, Growth, LibraryStats, Listed

_SHOWN = 10  # rows of a table; --json has them all
_UNITS = ("bytes", "KB", "MB", "GB", "TB")


@click.command()
@as_json
@click.pass_obj
def stats(settings: Settings, as_json: bool) -> None:
    """What the library is made of: by type, folder and tag, its growth, largest and newest.

    Computed once, and again when the library has changed.

    \b
    lsm stats --json
    """
    with settings.open() as mind:
        found = mind.catalogue.stats()
    if as_json:
        output.print_json(found)
    else:
        _print(found)


def _print(found: LibraryStats) -> None:
    click.echo(
        f"version {found.version}: {found.documents:,} documents, {found.chunks:,} chunks, "
        f"{_size(found.bytes)}"
    )
    _print_groups("by type", [(group.name or "(none)", group) for group in found.by_type])
    _print_groups("by folder", [(output.short(g.name), g) for g in found.by_folder])
    _print_groups("by tag", [(output.clean(group.name), group) for group in found.by_tag])
    _print_growth(found.growth)
    _print_listed("largest", found.largest)
    _print_listed("newest", found.newest)
    if found.errors:
        codes = ", ".join(f"{count} {code}" for code, count in found.errors_by_code.items())
        click.echo(f"\n{found.errors:,} files could not be read: {codes}")


def _print_groups(title: str, groups: Sequence[tuple[str, Group]]) -> None:
    rows = [
        (name, f"{group.documents:,}", f"{group.chunks:,}", _size(group.bytes))
        for name, group in groups[:_SHOWN]
    ]
    _print_table((title, "documents", "chunks", "size"), rows, len(groups) - _SHOWN)


def _print_growth(growth: Sequence[Growth]) -> None:
    rows = [
        (f"version {each.version}", f"{each.documents:,}", f"{each.chunks:,}", each.created_at[:10])
        for each in growth[-_SHOWN:]
    ]
    _print_table(("growth", "documents", "chunks", "since"), rows, 0)


def _print_listed(title: str, listed: Sequence[Listed]) -> None:
    rows = [
        (output.short(each.path), _size(each.bytes), each.modified_at[:10])
        for each in listed[:_SHOWN]
    ]
    _print_table((title, "size", "modified"), rows, 0)


def _print_table(head: Sequence[str], rows: Sequence[Sequence[str]], more: int) -> None:
    if not rows:
        return
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    click.echo()
    for number, row in enumerate((head, *rows)):
        cells = [
            row[0].ljust(widths[0]),
            *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)),
        ]
        line = "  ".join(cells).rstrip()
        click.echo(line if number else click.style(line, bold=True))
    if more > 0:
        click.echo(f"and {more:,} more")


def _size(count: int) -> str:
    size, unit = float(count), 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:,.0f} {_UNITS[unit]}" if unit < 2 else f"{size:,.1f} {_UNITS[unit]}"
