"""Says what is new since its last run, as a Markdown report."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from lsm.agents.runtime import Outcome
from lsm.clock import to_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.agents.memory import Candidate, Memory
    from lsm.agents.runtime import RunContext
    from lsm.agents.tools import AgentTools, DocumentNews

_MOST = 40  # lines of a kind
_HEADINGS = {"new": "New documents", "changed": "Changed documents", "gone": "Gone documents"}


class Digest:
    """Reports; changes nothing."""

    DESCRIPTION: ClassVar[str] = "what is new in documents and memories since its last run"

    def __init__(self, tools: AgentTools) -> None:
        self._tools = tools

    def run(self, context: RunContext, /) -> Outcome:
        """Compare with what the latest run that succeeded had seen."""
        before = self._tools.last_result(context.schedule_id)
        since = str(before.get("at", ""))
        version, news = self._tools.news_since(int(before.get("version", 0)))
        context.check()
        memories = [m for m in self._tools.memories.list(limit=200) if m.created_at > since]
        waiting = self._tools.memories.candidates(limit=200)
        return Outcome(
            report=_report(since, news, memories, list(waiting)),
            result={
                "version": version,
                "at": to_text(context.started_at),
                "documents": len(news),
                "memories": len(memories),
                "waiting": len(waiting),
            },
        )


def _report(
    since: str,
    news: Sequence[DocumentNews],
    memories: Sequence[Memory],
    waiting: Sequence[Candidate],
) -> str:
    lines = [f"# New since {since[:16].replace('T', ' ')}" if since else "# So far", ""]
    for what, heading in _HEADINGS.items():
        found = [f"{each.title} (`{each.path}`)" for each in news if each.what == what]
        lines += _section(heading, found)
    lines += _section("New memories", [memory.text for memory in memories])
    lines += _section("Waiting for review", [candidate.memory.text for candidate in waiting])
    if len(lines) == 2:
        lines.append("Nothing.")
    return "\n".join(lines) + "\n"


def _section(heading: str, items: Sequence[str]) -> list[str]:
    if not items:
        return []
    shown = [f"- {' '.join(item.split())}" for item in items[:_MOST]]
    more = [f"- and {len(items) - _MOST} more"] if len(items) > _MOST else []
    return [f"## {heading}", "", *shown, *more, ""]
