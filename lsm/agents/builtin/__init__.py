"""Agents that come with LSM and need no model."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from lsm.agents.builtin.curator import Curator
from lsm.agents.builtin.digest import Digest
from lsm.agents.builtin.librarian import Librarian
from lsm.errors import NotFoundError

if TYPE_CHECKING:
    from lsm.agents.runtime import Agent
    from lsm.agents.tools import AgentTools

_AGENTS: dict[str, type[Librarian | Curator | Digest]] = {
    "librarian": Librarian,
    "curator": Curator,
    "digest": Digest,
}


@dataclass(frozen=True)
class AgentInfo:
    """An agent and what it does."""

    name: str
    description: str


def built_in_agents() -> list[AgentInfo]:
    """Every agent that can be run, by name."""
    return [AgentInfo(name, agent.DESCRIPTION) for name, agent in sorted(_AGENTS.items())]


def built_in_agent(name: str, tools: AgentTools) -> Agent:
    """The agent called *name*.

    Raises:
        NotFoundError: there is none; names the nearest.
    """
    agent = _AGENTS.get(name)
    if agent is None:
        near = get_close_matches(name, _AGENTS, n=1)
        raise NotFoundError("agent", f"{name}; did you mean {near[0]}?" if near else name)
    return agent(tools)
