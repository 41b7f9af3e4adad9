"""Makes anew what can be made from the rest. What cannot is never touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lsm.agents.audit import recount
from lsm.app import Mind
from lsm.clock import to_text, utc_now
from lsm.config import config_path, home_path, load_config
from lsm.db import file_of, open_as_it_is
from lsm.db.backup import back_up, dump_command
from lsm.db.check import drop_unreadable, rebuild_indexes
from lsm.db.schema import make_missing
from lsm.doctor import Check, diagnose
from lsm.errors import LsmError, RefusedError
from lsm.ingest.audit import (
    drop_stray_chunks,
    mend_counters,
    mend_manifest,
    retire_left_behind,
    stray_chunks,
)
from lsm.ingest.mending import embed_missing
from lsm.ingest.stats_cache import StatsCache
from lsm.vectordb import open_chunk_index
from lsm.vectordb.memory_index import open_memory_index
from lsm.wiring import database_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import LiteralString

    from lsm.doctor.report import Diagnosis

_DISPOSABLE: tuple[tuple[LiteralString, LiteralString], ...] = (
    ("lsm_stats_cache", "stats_json"),
    ("lsm_remote_cache", "response_json"),
)


class Repaired(msgspec.Struct, frozen=True):
    """What was done, and what there is to say afterwards. The fields are those of the JSON."""

    ok: bool
    checks: tuple[Check, ...]  # afterwards
    backup: str | None  # of what was there before; None: nothing was changed, or nobody wanted one
    repaired: tuple[str, ...]


def repair(
    home: str | None,
    database: str | None,
    on_step: Callable[[str], None],
    *,
    backed_up: bool = False,
) -> Repaired:
    """Look the mind at *home* over, and mend what derives from the rest, after a backup.

    Args:
        home: its folder; None as for `Mind`.
        database: as for `Mind`.
        on_step: told what is being done, in words.
        backed_up: there is a backup already, and none is made.

    Raises:
        RefusedError: the database is on PostgreSQL and *backed_up* is not said; names the command.
        StorageError: the backup cannot be made; nothing was changed.
    """
    on_step("looking")
    before = diagnose(home, database)
    if before.ok or not _opens(before):
        return Repaired(before.ok, before.checks, None, ())
    place = home_path(home)
    url = database_url(place, load_config(config_path(place)), database)
    on_step("backing up")
    kept = None if backed_up else _kept(url)
    done = list(_mended(Mind(place, open_as_it_is(url, writable=True)), before, on_step))
    on_step("looking again")
    after = diagnose(home, database)
    return Repaired(after.ok, after.checks, kept, tuple(done))


def reindex(mind: Mind, on_step: Callable[[str], None]) -> tuple[str, ...]:
    """Make everything that derives from the rest anew; what was done."""
    every = frozenset(_STEPS)
    return tuple(_done(mind, every, on_step))


def _opens(diagnosis: Diagnosis) -> bool:
    return any(check.name == "schema" for check in diagnosis.checks)


def _kept(url: str) -> str:
    with open_as_it_is(url) as db:
        if file_of(url) is None:
            command = dump_command(db, "lsm.dump")
            raise RefusedError(
                f"make a backup first: {command} and then say so: lsm doctor --repair --backed-up"
            )
        stamp = to_text(utc_now()).replace("-", "").replace(":", "")[:15]
        return back_up(db, f"{db.url}.before-repair-{stamp}Z", check=False).file


def _mended(mind: Mind, before: Diagnosis, on_step: Callable[[str], None]) -> Iterator[str]:
    with mind:
        yield from _done(mind, before.failed(), on_step)


def _done(mind: Mind, failed: frozenset[str], on_step: Callable[[str], None]) -> Iterator[str]:
    """Mend what *failed*, in an order in which each finds mended what it rests on."""
    todo = {step: names for step, names in _CAUSES.items() if names & failed}
    for step in todo:
        on_step(f"mending: {step}")
        try:
            yield from _STEPS[step](mind)
        except LsmError as error:
            yield f"{step}: not mended: {error}"


def _schema(mind: Mind) -> Iterator[str]:
    yield from (f"made {each} anew" for each in make_missing(mind.db))


def _indexes(mind: Mind) -> Iterator[str]:
    rebuild_indexes(mind.db)
    yield "wrote every index anew"


def _counters(mind: Mind) -> Iterator[str]:
    yield from _told({"counters set right": mend_counters(mind.db)})


def _documents(mind: Mind) -> Iterator[str]:
    index = open_chunk_index(mind.db)
    dropped = 0
    while ids := stray_chunks(mind.db):
        with mind.db.transaction():
            index.remove(ids)
            dropped += drop_stray_chunks(mind.db, ids)
    with mind.db.transaction():
        retired = retire_left_behind(mind.db)
    yield from _told(
        {"chunks without document dropped": dropped, "chunks retired with their document": retired}
    )


def _manifest(mind: Mind) -> Iterator[str]:
    yield from _told(mend_manifest(mind.db, mind.clock))


def _index(mind: Mind) -> Iterator[str]:
    index = open_chunk_index(mind.db)
    yield from _told(index.mend())
    yield from _told({"chunks embedded": sum(embed_missing(mind.db, index, mind.embedder))})


def _memory_index(mind: Mind) -> Iterator[str]:
    yield from _told(open_memory_index(mind.db).mend())
    count = 0
    while embedded := mind.memories.embed_missing():
        count += embedded
    yield from _told({"memories embedded": count})


def _queue(mind: Mind) -> Iterator[str]:
    yield from _told({"schedules counted anew": recount(mind.db)})


def _caches(mind: Mind) -> Iterator[str]:
    StatsCache(mind.db, mind.clock).invalidate()
    dropped = sum(drop_unreadable(mind.db, *each) for each in _DISPOSABLE)
    yield "statistics are computed anew"
    yield from _told({"unreadable answers dropped": dropped})


# In the order they are done, and the checks that each is for.
_CAUSES: dict[str, frozenset[str]] = {
    "schema": frozenset({"schema"}),
    "indexes": frozenset({"integrity"}),
    "counters": frozenset({"counters"}),
    "documents": frozenset({"documents"}),
    "manifest": frozenset({"manifest"}),
    "full text and vectors": frozenset({"index", "words", "schema", "integrity", "references"}),
    "memory index": frozenset({"memory index", "words", "schema", "integrity", "references"}),
    "queue": frozenset({"queue"}),
    "caches": frozenset({"cache"}),
}
_STEPS: dict[str, Callable[[Mind], Iterator[str]]] = {
    "schema": _schema,
    "indexes": _indexes,
    "counters": _counters,
    "documents": _documents,
    "manifest": _manifest,
    "full text and vectors": _index,
    "memory index": _memory_index,
    "queue": _queue,
    "caches": _caches,
}


def _told(counts: dict[str, int]) -> Iterator[str]:
    yield from (f"{count:,} {what}" for what, count in counts.items() if count)
