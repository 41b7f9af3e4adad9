"""The predecessor's agent memory: rows of two tables, typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec

from lsm.db.foreign import BrokenText
from lsm.errors import DamagedError
from lsm.migration.legacy import checks
from lsm.migration.legacy.batches import batched
from lsm.migration.legacy.records import LegacyCandidate, LegacyMemory, Record, hashed
from lsm.migration.legacy.times import instant, instant_or_none

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lsm.db.foreign import Cell, ForeignFile
    from lsm.migration.legacy.records import Kind

MEMORIES, CANDIDATES = "memories", "memory_candidates"
STATUSES = ("pending", "promoted", "rejected")
_AT_ONCE = 500
_MOST_PARTS = 12  # of a scope
_NO_CANDIDATE = (
    "it has no entry in the review queue and was shown nowhere; locked away, "
    "`lsm memory restore` brings it into use"
)
_NEEDED = {
    MEMORIES: (
        "id", "memory_type", "memory_key", "value_json", "scope", "tags_json", "confidence",
        "created_at", "last_used_at", "expires_at", "source_run_id",
    ),
    CANDIDATES: (
        "id", "memory_id", "provenance", "rationale", "status", "created_at", "updated_at",
    ),
}  # fmt: skip


def check_table(file: ForeignFile, table: str) -> None:
    """Whether *table* is there as the predecessor made it.

    Raises:
        DamagedError: it, or a column of it, is missing.
    """
    columns = {column.lower() for column in file.columns(table)}
    if not columns:
        raise DamagedError(f"{file.path}: it has no table {table}")
    missing = [name for name in _NEEDED[table] if name not in columns]
    if missing:
        raise DamagedError(f"{file.path}: its table {table} has no column {missing[0]}")


def read_memories(file: ForeignFile, *, with_queue: bool) -> Iterator[Record[LegacyMemory]]:
    """Every row of `memories`, each with what the review queue says of it."""
    # In a damaged file the queue's index may lie: it is read as a whole.
    whole = _all_standings(file) if with_queue and file.salvaging else None
    broken: list[DamagedError] = []
    for rows in batched(_readable(file.rows(MEMORIES), broken), _AT_ONCE):
        ids = [each for row in rows if isinstance(each := row["id"], str)]
        standing = whole
        if standing is None:
            queue = file.matching(CANDIDATES, "memory_id", ids) if with_queue and ids else []
            standing = _standings(queue)
        for row in rows:
            yield _memory_record(row, standing.get(row["id"], ""))
    if broken:
        raise broken[0]


def _readable(
    rows: Iterable[dict[str, Cell]], broken: list[DamagedError]
) -> Iterator[dict[str, Cell]]:
    """*rows*; what ends them goes into *broken*, so that the last batch of them is not lost."""
    try:
        yield from rows
    except DamagedError as error:
        broken.append(error)


def _standings(queue: Iterable[dict[str, Cell]]) -> dict[Cell, str]:
    found: dict[Cell, str] = {}
    for candidate in queue:
        status = candidate["status"]
        # The first of several is the one that is taken over.
        found.setdefault(candidate["memory_id"], str(status) if status in STATUSES else "")
    return found


def _all_standings(file: ForeignFile) -> dict[Cell, str]:
    return _standings(_readable(file.rows(CANDIDATES), []))  # reading it for itself tells of it


def read_candidates(file: ForeignFile) -> Iterator[Record[LegacyCandidate]]:
    """Every row of `memory_candidates`."""
    for row in file.rows(CANDIDATES):
        original = original_of(row)
        key = _key_of(row)
        try:
            candidate = _candidate(row)
        except ValueError as error:
            yield _untyped("candidates", key, original, error)
        else:
            # An edit of a memory gave it a new candidate: it is the memory that says which it is.
            yield Record("candidates", key, original, candidate, identity=candidate.memory_id)


def original_of(row: dict[str, Cell]) -> bytes:
    """*row* as JSON from which every cell can be told to the byte."""
    return msgspec.json.encode({name: _written(cell) for name, cell in row.items()})


def _memory_record(row: dict[str, Cell], standing: str) -> Record[LegacyMemory]:
    original, key = original_of(row), _key_of(row)
    try:
        memory = _memory(row, standing)
    except ValueError as error:
        return _untyped("memories", key, original, error)
    note = "" if standing else _NO_CANDIDATE
    return Record("memories", key, original, memory, note=note, context=standing)


def _memory(row: dict[str, Cell], standing: str) -> LegacyMemory:
    tags = checks.json_cell(row, "tags_json")
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):  # pyright: ignore[reportUnknownVariableType]
        raise ValueError("tags_json is not a list of texts")
    for tag in cast("list[str]", tags):
        checks.name({"a tag": tag}, "a tag")
    return LegacyMemory(
        id=checks.name(row, "id"),
        type=checks.name(row, "memory_type"),
        key=checks.name(row, "memory_key"),
        value=_value(row),
        scope=_scope(row),
        tags=tuple(cast("list[str]", tags)),
        confidence=checks.share(row, "confidence"),
        created_at=instant(row["created_at"]),
        last_used_at=instant(row["last_used_at"]),
        expires_at=instant_or_none(row["expires_at"]),
        source_run_id=_run_id(row),
        standing=standing,
    )


def _value(row: dict[str, Cell]) -> Any:
    value = checks.json_cell(row, "value_json")
    # Types as well: 1 is not 1.0, and neither is true.
    if repr(msgspec.json.decode(msgspec.json.encode(value))) != repr(value):
        raise ValueError("value_json would be another value after it has been stored")
    return value


def _scope(row: dict[str, Cell]) -> str:
    scope = checks.name(row, "scope")
    parts = scope.split("/")
    if len(parts) > _MOST_PARTS or {"", ".", ".."} & set(parts) or not scope.isprintable():
        raise ValueError(f"scope {scope!r:.100} is no path of names")
    return scope


def _run_id(row: dict[str, Cell]) -> str:
    run = checks.text(row, "source_run_id")
    return checks.name(row, "source_run_id") if run.strip() else run


def _candidate(row: dict[str, Cell]) -> LegacyCandidate:
    status = row["status"]
    if status not in STATUSES:
        raise ValueError(f"status is {status!r:.40}, not one of {', '.join(STATUSES)}")
    provenance = checks.text(row, "provenance")
    if len(provenance.encode()) > checks.LONGEST_NAME:
        raise ValueError(f"provenance is longer than {checks.LONGEST_NAME} bytes")
    return LegacyCandidate(
        id=checks.name(row, "id"),
        memory_id=checks.name(row, "memory_id"),
        provenance=provenance,
        rationale=checks.text(row, "rationale"),
        status=status,  # pyright: ignore[reportArgumentType]
        created_at=instant(row["created_at"]),
        updated_at=instant(row["updated_at"]),
    )


def _untyped(kind: Kind, key: str, original: bytes, error: ValueError) -> Record[Any]:
    return Record(kind, key, original, None, trouble=str(error), identity=hashed(str(original)))


def _key_of(row: dict[str, Cell]) -> str:
    cell = row["id"]
    return cell.replace("\0", "\\0") if isinstance(cell, str) and cell else f"(id {cell!r:.60})"


def _written(cell: Cell) -> object:
    if isinstance(cell, BrokenText):
        return {"$text": cell.raw.hex()}
    if isinstance(cell, bytes):
        return {"$blob": cell.hex()}
    if isinstance(cell, float) and cell - cell != 0:  # an infinity, which JSON has no word for
        return {"$real": repr(cell)}
    return cell
