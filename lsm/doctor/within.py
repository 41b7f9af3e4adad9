"""What is in a database, looked at without changing it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lsm.agents.audit import abandoned_runs, miscounted, schedule_problems
from lsm.agents.memory.audit import memory_problems
from lsm.db.check import (
    engine,
    integrity_problems,
    is_mendable,
    json_problems,
    log_problem,
    reference_problems,
)
from lsm.db.schema import schema_misfits
from lsm.doctor.report import MEND, RESCUE, RESTORE, Check, told
from lsm.errors import BusyError, DamagedError, LsmError
from lsm.ingest.audit import (
    counters_behind,
    document_problems,
    manifest_problems,
    version_problems,
)
from lsm.paths import shown, to_os
from lsm.vectordb import open_chunk_index
from lsm.vectordb.memory_index import open_memory_index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lsm.app import Mind
    from lsm.db import Database

    Looks = tuple[tuple[str, Callable[[], Check]], ...]

_DISPOSABLE = ("lsm_stats_cache.", "lsm_remote_cache.")
_NAMED = 3


def look_at_engine(db: Database) -> Iterator[Check]:
    """What can be said of a database of any schema."""
    yield from _each(
        (
            ("engine", lambda: _engine(db)),
            ("schema", lambda: _schema(db)),
            ("integrity", lambda: _integrity(db)),
            ("references", lambda: told("references", reference_problems(db), RESCUE)),
        )
    )


def look_at_contents(db: Database) -> Iterator[Check]:
    """What can be said of one of today's schema, without configuration or model."""
    yield from _each(
        (
            ("values", lambda: _values(db)),
            ("cache", lambda: _cache(db)),
            ("versions", lambda: told("versions", version_problems(db), _READ_AGAIN)),
            ("counters", lambda: told("counters", counters_behind(db), MEND)),
            ("documents", lambda: told("documents", document_problems(db), MEND)),
            ("manifest", lambda: told("manifest", manifest_problems(db), MEND)),
            ("index", lambda: told("index", open_chunk_index(db).disagreements(), MEND)),
            ("memories", lambda: told("memories", memory_problems(db), RESCUE)),
            (
                "memory index",
                lambda: told("memory index", open_memory_index(db).disagreements(), MEND),
            ),
            ("queue", lambda: _queue(db)),
        )
    )


def look_at_mind(mind: Mind) -> Iterator[Check]:
    """What is in the database, held against the configuration and the model."""
    yield from _each(
        (
            ("schedules", lambda: _schedules(mind)),
            ("runs", lambda: _runs(mind)),
            ("embedding", lambda: _embedder(mind)),
            ("roots", lambda: _roots(mind)),
            ("library", lambda: _library(mind)),
        )
    )


_READ_AGAIN = "read the files again: lsm ingest --force"


def _each(looks: Looks) -> Iterator[Check]:
    """One that cannot be made is not ok, and the others are made all the same."""
    for name, look in looks:
        try:
            yield look()
        except BusyError:
            raise  # the others would each wait for as long
        except DamagedError as error:
            yield Check(name, ok=False, detail=f"{error}; {RESTORE}")
        except LsmError as error:
            yield Check(name, ok=False, detail=f"{error}; mend what else is wrong first")


def _engine(db: Database) -> Check:
    name, problems = engine(db)
    log = log_problem(db)
    return told("engine", problems + ([log] if log else []), f"this is {name}", name)


def _schema(db: Database) -> Check:
    misfits = schema_misfits(db)
    mendable = all(misfit.makes for misfit in misfits)
    remedy = MEND if mendable else RESTORE
    return told("schema", [misfit.problem for misfit in misfits], remedy, "complete")


def _integrity(db: Database) -> Check:
    problems = integrity_problems(db)
    remedy = MEND if all(map(is_mendable, problems)) else RESCUE
    few = problems[:_NAMED] + ([f"{len(problems) - _NAMED} more"] if problems[_NAMED:] else [])
    return told("integrity", few, remedy)


def _values(db: Database) -> Check:
    found = {k: v for k, v in json_problems(db).items() if not k.startswith(_DISPOSABLE)}
    return told("values", _unreadable(found), RESCUE)


def _cache(db: Database) -> Check:
    found = {k: v for k, v in json_problems(db).items() if k.startswith(_DISPOSABLE)}
    return told("cache", _unreadable(found), MEND)


def _unreadable(found: dict[str, list[str]]) -> list[str]:
    return [
        f"{column} of {', '.join(keys[:_NAMED])}{', ...' if keys[_NAMED:] else ''} is no JSON"
        for column, keys in found.items()
    ]


def _queue(db: Database) -> Check:
    wrong = [f"schedule {each} has another number of waiting runs" for each in miscounted(db)]
    return told("queue", wrong, MEND)


def _schedules(mind: Mind) -> Check:
    problems = schedule_problems(mind.db, mind.agency.check_agent)
    return told("schedules", problems, "mend or remove it: lsm schedule remove ID")


def _runs(mind: Mind) -> Check:
    left = abandoned_runs(mind.db, mind.clock)
    return told("runs", left, "the scheduler closes it: lsm schedule start --once")


def _embedder(mind: Mind) -> Check:
    vector = mind.embedder.embed_query("a word")
    waiting = mind.chunks_of_other_models()
    detail = f"{mind.embedder.model}, {len(vector)} dimensions"
    if waiting:
        return Check("embedding", ok=False, detail=f"{detail}; {waiting}; run lsm ingest")
    return Check("embedding", ok=True, detail=detail)


def _roots(mind: Mind) -> Check:
    missing = [root for root in mind.roots() if not os.path.exists(to_os(root))]
    return told("roots", [f"{shown(root)} is not there" for root in missing], "is a disk missing?")


def _library(mind: Mind) -> Check:
    overview = mind.overview()
    return Check(
        "library",
        ok=True,
        detail=f"version {overview.version}, {overview.files} files, "
        f"{overview.kept} kept from the web, {overview.chunks} chunks, "
        f"{overview.errors} files could not be read",
    )
