"""Wires agents: their scheduler, and the tools they get of the other services."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import to_builtins

from lsm.config import CONFIG_NAME
from lsm.errors import NotFoundError
from lsm.once import once

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from lsm.agents.directory import Directory
    from lsm.agents.events import Event
    from lsm.agents.reconcile import Reconciled
    from lsm.agents.rows import RunRow
    from lsm.agents.scheduler import AgentScheduler
    from lsm.agents.tools import AgentTools
    from lsm.app import Mind
    from lsm.db import Database


class Agency:
    """Agents of one mind."""

    def __init__(self, mind: Mind) -> None:
        self._mind = mind

    @once
    def scheduler(self) -> AgentScheduler:
        """When agents run, and what became of each run."""
        return self.scheduler_telling(None)

    def scheduler_telling(self, on_event: Callable[[Event], None] | None) -> AgentScheduler:
        """The scheduler, telling *on_event* what happens."""
        from lsm.agents.loop import Terms
        from lsm.agents.scheduler import AgentScheduler

        return AgentScheduler(
            self._mind.db,
            lambda name: self.directory.agent(name, self.tools, self._mind.reasoning.reach),
            terms=Terms(clock=self._mind.clock),
            on_event=on_event,
        )

    def follow_config(self) -> Reconciled:
        """Make the schedules that came from the configuration the ones it names now.

        Raises:
            InvalidError, CronError: an entry cannot be a schedule.
            NotFoundError: there is no such agent.
        """
        from lsm.agents.schedules import from_settings

        for entry in self._mind.config.agents.schedules:
            self.check_agent(entry.agent, entry.params)
        schedules = [from_settings(**to_builtins(e)) for e in self._mind.config.agents.schedules]
        return self.scheduler.reconcile(CONFIG_NAME, schedules)

    @once
    def directory(self) -> Directory:
        """Which agents there are."""
        from lsm.agents.directory import Directory

        return Directory(self._mind.home)

    def check_agent(self, name: str, params: Mapping[str, Any]) -> None:
        """Refuse what could not be run.

        Raises:
            NotFoundError: there is no agent called *name*.
            InvalidError: it takes no such parameter, or needs one that is missing.
            ConfigError: its file is wrong.
        """
        self.directory.check(name, params)

    def run_agent(self, name: str, params: Mapping[str, Any], allow: Sequence[str] = ()) -> RunRow:
        """Run an agent here and now; the run as it ended.

        Args:
            name: of the agent.
            params: what it is told.
            allow: tools that it may use in this run although they need a grant.

        Raises:
            as `check_agent`, and as `Reasoning.check_grantable`.
        """
        from lsm.agents.grants import LONGEST, Use

        self.check_agent(name, params)
        reasoning = self._mind.reasoning
        hashes = [(tool, reasoning.check_grantable(name, tool)) for tool in dict.fromkeys(allow)]
        reasoning.check_model(name)

        def booked(run: RunRow) -> None:
            for tool, found in hashes:
                use = Use(name, found, "", run.run_id)
                reasoning.grants.allow(use, tool, LONGEST, only_run=True)

        return self.scheduler.run_agent(name, params, booked)

    def written_by_run(self, run_id: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Memories and candidates that a run left, as rows of the JSON contract."""
        from lsm.agents.memory import as_row

        rows = [as_row(memory) for memory in self._mind.memories.of_run(run_id)]
        waiting = ("pending", "rejected")
        return (
            [row for row in rows if row["status"] not in waiting],
            [row for row in rows if row["status"] in waiting],
        )

    def tools(self) -> AgentTools:
        """What agents get of the other services."""
        from lsm.agents.memory import MemoryStore
        from lsm.agents.tools import AgentTools, DocumentNews, IngestResult
        from lsm.vectordb.documents import DocumentReader
        from lsm.watching import Watch

        def ingest(should_stop: Callable[[], bool]) -> IngestResult:
            report = self._mind.ingest(should_stop=should_stop)
            errors = [f"{error.path}: {error.reason}" for error in report.errors]
            counts = to_builtins(report.files)
            return IngestResult(report.version, counts, errors, report.unconfirmed)

        def news_since(version: int) -> tuple[int, list[DocumentNews]]:
            with self._mind.db.snapshot():
                changed = DocumentReader(self._mind.db).changed_since(version)
                return self._mind.overview().version, [DocumentNews(*each) for each in changed]

        return AgentTools(
            ingest=ingest,
            news_since=news_since,
            last_result=self._last_result,
            rehearsing=lambda: rolled_back(self._mind.db),
            memories=MemoryStore(
                self._mind.db, self._mind.clock, None, self._mind.config.agents.memory
            ),
            clock=self._mind.clock,
            watching=Watch(self._mind),
        )

    def _last_result(self, schedule_id: str) -> dict[str, Any]:
        try:
            runs = self.scheduler.history(schedule_id)
        except NotFoundError:
            return {}  # run by hand for the first time
        results = [run.result_json for run in runs if run.state == "succeeded"]
        return msgspec.json.decode(results[0]) if results and results[0] else {}


class _UndoError(Exception):
    """Ends a transaction whose writes were for looking only."""


@contextmanager
def rolled_back(db: Database) -> Generator[None]:
    """A transaction that leaves nothing behind: what is written in it can be read in it."""
    with suppress(_UndoError), db.transaction():
        yield
        raise _UndoError
