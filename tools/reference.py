"""Write the reference pages from the code they describe: ``--write``, or ``--check`` them.

Every page below ``docs/reference`` that this writes says so at its top. A test runs the check, so
that code and page are changed together.
"""

from __future__ import annotations

import ast
import io
import os
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
from msgspec import inspect
from reference_codes import ingest_codes
from reference_faces import http_api, mcp_tools
from reference_python import python_api
from reference_schema import schema, table

from lsm.cli import cli, main
from lsm.config.models import Config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
_SOURCE = ROOT / "lsm"
_PAGES = ROOT / "docs" / "reference"
_NOTE = "<!-- Written by tools/reference.py from the code. Change that, then run `make docs`. -->"

_COMMANDS = """\
# Commands

What `--help` says, command by command. Results go to standard output, everything else to standard
error; `--json` prints one JSON document and nothing else."""
_SETTINGS = """\
# Settings

Settings stand in `lsm.toml` in the home folder; `lsm init` makes one, and what it does not set has
the default below. A name that is no setting is an error, so a typo never goes unnoticed. Secrets
are never settings: they come from the environment."""
_ERRORS = """\
# Errors

Everything LSM raises on purpose is an `lsm.errors.LsmError`. On the command line each becomes one
line on standard error that names what to change, and the exit status below. Status 3 is no error:
it says that some files could not be read, see [ingest codes](ingest-codes.md)."""


def pages() -> dict[str, str]:
    """Every generated page, by file name."""
    bodies: dict[str, Callable[[], str]] = {
        "cli.md": commands,
        "config.md": settings,
        "errors.md": errors,
        "schema.md": lambda: schema(_SOURCE / "db" / "migrations"),
        "mcp.md": mcp_tools,
        "api.md": http_api,
        "python.md": lambda: python_api(ROOT),
        "ingest-codes.md": lambda: ingest_codes(_SOURCE / "ingest"),
    }
    return {name: f"{_NOTE}\n\n{body().rstrip()}\n" for name, body in bodies.items()}


# --- commands ---------------------------------------------------------------------------


def commands() -> str:
    """The help text of every command."""
    _register()
    parts = [_COMMANDS]
    for name, text in _help(cli, "lsm", None):
        parts.append(f"## {name}\n\n```text\n{text.rstrip()}\n```")
    return "\n\n".join(parts)


def _register() -> None:
    """Have the command line know its commands, which it learns when it starts."""
    before, sys.argv = sys.argv, ["lsm", "--version"]
    try:
        with redirect_stdout(io.StringIO()):
            main()
    except SystemExit:
        return
    finally:
        sys.argv = before


def _help(
    command: click.Command, name: str, parent: click.Context | None
) -> Iterator[tuple[str, str]]:
    own = name if parent is None else name.rpartition(" ")[2]
    context = click.Context(
        command, parent, info_name=own, terminal_width=96, **command.context_settings
    )
    yield name, command.get_help(context)
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            if found is not None and not found.hidden:
                yield from _help(found, f"{name} {inner}", context)


# --- settings ---------------------------------------------------------------------------


def settings() -> str:
    """Every setting of `lsm.toml`."""
    comments = _comments()
    parts = [_SETTINGS]
    for section, model in _sections(Config, ""):
        rows = [
            (f"`{one.encode_name}`", _kind(one.type), _default(one), comments.get(key, ""))
            for one in _fields(model)
            for key in [(model.__name__, one.encode_name)]
            if not isinstance(one.type, inspect.StructType)
        ]
        if rows:
            told = table(("Setting", "Type", "Default", "Meaning"), rows)
            parts += [f"## [{section}]", model.__doc__ or "", told]
    return "\n\n".join(parts)


def _fields(model: type[msgspec.Struct]) -> tuple[inspect.Field, ...]:
    info = inspect.type_info(model)
    assert isinstance(info, inspect.StructType)
    return info.fields


def _sections(
    model: type[msgspec.Struct], prefix: str
) -> Iterator[tuple[str, type[msgspec.Struct]]]:
    for one in _fields(model):
        name = f"{prefix}{one.encode_name}"
        if isinstance(one.type, inspect.StructType):
            yield name, one.type.cls
            yield from _sections(one.type.cls, f"{name}.")
        elif isinstance(one.type, inspect.DictType) and isinstance(
            one.type.value_type, inspect.StructType
        ):
            inner = one.type.value_type.cls
            yield f"{name}.NAME", inner
            yield from _sections(inner, f"{name}.NAME.")


def _kind(of: inspect.Type) -> str:
    match of:
        case inspect.UnionType():
            types = [_kind(one) for one in of.types if not isinstance(one, inspect.NoneType)]
            return " or ".join(types)
        case inspect.LiteralType():
            return "one of " + ", ".join(f"`{value}`" for value in of.values)
        case inspect.VarTupleType() | inspect.ListType():
            return f"list: {_kind(of.item_type)}"
        case inspect.DictType():
            return f"table: {_kind(of.value_type)}"
        case inspect.IntType() | inspect.FloatType():
            name = "integer" if isinstance(of, inspect.IntType) else "number"
            return name + _bounds(of)
        case inspect.BoolType():
            return "true or false"
        case inspect.StructType():
            return "section"
        case _:
            return "text"


