"""What a benchmark found, as tables for the terminal and for the page."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True)
class Table:
    """Rows of cells, already as text; the first column names the row."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """As a table on a page, numbers to the right."""
        rule = ["---", *("---:" for _ in self.head[1:])]
        return "\n".join(f"| {' | '.join(row)} |" for row in (self.head, rule, *self.rows))

    def plain(self) -> str:
        """As a table in a terminal."""
        rows = [[cell.strip("*`") for cell in row] for row in (self.head, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(_line(row, widths) for row in rows)


@dataclass(frozen=True)
class Finding:
    """The result of one benchmark."""

    title: str
    about: str  # what was done, so that a reader could do it again
    table: Table
    notes: tuple[str, ...] = ()  # what the numbers mean, or why there are none

    def markdown(self) -> str:
        """As a section of the page."""
        parts = [f"## {self.title}", self.about, self.table.markdown(), *self.notes]
        return "\n\n".join(parts)

    def plain(self) -> str:
        """For a terminal."""
        return "\n\n".join(
            [f"{self.title}\n{'=' * len(self.title)}", self.table.plain(), *self.notes]
        )


def interleaved(tasks: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What each of *tasks* returned, *rounds* times.

    One of each in turn: what else the machine does then falls on all of them alike.
    """
    found: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            found[name].append(task())
    return found


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest value that at least *percent* of *values* do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-percent * len(ordered) // 100) - 1)]


def ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """The median of *above* over *below*, round by round."""
    return median([one / other for one, other in zip(above, below, strict=True)])


def seconds(value: float) -> str:
    """A time as people read it."""
    return f"{value:.2f} s" if value >= 1 else f"{1000 * value:.0f} ms"


def milliseconds(value: float) -> str:
    """A short time as people read it."""
    return f"{1000 * value:.1f} ms" if value >= 0.0001 else f"{1e6 * value:.0f} µs"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first = row[0].ljust(widths[0])
    others = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
    return "  ".join([first, *others]).rstrip()
