"""Reading files of memories: ours, and those that other systems write.

What other systems kept is text that nobody here has read: it comes in with the trust of an agent,
and never says by itself into which scope it goes.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

import msgspec

from lsm.agents.memory.checks import MAX_NAME
from lsm.agents.memory.records import FORMAT, VERSION, Header, Record
from lsm.clock import to_text
from lsm.errors import AccessError, InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

_OBSERVATION = re.compile(r"^\s*[-*]\s+\[([^\[\]()]+)\]\s+(.*\S)\s*$")
_RELATION = re.compile(r"^\s*[-*]\s+(?:(\S.*?)\s+)?\[\[([^\]]+)\]\](.*)$")
_HASHTAG = re.compile(r"(?<=\s)#([\w/-]+)")
_FRONT = re.compile(r"\A---\s*\n(.*?)\n---\s*(?:\n|\Z)", re.DOTALL)
_SECTION = re.compile(r"^#+ (?:Observations|Relations)\s*$", re.MULTILINE)
_KINDS = ("fact", "preference", "procedure", "decision", "note")


class Target(msgspec.Struct, frozen=True):
    """Where foreign memories go, and when that is."""

    scope: str
    now: str


def read(path: str, scope: str, now: datetime) -> tuple[str, list[Record]]:
    """What kind of file *path* is, and the memories in it.

    Args:
        path: a file, or a folder of Markdown notes.
        scope: of memories from other systems.
        now: their time of creation where they have none.

    Raises:
        InvalidError: it is none of the known formats, or a line of it is wrong; names the line.
        AccessError: it cannot be read.
    """
    target = Target(scope, to_text(now))
    if os.path.isdir(path) or path.endswith((".md", ".markdown")):
        return "basic-memory", list(_notes(path, target))
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise AccessError(f"{path}: {error.strerror}") from error
    first = data.lstrip(b"\xef\xbb\xbf \r\n\t").split(b"\n", 1)[0]
    if f'"{FORMAT}"'.encode() in first:
        return FORMAT, _ours(path, data)
    if re.search(rb'"type"\s*:\s*"(entity|relation)"', first):
        return "mcp-memory", list(_graph(path, data, target))
    return "mem0", list(_mem0(path, data, target))


def _ours(path: str, data: bytes) -> list[Record]:
    lines = list(_lines(data))
    header = _decoded(path, *lines[0], Header)
    if header.version > VERSION:
        raise InvalidError(path, f"a newer lsm wrote it (format {header.version})")
    return [_decoded(path, number, line, Record) for number, line in lines[1:]]


class _Thing(msgspec.Struct):
    """A line of the MCP memory server's file: an entity or a relation."""

    type: str
    name: str = ""
    entityType: str = ""  # noqa: N815 - its name there
    observations: tuple[str, ...] = ()
    from_: str = msgspec.field(name="from", default="")
    to: str = ""
    relationType: str = ""  # noqa: N815


def _graph(path: str, data: bytes, target: Target) -> Iterator[Record]:
    for number, line in _lines(data):
        thing = _decoded(path, number, line, _Thing)
        if thing.type == "relation":
            value = {"from": thing.from_, "relation": thing.relationType, "to": thing.to}
            text = f"{thing.from_} {thing.relationType} {thing.to}"
            yield _foreign("mcp-memory", text, text, target, value=value, tags=("relation",))
        else:
            said = thing.observations or (f"is a {thing.entityType}",)
            for each in dict.fromkeys(said):
                text = f"{thing.name}: {each}"
                value = {"entity": thing.name, "entityType": thing.entityType}
                tags = _tags([thing.entityType])
                yield _foreign("mcp-memory", text, text, target, value=value, tags=tags)


class _Mem0(msgspec.Struct):
    """A row of mem0's `get_all`."""

    id: str
    memory: str
    metadata: dict[str, Any] | None = None
    created_at: str | None = None
    updated_at: str | None = None
    expiration_date: str | None = None
    user_id: str | None = None
    agent_id: str | None = None
    actor_id: str | None = None
    run_id: str | None = None
    categories: list[str] | None = None


class _Mem0Answer(msgspec.Struct):
    results: list[_Mem0]


