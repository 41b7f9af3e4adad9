"""Measure the code, draw its rooms, and write both into the page on its architecture.

``--write`` writes, ``--check`` says whether the picture still shows the imports as they are.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

import click
from picture import drawn
from reference_schema import table

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "lsm"
PAGE = ROOT / "docs" / "explanation" / "architecture.md"
PICTURE = ROOT / "docs" / "images" / "architecture.svg"
_BEGIN, _END = "<!-- figures: begin -->", "<!-- figures: end -->"
_DOCUMENTS = PACKAGE / "sample" / "library"  # some of which happen to be code

# Which rooms lie on which floor, from the top. What is on none of them wires.
FACES = ("cli", "web", "mcp", "adapters", "tour")
SERVICES = ("ingest", "query", "agents", "migration", "remote")
INDEX = ("vectordb",)
SEAM = ("db",)
GROUND = (
    *("config", "embedding", "clock", "errors", "paths"),
    *("processes", "fencing", "failpoints", "once", "sample"),
)
FLOORS = (FACES, SERVICES, INDEX, SEAM, GROUND)
MOST_LINES, LONGEST, MOST_BROAD = 400, 60, 0.5
MEDIAN, P95 = 8, 35

Arrows = dict[str, set[str]]
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Definition = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Figures:
    """The code in numbers."""

    modules: int
    lines: int
    functions: int
    median: float  # lines of a function, from def to its end, docstring and all
    p95: float
    longest: tuple[int, str]
    over_400: tuple[str, ...]
    broad_excepts: int
    public: int  # classes, functions and methods whose names do not begin with _
    documented: int

    @property
    def broad_per_1000(self) -> float:
        """`except Exception` and its like, for each 1,000 lines."""
        return 1000 * self.broad_excepts / self.lines


def measured() -> Figures:
    """The package as it is."""
    lengths: list[tuple[int, str]] = []
    sizes: dict[str, int] = {}
    broad, public = 0, Counter[bool]()
    for path in sources():
        name, text = str(path.relative_to(ROOT)), path.read_text("utf-8")
        tree = ast.parse(text)
        sizes[name] = len(text.splitlines())
        lengths += [
            ((node.end_lineno or node.lineno) - node.lineno + 1, f"{name}: {node.name}")
            for node in ast.walk(tree)
            if isinstance(node, _Function)
        ]
        broad += sum(isinstance(n, ast.ExceptHandler) and _is_broad(n) for n in ast.walk(tree))
        public.update(ast.get_docstring(node) is not None for node in _public(tree.body))
    spans = [length for length, _ in lengths]
    return Figures(
        modules=len(sizes),
        lines=sum(sizes.values()),
        functions=len(lengths),
        median=median(spans),
        p95=quantiles(spans, n=20)[-1],
        longest=max(lengths),
        over_400=tuple(name for name, size in sizes.items() if size > MOST_LINES),
        broad_excepts=broad,
        public=public.total(),
        documented=public[True],
    )


def sources() -> list[Path]:
    """Every module of the package."""
    return [path for path in sorted(PACKAGE.rglob("*.py")) if _DOCUMENTS not in path.parents]


def arrows() -> Arrows:
    """Which room imports which, wherever in a module it does so."""
    found: Arrows = {}
    for path in sources():
        room = _room(path)
        used = found.setdefault(room, set())
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            used |= {name.split(".")[1] for name in _imported(node, path) if "." in name}
    rooms = set(found) - {"__init__"}
    return {room: (found[room] & rooms) - {room} for room in sorted(rooms)}


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imported(node: ast.AST, path: Path) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name.startswith("lsm."))
    elif isinstance(node, ast.ImportFrom):
        parents = ("lsm", *path.relative_to(PACKAGE).parent.parts)
        base = parents[: len(parents) - node.level + 1] if node.level else ()
        whole = ".".join([*base, *((node.module or "").split(".") if node.module else [])])
        if whole == "lsm":
            yield from (f"lsm.{alias.name}" for alias in node.names)
        elif whole.startswith("lsm."):
            yield whole


def _is_broad(node: ast.ExceptHandler) -> bool:
    caught = "BaseException" if node.type is None else ast.unparse(node.type)
    # One that rolls back and raises again catches nothing.
    again = any(isinstance(each, ast.Raise) and each.exc is None for each in node.body)
    return bool(re.search(r"\b(Base)?Exception\b", caught)) and not again


def _public(body: list[ast.stmt]) -> Iterator[ast.ClassDef | _Function]:
    for node in body:
        if isinstance(node, _Definition) and not node.name.startswith("_"):
            if not _is_overload(node):
                yield node
            if isinstance(node, ast.ClassDef):
                yield from _public(node.body)


def _is_overload(node: ast.ClassDef | _Function) -> bool:
    return any("overload" in ast.unparse(each) for each in node.decorator_list)


def told(figures: Figures, found: Arrows) -> str:
    """The part of the page between the marks."""
    longest, where = figures.longest
    covered = 100 * figures.documented / figures.public
    rows = [
        ("Modules", f"{figures.modules:,}", ""),
        ("Lines", f"{figures.lines:,}", ""),
        ("Functions", f"{figures.functions:,}", ""),
        ("Lines of a function, median", f"{figures.median:g}", f"at most {MEDIAN}"),
        ("95 of 100 functions have at most", f"{figures.p95:.0f}", f"{P95}"),
        ("The longest function", f"{longest} (`{where}`)", f"at most {LONGEST}"),
        (f"Modules over {MOST_LINES} lines", f"{len(figures.over_400)}", "none"),
        (
            "`except Exception` that swallows, for 1,000 lines",
            f"{figures.broad_per_1000:.2f} ({figures.broad_excepts} in all)",
            f"at most {MOST_BROAD}",
        ),
        (
            "Public names with a docstring",
            f"{covered:.1f} % ({figures.documented:,} of {figures.public:,})",
            "",
        ),
    ]
    arrows_told = [(f"`{room}`", _names(found[room])) for room in _in_order(found)]
    return "\n\n".join(
        [
            table(("What", "Now", "Goal"), rows),
            "Which room imports which, besides the ground floor, which all may:",
            table(("Room", "imports"), arrows_told),
        ]
    )


def _names(used: set[str]) -> str:
    above = sorted(used - set(GROUND))
    return ", ".join(f"`{name}`" for name in above) or "nothing"


def _in_order(found: Arrows) -> list[str]:
    return [room for room in (*FACES, *wiring(found), *SERVICES, *INDEX, *SEAM) if room in found]


def wiring(found: Arrows) -> list[str]:
    """The rooms that are on no other floor, `app` first."""
    named = {room for floor in FLOORS for room in floor}
    return sorted(set(found) - named, key=lambda room: (room != "app", room))


def picture(found: Arrows) -> str:
    """The rooms and their arrows as SVG."""
    return drawn((FACES, tuple(wiring(found)), SERVICES, INDEX, SEAM, GROUND), found)


def with_figures(page: str, text: str) -> str:
    """*page* with *text* between its marks."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n\n{text}\n\n{_END}{after}"


def outdated() -> list[str]:
    """What no longer shows the imports as they are; the numbers may lag behind by a little."""
    found, page = arrows(), PAGE.read_text("utf-8")
    stale = [] if PICTURE.read_text("utf-8") == picture(found) else [PICTURE.name]
    lines = told(measured(), found).splitlines()
    rows = [line for line in lines if line.startswith("| `")]
    return stale + ([] if all(row in page for row in rows) else [PAGE.name])


@click.command()
@click.option("--write", is_flag=True, help="Write picture and figures.")
@click.option("--check", is_flag=True, help="Say what shows other imports (status 1).")
def run(*, write: bool, check: bool) -> None:
    """Write figures and picture of the code, or say which are out of date."""
    if write:
        found = arrows()
        PICTURE.write_text(picture(found), "utf-8")
        page = PAGE.read_text("utf-8")
        PAGE.write_text(with_figures(page, told(measured(), found)), "utf-8")
    elif check and (stale := outdated()):
        raise click.ClickException(f"out of date: {', '.join(stale)}; run `make docs`")


if __name__ == "__main__":
    run()
