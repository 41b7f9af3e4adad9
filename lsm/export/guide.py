"""The page that says what is in an export."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lsm
from lsm.db.schema import table_notes
from lsm.export.tables import VECTORS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.db import Database
    from lsm.db.tables import Table

_HEAD = """\
# An export of Local Second Mind

Written by lsm {version} from a database whose schema is {schema}.

- `memories/SCOPE.md`: what is remembered in each scope, and what waits for review.
- `reports/AGENT/TIME-RUN.md`: the report of every run that left one.
- `tables/NAME.jsonl`: everything, one table a file, one row a line, one JSON object a row.

Rows are sorted by primary key and columns by name, so the difference between two exports is what
has changed. A column that ends in `_json` holds JSON as text, exactly as it is stored. Times are
text in UTC. Numbers beyond 2^53 are written out in full: read them as whole numbers. Columns of
bytes are base64. Paths are UTF-8; a byte of a file name that is not is one of the characters
U+F780 to U+F7FF.

What is computed from the rest is not here: full-text indexes and statistics{vectors}.
"""


def guide(db: Database, tables: Sequence[Table]) -> str:
    """README.md: the files, and each table with its columns."""
    here = {table.name for table in tables}
    vectors = "" if here & set(VECTORS) else ", and vectors (`lsm export --vectors`)"
    schema = db.tuples("SELECT max(name) FROM lsm_migrations")[0][0]
    notes = table_notes(db.engine)
    parts = [_HEAD.format(version=lsm.__version__, schema=schema, vectors=vectors)]
    parts += [_section(table, notes.get(table.name, "")) for table in tables]
    return "\n".join(parts)


def _section(table: Table, note: str) -> str:
    columns = [f"- `{column.name}`: {column.kind}" for column in table.columns]
    key = ", ".join(f"`{name}`" for name in table.key)
    return "\n".join([f"## {table.name}", "", note, "", *columns, "", f"Key: {key}", ""])
