"""Says what is new since its last run, as a Markdown report."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from lsm.agents.builtin.told import lines_of
from lsm.agents.runtime import Outcome
from lsm.clock import to_text
from lsm.errors import LsmError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lsm.agents.memory import Candidate, Memory
    from lsm.agents.params import Param
    from lsm.agents.runtime import RunContext
    from lsm.agents.tools import AgentTools, DocumentNews
    from lsm.agents.watching import NewItems
    from lsm.db import Database

_MOST = 40  # lines of a kind
_HEADINGS = {"new": "New documents", "changed": "Changed documents", "gone": "Gone documents"}


class Digest:
    """Reports; changes nothing."""

    DESCRIPTION: ClassVar[str] = "what is new in documents, memories and feeds since its last run"
    PARAMS: ClassVar[Mapping[str, Param]] = {}

    def __init__(self, tools: AgentTools) -> None:
        self._tools = tools

    def run(self, context: RunContext, /) -> Outcome:
        """Compare with what the latest run that succeeded had seen."""
        before = self._tools.last_result(context.schedule_id)
        since = str(before.get("at", ""))
        version, news = self._tools.news_since(int(before.get("version", 0)))
        context.check()
        feeds, problems = self._feeds(context)
        memories = [m for m in self._tools.memories.list(limit=200) if m.created_at > since]
        waiting = self._tools.memories.candidates(limit=200)

        def take_up(_: Database) -> None:
            for each in feeds:
                self._tools.watching.take_up(each)

        return Outcome(
            report=_report(since, news, memories, list(waiting), _told(feeds, problems)),
            result={
                "version": version,
                "at": to_text(context.started_at),
                "documents": len(news),
                "memories": len(memories),
                "waiting": len(waiting),
                "feed_items": sum(len(each.items) for each in feeds),
            },
            # With the report that shows them, or not at all.
            apply=(take_up,) if any(each.items for each in feeds) else (),
        )

    def _feeds(self, context: RunContext) -> tuple[list[NewItems], list[str]]:
        """What the enabled feeds have that no earlier report of this schedule showed."""
        watching = self._tools.watching
        found: list[NewItems] = []
        problems: list[str] = []
        for feed in watching.feeds():
            context.check()
            try:
                found.append(watching.of_feed(feed, f"digest {context.schedule_id}", _MOST))
            except LsmError as error:
                problems.append(str(error))
        problems += [f"{each.name}: {each.problem}" for each in found if each.problem]
        return found, problems


def _report(
    since: str,
    news: Sequence[DocumentNews],
    memories: Sequence[Memory],
    waiting: Sequence[Candidate],
    feeds: Sequence[str],
) -> str:
    lines = [f"# New since {since[:16].replace('T', ' ')}" if since else "# So far", ""]
    for what, heading in _HEADINGS.items():
        found = [f"{each.title} (`{each.path}`)" for each in news if each.what == what]
        lines += _section(heading, found)
    lines += _section("New memories", [memory.text for memory in memories])
    lines += _section("Waiting for review", [candidate.memory.text for candidate in waiting])
    lines += feeds
    if len(lines) == 2:
        lines.append("Nothing.")
    return "\n".join(lines) + "\n"


def _told(feeds: Sequence[NewItems], problems: Sequence[str]) -> list[str]:
    lines = [line for each in feeds for line in (*lines_of(each, 3), "")]
    if any(lines):
        lines = ["## New in feeds", *lines]
    return [*lines, *_section("Feeds that could not be read", problems)]


def _section(heading: str, items: Sequence[str]) -> list[str]:
    if not items:
        return []
    shown = [f"- {' '.join(item.split())}" for item in items[:_MOST]]
    more = [f"- and {len(items) - _MOST} more"] if len(items) > _MOST else []
    return [f"## {heading}", "", *shown, *more, ""]