def _bounds(of: inspect.IntType | inspect.FloatType) -> str:
    told = [
        f"{word} {value:g}"
        for word, value in (("above", of.gt), ("from", of.ge), ("below", of.lt), ("to", of.le))
        if value is not None
    ]
    return f", {' '.join(told)}" if told else ""


def _default(one: inspect.Field) -> str:
    made_by = one.default_factory
    value = one.default if made_by is msgspec.NODEFAULT else made_by()
    if value is msgspec.NODEFAULT:
        return "must be set"
    if value is None:
        return "not set"
    return f"`{msgspec.json.encode(value).decode()}`"


def _comments() -> dict[tuple[str, str], str]:
    """By model and field, the comment beside the field or in the lines above it."""
    found: dict[tuple[str, str], str] = {}
    for path in sorted((_SOURCE / "config" / "models").glob("*.py")):
        found |= _field_comments(path)
    # What the embedders make of these settings is written where they take them.
    for (_, name), text in _field_comments(_SOURCE / "embedding" / "settings.py").items():
        found.setdefault(("EmbeddingConfig", name), text)
    return found


def _field_comments(path: Path) -> dict[tuple[str, str], str]:
    text = path.read_text("utf-8")
    lines = text.splitlines()
    found: dict[tuple[str, str], str] = {}
    for model in ast.parse(text).body:
        for one in model.body if isinstance(model, ast.ClassDef) else ():
            if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
                assert isinstance(model, ast.ClassDef)
                comment = _comment_at(lines, one)
                if comment:
                    found[model.name, one.target.id] = comment
    return found


def _comment_at(lines: list[str], node: ast.AnnAssign) -> str:
    beside = lines[(node.end_lineno or node.lineno) - 1][node.end_col_offset or 0 :]
    if "#" in beside:
        return beside.partition("#")[2].strip()
    above: list[str] = []
    for line in reversed(lines[: node.lineno - 1]):
        if not line.strip().startswith("#"):
            break
        above.insert(0, line.strip("# "))
    return " ".join(above)


# --- errors -----------------------------------------------------------------------------


@dataclass
class _Error:
    name: str
    base: str
    module: str
    meaning: str
    exit_code: int | None
    kinds: list[_Error] = field(default_factory=list["_Error"])


def errors() -> str:
    """Every class of error, as a tree and as a table."""
    top = _error_tree()
    rows = [
        (f"`{one.name}`", str(status), one.meaning, f"`{one.module}`")
        for one, status in _with_status(top, 1)
    ]
    return "\n\n".join(
        [
            _ERRORS,
            "```text\n" + "\n".join(_drawn(top, "", "")) + "\n```",
            table(("Class", "Exit status", "Meaning", "Module"), rows),
        ]
    )


def _error_tree() -> _Error:
    found: dict[str, _Error] = {}
    own = _SOURCE / "errors.py"  # drawn first, in its own order
    for path in (own, *(p for p in sorted(_SOURCE.rglob("*.py")) if p != own)):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and node.bases:
                base = ast.unparse(node.bases[0]).rpartition(".")[2]
                meaning = (ast.get_docstring(node) or "").partition("\n\n")[0]
                found[node.name] = _Error(
                    node.name, base, module, " ".join(meaning.split()), _exit_code(node)
                )
    for one in found.values():
        if one.base in found and one.base != one.name:
            found[one.base].kinds.append(one)
    return found["LsmError"]


def _exit_code(node: ast.ClassDef) -> int | None:
    for one in node.body:
        if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == "exit_code":
            return int(ast.literal_eval(one.value))
    return None


def _with_status(one: _Error, inherited: int) -> Iterator[tuple[_Error, int]]:
    status = inherited if one.exit_code is None else one.exit_code
    yield one, status
    for kind in one.kinds:
        yield from _with_status(kind, status)


def _drawn(one: _Error, first: str, rest: str) -> Iterator[str]:
    yield first + one.name
    for number, kind in enumerate(one.kinds, 1):
        is_last = number == len(one.kinds)
        branch, below = ("└── ", "    ") if is_last else ("├── ", "│   ")
        yield from _drawn(kind, rest + branch, rest + below)


# --- all pages --------------------------------------------------------------------------


def outdated(found: Mapping[str, str]) -> list[str]:
    """Names of pages that do not stand on disk as they should."""
    return [
        name
        for name, text in found.items()
        if not (_PAGES / name).exists() or (_PAGES / name).read_text("utf-8") != text
    ]


@click.command()
@click.option("--write", is_flag=True, help="Write the pages.")
@click.option("--check", is_flag=True, help="Say which pages are not up to date (status 1).")
def run(*, write: bool, check: bool) -> None:
    """Write the generated reference pages, or say which are out of date."""
    found = pages()
    stale = outdated(found)
    if write:
        os.makedirs(_PAGES, exist_ok=True)
        for name in stale:
            (_PAGES / name).write_text(found[name], "utf-8")
            click.echo(f"written: docs/reference/{name}")
    elif check and stale:
        raise click.ClickException(f"out of date: {', '.join(stale)}; run `make docs`")


if __name__ == "__main__":
    run()
