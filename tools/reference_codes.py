"""Which codes a file that could not be read may be given: found where the code gives them."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_Texts = dict[str, dict[int, str]]  # of a name, by the line that gives it
_CODE = re.compile(r"[a-z]+(?:_[a-z]+)*")
# Calls that take a code, and the position it has among their arguments.
_CALLS = {"ParseError": 0, "ChildDiedError": 0, "Problem": 1, "_failed": 1, "FailedFile": 1}
_AGAIN = {
    "_PASSING": "at every ingest",
    "_UNLUCKY": "at the next two ingests, then when it changes",
}

_USUALLY = "when it changes"
_ELSEWHERE = "what the model, or the process that reads files, said"

_INTRODUCTION = """\
# Ingest codes

A file that cannot be read never stops the others. It is named at the end of `lsm ingest`, with one
of the codes below and a reason; with `--json` they stand in `errors`. What the library held of it
before stays. Most are read again once the file, or a limit in [`lsm.toml`](config.md), changes.
The exit status is then 3, or 1 with `--strict`."""

_NOTES = """\
## Notes

These are told as well, but the file was read; with `--json` they stand in `warnings`."""


def ingest_codes(source: Path) -> str:
    """The page on everything below *source* that may be said of a file."""
    trees = [ast.parse(path.read_text("utf-8")) for path in sorted(source.rglob("*.py"))]
    found: dict[str, list[str]] = {}
    again: dict[str, str] = {}
    notes: dict[str, list[str]] = {}
    for tree in trees:
        again |= _tried_again(tree)
        noted = _warnings(tree)
        notes |= noted
        for code, reason in _codes(tree):
            if code not in noted:
                reasons = found.setdefault(code, [])
                reasons += [reason] if reason and reason not in reasons else []
    notes["tags_ignored"] = found.pop("tags_ignored")
    rows = [
        f"| `{code}` | {'<br>'.join(reasons) or _ELSEWHERE} | {again.get(code, _USUALLY)} |"
        for code, reasons in sorted(found.items())
    ]
    noted_rows = [f"| `{code}` | {'<br>'.join(told)} |" for code, told in sorted(notes.items())]
    table = "\n".join(["| Code | Reasons | Tried again |", "| --- | --- | --- |", *rows])
    noted_table = "\n".join(["| Code | Reasons |", "| --- | --- |", *noted_rows])
    return f"{_INTRODUCTION}\n\n{table}\n\n{_NOTES}\n\n{noted_table}"


def _codes(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Code and reason, or "" where the reason is told elsewhere."""
    for scope in _scopes(tree):
        texts = _local_texts(scope)
        for node in _inside(scope):
            match node:
                case ast.Call():
                    yield from _of_call(node, texts)
                case ast.Tuple(elts=[first, reason]) | ast.Tuple(elts=[_, first, reason]):
                    yield from _of_pair(first, reason, texts)
                case ast.Dict() if scope is not tree:  # tables of parsers look alike
                    for key, value in zip(node.keys, node.values, strict=True):
                        if key is not None:
                            yield from _of_pair(key, value, texts)
                case ast.Assign(targets=[ast.Name(id="code")], value=ast.IfExp(orelse=other)):
                    yield from ((code, "") for code in _constant(other))
                case _:
                    pass


def _scopes(tree: ast.Module) -> Iterator[ast.AST]:
    """The module, and every function: a name means something within one of them."""
    yield tree
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def _inside(scope: ast.AST) -> Iterator[ast.AST]:
    """What stands in *scope* and in no function of its own."""
    for node in ast.iter_child_nodes(scope):
        if not isinstance(node, ast.FunctionDef):
            yield node
            yield from _inside(node)


def _local_texts(scope: ast.AST) -> _Texts:
    found: _Texts = {}
    for node in _inside(scope):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)]) if text := _text(node.value, {}):
                found.setdefault(name, {})[node.lineno] = text
            case _:
                pass
    return found


def _of_call(node: ast.Call, texts: _Texts) -> Iterator[tuple[str, str]]:
    name = ast.unparse(node.func).rpartition(".")[2]
    for keyword in node.keywords:
        if name == "Answer" and keyword.arg == "code":
            reasons = [k.value for k in node.keywords if k.arg == "reason"]
            yield from ((c, _text(reasons[0], texts)) for c in _constant(keyword.value) if reasons)
    at = _CALLS.get(name)
    if at is not None and len(node.args) > at:
        reason = _text(node.args[at + 1], texts) if len(node.args) > at + 1 else ""
        yield from ((code, reason) for code in _constant(node.args[at]))


def _of_pair(first: ast.expr, reason: ast.expr, texts: _Texts) -> Iterator[tuple[str, str]]:
    told = _text(reason, texts)
    if " " in told:
        yield from ((code, told) for code in _constant(first))


def _constant(node: ast.expr) -> Iterator[str]:
    if (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and _CODE.fullmatch(node.value)
    ):
        yield node.value


def _text(node: ast.expr, texts: _Texts) -> str:
    """A reason as people read it, what is filled in shown as dots."""
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.JoinedStr():
            return "".join(_text(part, texts) or "…" for part in node.values)
        case ast.Name():
            given = {
                line: text for line, text in texts.get(node.id, {}).items() if line < node.lineno
            }
            return given[max(given)] if given else ""
        case _:
            return ""


def _assigned(tree: ast.Module, name: str) -> ast.expr | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return node.value
    return None


def _tried_again(tree: ast.Module) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, told in _AGAIN.items():
        value = _assigned(tree, name)
        if isinstance(value, ast.Call):
            found |= dict.fromkeys(ast.literal_eval(value.args[0]), told)
    return found


def _warnings(tree: ast.Module) -> dict[str, list[str]]:
    value = _assigned(tree, "_WARNINGS")
    if value is None:
        return {}
    told: dict[str, str] = ast.literal_eval(value)
    return {code: [text] for code, text in told.items()}
