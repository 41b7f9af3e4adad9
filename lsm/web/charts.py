"""Shapes of charts, drawn by the templates as SVG. Units are those of the drawing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsm.clock import from_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from lsm.agents.rows import RunRow
    from lsm.ingest.stats_cache import Group, Growth

WIDTH, HEIGHT = 640.0, 140.0
LANE = 14.0  # height of a run in the timeline
_NARROWEST = 3.0  # a run of a moment is still seen
_BARS = 8


@dataclass(frozen=True)
class GrowthChart:
    """How many documents there were, over time."""

    line: str  # points of the line
    area: str  # ... and of what lies below it
    top: int  # documents at the upper edge
    first: str  # instants at the left and right edge
    last: str


@dataclass(frozen=True)
class Bar:
    """A kind of document."""

    name: str
    documents: int
    bytes: int
    share: float  # of the largest, in percent


@dataclass(frozen=True)
class Mark:
    """A run, a skip, a miss or a slot to come."""

    x: float
    width: float
    lane: int  # runs at the same time lie below each other
    state: str
    run_id: str  # "" for what is to come
    title: str


@dataclass(frozen=True)
class Lanes:
    """One schedule in the timeline."""

    schedule_id: str
    marks: tuple[Mark, ...]
    lanes: int


def growth_chart(growth: Sequence[Growth]) -> GrowthChart | None:
    """The chart of at least two versions; None for fewer."""
    if len(growth) < 2:
        return None
    instants = [from_text(each.created_at).timestamp() for each in growth]
    first, span = instants[0], max(instants[-1] - instants[0], 1.0)
    top = max(each.documents for each in growth) or 1
    points: list[tuple[float, float]] = []
    for instant, each in zip(instants, growth, strict=True):
        x, y = (instant - first) / span * WIDTH, HEIGHT - each.documents / top * HEIGHT
        if points:
            points.append((x, points[-1][1]))  # a step: nothing changes between two versions
        points.append((x, y))
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    area = f"0,{HEIGHT:.0f} {line} {WIDTH:.0f},{HEIGHT:.0f}"
    return GrowthChart(line, area, top, growth[0].created_at, growth[-1].created_at)


def bars(groups: Sequence[Group]) -> list[Bar]:
    """The largest groups, and the others together."""
    shown = [Bar(g.name or "no ending", g.documents, g.bytes, 0.0) for g in groups[:_BARS]]
    rest = groups[_BARS:]
    if rest:
        shown.append(Bar("others", sum(g.documents for g in rest), sum(g.bytes for g in rest), 0.0))
    most = max((bar.documents for bar in shown), default=1)
    return [Bar(b.name, b.documents, b.bytes, 100 * b.documents / most) for b in shown]


@dataclass(frozen=True)
class Window:
    """The stretch of time that a timeline shows."""

    first: datetime
    now: datetime
    last: datetime

    def x(self, instant: datetime) -> float:
        """Where *instant* lies, from 0 to `WIDTH`."""
        share = (instant - self.first) / (self.last - self.first)
        return min(max(share, 0.0), 1.0) * WIDTH


def lanes(
    schedule_id: str, runs: Sequence[RunRow], coming: Sequence[datetime], window: Window
) -> Lanes:
    """Runs, newest first as they are listed, and slots to come, of one schedule."""
    marks: list[Mark] = []
    ends: list[float] = []  # where each lane is free again
    for run in sorted(runs, key=lambda run: run.started_at or run.slot_at):
        start = window.x(from_text(run.started_at or run.slot_at))
        end = start + _NARROWEST
        if run.started_at is not None:
            until = from_text(run.finished_at) if run.finished_at else window.now
            end = max(end, window.x(until))
        lane = next((n for n, free in enumerate(ends) if free <= start), len(ends))
        ends[lane:] = [end, *ends[lane + 1 :]]
        marks.append(Mark(start, end - start, lane, run.state, run.run_id, _told(run)))
    for slot in coming:
        if slot <= window.last:
            title = f"next: {slot.astimezone():%Y-%m-%d %H:%M}"
            marks.append(Mark(window.x(slot), _NARROWEST, 0, "coming", "", title))
    return Lanes(schedule_id, tuple(marks), max(len(ends), 1))


def _told(run: RunRow) -> str:
    when = from_text(run.started_at or run.slot_at).astimezone()
    why = run.error or run.reason
    more = f", and {run.coalesced} slots before it" if run.coalesced else ""
    return f"{run.state} {when:%Y-%m-%d %H:%M:%S}{more}{f': {why}' if why else ''}"
