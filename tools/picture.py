"""The rooms of the code as SVG: a floor a band, an arrow for what imports what."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from html import escape
from itertools import pairwise

_WIDTH, _MARGIN, _ROW, _BOX, _GAP = 960, 24, 34, 26, 10
_TITLES = (
    ("Faces", "read input, call one method, show what comes back"),
    ("Wiring", "settings, database, services: put together here and nowhere else"),
    ("Services", "never import each other"),
    ("Index", "chunks, vectors, full text: one adapter an engine"),
    ("The door", "the only way to the database"),
    ("Ground", "used by all; imports nothing above"),
)
_LABEL = 262  # of a band, at its left
_CHARACTER = 8.2  # wide, in the type of the boxes
_FEW = 5  # rooms
_REACH = {"vectordb": 0.78, "db": 1.0}  # of the width: below all that stand on it
_STYLE = """\
.paper{fill:#fff}.band{fill:#f3f4f6}.box{fill:#fff;stroke:#9ca3af}
.title{font:600 15px system-ui,sans-serif;fill:#111827}
.note{font:12px system-ui,sans-serif;fill:#4b5563}
.room{font:13px ui-monospace,Menlo,Consolas,monospace;fill:#111827}
.arrow{stroke:#6b7280;stroke-width:1.6;fill:none}.head{fill:#6b7280}
@media (prefers-color-scheme:dark){.paper{fill:#111827}.band{fill:#1f2937}
.box{fill:#111827;stroke:#6b7280}.title,.room{fill:#f9fafb}.note{fill:#9ca3af}
.arrow{stroke:#9ca3af}.head{fill:#9ca3af}}"""

_OPENING = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" \
aria-label="{label}">"""
_HEAD = """\
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" \
orient="auto"><path class="head" d="M0 0 8 4 0 8z"/></marker></defs>"""
_BAND = '<rect class="band" x="{left}" y="{top}" width="{width}" height="{height}" rx="8"/>'

Floors = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class _Band:
    top: int
    height: int
    boxes: dict[str, tuple[float, int, float]]  # room: left, top, width

    @property
    def bottom(self) -> int:
        return self.top + self.height


def drawn(floors: Floors, arrows: dict[str, set[str]]) -> str:
    """An SVG of *floors*, from the top, and of *arrows*; those that follow from others are left
    out, and so are those to the ground."""
    bands: list[_Band] = []
    for floor in floors:
        top = bands[-1].bottom + 34 if bands else _MARGIN
        bands.append(_band(floor, top))
    height = bands[-1].bottom + _MARGIN
    parts = [
        _OPENING.format(width=_WIDTH, height=height, label=escape(_in_words(floors))),
        f"<style>{_STYLE}</style>",
        _HEAD,
        f'<rect class="paper" width="{_WIDTH}" height="{height}" rx="8"/>',
    ]
    for band, title in zip(bands, _TITLES, strict=True):
        parts += _shown(band, *title)
    parts += [_line(*each) for each in _lines(floors, bands, arrows)]
    return "\n".join([*parts, "</svg>", ""])


def _band(floor: tuple[str, ...], top: int) -> _Band:
    boxes: dict[str, tuple[float, int, float]] = {}
    left, row, right = float(_LABEL), 0, _WIDTH - _MARGIN - 12.0
    # A floor of few rooms is spread over its width, so that arrows go straight down.
    step = (right - _LABEL) / len(floor) if 1 < len(floor) <= _FEW else 0
    for number, room in enumerate(floor):
        width = len(room) * _CHARACTER + 22
        if room in _REACH:
            width = (right - _LABEL) * _REACH[room]
        if step:
            left = _LABEL + step * number + (step - width) / 2
        elif left + width > right + 1:
            left, row = float(_LABEL), row + 1
        boxes[room] = (left, top + 17 + row * _ROW, width)
        left += width + _GAP
    return _Band(top, 34 + row * _ROW + _BOX, boxes)


def _shown(band: _Band, title: str, note: str) -> list[str]:
    wide = _WIDTH - 2 * _MARGIN
    parts = [
        _BAND.format(left=_MARGIN, top=band.top, width=wide, height=band.height),
        f'<text class="title" x="{_MARGIN + 14}" y="{band.top + 23}">{escape(title)}</text>',
    ]
    for number, line in enumerate(textwrap.wrap(note, 34)):
        y = band.top + 39 + 14 * number
        parts.append(f'<text class="note" x="{_MARGIN + 14}" y="{y}">{escape(line)}</text>')
    for room, (left, top, width) in band.boxes.items():
        parts.append(
            f'<rect class="box" x="{left:.0f}" y="{top}" width="{width:.0f}" height="{_BOX}"'
            f' rx="5"/><text class="room" x="{left + 11:.0f}" y="{top + 17}">{escape(room)}</text>'
        )
    return parts


def _lines(
    floors: Floors, bands: list[_Band], arrows: dict[str, set[str]]
) -> list[tuple[float, float, float, float]]:
    """From faces to wiring and on to the services as bands; below, room by room."""
    found: list[tuple[float, float, float, float]] = []
    for upper, lower in pairwise(range(3)):
        if any(arrows.get(room, set()) & set(floors[lower]) for room in floors[upper]):
            x = (_LABEL + _WIDTH - _MARGIN) / 2
            found.append((x, bands[upper].bottom, x, bands[lower].top))
    where = {room: box for band in bands[2:5] for room, box in band.boxes.items()}
    for room, (left, top, width) in where.items():
        used = arrows.get(room, set()) & set(where)
        further = {deeper for each in used for deeper in arrows.get(each, set())}
        for other in sorted(used - further):
            to_left, to_top, to_width = where[other]
            if to_top > top:
                middle = left + width / 2 if width < to_width else to_left + to_width / 2
                spread = min(max(middle, to_left + 8), to_left + to_width - 8)
                found.append((middle, top + _BOX, spread, to_top))
    return found


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return (
        f'<path class="arrow" marker-end="url(#head)"'
        f' d="M{x1:.0f} {y1:.0f} L{x2:.0f} {y2 - 1:.0f}"/>'
    )


def _in_words(floors: Floors) -> str:
    named = [f"{title}: {', '.join(f)}" for (title, _), f in zip(_TITLES, floors, strict=True)]
    return "Floors of the code, each importing only what lies below. " + "; ".join(named)
