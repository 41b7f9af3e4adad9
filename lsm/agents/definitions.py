"""Agents that a user writes: a Markdown file with front matter, its body the prompt.

```
---
description: What is said of it in `lsm agent list`
tools: [search, read, propose]
params:
  topic: What to look for
budgets: {time: 5m, tool_calls: 20}
---
Find what is new about {{topic}} and write it down.
```
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from lsm.agents.params import Param
from lsm.config.models.agents import duration
from lsm.config.models.llm import check_model
from lsm.errors import ConfigError, InvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ENDING = ".md"
NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")
_MAX_BYTES = 64 * 1024
_FENCED = re.compile(r"---[ \t]*\n(.*?\n)?---[ \t]*(?:\n|\Z)", re.DOTALL)
_PLACE = re.compile(r"\{\{\s*([A-Za-z0-9_-]+)\s*\}\}")
_UNKNOWN = re.compile(r"unknown field `([^`]*)`(?: - at `\$\.?([^`]*)`)?")
_WRONG = re.compile(r"(.*?)(?: - at `\$\.?([^`]*)`)?\Z", re.DOTALL)
_IN_YAML = {"array": "a list", "str": "text", "int": "a whole number", "object": "a mapping"}
_PARAM = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
_Description = Annotated[str, Meta(max_length=1000)]


class ParamText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A parameter, written out; a text alone is its description, and makes it required."""

    description: _Description = ""
    required: bool = False
    default: Any = None


class Budgets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far one run may go; what is not set is as in ``[agents.limits]``."""

    time: str | None = None
    tool_calls: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    tokens: Annotated[int, Meta(ge=1_000)] | None = None
    remote_calls: Annotated[int, Meta(ge=0, le=1_000)] | None = None


class FrontMatter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands between the two lines of dashes."""

    description: _Description
    name: str | None = None  # the file's, if it is given at all
    tools: tuple[str, ...] = ()
    model: str = ""  # "" is the configured one
    lifetime: str | None = None  # of what it proposes: 7d, 2w
    scope: str | None = None  # whose memories it reads, and where its proposals go
    params: dict[_PARAM, str | ParamText] = {}
    budgets: Budgets = Budgets()


@dataclass(frozen=True)
class Definition:
    """An agent with a model."""

    name: str
    description: str
    tools: tuple[str, ...]
    model: str  # "": the configured one
    lifetime: str | None
    scope: str | None
    params: Mapping[str, Param]
    budgets: Budgets
    prompt: str
    hash: str  # SHA-256 of the file, 64 hex digits
    place: str  # of the file, for people

    def asked(self, params: Mapping[str, Any]) -> str:
        """The prompt with *params* in their places, and below it those that have none."""
        named = set(_PLACE.findall(self.prompt))
        text = _PLACE.sub(lambda found: _plain(params.get(found[1])), self.prompt).strip()
        rest = [f"- {name}: {_plain(value)}" for name, value in params.items() if name not in named]
        return "\n".join([text, "", *rest]).strip() if rest else text


def read_definition(path: str, tools: Sequence[str]) -> Definition:
    """The agent in the file at *path*, which may use some of *tools*.

    Raises:
        ConfigError: it cannot be read, or something in it is wrong; names file and field.
    """
    return parse_definition(_read(path), path, tools)


def parse_definition(text: str, path: str, tools: Sequence[str]) -> Definition:
    """As `read_definition`, of a *text* that was read from *path*."""
    found = _FENCED.match(text)
    if found is None:
        raise ConfigError(path, "begins with no front matter; write it between two lines of ---")
    front = _converted(_loaded(found[1] or "", path), path)
    name = os.path.basename(path).removesuffix(ENDING)
    prompt = text[found.end() :].strip()
    _check(front, name, prompt, path)
    _check_tools(front.tools, tools, path)
    return Definition(
        name=name,
        description=" ".join(front.description.split()),
        tools=tuple(dict.fromkeys(front.tools)),
        model=front.model,
        lifetime=front.lifetime,
        scope=front.scope,
        params={key: _param(value) for key, value in front.params.items()},
        budgets=front.budgets,
        prompt=prompt,
        hash=hashlib.sha256(text.encode()).hexdigest(),
        place=path,
    )


