"""The page on the Python API, read from the source: signatures, docstrings, comments of fields."""

from __future__ import annotations

import ast
import re
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Definition = ast.ClassDef | ast.FunctionDef

_INTRO = """\
# Python

```python
import lsm

with lsm.open("~/mind") as mind:
    mind.ingest("~/notes")
    for hit in mind.search("how do we rotate keys", k=5):
        print(hit.path, hit.start_line, hit.text)
```

`lsm.open` gives a `Mind`; everything else is one of its attributes, or takes its `db`. All of it is
typed, works the same on SQLite and PostgreSQL, and may be shared between threads;
[how-to: use it from Python](../how-to/use-from-python.md). What is raised on purpose is listed with
the [errors](errors.md). Fields and methods that are not on this page may change."""

_MIND = (
    "memories",
    "scheduler",
    "remote",
    "cache",
    "db",
    "embedder",
    "ingest",
    "search",
    "ask",
    "show",
    "keep",
    "status",
    "overview",
    "roots",
    "add_root",
    "watch",
    "export_memories",
    "close",
)
_DATABASE = ("rows", "tuples", "run", "many", "transaction", "snapshot", "close")
_DATABASE_IS = ("engine", "url", "in_transaction")
Members = tuple[str, ...] | None
# Heading, what to know, and what is told of each module; with names, only those members.
_SECTIONS: list[tuple[str, str, list[tuple[str, str, Members]]]] = [
    ("Opening", "", [("lsm", "open", None), ("lsm.app", "Mind", _MIND)]),
    (
        "What searching and ingesting give",
        "",
        [
            ("lsm.wiring", "SearchChoices", None),
            ("lsm.query.search", "Hit", None),
            ("lsm.query.answers", "Answer", None),
            ("lsm.query.answers", "Citation", None),
            ("lsm.query.show", "Shown", None),
            ("lsm.ingest.report", "IngestReport", None),
            ("lsm.ingest.report", "FileCounts", None),
            ("lsm.ingest.report", "ChunkCounts", None),
            ("lsm.ingest.report", "FileError", None),
            ("lsm.ingest.report", "Progress", None),
        ],
    ),
    (
        "Memory",
        "`mind.memories`, or `MemoryStore(db)` over any open database.",
        [
            ("lsm.agents.memory.store", "MemoryStore", None),
            ("lsm.agents.memory.values", "NewMemory", None),
            ("lsm.agents.memory.values", "AddResult", None),
            ("lsm.agents.memory.values", "Memory", None),
            ("lsm.agents.memory.values", "Hit", None),
            ("lsm.agents.memory.values", "Candidate", None),
            ("lsm.agents.memory.values", "Source", None),
            ("lsm.agents.memory.values", "Context", None),
            ("lsm.agents.memory.desk", "Writer", None),
            ("lsm.adapters.langgraph", "LangGraphStore", None),
        ],
    ),
    (
        "Agents and schedules",
        "`mind.scheduler`, or `AgentScheduler(db, find)` with agents of your own.",
        [
            ("lsm.agents.scheduler", "AgentScheduler", None),
            ("lsm.agents.schedules", "Schedule", None),
            ("lsm.agents.schedules", "Every", None),
            ("lsm.agents.schedules", "CronTime", None),
            ("lsm.agents.schedules", "Once", None),
            ("lsm.agents.schedules", "Policy", None),
            ("lsm.agents.rows", "ScheduleRow", None),
            ("lsm.agents.rows", "RunRow", None),
            ("lsm.agents.runtime", "Agent", None),
            ("lsm.agents.runtime", "RunContext", None),
            ("lsm.agents.runtime", "Outcome", None),
            ("lsm.agents.cron", "next_fires", None),
            ("lsm.agents.cron", "prev_or_equal", None),
            ("lsm.agents.cron", "count", None),
            ("lsm.agents.cron", "explain", None),
        ],
    ),
    (
        "Sources elsewhere",
        "`mind.remote` asks, `mind.cache` is what was answered; or `RemoteCache(db)`.",
        [
            ("lsm.remote.sources", "RemoteSources", ("sources", "search", "mark_shown")),
            ("lsm.remote.results", "RemoteAnswer", None),
            ("lsm.remote.results", "Found", None),
            ("lsm.remote.storage", "RemoteCache", None),
            ("lsm.remote.storage", "Held", None),
            ("lsm.keeping", "Keeping", ("keep", "drop", "kept")),
        ],
    ),
    (
        "The record of files, and statistics",
        "",
        [
            ("lsm.ingest.manifest", "FileState", None),
            ("lsm.ingest.manifest", "load_manifest", None),
            ("lsm.ingest.manifest", "save_manifest", None),
            ("lsm.ingest.manifest", "get_next_version", None),
            ("lsm.ingest.stats_cache", "StatsCache", None),
            ("lsm.ingest.stats_cache", "LibraryStats", None),
        ],
    ),
    (
        "The database",
        "`mind.db`. [Transactions](../explanation/transactions.md) says how it is used.",
        [
            ("lsm.db", "open_database", None),
            ("lsm.db.database", "Database", (*_DATABASE_IS, *_DATABASE)),
        ],
    ),
]
PUBLIC = [(module, name) for _, _, names in _SECTIONS for module, name, _ in names]
_PROPERTY = re.compile(r"property|\bonce\b")
_SECTION = re.compile(r"^(Args|Returns|Raises|Yields):$")
_WIDTH = 92


def python_api(root: Path) -> str:
    """Every public name below *root*, in the order in which people meet them."""
    parts = [_INTRO]
    for heading, remark, names in _SECTIONS:
        parts += [f"## {heading}", remark]
        for module, name, members in names:
            parts += _Module(root, module).told(name, members)
    return "\n\n".join(part for part in parts if part)


