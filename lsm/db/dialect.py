"""One SQL for two engines: how a statement is respelled for the engine that runs it.

Statements are written in what SQLite and PostgreSQL share. Parameters are ``:name``, a list is
``IN :ids[]`` (any length; there is no NOT IN form, on purpose), types are TEXT, BIGINT,
DOUBLE PRECISION, BOOLEAN and BYTEA.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Engine = Literal["sqlite", "postgres"]


@dataclass(frozen=True)
class Dialect:
    """All that differs between the engines' spellings, as data."""

    engine: Engine  # also the suffix of its own migrations
    begin: str  # opens a write transaction
    begin_snapshot: str  # opens a read-only transaction that sees one commit
    param: str  # spells :name
    member: str  # spells IN :name[]
    pack: Callable[[list[object]], object]  # a list as one parameter


def _json_text(items: list[object]) -> str:
    if any(isinstance(item, bytes) for item in items):
        raise TypeError("a list of bytes has no spelling on SQLite; compare their hex text")
    return msgspec.json.encode(items).decode()


def _as_it_is(items: list[object]) -> object:
    return items


SQLITE = Dialect(
    engine="sqlite",
    # IMMEDIATE queues for the write lock at the start; a deferred transaction that reads and
    # then writes is refused at once, whatever the busy timeout.
    begin="BEGIN IMMEDIATE",
    begin_snapshot="BEGIN",
    param=":{}",
    member="IN (SELECT value FROM json_each(:{}))",
    pack=_json_text,
)
POSTGRES = Dialect(
    engine="postgres",
    begin="BEGIN READ WRITE",  # outside of it a session only reads, as on SQLite
    begin_snapshot="BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    param="%({})s",
    member="= ANY(%({})s)",
    pack=_as_it_is,
)

# Literals, quoted names, comments and casts are matched so that what is inside them stays as it is.
_TOKEN = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/ | ::
        | \bIN\s+:([A-Za-z_]\w*)\[\] | :([A-Za-z_]\w*) | %""",
    re.VERBOSE | re.DOTALL,
)


@cache  # a statement is a constant: respelled once per process
def spell(sql: str, dialect: Dialect) -> str:
    """*sql* as *dialect* writes it."""

    def token(match: re.Match[str]) -> str:
        listed, single = match[1], match[2]
        if listed:
            return dialect.member.format(listed)
        if single:
            return dialect.param.format(single)
        return match[0].replace("%", "%%") if "%" in dialect.param else match[0]

    return _TOKEN.sub(token, sql)


def bind(params: Mapping[str, object], dialect: Dialect) -> Mapping[str, object]:
    """*params* with every list packed the way *dialect* takes one."""
    if list not in map(type, params.values()):
        return params  # nearly always, and for every row of a large insert
    return {
        name: dialect.pack(value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownArgumentType]
        for name, value in params.items()
    }
