"""Moves a whole mind into another database, and says so only when both hold the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsm.clock import to_text, utc_now
from lsm.db import State, open_unfinished
from lsm.db.limits import misfits
from lsm.db.look import look_at
from lsm.db.mark import Mark, identity, read_mark, remove_mark, write_mark
from lsm.db.tables import Walk
from lsm.errors import DiskFullError, InvalidError, RefusedError
from lsm.failpoints import reach
from lsm.migration.database.contents import LOCAL, SEEDED, content_tables, rows_of
from lsm.migration.database.digest import Progress, count_rows, digest
from lsm.migration.database.loading import Loader
from lsm.migration.database.report import Digests, Kind, MoveReport, Problem
from lsm.vectordb import open_chunk_index
from lsm.vectordb.loading import dimensions, forget_words, make_graphs
from lsm.vectordb.memory_index import open_memory_index

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsm.clock import Clock
    from lsm.db import Database
    from lsm.db.look import Site
    from lsm.db.tables import Table, Values
    from lsm.migration.database.digest import Digest

_MOST_PROBLEMS = 100  # more than anyone mends by hand
_ROOM = 2.5  # a file's bytes for each byte of content: indexes, words, and what pages leave free
_HELD = "moving"


class Move:
    """A mind in *source*, and the database at *url* that it is to be in."""

    def __init__(
        self,
        source: Database,
        url: str,
        clock: Clock = utc_now,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self._source = source
        self._url = url
        self._clock = clock
        self._on_progress = on_progress

    def plan(self) -> MoveReport:
        """What `apply` would do. Changes nothing on either side.

        Raises:
            StorageError: the target cannot be a database of ours, or the source is damaged.
            RefusedError: the target holds something else.
            InvalidError: source and target are the same.
        """
        site = look_at(self._url)
        with self._source.snapshot():
            report, found = self._planned(site)
            report.dry_run = True
            if site.state is State.CURRENT:
                with open_unfinished(self._url, self._clock) as target:
                    self._compare(report, target, found, read_mark(target), restart=False)
        return report

    def apply(self, *, restart: bool = False) -> MoveReport:
        """Move everything; go on where an earlier run was interrupted.

        The source is only read. The target is marked until it has been read back and its digest
        is the source's; until then nothing else opens it.

        Args:
            restart: throw away what an interrupted run has left in the target, and begin again.

        Raises:
            BusyError: another process is moving something there.
            RefusedError, StorageError, InvalidError: as `plan`.
        """
        site = look_at(self._url)
        with self._source.snapshot():
            report, found = self._planned(site)
            if report.problems:
                return report
            with (
                open_unfinished(self._url, self._clock) as target,
                target.hold(_HELD),
            ):
                self._fill(report, target, found, restart=restart)
        if report.verified:
            self._look_back(report, found)
        return report

    def _planned(self, site: Site) -> tuple[MoveReport, Digest]:
        """Read the whole source once: what is to be moved, and what stands against it."""
        problems: list[Problem] = []
        lengths = dimensions(self._source)

        def look(table: Table, rows: list[Values]) -> None:
            for key, reason in misfits(site.engine, table, rows):
                problems.append(Problem(table.name, key, reason))
            if table.name == "vec_chunks":
                problems.extend(_wrong_lengths(table, rows, lengths))
            if len(problems) > _MOST_PROBLEMS:
                raise _too_many(problems)

        found = digest(self._source, self._on_progress, look=look)
        report = MoveReport(
            source=self._source.url,
            target=site.url,
            about=site.about,
            dry_run=False,
            kinds={
                name: Kind(source=count, imported=count)
                for name, count in sorted(found.rows.items())
            },
            digest=Digests(found.all),
            problems=problems,
            needed_bytes=int(found.bytes * _ROOM),
            free_bytes=site.free_bytes,
        )
        self._count_what_stays(report)
        if site.state is State.NEW:
            _expect_room(report)
        return report, found

    def _count_what_stays(self, report: MoveReport) -> None:
        tables = self._source.tables()
        for name in sorted(LOCAL.keys() & tables.keys()):
            count = count_rows(self._source, [tables[name]])[name]
            report.kinds[name] = Kind(source=count, skipped=count)

    def _compare(
        self,
        report: MoveReport,
        target: Database,
        found: Digest,
        mark: Mark | None,
        *,
        restart: bool,
    ) -> bool:
        """Whether there is something to do; the target is empty, or this move's own, or equal."""
        if identity(target) == identity(self._source):
            raise InvalidError("--to", f"{report.target} is the database that is to be moved")
        if mark is not None:
            if not restart:
                self._refuse_another(report, mark, found)
                report.resumed = sum(mark.done.get(name, 0) for name in found.rows)
            return True
        counts = count_rows(target, content_tables(target))
        held = {name: count for name, count in counts.items() if count and name not in SEEDED}
        if not held:
            _expect_room(report)
            return True
        if counts == found.rows:
            report.digest.target = digest(target, self._on_progress, stage="verifying").all
        if report.digest.target != found.all:
            shown = ", ".join(f"{count:,} rows of {name}" for name, count in list(held.items())[:3])
            raise RefusedError(
                f"{report.target} holds something else already ({shown}); name an empty database"
            )
        for name in found.rows:
            report.kinds[name] = Kind(source=counts[name], identical=counts[name])
        report.verified = True
        return False

    def _refuse_another(self, report: MoveReport, mark: Mark, found: Digest) -> None:
        if mark.source_id != identity(self._source):
            raise RefusedError(
                f"{report.target}: {mark.source} was being moved there; finish that, or throw away "
                "what has arrived with --restart"
            )
        if mark.digest != found.all:
            raise RefusedError(
                f"{report.source} has changed since the move began ({mark.began_at}); begin again "
                "with --restart"
            )

    def _fill(self, report: MoveReport, target: Database, found: Digest, *, restart: bool) -> None:
        mark = read_mark(target)
        if not self._compare(report, target, found, mark, restart=restart):
            return
        if mark is None or restart:
            mark = self._begin(target, found)
        tables = content_tables(self._source)
        loader = Loader(self._source, target, mark, self._on_progress)
        loader.copy(tables, sum(found.rows.values()))
        self._on_progress(Progress("indexing", 0, 1))
        make_graphs(target)
        target.reclaim(("lsm_agent_memories",))  # whose rows may have been written twice
        self._verify(report, target, found)
        if report.verified:
            reach("move.before_unmark")
            with target.transaction():
                remove_mark(target)

    def _begin(self, target: Database, found: Digest) -> Mark:
        """Empty the target of what every new database has, and of an earlier attempt."""
        mark = Mark(
            source_id=identity(self._source),
            source=self._source.url,
            digest=found.all,
            began_at=to_text(self._clock()),
        )
        everything = [Walk(table, rows_of(table)) for table in content_tables(target)]
        with target.transaction():
            target.be_patient()
            forget_words(target)
            target.empty(everything[::-1])
            write_mark(target, mark)
        return mark

    def _verify(self, report: MoveReport, target: Database, found: Digest) -> None:
        theirs = digest(target, self._on_progress, stage="verifying")
        report.digest.target = theirs.all
        for name, each in found.tables.items():
            if theirs.tables.get(name) != each:
                reason = f"differs: {found.rows[name]:,} rows moved, {theirs.rows.get(name, 0):,}"
                report.problems.append(Problem(name, "", f"{reason} found; use --restart"))
        report.problems += [
            Problem("chunks_fts", "", each) for each in self._index_problems(target)
        ]
        report.verified = theirs.all == found.all and not report.problems

    def _index_problems(self, target: Database) -> list[str]:
        """Where the target's indexes differ from its rows, and the source's do not."""
        found = _disagreements(target)
        known = set(_disagreements(self._source)) if found else set[str]()
        return [problem for problem in found if problem not in known]

    def _look_back(self, report: MoveReport, found: Digest) -> None:
        """Whether somebody has written to the source meanwhile: that is not in the target."""
        now = digest(self._source, self._on_progress, stage="checking")
        for name, each in now.tables.items():
            if found.tables.get(name) != each:
                reason = "changed in the source after it was read; that is not in the target"
                report.problems.append(Problem(name, "", reason))


def _disagreements(db: Database) -> list[str]:
    return open_chunk_index(db).disagreements() + open_memory_index(db).disagreements()


def _wrong_lengths(table: Table, rows: list[Values], lengths: dict[int, int]) -> list[Problem]:
    vector, space = table.names.index("embedding"), table.names.index("space_id")
    return [
        Problem(table.name, table.key_of(row), "embedding is not as long as its model's")
        for row in rows
        if isinstance(data := row[vector], bytes)
        and isinstance(space_id := row[space], int)
        and len(data) != 2 * lengths.get(space_id, -1)
    ]


def _too_many(problems: list[Problem]) -> RefusedError:
    first = problems[0]
    return RefusedError(
        f"more than {_MOST_PROBLEMS} rows cannot be moved, the first of them {first.kind} "
        f"{first.key}: {first.reason}"
    )


def _expect_room(report: MoveReport) -> None:
    free, needed = report.free_bytes, report.needed_bytes
    if free is not None and free < needed:
        raise DiskFullError(
            f"{report.target}: a copy needs about {needed >> 20:,} MiB, {free >> 20:,} MiB are "
            "free; nothing was changed"
        )
