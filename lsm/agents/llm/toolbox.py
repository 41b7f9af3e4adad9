"""The tools that an agent with a model can be given.

``read`` tools look at what is here, ``remote`` ones ask enabled sources, ``propose`` queues for a
person's review. ``write`` tools change something at once, and need a grant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from lsm.agents.llm import writing
from lsm.agents.llm.model import ToolSpec
from lsm.agents.memory.values import PERSONAL
from lsm.errors import ConfigError, InvalidError, RefusedError
from lsm.fencing import fenced, one_line
from lsm.paths import is_address

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lsm.agents.llm.reach import Page, Passage, RemoteSource
    from lsm.agents.llm.session import Session
    from lsm.agents.memory import Memory

Access = Literal["read", "remote", "propose", "write"]
_PIECE = 12_000  # characters of a document that are read at once
_SNIPPET = 1_500  # characters of a remote result; `read` gives the rest

_Query = Annotated[str, Meta(min_length=1, max_length=2000, description="Words or a question.")]
_Count = Annotated[int, Meta(ge=1, le=20, description="How many at most.")]


class _Arguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a tool is called with."""


class SearchArguments(_Arguments, frozen=True):
    """Of `search`."""

    query: _Query
    k: _Count = 5
    path: Annotated[str, Meta(description="Only documents whose path fits this glob.")] = ""
    tag: Annotated[str, Meta(description="Only documents with this tag.")] = ""


class ReadArguments(_Arguments, frozen=True):
    """Of `read`."""

    number: Annotated[int, Meta(ge=0, description="The [n] of something shown before.")] = 0
    path: Annotated[str, Meta(description="Or the path of a document.")] = ""
    piece: Annotated[int, Meta(ge=1, description="A long text comes in pieces; which one.")] = 1


class MemoryArguments(_Arguments, frozen=True):
    """Of `memory_search`."""

    query: _Query
    k: _Count = 5


class RemoteArguments(_Arguments, frozen=True):
    """Of `remote_search`."""

    source: Annotated[str, Meta(description="Its name, as listed.")]
    query: _Query
    k: _Count = 5


class AddressArguments(_Arguments, frozen=True):
    """Of `remote_page`."""

    url: Annotated[str, Meta(min_length=8, max_length=2000)]


class KeepArguments(_Arguments, frozen=True):
    """Of `keep`."""

    number: Annotated[int, Meta(ge=1, description="The [n] of a page of a remote source.")]


class NoArguments(_Arguments, frozen=True):
    """Of what takes none."""


@dataclass(frozen=True)
class Tool:
    """Something an agent can do."""

    name: str
    description: str  # constant: never made of what the library holds
    access: Access
    arguments: type[msgspec.Struct]
    use: Callable[[Session, Any], str]

    def spec(self) -> ToolSpec:
        """The tool as a model is told of it."""
        schema = msgspec.json.schema(self.arguments)
        plain = schema["$defs"][self.arguments.__name__]
        kept = {key: value for key, value in plain.items() if key not in ("title", "description")}
        return ToolSpec(self.name, self.description, kept)


def search(session: Session, given: SearchArguments) -> str:
    """Passages of the library."""
    found = session.reach.search(
        given.query, given.k, path=given.path or None, tag=given.tag or None
    )
    return _passages(session, found)


def read(session: Session, given: ReadArguments) -> str:
    """More of something: a document, or the whole of what was shown."""
    if (given.number == 0) == (given.path == ""):
        raise InvalidError("read", "give a number or a path, one of the two")
    if given.path:
        return _document(session, given.path, given.piece)
    known = session.shown.get(given.number)
    if known is None:
        raise InvalidError("number", f"nothing was shown as [{given.number}]")
    if known.kind == "passage":
        return _document(session, known.place, given.piece)
    start = (given.piece - 1) * _PIECE
    more = "" if start + _PIECE >= len(known.text) else f"  (piece {given.piece} of more)"
    trust = "  trust=untrusted" if known.kind == "page" else ""
    about = f"[{known.number}] {known.label}{trust}{more}"
    return fenced([(about, known.text[start : start + _PIECE])])


def memory_search(session: Session, given: MemoryArguments) -> str:
    """Memories."""
    hits = session.memories().search(given.query, limit=given.k)
    return show_memories(session, hits) if hits else "nothing is remembered about that"


def remote_search(session: Session, given: RemoteArguments) -> str:
    """What a remote source answers."""
    source = _source(session, given.source, takes_addresses=False)
    session.outbound.check_words(given.query)
    session.queries.append({"source": source.name, "query": given.query})
    return _pages(session, session.reach.ask(source.name, given.query, given.k))


def remote_page(session: Session, given: AddressArguments) -> str:
    """What stands at an address."""
    source = _source(session, "", takes_addresses=True)
    session.outbound.check_address(given.url)
    session.queries.append({"source": source.name, "query": given.url})
    return _pages(session, session.reach.ask(source.name, given.url, 1))


def ingest(session: Session, _: NoArguments) -> str:
    """Read what is new or changed below the roots, now."""
    if session.context.dry_run:
        session.plan.append("read what is new or changed below the roots")
        return "a dry run reads no files"
    _spend(session, "ingest")
    result = session.reach.ingest(session.context.cancelled)
    told = [f"{count} {name}" for name, count in result.counts.items() if count]
    return f"read: {', '.join(told) or 'nothing'}"


