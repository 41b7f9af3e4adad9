"""Tables as JSON Lines: a row a line, sorted by primary key, its columns by name."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

import msgspec

from lsm.db.tables import Walk
from lsm.migration.database.contents import content_tables

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.db import Database
    from lsm.db.tables import Table, Value
    from lsm.export.folder import Folder

VECTORS = ("vec_chunks", "vec_memories")
_COMPUTED = ("lsm_stats_cache",)


def exported_tables(db: Database, *, vectors: bool) -> list[Table]:
    """The tables that are written, by name: all that is not computed from the others."""
    left_out = _COMPUTED + (() if vectors else VECTORS)
    found = [table for table in content_tables(db) if table.name not in left_out]
    return sorted(found, key=lambda table: table.name)


def write_table(db: Database, target: Folder, table: Table, on_rows: Callable[[int], None]) -> int:
    """Write *table* to ``tables/NAME.jsonl``; the number of rows. Bytes become base64."""
    encode = msgspec.json.Encoder(enc_hook=_refuse).encode
    count = 0
    with target.opened(f"tables/{table.name}.jsonl") as file:
        for batch in db.each(Walk(table)):
            for row in batch:
                values = dict(zip(table.names, map(_plain, row), strict=True))
                file.write(encode(values) + b"\n")
            count += len(batch)
            on_rows(count)
    return count


def _plain(value: Value) -> object:
    return b64encode(value).decode() if isinstance(value, bytes) else value


def _refuse(value: object) -> object:
    raise TypeError(f"{type(value)} is no value of a table")
