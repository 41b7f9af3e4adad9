"""Wires language models: agents that are driven by one, and answers that are written by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsm.errors import ConfigError, NotFoundError
from lsm.once import once
from lsm.paths import is_address

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

    from lsm.agents.grants import Grant, Grants
    from lsm.agents.llm.model import LanguageModel
    from lsm.agents.llm.reach import Page, Passage, Reach, RemoteSource
    from lsm.app import Mind
    from lsm.query.written import Writer


def _silent(_: str) -> None: ...


class Reasoning:
    """What language models do in one mind."""

    def __init__(self, mind: Mind) -> None:
        self._mind = mind
        self.on_step: Callable[[str], None] = _silent  # told what an agent does, as it does it

    def writer(self) -> Writer | None:
        """Writes answers of `lsm ask`; None without a configured model."""
        if not self._mind.config.llm.model:
            return None

        def write(instructions: str, question: str) -> tuple[str, str]:
            model = self._open("")
            with model.begin(instructions) as dialogue:
                dialogue.say(question)
                reply = dialogue.reply(lambda: False)
            return (reply.text if reply else ""), model.name

        return write

    @once
    def grants(self) -> Grants:
        """What a person has allowed agents to do."""
        from lsm.agents.grants import Grants

        return Grants(self._mind.db, self._mind.clock)

    def grant(self, agent: str, tool: str, length: timedelta, schedule_id: str = "") -> Grant:
        """Let *agent* use *tool* for *length*, in one schedule only if *schedule_id* names it.

        Raises:
            ConfigError: the agent does not list the tool, or the tool needs no grant.
            NotFoundError: there is no such agent, tool or schedule.
            InvalidError: *length* is no time, or too long.
        """
        from lsm.agents.grants import Use

        use = Use(agent, self.check_grantable(agent, tool), schedule_id, "")
        if schedule_id and self._mind.scheduler.get(schedule_id).agent_name != agent:
            raise NotFoundError(f"schedule of {agent}", schedule_id)
        return self.grants.allow(use, tool, length)

    def check_grantable(self, agent: str, tool: str) -> str:
        """The hash of *agent*'s definition, if *tool* is one that it lists and that needs a grant.

        Raises as `grant`.
        """
        from difflib import get_close_matches

        from lsm.agents.llm.toolbox import GRANTABLE, TOOLS

        info = self._mind.agency.directory.info(agent)
        if tool not in TOOLS:
            near = get_close_matches(tool, GRANTABLE, n=1)
            raise NotFoundError("tool", f"{tool}; did you mean {near[0]}?" if near else tool)
        if tool not in GRANTABLE:
            raise ConfigError(tool, f"needs no grant; {', '.join(GRANTABLE)} do")
        if info.hash is None or tool not in info.tools:
            where = info.file or f"{agent}, which comes with lsm"
            raise ConfigError(where, f"does not list {tool} among its tools, so it cannot use it")
        return info.hash

    def check_model(self, agent: str) -> None:
        """Refuse to start *agent* if the model it needs is not configured.

        Raises:
            ConfigError: names the setting, or the variable that holds the key.
            MissingExtraError: the libraries are not installed.
        """
        info = self._mind.agency.directory.info(agent)
        if info.needs_model:
            self._open(info.model)

    def reach(self) -> Reach:
        """What agents with a model get of the other services."""
        from lsm.agents.llm.reach import Reach

        mind = self._mind
        return Reach(
            db=mind.db,
            search=self._search,
            document=self._document,
            memories=mind.memories,
            sources=self._sources,
            ask=self._ask,
            keep=self._keep,
            ingest=mind.agency.tools().ingest,
            grants=self.grants,
            config=mind.config.agents,
            open_model=self._open,
            tell=self.on_step,
            clock=mind.clock,
        )

    def _open(self, name: str) -> LanguageModel:
        from lsm.agents.llm.opening import open_model

        return open_model(self._mind.config.llm, name)

    def _search(self, query: str, k: int, *, path: str | None, tag: str | None) -> list[Passage]:
        from lsm.agents.llm.reach import Passage

        choices = {"path": path, "tag": tag}
        given = {name: value for name, value in choices.items() if value is not None}
        return [
            Passage(
                hit.path,
                hit.title,
                hit.heading,
                hit.start_line,
                hit.end_line,
                hit.page,
                hit.text,
            )
            for hit in self._mind.search(query, k, **given)
        ]

    def _document(self, path: str) -> list[Passage]:
        from lsm.agents.llm.reach import Passage

        if path.removeprefix("#").isdecimal():
            raise NotFoundError("document in the library", path)  # the number of a chunk to `show`
        shown = self._mind.show(path)
        return [
            Passage(
                shown.path,
                shown.title,
                chunk.heading,
                chunk.start_line,
                chunk.end_line,
                chunk.page,
                chunk.text,
            )
            for chunk in shown.chunks
        ]

    def _sources(self) -> list[RemoteSource]:
        from lsm.agents.llm.reach import RemoteSource

        found = self._mind.remote.sources()
        return [RemoteSource(each.name, each.kind == "page") for each in found if each.enabled]

    def _ask(self, source: str, query: str, k: int) -> list[Page]:
        from lsm.agents.llm.reach import Page

        answer = self._mind.remote.search(source, query, k=k)
        return [
            Page(source, each.title, each.url, each.published, each.text or each.snippet)
            for each in answer.results
        ]

    def _keep(self, url: str) -> Sequence[str]:
        if not is_address(url):
            raise NotFoundError("address", url)
        report = self._mind.keeping.keep(url)
        return [each.url for each in report.kept] + [each.reason for each in report.errors]
