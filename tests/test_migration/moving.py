"""Imports an old home, and looks at what stands in the tables afterwards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lsm.clock import to_text
from lsm.migration.legacy.importing import Request, import_home
from lsm.moving_in import target_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.app import Mind
    from lsm.migration.legacy.report import KindReport, Report
    from tests.test_migration.old_home import OldHome

TABLES = (
    "lsm_agent_memories", "lsm_agent_memory_candidates", "lsm_memory_revisions",
    "lsm_agent_schedules", "lsm_manifest", "lsm_remote_cache", "lsm_remote_feeds",
    "lsm_remote_feed_items", "lsm_legacy_files", "lsm_legacy_items", "lsm_legacy_originals",
    "lsm_legacy_quarantine", "lsm_meta", "lsm_counters",
)  # fmt: skip


def bring(
    mind: Mind,
    home: OldHome,
    reached: Callable[[str], None] = lambda _: None,
    *,
    apply: bool = True,
    **how: Any,
) -> Report:
    """Import *home* into *mind*."""
    request = Request(str(home.root), apply=apply, **how)
    return import_home(target_of(mind, reached), request, lambda *_: None)


def counts(kind: KindReport) -> dict[str, int]:
    """What became of the records of a kind; what did not happen is left out."""
    names = ("imported", "identical", "merged", "conflict", "quarantined", "skipped")
    assert kind.source == sum(getattr(kind, name) for name in names)
    return {name: getattr(kind, name) for name in names if getattr(kind, name)}


def table(mind: Mind, name: str) -> list[dict[str, Any]]:
    """Every row of a table, in any fixed order."""
    assert name in TABLES
    rows = mind.db.rows(f"SELECT * FROM {name}")  # pyright: ignore[reportArgumentType]
    return sorted(rows, key=lambda row: json.dumps(row, default=repr, sort_keys=True))


def stored(mind: Mind) -> dict[str, list[dict[str, Any]]]:
    """All that an import can change."""
    return {name: table(mind, name) for name in TABLES}


def instant(text: str | None) -> str | None:
    """One of the predecessor's times, read by a reader of its own."""
    from datetime import UTC, datetime

    if text is None:
        return None
    found = datetime.fromisoformat(text)
    return to_text(found if found.tzinfo else found.replace(tzinfo=UTC))
