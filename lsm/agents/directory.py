"""Which agents there are: those that come with LSM, and those in ``HOME/agents``."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal

from lsm.agents.builtin import BUILT_IN, CHECKS
from lsm.agents.definitions import ENDING, NAME, read_definition
from lsm.agents.llm.toolbox import TOOLS
from lsm.agents.params import Param, checked_params
from lsm.errors import AccessError, ConfigError, InvalidError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lsm.agents.definitions import Definition
    from lsm.agents.llm.reach import Reach
    from lsm.agents.runtime import Agent
    from lsm.agents.tools import AgentTools

FOLDER = "agents"
_SHIPPED = os.path.join(os.path.dirname(__file__), "builtin")  # definitions that come with LSM

_TEMPLATE = """\
---
# What `lsm agent list` says of it.
description: {description}

# What it may use. These read, or propose to you:
#   search, read            your documents
#   memory_search           what is remembered
#   remote_search           sources that lsm.toml enables; what it asks leaves this machine
#   remote_page             addresses that you typed or a source has named
#   propose                 candidates that you promote or reject with `lsm memory review`
# These change something, and each needs a grant: lsm agent grant {name} remember --for 7d
#   remember                a memory at once
#   ingest                  read what is new in your folders
#   keep                    a page of a remote source as a document
tools: [search, read, memory_search, propose]

# What it can be told: lsm agent run {name} --param topic='...'
# A text alone makes it required.
params:
  topic: What to write about

# Another model than the one in lsm.toml: openai:NAME, anthropic:NAME, ollama:NAME
# model: ollama:llama3.2

# How long what it proposes is kept once you promote it.
# lifetime: 90d

# Whose memories it sees, and where its proposals go.
# scope: agents/{name}

# How far one run may go; what is not set is as in [agents.limits].
# budgets: {{time: 5m, tool_calls: 20, tokens: 50000, remote_calls: 5}}
---

Search my documents for {{{{topic}}}}. Write a short report: what they say, what
has changed, and what is missing. Propose at most three facts worth remembering.
"""


@dataclass(frozen=True)
class AgentInfo:
    """An agent and what it does."""

    name: str
    description: str
    kind: Literal["built-in", "yours"]
    needs_model: bool
    params: Mapping[str, Param] = field(default_factory=dict[str, Param])
    tools: tuple[str, ...] = ()
    model: str = ""  # "": the configured one, or none is needed
    file: str | None = None  # yours only
    hash: str | None = None  # of the definition, 64 hex digits
    problem: str | None = None  # why it cannot be run


class Directory:
    """The agents of one home. Files are read anew each time: an edit counts at the next run."""

    def __init__(self, home: str) -> None:
        self._folder = os.path.join(home, FOLDER)

    def agents(self) -> list[AgentInfo]:
        """Every agent, by name; one whose file is wrong comes with its problem."""
        found = [
            AgentInfo(name, agent.DESCRIPTION, "built-in", needs_model=False, params=agent.PARAMS)
            for name, agent in BUILT_IN.items()
        ]
        found += [_info(self.definition(name), "built-in") for name in _shipped()]
        found += [self._own(name) for name in self._names()]
        return sorted(found, key=lambda info: info.name)

    def info(self, name: str) -> AgentInfo:
        """The agent called *name*.

        Raises:
            NotFoundError: there is none; names the nearest.
            ConfigError: its file is wrong.
        """
        if name in BUILT_IN:
            agent = BUILT_IN[name]
            return AgentInfo(
                name, agent.DESCRIPTION, "built-in", needs_model=False, params=agent.PARAMS
            )
        return _info(self.definition(name), "built-in" if name in _shipped() else "yours")

    def definition(self, name: str) -> Definition:
        """The agent with a model called *name*. Raises as `info`."""
        if name in _shipped():
            return read_definition(os.path.join(_SHIPPED, name + ENDING), tuple(TOOLS))
        path = os.path.join(self._folder, name + ENDING)
        if not NAME.fullmatch(name) or not os.path.lexists(path):
            known = [*BUILT_IN, *_shipped(), *self._names()]
            near = get_close_matches(name, known, n=1)
            raise NotFoundError("agent", f"{name}; did you mean {near[0]}?" if near else name)
        return read_definition(path, tuple(TOOLS))

    def agent(
        self, name: str, tools: Callable[[], AgentTools], reach: Callable[[], Reach]
    ) -> Agent:
        """The agent called *name*, ready to run. Raises as `info`."""
        if name in BUILT_IN:
            return BUILT_IN[name](tools())
        from lsm.agents.llm.agent import ModelAgent

        return ModelAgent(self.definition(name), reach())

    def check(self, name: str, params: Mapping[str, Any]) -> None:
        """Refuse what could not be run.

        Raises:
            InvalidError: the agent takes no such parameter or value, or one is missing.
            NotFoundError, ConfigError: as `info`.
        """
        checked_params(name, self.info(name).params, params)
        if name in CHECKS:
            CHECKS[name](params)

    def write_template(self, name: str, description: str) -> str:
        """Write the file of a new agent, which explains itself; its path.

        Raises:
            InvalidError: *name* cannot be an agent's, or is one already.
            AccessError: it cannot be written.
        """
        if not NAME.fullmatch(name):
            raise InvalidError(
                "name", f"{name!r} may hold a-z, 0-9 and -, and begins with a letter"
            )
        if name in BUILT_IN or name in _shipped():
            raise InvalidError("name", f"{name} comes with lsm; choose another")
        path = os.path.join(self._folder, name + ENDING)
        text = _TEMPLATE.format(name=name, description=_quoted(description))
        try:
            for folder in (os.path.dirname(self._folder), self._folder):
                os.makedirs(folder, mode=0o700, exist_ok=True)  # the mode is of the last part only
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError as error:
            raise InvalidError("name", f"{path} is there already; edit it") from error
        except OSError as error:
            raise AccessError(f"{path}: {error.strerror}") from error
        return path

    def _own(self, name: str) -> AgentInfo:
        path = os.path.join(self._folder, name + ENDING)
        problem = "an agent of that name comes with lsm; rename the file"
        if name not in BUILT_IN and name not in _shipped():
            try:
                return _info(read_definition(path, tuple(TOOLS)), "yours")
            except ConfigError as error:
                problem = str(error)
        return AgentInfo(name, "", "yours", needs_model=True, file=path, problem=problem)

    def _names(self) -> list[str]:
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise AccessError(f"{self._folder}: {error.strerror}") from error
        return sorted(n.removesuffix(ENDING) for n in names if n.endswith(ENDING))


def _info(definition: Definition, kind: Literal["built-in", "yours"]) -> AgentInfo:
    return AgentInfo(
        name=definition.name,
        description=definition.description,
        kind=kind,
        needs_model=True,
        params=definition.params,
        tools=definition.tools,
        model=definition.model,
        file=definition.place if kind == "yours" else None,
        hash=definition.hash,
    )


def _shipped() -> list[str]:
    return sorted(n.removesuffix(ENDING) for n in os.listdir(_SHIPPED) if n.endswith(ENDING))


def _quoted(text: str) -> str:
    """*text* as YAML takes it on one line."""
    import msgspec

    return msgspec.json.encode(" ".join(text.split())).decode()
