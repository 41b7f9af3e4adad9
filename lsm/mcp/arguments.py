"""What each tool is given: checked against the schema that the client was shown, and no other."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from lsm.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Query = Annotated[str, Meta(min_length=1, max_length=2000, description="Words or a question")]
Short = Annotated[str, Meta(max_length=200)]
Tags = Annotated[tuple[Short, ...], Meta(max_length=16)]
Scope = Annotated[str, Meta(max_length=500, description="A path such as team/alpha; omit for all")]
AsOf = Annotated[str, Meta(max_length=40, description="Date or version: as it was then")]


class Arguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of a tool. Fields have no null: a client that sends one means "not given"."""


class Search(Arguments, frozen=True):
    """Of `search`."""

    query: Query
    limit: Annotated[int, Meta(ge=1, le=50)] = 10
    path: Annotated[str, Meta(max_length=1000, description="Glob: notes/**, *.md")] = ""
    ext: Annotated[tuple[Short, ...], Meta(max_length=16, description=".md")] = ()
    tag: Tags = ()
    since: Annotated[str, Meta(max_length=40, description="Modified since: 2026-03-01, 7d")] = ""
    as_of: AsOf = ""


class Fetch(Arguments, frozen=True):
    """Of `fetch`."""

    id: Annotated[str, Meta(min_length=1, max_length=4096, description="From search, or a path")]
    offset: Annotated[int, Meta(ge=0, le=2**40, description="From next_offset, to go on")] = 0
    as_of: AsOf = ""


class Status(Arguments, frozen=True):
    """Of `status`."""


class MemorySearch(Arguments, frozen=True):
    """Of `memory_search`."""

    query: Query
    limit: Annotated[int, Meta(ge=1, le=50)] = 10
    scope: Scope = ""
    type: Short = ""
    tag: Tags = ()


class MemoryAdd(Arguments, frozen=True):
    """Of `memory_add`."""

    text: Annotated[str, Meta(min_length=1, max_length=20_000, description="One fact, complete")]
    type: Annotated[str, Meta(max_length=200, description="fact, decision, preference...")] = "fact"
    scope: Annotated[str, Meta(max_length=500, description="Default: assistants/<you>")] = ""
    key: Annotated[str, Meta(max_length=200, description="A name, unique in scope and type")] = ""
    tags: Tags = ()
    ttl: Annotated[str, Meta(max_length=20, description="Forget after: 24h, 7d, 2w")] = ""
    source: Annotated[
        str, Meta(max_length=4096, description="Where it comes from: path#line or URL")
    ] = ""
    rationale: Annotated[str, Meta(max_length=2000, description="Why remember it")] = ""


class MemoryContext(Arguments, frozen=True):
    """Of `memory_context`."""

    query: Query
    budget: Annotated[int, Meta(ge=1, le=8000, description="Tokens")] = 1500
    scope: Scope = ""


class RemoteSearch(Arguments, frozen=True):
    """Of `remote_search`."""

    provider: Annotated[str, Meta(min_length=1, max_length=64, description="arxiv, ...")]
    query: Query
    limit: Annotated[int, Meta(ge=1, le=50)] = 10


class ScheduleList(Arguments, frozen=True):
    """Of `schedule_list`."""


A = TypeVar("A", bound=Arguments)


def parsed(kind: type[A], given: Mapping[str, Any] | None, tool: str) -> A:
    """*given* as *kind*.

    Raises:
        InvalidError: something is missing, unknown, or not as the schema says; in one line.
    """
    plain = {name: _whole(value) for name, value in (given or {}).items() if value is not None}
    known = kind.__struct_fields__
    for name in plain:
        if name not in known:
            raise InvalidError(tool, f"no such argument: {name[:80]}{nearest(name, known)}")
    try:
        return msgspec.convert(plain, kind)
    except msgspec.ValidationError as error:
        raise InvalidError(tool, _told(str(error))) from error


def _whole(value: Any) -> Any:
    """1.0 as 1, which to JSON is the same number; no argument of ours is a fraction."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def nearest(name: str, known: Iterable[str]) -> str:
    """``; did you mean X?``, or what there is."""
    known = tuple(known)
    near = get_close_matches(name[:200], known, n=1)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; there is {', '.join(known)}" if known else "; it takes none"


def _told(problem: str) -> str:
    """msgspec's words for a reader: ``Expected `int`, got `str` - at `$.limit``` names limit."""
    what, _, where = problem.partition(" - at `$")
    place = where.rstrip("`").removeprefix(".")
    plain = what.replace("`", "")
    return (
        f"{place}: {plain[:1].lower()}{plain[1:]}" if place else f"{plain[:1].lower()}{plain[1:]}"
    )
