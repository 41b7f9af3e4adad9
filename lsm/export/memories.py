"""Memories as Markdown, a file a scope."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import msgspec

from lsm.export.folder import file_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lsm.db import Database, Row
    from lsm.export.folder import Folder

_MEMORIES = """
SELECT id, memory_type, memory_key, text, scope, tags_json, confidence, status, trust, pinned,
       author, created_at, expires_at, stale_since
  FROM lsm_agent_memories
 WHERE status IN ('active', 'pending')
 ORDER BY scope, status, number
"""
_SOURCES = """
SELECT s.memory_id, s.kind, s.ref, s.line
  FROM lsm_memory_sources s JOIN lsm_agent_memories m ON m.id = s.memory_id
 WHERE m.status IN ('active', 'pending')
 ORDER BY s.memory_id, s.position
"""
_HEADINGS = {"active": "Remembered", "pending": "Waiting for review"}


def write_memories(db: Database, target: Folder) -> int:
    """Write what is remembered, and what waits for review, to ``memories/SCOPE.md``; how many.

    What was deleted, refused or superseded is in the tables alone.
    """
    sources: dict[str, list[Row]] = {}
    for row in db.rows(_SOURCES):
        sources.setdefault(row["memory_id"], []).append(row)
    # Sorted here: which scope comes first is not the same on every engine.
    rows = sorted(db.rows(_MEMORIES), key=lambda row: (row["scope"], row["status"]))
    for scope, memories in groupby(rows, key=lambda row: row["scope"]):
        parts = "/".join(map(file_name, scope.split("/")))
        target.write(f"memories/{parts}.md", _page(scope, memories, sources))
    return len(rows)


def _page(scope: str, memories: Iterable[Row], sources: Mapping[str, Sequence[Row]]) -> str:
    lines = [f"# {_one_line(scope)}"]
    for status, group in groupby(memories, key=lambda row: row["status"]):
        lines += ["", f"## {_HEADINGS[status]}"]
        for memory in group:
            lines += ["", *_memory(memory, sources.get(memory["id"], ()))]
    return "\n".join(lines) + "\n"


def _memory(memory: Row, sources: Sequence[Row]) -> list[str]:
    # Quoted, line by line: no memory can look like a heading, or like another memory.
    quoted = [f"> {line}".rstrip() for line in memory["text"].splitlines()]
    return [*quoted, "", *(f"- {name}: {value}" for name, value in _facts(memory, sources))]


def _facts(memory: Row, sources: Sequence[Row]) -> list[tuple[str, str]]:
    tags = msgspec.json.decode(memory["tags_json"], type=list[str])
    facts = {
        "id": memory["id"],
        "type": memory["memory_type"],
        "key": memory["memory_key"],
        "tags": ", ".join(tags),
        "confidence": f"{memory['confidence']:g}",
        "trust": memory["trust"],
        "pinned": "yes" if memory["pinned"] else "",
        "by": memory["author"],
        "since": memory["created_at"],
        "until": memory["expires_at"],
        "stale since": memory["stale_since"],
    }
    told = [(name, _one_line(value)) for name, value in facts.items() if value]
    return told + [("source", _one_line(_source(source))) for source in sources]


def _source(source: Row) -> str:
    line = f"#{source['line']}" if source["line"] else ""
    return f"{source['kind']} {source['ref']}{line}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
