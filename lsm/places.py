"""Which folders and files are read: named in the settings, or to `lsm ingest`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsm.errors import InvalidError
from lsm.ingest.roots import (
    add_root,
    drop_roots,
    follow_config,
    left_by_config,
    load_roots,
    outermost,
    starts_at,
)
from lsm.ingest.walk import Start
from lsm.paths import absolute, shown
from lsm.wiring import check_root, identity, own_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.clock import Clock
    from lsm.config.models import LibraryConfig
    from lsm.db import Database
    from lsm.ingest.pipeline import IngestOptions
    from lsm.ingest.report import IngestReport


class Places:
    """The roots of one mind."""

    def __init__(self, db: Database, home: str, library: LibraryConfig, clock: Clock) -> None:
        self._db = db
        self._home = home
        self._library = library
        self._clock = clock

    def roots(self) -> list[str]:
        """What ``lsm ingest`` reads, as absolute paths."""
        return [start.path for start in self.starts((), writing=False) if not start.dropped]

    def add(self, path: str) -> None:
        """Read *path* from now on, at every ingest.

        Raises:
            InvalidError: it is not there, or is the home itself.
        """
        place = absolute(path)
        roots = load_roots(self._db)
        known = outermost(place, roots, self._configured()) is not None
        self._check_root(place, is_known=known)
        if not known:
            add_root(self._db, place, self._clock)

    def starts(self, paths: Sequence[str], *, writing: bool) -> list[Start]:
        """Where to begin for *paths*, or for every root; new roots are added when *writing*.

        Raises:
            InvalidError: a path that cannot be read as documents.
        """
        configured = self._configured()
        if writing:
            follow_config(self._db, configured, self._clock)
        roots = load_roots(self._db)
        if not paths:
            dropped = left_by_config(configured, roots)
            named = configured + [r.root_path for r in roots if r.root_path not in dropped]
            kept = starts_at(list(dict.fromkeys(named)), roots)
            return kept + [Start(path, path, dropped=True) for path in dropped]
        wanted = [absolute(path) for path in paths]
        for path in wanted:
            known = outermost(path, roots, configured) is not None
            self._check_root(path, is_known=known)
            if writing and not known:
                add_root(self._db, path, self._clock)
        return starts_at(wanted, load_roots(self._db))

    def settle(self, starts: Sequence[Start], report: IngestReport, options: IngestOptions) -> None:
        """Forget roots that are no longer wanted: taken out of the settings, or confirmed gone."""
        if report.unconfirmed:
            return
        gone = {e.path for e in report.errors if e.code == "vanished" and options.confirm_delete}
        gone &= {start.path for start in starts if start.path == start.root}
        report.errors = [error for error in report.errors if error.path not in gone]
        report.files.failed -= len(gone)
        dropped = gone | {start.path for start in starts if start.dropped}
        if dropped:
            drop_roots(self._db, list(dropped))

    def _configured(self) -> list[str]:
        return list(dict.fromkeys(absolute(root) for root in self._library.roots))

    def _check_root(self, path: str, *, is_known: bool) -> None:
        if identity(path) in own_files(self._home, self._db):
            raise InvalidError(shown(path), "this belongs to lsm itself; name your documents")
        if not is_known:
            check_root(path, self._home)
