"""Wires the import of a predecessor's home to the stores that hold what it brings."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from lsm.errors import EmbeddingError
from lsm.failpoints import reach

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.app import Mind
    from lsm.migration.legacy.importing import Request
    from lsm.migration.legacy.ledger import SetAside
    from lsm.migration.legacy.report import Report
    from lsm.migration.legacy.shelves import Target

_AT_ONCE = 256  # memories that are given a vector together


def move_in(mind: Mind, request: Request, on_progress: Callable[[str, int], None]) -> Report:
    """Bring the home that *request* names into *mind*, or try it; what happened, or would.

    Args:
        mind: the target.
        request: which home, and how.
        on_progress: told the kind, and how many of its records have been looked at.

    Raises:
        InvalidError, ConfigError, StorageError: as `import_home`.
    """
    from lsm.migration.legacy.importing import import_home

    report = import_home(target_of(mind), request, on_progress)
    if request.apply and report.kinds["memories"].source:
        try:
            _give_vectors(mind, on_progress)
        except EmbeddingError as error:
            reason = f"they are here and found by their words; run it again for vectors: {error}"
            report.tell("memories", "embedding", reason)
    return report


def set_aside(mind: Mind) -> list[SetAside]:
    """Every record that an import could not take over, whole."""
    from lsm.migration.legacy.ledger import LegacyLedger

    return LegacyLedger(mind.db, mind.clock).quarantine()


def target_of(mind: Mind, reached: Callable[[str], None] = reach) -> Target:
    """*mind* as the import sees it; *reached* is called at its labelled points."""
    from lsm.ingest.caution import hold_deletions
    from lsm.migration.legacy.shelves import Target
    from lsm.moving_in.files import FileShelf
    from lsm.moving_in.memories import CandidateShelf, MemoryShelf
    from lsm.moving_in.remote import AnswerShelf, FeedShelf
    from lsm.moving_in.schedules import ScheduleShelf

    db, clock = mind.db, mind.clock
    return Target(
        db=db,
        clock=clock,
        shelves={
            "memories": MemoryShelf(db, clock),
            "candidates": CandidateShelf(db),
            "schedules": ScheduleShelf(db, clock),
            "manifest": FileShelf(db, clock),
            "remote_cache": AnswerShelf(db),
            "feeds": FeedShelf(db),
        },
        hold_deletions=partial(hold_deletions, db),
        reached=reached,
    )


def _give_vectors(mind: Mind, on_progress: Callable[[str, int], None]) -> None:
    done = 0
    while count := mind.memories.embed_missing(_AT_ONCE):
        done += count
        on_progress("embedding", done)