@dataclass(frozen=True)
class _Field:
    code: str
    comment: str


class _Module:
    def __init__(self, root: Path, name: str) -> None:
        place = root.joinpath(*name.split("."))
        path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        text = path.read_text("utf-8")
        self._name = name
        self._lines = text.splitlines()
        self._found = {
            node.name: node
            for node in ast.parse(text).body
            if isinstance(node, ast.ClassDef | ast.FunctionDef)
        }

    def told(self, name: str, members: Members) -> Iterator[str]:
        """The parts of the page on *name*; of a class, only *members* if they are given."""
        node = self._found[name]
        yield f"### {self._name}.{name}"
        if isinstance(node, ast.FunctionDef):
            yield _code(_signature(node, name))
            yield _prose(ast.get_docstring(node) or "")
            return
        yield from self._class(node, members)

    def _class(self, node: ast.ClassDef, members: Members) -> Iterator[str]:
        methods = {each.name: each for each in node.body if isinstance(each, ast.FunctionDef)}
        fields = list(self._fields(node))
        made = methods.get("__init__")
        if made is not None:
            yield _code(_signature(made, node.name))
        yield _prose(ast.get_docstring(node) or "")
        if made is not None and (how := ast.get_docstring(made)):
            yield _prose(how)
        if fields:
            yield _code("\n".join(_aligned(fields)))
        shown = [
            method
            for name, method in methods.items()
            if not name.startswith("_") and (members is None or name in members)
        ]
        if members is not None:
            shown.sort(key=lambda each: members.index(each.name))
        yield "\n".join(_attribute(each) for each in shown if _is_property(each))
        for each in shown:
            if not _is_property(each):
                yield f"#### {each.name}()"
                yield _code(_signature(each, each.name))
                yield _prose(ast.get_docstring(each) or "")

    def _fields(self, node: ast.ClassDef) -> Iterator[_Field]:
        for each in node.body:
            if isinstance(each, ast.AnnAssign) and not ast.unparse(each.target).startswith("_"):
                yield _Field(_declared(each), self._comment(each))

    def _comment(self, node: ast.AnnAssign) -> str:
        line = self._lines[(node.end_lineno or node.lineno) - 1]
        beside = line.encode()[node.end_col_offset or 0 :].decode()
        if "#" in beside and "noqa" not in beside:
            return beside.partition("#")[2].strip()
        above: list[str] = []
        for other in reversed(self._lines[: node.lineno - 1]):
            if not other.strip().startswith("#"):
                break
            above.insert(0, other.strip("# "))
        return " ".join(above)


def _declared(node: ast.AnnAssign) -> str:
    code = f"{ast.unparse(node.target)}: {ast.unparse(node.annotation)}"
    factory = node.value is not None and "factory" in ast.unparse(node.value)
    return code if node.value is None or factory else f"{code} = {ast.unparse(node.value)}"


def _aligned(fields: list[_Field]) -> Iterator[str]:
    width = min(max(len(each.code) for each in fields), 40)
    for each in fields:
        yield f"{each.code:<{width}}  # {each.comment}" if each.comment else each.code


def _is_property(node: ast.FunctionDef) -> bool:
    return any(_PROPERTY.search(ast.unparse(each)) for each in node.decorator_list)


def _attribute(node: ast.FunctionDef) -> str:
    kind = f": {ast.unparse(node.returns)}" if node.returns else ""
    told = " ".join(_prose(ast.get_docstring(node) or "").split())
    return f"* `{node.name}{kind}`: {told}"


def _signature(node: ast.FunctionDef, name: str) -> str:
    arguments = ast.unparse(node.args).removeprefix("self, ").removeprefix("self")
    arguments = ", ".join(map(_spaced, _split(arguments)))
    back = "" if node.name == "__init__" or node.returns is None else ast.unparse(node.returns)
    if any("contextmanager" in ast.unparse(each) for each in node.decorator_list):
        back = "ContextManager[None]"
    arrow = f" -> {back}" if back else ""
    whole = f"{name}({arguments}){arrow}"
    if len(whole) <= _WIDTH:
        return whole
    each = _split(arguments)
    return f"{name}(\n" + "".join(f"    {part},\n" for part in each) + f"){arrow}"


def _split(arguments: str) -> list[str]:
    """*arguments* at the commas that part them."""
    parts, depth = [""], 0
    for char in arguments:
        depth += (char in "([{") - (char in ")]}")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return [part.strip() for part in parts if part.strip()]


def _spaced(argument: str) -> str:
    """As people write it: ast puts no spaces around the default of an annotated argument."""
    name, colon, rest = argument.partition(": ")
    return f"{name}: {rest.replace('=', ' = ', 1)}" if colon and "=" in rest else argument


def _code(text: str) -> str:
    return f"```py\n{text}\n```"


def _prose(doc: str) -> str:
    """A docstring as Markdown."""
    parts: list[str] = []
    for block in re.split(r"\n{2,}", doc):
        head, _, body = block.partition("\n")
        if _SECTION.match(head):
            parts.append(f"{head}\n\n" + _listed(textwrap.dedent(body)))
        else:
            parts.append(" ".join(block.split()))
    return re.sub(r"(?<!`)``(?!`)", "`", "\n\n".join(part for part in parts if part))


def _listed(body: str) -> str:
    lines: list[str] = []
    for line in body.splitlines():
        if line.startswith(" ") and lines:
            lines[-1] += " " + line.strip()
        else:
            name, colon, text = line.partition(": ")
            lines.append(f"* `{name}`: {text}" if colon else f"* {line}")
    return "\n".join(lines)
