"""Which tables are content, and which are made from it or belong to one place only.

A table that is named nowhere here is content: it is moved. A test makes whoever adds a table
decide, for each of the engines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsm.db.mark import KEY
from lsm.db.tables import in_order
from lsm.errors import StorageError

if TYPE_CHECKING:
    from typing import LiteralString

    from lsm.db import Database
    from lsm.db.tables import Table

CONTENT = frozenset(
    {
        "lsm_agent_grants",
        "lsm_agent_memories",
        "lsm_agent_memory_candidates",
        "lsm_agent_memory_merges",
        "lsm_agent_runs",
        "lsm_agent_schedules",
        "lsm_chunks",
        "lsm_counters",
        "lsm_documents",
        "lsm_eval_baselines",
        "lsm_eval_expected",
        "lsm_eval_queries",
        "lsm_ingest_errors",
        "lsm_job_status",
        "lsm_legacy_files",
        "lsm_legacy_items",
        "lsm_legacy_originals",
        "lsm_legacy_quarantine",
        "lsm_manifest",
        "lsm_memory_context_uses",
        "lsm_memory_contexts",
        "lsm_memory_revisions",
        "lsm_memory_sources",
        "lsm_meta",
        "lsm_remote_cache",
        "lsm_remote_feed_items",
        "lsm_remote_feeds",
        "lsm_remote_hosts",
        "lsm_roots",
        "lsm_schema_versions",
        "lsm_stats_cache",
        "lsm_vector_spaces",
        "lsm_versions",
        "lsm_watched_items",
        "vec_chunks",
        "vec_memories",
    }
)

# Made from content by the engine, by its triggers or by what loads the chunks; never copied.
DERIVED = {
    "chunks_fts": "the words of lsm_chunks",
    "lsm_vector_blocks": "the vectors of vec_chunks, coded",
    "memories_fts": "the words of lsm_agent_memories, by trigger",
    "memory_labels": "the tags and values of lsm_agent_memories, by trigger",
}

# True of one database at one place, and of no copy of it.
LOCAL = {
    "lsm_migrations": "which scripts made these tables, and when",
    "lsm_remote_fetches": "who is asking a remote source right now, and how long a failure counts",
}

# Rows of content tables that are local, as a condition on those that are not.
_ITS_OWN = "key NOT IN ('database_id', 'created_at', 'unfinished_move')"
ROWS: dict[str, LiteralString] = {
    # Which database it is. A copy is another one.
    "lsm_meta": _ITS_OWN,
    # By these a running process sees that what it holds in memory is outdated.
    "lsm_counters": "name NOT IN ('vector_rewrites', 'memory_rewrites')",
}
assert f"'{KEY}'" in _ITS_OWN  # noqa: S101 - two spellings of one name

# What a database has that nobody has used yet: replaced by what is moved in.
SEEDED = frozenset({"lsm_counters", "lsm_meta"})


def content_tables(db: Database) -> list[Table]:
    """The tables that are content, those that others refer to first.

    Raises:
        StorageError: one has a column that only this engine can hold.
    """
    tables = db.tables()
    found = [table for name, table in tables.items() if name not in DERIVED | LOCAL]
    for table in found:
        if odd := [column.name for column in table.columns if column.kind == "other"]:
            raise StorageError(f"{db.url}: {table.name}.{odd[0]} is of a type that cannot be moved")
    return in_order(found)


def rows_of(table: Table) -> LiteralString:
    """The condition on the rows of *table* that are content; "" for all of them."""
    return ROWS.get(table.name, "")
