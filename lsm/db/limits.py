"""What one engine keeps and another one cannot, found before anything is written there."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lsm.db.dialect import Engine
    from lsm.db.tables import Table, Value, Values

# Where vectors are; on SQLite they look like any other bytes.
VECTORS = frozenset({("vec_chunks", "embedding"), ("vec_memories", "embedding")})
# Cast to jsonb on PostgreSQL, by a trigger or a search.
_JSON = frozenset({("lsm_agent_memories", "tags_json"), ("lsm_agent_memories", "value_json")})
_MAX_DIMENSION = 16_000  # pgvector's, for a column


def misfits(engine: Engine, table: Table, rows: list[Values]) -> Iterator[tuple[str, str]]:
    """Key and reason of each of *rows* that *engine* cannot hold as it is."""
    for i, column in enumerate(table.columns):
        judge = _judge(engine, table.name, column.name, column.kind)
        if judge is None:
            continue
        for row in rows:
            if row[i] is not None and (problem := judge(row[i])):
                yield table.key_of(row), f"{column.name} {problem}"


def _judge(engine: Engine, table: str, column: str, kind: str) -> Callable[[Value], str] | None:
    if engine == "sqlite":
        return _not_a_number if kind == "real" else None
    if (table, column) in VECTORS:
        return _no_vector
    if (table, column) in _JSON:
        return _no_jsonb
    return _no_text if kind == "text" else None


def _not_a_number(value: Value) -> str:
    # SQLite would write NULL.
    return "is not a number (NaN), which SQLite cannot hold" if math.isnan(_float(value)) else ""


def _no_text(value: Value) -> str:
    if "\0" in cast("str", value):
        return "has the character NUL in it, which PostgreSQL cannot hold"
    return ""


def _no_vector(value: Value) -> str:
    data = cast("bytes", value)
    if not data or len(data) % 2:
        return "is not a row of float16 numbers"
    if len(data) > 2 * _MAX_DIMENSION:
        return f"has {len(data) // 2} dimensions; pgvector takes {_MAX_DIMENSION}"
    import numpy as np

    if not np.isfinite(np.frombuffer(data, "<f2")).all():
        return "has a number that is not finite, which pgvector refuses"
    return ""


def _no_jsonb(value: Value) -> str:
    text = cast("str", value)
    if "\\u" not in text:
        return _no_text(value)
    try:
        texts = _texts(json.loads(text))
    except ValueError:
        return "is not JSON"
    if any("\0" in each or _is_broken(each) for each in texts):
        return "has \\u0000 or half a character in it, which PostgreSQL cannot hold"
    return ""


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in cast("list[object]", value):
            yield from _texts(each)
    elif isinstance(value, dict):
        for name, each in cast("dict[str, object]", value).items():
            yield name
            yield from _texts(each)


def _is_broken(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)


def _float(value: Value) -> float:
    return float(cast("float", value))