def _mem0(path: str, data: bytes, target: Target) -> Iterator[Record]:
    text = data.removeprefix(b"\xef\xbb\xbf")
    if text.lstrip().startswith(b"["):
        rows = _decoded(path, 1, text, list[_Mem0])
    else:
        rows = _decoded(path, 1, text, _Mem0Answer).results
    for row in rows:
        owners = {"user": row.user_id, "agent": row.agent_id, "actor": row.actor_id}
        owned = [f"{name}:{owner}" for name, owner in owners.items() if owner]
        created = _instant(row.created_at) or target.now
        yield Record(
            id=row.id,
            text=row.memory,
            value=row.metadata or None,
            scope=target.scope,
            tags=_tags([*owned, *(row.categories or ())]),
            author="import:mem0",
            source_run_id=row.run_id or None,
            created_at=created,
            updated_at=_instant(row.updated_at) or created,
            expires_at=_instant(row.expiration_date),
        )


def _notes(path: str, target: Target) -> Iterator[Record]:
    """Notes in basic-memory's Markdown: front matter, observations and relations."""
    root = os.path.abspath(path)
    for file in [root] if os.path.isfile(root) else sorted(_markdown(root)):
        try:
            with open(file, encoding="utf-8-sig") as note:
                text = note.read()
        except (OSError, UnicodeDecodeError) as error:
            raise AccessError(f"{file}: {error}") from error
        yield from _note(file, text, target)


def _note(file: str, text: str, target: Target) -> Iterator[Record]:
    front = _FRONT.match(text)
    about = _front_matter(file, front[1]) if front else {}
    title = str(about.get("title") or os.path.splitext(os.path.basename(file))[0])
    link = str(about.get("permalink") or title)
    common = _tags(_listed(about.get("tags")))
    prose: list[str] = []
    for line in text[front.end() if front else 0 :].split("\n"):
        seen, related = _OBSERVATION.match(line), _RELATION.match(line)
        if seen and seen[1].strip().lower() not in ("x", "-", ""):
            category = seen[1].strip()
            kind = category if category in _KINDS else "fact"
            tags = (*common, *_tags([category, *_HASHTAG.findall(seen[2])]))
            said = f"{title}: {seen[2]}"
            value = {"note": link, "category": category}
            more = {"type": kind, "value": value, "tags": tags}
            yield _foreign("basic-memory", link + line, said, target, **more)
        elif related:
            relation = related[1] or "relates to"
            value = {"from": link, "relation": relation, "to": related[2]}
            said = f"{title} {relation.replace('_', ' ')} {related[2]}"
            more = {"value": value, "tags": (*common, "relation")}
            yield _foreign("basic-memory", link + line, said, target, **more)
        else:
            prose.append(line)
    body = _SECTION.sub("", "\n".join(prose)).strip()
    if body and body != f"# {title}":
        value = {"note": link}
        yield _foreign("basic-memory", link, body, target, type="note", value=value, tags=common)


def _foreign(system: str, identity: str, text: str, target: Target, **more: Any) -> Record:
    tags = tuple(dict.fromkeys(more.pop("tags", ())))
    return Record(
        # Made from what it says, so that reading the file again finds it here.
        id=str(uuid5(NAMESPACE_URL, f"{system}:{target.scope}:{identity}")),
        text=text,
        scope=target.scope,
        author=f"import:{system}",
        created_at=target.now,
        updated_at=target.now,
        tags=tags,
        **more,
    )


def _decoded(path: str, number: int, line: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidError(path, f"line {number}: {error}") from error


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if line.strip():
            yield number, line


def _instant(text: str | None) -> str | None:
    from datetime import UTC, datetime

    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidError("time", f"{text!r} is no ISO 8601 time") from error
    return to_text(found if found.tzinfo else found.replace(tzinfo=UTC))


def _tags(words: Iterable[str]) -> tuple[str, ...]:
    cleaned = (" ".join(word.replace(",", " ").split())[:MAX_NAME] for word in words)
    return tuple(dict.fromkeys(word for word in cleaned if word))


def _listed(tags: Any) -> list[str]:
    if isinstance(tags, str):
        return tags.split(",")
    return [str(tag) for tag in tags] if isinstance(tags, list) else []


def _front_matter(file: str, text: str) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidError(file, f"its front matter is no YAML: {error}") from error
    return found if isinstance(found, dict) else {}


def _markdown(root: str) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if name.endswith((".md", ".markdown")) and not name.startswith("."):
                yield os.path.join(folder, name)
