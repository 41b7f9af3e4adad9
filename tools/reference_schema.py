"""The page on every table, read from the migrations, comments and all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TABLE = re.compile(r"CREATE (?:VIRTUAL )?TABLE (?P<name>\w+)(?: USING (?P<using>\w+))? \(")
_VIEW = re.compile(r"CREATE VIEW (?P<name>\w+) AS (?P<query>.*);")
_COLUMN = re.compile(r"(?P<name>[a-z_]+)\s+(?P<definition>[A-Z].*)")
_ENGINES = {"sqlite": "SQLite only", "postgres": "PostgreSQL only"}

_SCHEMA = """\
# Tables

As the migrations in `lsm/db/migrations` make them; the same on both engines unless it says
otherwise. Times are text in UTC, `2026-01-01T12:00:00.000000Z`, so that the order of texts is the
order of times. Reading the tables is welcome; writing them is LSM's business."""


def schema(migrations: Path) -> str:
    """Every table, as the migrations make it."""
    parts = [_SCHEMA]
    for path in sorted(migrations.glob("*.sql")):
        engine = _ENGINES.get(path.suffixes[0].strip("."), "both engines")
        parts.append(f"## {path.name.partition('.')[0]}, {engine}")
        parts += _tables(path.read_text("utf-8").splitlines())
    return "\n\n".join(parts)


def _tables(lines: list[str]) -> Iterator[str]:
    comment: list[str] = []
    remaining = iter(lines)
    for line in remaining:
        if line.startswith("--"):
            comment.append(line.strip("- "))
        elif view := _VIEW.match(line):
            yield _titled(view["name"], comment) + f"\n\nA view: `{view['query']}`"
        elif made := _TABLE.match(line):
            body = _until_closed(remaining)
            told = _titled(made["name"], comment)
            if made["using"]:
                text = " ".join(part.strip() for part in body)
                yield f"{told}\n\nA virtual table of `{made['using']}`: `{text}`"
            else:
                rows = [_cells(*each) for each in _columns(body)]
                yield f"{told}\n\n{table(('Column', 'Definition', 'Meaning'), rows)}"
        if not line.startswith("--"):
            comment = []


def _until_closed(lines: Iterator[str]) -> list[str]:
    body: list[str] = []
    for line in lines:
        if line.startswith(")"):
            break
        body.append(line)
    return body


def _columns(body: list[str]) -> Iterator[tuple[str, str, str]]:
    """Name (empty for a constraint of the table), definition and comment."""
    above: list[str] = []
    name, definition, comment = "", "", ""
    for line in body:
        code, _, beside = line.strip().partition("--")
        if not code:
            above.append(beside.strip())
            continue
        column = _COLUMN.match(code) if line.startswith("    ") and line[4] != " " else None
        starts = column is not None or line[4].isupper()
        if starts and definition:
            yield name, definition, comment
        if starts:
            name = column["name"] if column else ""
            definition = (column["definition"] if column else code).strip()
            comment = " ".join([*above, beside.strip()]).strip()
            above = []
        else:
            definition += " " + code.strip()
            comment = f"{comment} {beside.strip()}".strip()
    if definition:
        yield name, definition, comment


def _cells(name: str, definition: str, comment: str) -> tuple[str, str, str]:
    text = " ".join(definition.rstrip(" ,").split()).replace("( ", "(")
    return (f"`{name}`" if name else "", f"`{text}`", comment)


def _titled(name: str, comment: list[str]) -> str:
    return f"### {name}" + (f"\n\n{' '.join(comment)}" if comment else "")


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table on a page."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    )
