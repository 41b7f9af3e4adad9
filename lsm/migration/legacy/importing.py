"""One import of a predecessor's home, tried or done."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsm.errors import ConfigError, InvalidError
from lsm.migration.legacy.bringing import Bringer
from lsm.migration.legacy.ledger import LegacyLedger
from lsm.migration.legacy.oldconfig import OldConfig, find_config, load_old_config
from lsm.migration.legacy.places import find_places
from lsm.migration.legacy.report import Report
from lsm.migration.legacy.sources import Sources
from lsm.migration.legacy.verifying import Verifier
from lsm.paths import shown, to_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.migration.legacy.bringing import Source
    from lsm.migration.legacy.shelves import Target


_HELD = "move-in"


@dataclass(frozen=True)
class Request:
    """What is asked for."""

    home: str  # absolute
    config: str | None = None  # of the predecessor; None: the one in its home, if there is one
    apply: bool = False  # without, everything is done and taken back
    salvage: bool = False  # take what can be had of a broken file


class _TakenBack(Exception):  # noqa: N818 - ends a trial, and is no error
    pass


def import_home(
    target: Target, request: Request, on_progress: Callable[[str, int], None]
) -> Report:
    """Bring what *request* names into *target*; what happened, or would.

    A trial is the very same work in one transaction that is rolled back at its end.

    Args:
        target: the database, and who keeps what in it.
        request: which home, and how.
        on_progress: told the kind, and how many of its records have been looked at.

    Raises:
        InvalidError: there is nothing of a predecessor.
        ConfigError: the configuration that was named cannot be read.
        BusyError: another import is going on.
        StorageError: the target refuses; what was written before stays, run it again.
    """
    report = Report(home=shown(to_text(request.home)), config="", applied=request.apply)
    config = _config(request, report)
    places = find_places(request.home, config)
    if not places.anything and not config.memory_on_a_server:
        raise InvalidError(
            report.home, f"nothing of a predecessor is there; {', '.join(places.looked_for)}"
        )
    sources = Sources(places, config, report, salvage=request.salvage)
    with ExitStack() as stack:
        found = sources.open(stack)
        if request.apply:
            # Two at once would each take what the other brings for somebody else's.
            with target.db.hold(_HELD):
                _bring(target, found, sources, report, on_progress)
            return report
        with suppress(_TakenBack), target.db.transaction():
            target.db.be_patient()
            _bring(target, found, sources, report, on_progress)
            raise _TakenBack
    return report


def _config(request: Request, report: Report) -> OldConfig:
    path = request.config or find_config(request.home)
    if path is None:
        return OldConfig()
    report.config = shown(to_text(os.path.abspath(path)))
    try:
        return load_old_config(path)
    except ConfigError as error:
        if request.config is not None:
            raise
        # It may have moved anything: what is found by default need not be all.
        report.tell("config", report.config, f"{error}; the default places were used")
        return OldConfig()


def _bring(
    target: Target,
    found: list[Source],
    sources: Sources,
    report: Report,
    on_progress: Callable[[str, int], None],
) -> None:
    bringer = Bringer(target, report)
    for source in found:
        kind = source.kind
        bringer.bring(source, lambda done, kind=kind: on_progress(kind, done))
    _mind_deletions(target, report)
    target.reached("migrate.before_verify")
    verifier = Verifier(target, report, bringer.fresh)
    for source in found:
        verifier.verify(source)
    report.verified = report.mismatches == 0 and not report.unreadable
    target.reached("migrate.before_finish")
    if report.mismatches == 0:
        _note_files(target, found, sources, report)


def _mind_deletions(target: Target, report: Report) -> None:
    state = report.kinds["manifest"].state
    if state in ("unreadable", "partly"):
        target.hold_deletions("the predecessor's manifest could not be read")
    elif state == "read":
        target.hold_deletions(None)


def _note_files(target: Target, found: list[Source], sources: Sources, report: Report) -> None:
    ledger = LegacyLedger(target.db, target.clock)
    for source in found:
        kind = report.kinds[source.kind]
        if kind.state != "read":
            continue
        sha256 = sources.hashes.get(source.path, kind.source_digest)
        path = to_text(source.path)
        ledger.note_file(source.kind, path, sha256, kind.source, kind.target_digest)
