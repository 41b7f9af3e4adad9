"""Reads the roots: what `lsm ingest` does, on a schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from lsm.agents.runtime import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lsm.agents.params import Param
    from lsm.agents.runtime import RunContext
    from lsm.agents.tools import AgentTools, IngestResult


class Librarian:
    """Keeps the library up to date with the disk."""

    DESCRIPTION: ClassVar[str] = "reads what is new or changed below the roots"
    PARAMS: ClassVar[Mapping[str, Param]] = {}

    def __init__(self, tools: AgentTools) -> None:
        self._tools = tools

    def run(self, context: RunContext, /) -> Outcome:
        """Ingest. It commits batch by batch and is safe to repeat, so nothing is left to apply."""
        if context.dry_run:
            told = "read what is new or changed below the roots"
            return Outcome(report=f"Would {told}.\n", plan=(told,))
        result = self._tools.ingest(context.cancelled)
        context.check()
        return Outcome(
            report=_report(result),
            result={"version": result.version, "files": dict(result.counts)},
        )


def _report(result: IngestResult) -> str:
    lines = ["# Library", ""]
    told = [f"{count} {name}" for name, count in result.counts.items() if count]
    lines.append(", ".join(told) or "No files.")
    if result.unconfirmed:
        lines += ["", f"{result.unconfirmed} known files are gone and wait for --confirm-delete."]
    if result.errors:
        lines += ["", "## Could not be read", "", *(f"- {error}" for error in result.errors[:50])]
    return "\n".join(lines) + "\n"
