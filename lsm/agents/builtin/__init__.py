"""Agents that come with LSM and need no model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from lsm.agents.builtin.curator import Curator
from lsm.agents.builtin.digest import Digest
from lsm.agents.builtin.librarian import Librarian
from lsm.agents.builtin.watcher import Watcher, told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lsm.agents.params import Param
    from lsm.agents.runtime import Outcome, RunContext
    from lsm.agents.tools import AgentTools


class BuiltIn(Protocol):
    """An agent written in Python."""

    DESCRIPTION: ClassVar[str]
    PARAMS: ClassVar[Mapping[str, Param]]  # what it can be told; anything else is refused

    def __init__(self, tools: AgentTools) -> None: ...

    def run(self, context: RunContext, /) -> Outcome:
        """See `Agent.run`."""
        ...


BUILT_IN: dict[str, type[BuiltIn]] = {
    "librarian": Librarian,
    "curator": Curator,
    "digest": Digest,
    "watcher": Watcher,
}

# Of those who look at more than the names of what they are told; each raises InvalidError.
CHECKS: dict[str, Callable[[Mapping[str, Any]], object]] = {"watcher": told}
