"""Where the words of a memory still stand: bytes that no row explains, and rows that hold the same.

What is erased is looked for in the file's bytes. A document, or another memory, may hold the same
words for its own reasons: those bytes are explained by its row, and are not what was to go.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from lsm.agents.memory.passages import open_passages
from lsm.agents.memory.values import AlsoIn
from lsm.db.tables import Walk
from lsm.vectordb.documents import DocumentReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lsm.db import Database
    from lsm.db.tables import Table, Values

_PIECE = 48  # bytes; a text that lies on two pages of the file is still found by its pieces
_PIECES = 8  # of one text, spread over its length
_SHORT = 12  # bytes; anything shorter stands somewhere by chance
# What is in an index stands there as well, and a single word in the full text.
_INDEXED = 4  # times at most
# Columns that are in no index: a test holds that against the tables.
UNINDEXED = frozenset(
    {
        "text", "value_json", "state_json", "tags_json", "quote", "query", "rationale", "reason",
        "report", "error", "title", "heading", "outline_json", "metadata_json", "result_json",
        "params_json", "response_json", "question_json", "stats_json",
    }
)  # fmt: skip
# What a row of a table is to a person, and the column that says which.
_KINDS = {
    "lsm_agent_memories": ("memory", "id"),
    "lsm_memory_revisions": ("history", "memory_id"),
    "lsm_agent_memory_candidates": ("candidate", "id"),
    "lsm_memory_sources": ("source", "memory_id"),
    "lsm_memory_contexts": ("context", "context_id"),
    "lsm_agent_runs": ("run", "run_id"),
    "lsm_agent_schedules": ("schedule", "schedule_id"),
    "lsm_remote_cache": ("cache", "cache_key"),
    "lsm_documents": ("document", "source_path"),
}
_INDEXES = {"memory_labels"}  # of rows that are looked at themselves
_PATHS = """
SELECT document_id, source_path FROM lsm_documents WHERE document_id IN :ids[]
 ORDER BY version_in
"""


@dataclass(frozen=True)
class Live:
    """What rows hold of the words that were looked for."""

    explained: int  # occurrences in the file, at most, that these rows are the reason for
    places: tuple[AlsoIn, ...]


def pieces(texts: Sequence[str]) -> list[bytes]:
    """Bytes by which *texts* are recognised, as they are and as JSON writes them."""
    found: dict[bytes, None] = {}
    for text in texts:
        for written in (text.encode(), msgspec.json.encode(text)[1:-1]):
            if len(written) < _SHORT:
                continue
            last = max(0, len(written) - _PIECE)
            step = max(_PIECE, last // _PIECES)
            for start in range(0, last + 1, step):
                found[written[start : start + _PIECE]] = None
    return list(found)


def strings(value: Any) -> list[str]:
    """Every text in *value*, anything JSON holds."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for each in value.values() for text in strings(each)]
    if isinstance(value, list):
        return [text for each in value for text in strings(each)]
    return []


def live(db: Database, needles: Sequence[bytes], texts: Sequence[str]) -> Live:
    """Which rows hold any of *needles*, the `pieces` of *texts*. Reads every text there is."""
    explained = 0
    hits: dict[tuple[str, str], None] = {}
    chunks: dict[int, None] = {}
    with db.snapshot():
        for table in db.tables().values():
            for row in _rows(db, table):
                count = sum(_count(*each, needles) for each in row.items())
                explained += count
                if count and table.name == "lsm_chunks":
                    chunks[row["document_id"]] = None
                elif count and table.name not in _INDEXES:
                    hits[_name(table, row)] = None
        places = [_place(*hit) for hit in hits] + _documents(db, list(chunks), texts)
    return Live(explained, tuple(dict.fromkeys(places)))


def _rows(db: Database, table: Table) -> Iterator[dict[str, Any]]:
    """The texts of a table, and what names their rows."""
    wanted = {*table.key, "document_id", _KINDS.get(table.name, ("", ""))[1]}
    columns = [each for each in table.columns if each.kind == "text" or each.name in wanted]
    if not any(each.kind == "text" for each in columns):
        return
    texts = replace(table, columns=tuple(columns))
    batches: Iterator[list[Values]] = db.each(Walk(texts))
    for batch in batches:
        for row in batch:
            yield dict(zip(texts.names, row, strict=True))


def _count(column: str, value: object, needles: Sequence[bytes]) -> int:
    if not isinstance(value, str) or len(value) < _SHORT // 4:
        return 0
    written = value.encode("utf-8", "surrogatepass")
    total = 0
    for needle in needles:
        if count := written.count(needle):
            indexed = column not in UNINDEXED or b" " not in needle
            total += count * (_INDEXED if indexed else 1)
    return total


def _name(table: Table, row: dict[str, Any]) -> tuple[str, str]:
    kind, column = _KINDS.get(table.name, (table.name, ""))
    return kind, str(row[column]) if column else " ".join(str(row[each]) for each in table.key)


def _place(kind: str, name: str) -> AlsoIn:
    return AlsoIn(kind, path=name) if kind == "document" else AlsoIn(kind, id=name)


def _documents(db: Database, ids: list[int], texts: Sequence[str]) -> list[AlsoIn]:
    """The documents of chunks that hold the words; with the line, where they still stand there."""
    now = open_passages(DocumentReader(db), ids)
    found: list[AlsoIn] = []
    for document_id, path in dict(db.tuples(_PATHS, ids=ids)).items():
        passages = now.get(document_id)
        anchors = [passages.find(text) for text in texts] if passages else []
        line = next((anchor.line for anchor in anchors if anchor), None)
        found.append(AlsoIn("document", path=path, line=line, current=line is not None))
    return found
