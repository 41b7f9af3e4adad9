"""The rooms of the house, and that only `lsm.db` has a door to a database: held by the code."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "lsm"
DRIVERS = {"apsw", "sqlite3", "psycopg", "psycopg_pool", "pysqlite3", "asyncpg", "sqlalchemy"}
SERVICES = {"agents", "ingest", "query", "remote", "migration"}
FACES = {"adapters", "cli", "mcp", "web", "tour"}
WIRING = {
    "agency",
    "app",
    "catalogue",
    "doctor",
    "evaluation",
    "keeping",
    "moving_in",
    "places",
    "reasoning",
    "selftest",
    "setup",
    "watching",
    "wiring",
}  # put services together for the faces
GROUND = {"clock", "errors", "failpoints", "fencing", "once", "paths", "processes"}
# What each room may import from the package; itself always.
ALLOWED = {
    "clock": set[str](),
    "errors": set[str](),
    "failpoints": {"errors"},
    "fencing": set[str](),
    "once": set[str](),
    "processes": {"clock", "errors"},
    "config": GROUND,
    "embedding": GROUND | {"config"},
    "db": GROUND | {"config", "embedding"},
    "vectordb": GROUND | {"config", "embedding", "db"},
    "jobs": GROUND | {"db"},
    **{room: GROUND | {"config", "embedding", "db", "vectordb"} for room in SERVICES},
}
TABLES = re.compile(
    r"\b(CREATE|ALTER|DROP)\s+(VIRTUAL\s+|TEMP\w*\s+|UNLOGGED\s+)?TABLE\b", re.IGNORECASE
)
ENGINES = re.compile(r"sqlite|postgres|apsw|psycopg|pgvector", re.IGNORECASE)
# As a value to compare with, or inside SQL; a sentence for a person may name an engine.
ENGINE_TEXTS = re.compile(
    r"(sqlite3?|postgres(ql)?|apsw|psycopg)\Z"
    r"|.*(\bPRAGMA |\bsqlite_(schema|master)\b|\bpg_\w+|\bjson_each\b)",
    re.DOTALL,
)
PER_MODEL_INDEX = "vectordb/postgresql.py"


def modules() -> list[str]:
    return sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))


@cache
def tree(module: str) -> ast.Module:
    return ast.parse((PACKAGE / module).read_text("utf-8"))


@pytest.mark.parametrize("module", [name for name in modules() if not name.startswith("db/")])
def test_only_the_seam_imports_a_driver(module: str) -> None:
    assert {name.split(".")[0] for name in imported(module)} & DRIVERS == set()


@pytest.mark.parametrize("module", modules())
def test_only_migrations_make_tables(module: str) -> None:
    if module in ("db/migrate.py", PER_MODEL_INDEX):
        return

    assert [text for _, text in texts(module) if TABLES.search(text)] == []


@pytest.mark.parametrize("module", modules())
def test_only_the_seam_runs_scripts(module: str) -> None:
    if module.startswith("db/") or module == PER_MODEL_INDEX:
        return

    assert [
        node.lineno
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("script", "lock_schema")
    ] == []


@pytest.mark.parametrize("module", modules())
def test_every_arrow_points_downwards(module: str) -> None:
    room = room_of(module)
    allowed = ALLOWED.get(room)
    used = {name.split(".")[1] for name in imported(module) if name.startswith("lsm.")} - {room}

    if allowed is not None:
        assert used - allowed == set()
    if room not in FACES | WIRING | {"__init__", "__main__"}:
        assert "app" not in used
    assert room in FACES | {"__init__", "__main__"} or not used & FACES


@pytest.mark.parametrize("module", modules())
def test_only_the_seam_and_the_index_know_an_engine(module: str) -> None:
    if room_of(module) in ("db", "vectordb"):
        return

    assert [name for name in identifiers(module) if ENGINES.search(name[1])] == []
    assert [text for text in texts(module) if ENGINE_TEXTS.match(text[1])] == []


def room_of(module: str) -> str:
    return module.split("/", 1)[0].removesuffix(".py")


def imported(module: str) -> set[str]:
    """Dotted names of all that *module* imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = ("lsm", *Path(module).parent.parts)
                base = ".".join((*parents[: len(parents) - node.level + 1], base)).rstrip(".")
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return found


def texts(module: str) -> list[tuple[int, str]]:
    """Line and text of every string that is not a docstring."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree(module))
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docstrings
    ]


def identifiers(module: str) -> list[tuple[int, str]]:
    """Line and name of every name and attribute."""
    return [
        (node.lineno, node.id if isinstance(node, ast.Name) else node.attr)
        for node in ast.walk(tree(module))
        if isinstance(node, (ast.Name, ast.Attribute))
    ]