def keep(session: Session, given: KeepArguments) -> str:
    """Put a page that a remote source has named into the library, now."""
    known = session.shown.get(given.number)
    if known is None or known.kind != "page" or not is_address(known.place):
        raise InvalidError("number", f"[{given.number}] is no page of a remote source")
    session.outbound.check_address(known.place)
    if session.context.dry_run:
        session.plan.append(f"keep {known.place}")
        return "a dry run keeps nothing"
    _spend(session, "keep")
    session.queries.append({"source": "keep", "query": known.place})
    return "kept: " + one_line(", ".join(session.reach.keep(known.place)))


def _spend(session: Session, tool: str) -> None:
    # Its effect is there at once, so the grant is used up here and not when the run ends.
    objection = session.reach.grants.spend(session.use, tool)
    if objection is not None:
        raise RefusedError(objection)


def show_memories(session: Session, memories: Sequence[Memory]) -> str:
    """*memories*, numbered and fenced; from here on the run has read what is private."""
    session.outbound.read_private = True
    if any(memory.trust not in PERSONAL for memory in memories):
        session.outbound.read_foreign = True
    entries: list[tuple[str, str]] = []
    for memory in memories:
        known = session.shown.memory(memory)
        stale = "  STALE: its source has changed" if memory.stale else ""
        entries.append((f"[{known.number}] {known.label}{stale}", memory.text))
    return fenced(entries)


def _document(session: Session, path: str, piece: int) -> str:
    passages = session.reach.document(path)
    pieces: list[list[Passage]] = [[]]
    for passage in passages:
        if sum(len(each.text) for each in pieces[-1]) + len(passage.text) > _PIECE and pieces[-1]:
            pieces.append([])
        pieces[-1].append(passage)
    if piece > len(pieces):
        raise InvalidError("piece", f"the document has {len(pieces)}")
    more = f"\nPiece {piece} of {len(pieces)}." if len(pieces) > 1 else ""
    return _passages(session, pieces[piece - 1]) + more


def _passages(session: Session, found: Sequence[Passage]) -> str:
    if not found:
        return "nothing found in the library"
    # Documents are private, and who wrote what is in them, nobody knows.
    session.outbound.read_private = session.outbound.read_foreign = True
    entries: list[tuple[str, str]] = []
    for passage in found:
        known = session.shown.passage(passage)
        trust = "untrusted" if is_address(passage.path) else "library"
        entries.append((f"[{known.number}] {known.label}  trust={trust}", passage.text))
    session.read_remote |= any(is_address(passage.path) for passage in found)
    return fenced(entries)


def _pages(session: Session, found: Sequence[Page]) -> str:
    if not found:
        return "it has nothing about that"
    session.outbound.read_foreign = session.read_remote = True
    entries: list[tuple[str, str]] = []
    for page in found:
        known = session.shown.page(page)
        cut = "  (read gives all of it)" if len(page.text) > _SNIPPET else ""
        about = f"[{known.number}] {known.label}  trust=untrusted{cut}"
        entries.append((about, page.text[:_SNIPPET]))
    return fenced(entries)


def _source(session: Session, name: str, *, takes_addresses: bool) -> RemoteSource:
    """The enabled source called *name*, or the first that takes addresses."""
    enabled = [s for s in session.reach.sources() if s.takes_addresses == takes_addresses]
    for source in enabled:
        if takes_addresses or source.name == name:
            return source
    if takes_addresses:
        raise ConfigError("remote.providers.page", "is not enabled; only a person can change that")
    names = ", ".join(source.name for source in enabled) or "none"
    raise ConfigError(f"remote.providers.{one_line(name)}", f"is not enabled; enabled are: {names}")


TOOLS: dict[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool("search", "Find passages in the user's documents.", "read", SearchArguments, search),
        Tool(
            "read",
            "Read more: the document of a passage, the whole of a page, or a document by path.",
            "read",
            ReadArguments,
            read,
        ),
        Tool(
            "memory_search",
            "Find what is remembered from earlier.",
            "read",
            MemoryArguments,
            memory_search,
        ),
        Tool(
            "remote_search",
            "Ask one of the listed remote sources. What you write leaves this machine.",
            "remote",
            RemoteArguments,
            remote_search,
        ),
        Tool(
            "remote_page",
            "Open an address that the user typed or that a remote source has named.",
            "remote",
            AddressArguments,
            remote_page,
        ),
        Tool(
            "propose",
            "Propose something worth remembering; a person decides. Give the numbers of what "
            "supports it.",
            "propose",
            writing.ProposeArguments,
            writing.propose,
        ),
        Tool(
            "remember",
            "Remember something at once. Needs a grant of the user; otherwise use propose.",
            "write",
            writing.ProposeArguments,
            writing.remember,
        ),
        Tool(
            "ingest",
            "Read what is new or changed in the user's folders. Needs a grant of the user.",
            "write",
            NoArguments,
            ingest,
        ),
        Tool(
            "keep",
            "Keep a page of a remote source as a document. Needs a grant of the user.",
            "write",
            KeepArguments,
            keep,
        ),
    )
}
GRANTABLE = tuple(name for name, tool in TOOLS.items() if tool.access == "write")