def _check(front: FrontMatter, name: str, prompt: str, path: str) -> None:
    if not NAME.fullmatch(name):
        raise ConfigError(path, "an agent's file is called like it: a-z, 0-9 and -, then .md")
    if front.name is not None and front.name != name:
        raise ConfigError(f"{path}: name", f"is {front.name!r}, but the file is called {name!r}")
    if not front.description.strip():
        raise ConfigError(f"{path}: description", "say in a few words what it does")
    if not prompt:
        raise ConfigError(path, "says nothing below its front matter; write there what it is to do")
    for word in _PLACE.findall(prompt):
        if word not in front.params:
            near = get_close_matches(word, front.params, n=1)
            hint = f"did you mean {near[0]}?" if near else "declare it under params"
            raise ConfigError(f"{path}: {{{{{word}}}}}", f"is no parameter; {hint}")
    check_model(f"{path}: model", front.model)
    if front.lifetime is not None:
        duration(f"{path}: lifetime", front.lifetime)
    if front.budgets.time is not None and duration(f"{path}: time", front.budgets.time) is None:
        raise ConfigError(f"{path}: time", "a run must end; write 10m")
    if front.scope is not None:
        _check_scope(front.scope, path)


def _check_scope(scope: str, path: str) -> None:
    from lsm.agents.memory import checks

    try:
        checks.scope(scope)
    except InvalidError as error:
        raise ConfigError(f"{path}: scope", str(error)) from error


def _check_tools(wanted: Sequence[str], known: Sequence[str], path: str) -> None:
    for tool in wanted:
        if tool not in known:
            near = get_close_matches(tool, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise ConfigError(f"{path}: tools", f"there is no tool {tool!r}; {hint}")


def _read(path: str) -> str:
    try:
        # Not waiting for a pipe's other end.
        with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ConfigError(path, "it is not a regular file")
            raw = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(path, f"cannot be read: {error.strerror}") from error
    if len(raw) > _MAX_BYTES:
        raise ConfigError(path, "larger than 64 KB; is this an agent?")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(path, f"not UTF-8 at byte {error.start}; save it as UTF-8") from error
    return text.replace("\r\n", "\n")


def _loaded(text: str, path: str) -> Any:
    import yaml

    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
            raise ConfigError(path, "aliases (*) are not allowed in front matter")
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        # Counted from the top of the file, whose first line is the dashes.
        where = f" at line {mark.line + 2}" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(path, f"front matter is not valid YAML{where}: {problem}") from error


def _converted(fields: Any, path: str) -> FrontMatter:
    try:
        return msgspec.convert({} if fields is None else fields, FrontMatter)
    except msgspec.ValidationError as error:
        raise _explained(str(error), path) from error


def _explained(problem: str, path: str) -> ConfigError:
    unknown = _UNKNOWN.search(problem)
    if unknown:
        inner = {"budgets": Budgets, "params[...]": ParamText}.get(unknown[2] or "", FrontMatter)
        near = get_close_matches(unknown[1], inner.__struct_fields__, n=1)
        known = ", ".join(inner.__struct_fields__)
        hint = f"did you mean {near[0]}?" if near else f"there are {known}"
        return ConfigError(f"{path}: {unknown[1]}", f"no such field; {hint}")
    missing = re.search(r"missing required field `([^`]*)`", problem)
    if missing:
        return ConfigError(f"{path}: {missing[1]}", "is missing")
    wrong = _WRONG.match(problem)
    field = (wrong[2] if wrong else None) or ""
    said = re.sub(r"`([^`]*)`", lambda m: _IN_YAML.get(m[1], m[1]), wrong[1] if wrong else problem)
    said = said[:1].lower() + said[1:]
    return ConfigError(f"{path}: {field}" if field else path, said)


def _param(given: str | ParamText) -> Param:
    if isinstance(given, str):
        return Param(given, required=True)
    return Param(given.description, required=given.required, default=given.default)


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
