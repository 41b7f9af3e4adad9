"""One run of an agent with a model: what it may use, what it has used, what it wants written."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from lsm.agents.grants import Use
from lsm.agents.llm.budget import Budget, limits_for
from lsm.agents.llm.outbound import Outbound, typed_text
from lsm.agents.llm.references import References
from lsm.agents.memory import NewMemory, Writer
from lsm.agents.runtime import RunStoppedError
from lsm.errors import BusyError, InvalidError, LsmError, RefusedError
from lsm.fencing import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lsm.agents.definitions import Definition
    from lsm.agents.llm.model import Call, ToolSpec
    from lsm.agents.llm.reach import Reach
    from lsm.agents.llm.toolbox import Tool
    from lsm.agents.memory import MemoryStore
    from lsm.agents.runtime import RunContext

_LONGEST_ANSWER = 24_000  # characters of what one tool answers
_LONGEST_NAME, _LONGEST_WHY = 100, 500


@dataclass(frozen=True)
class Used:
    """A call of a tool, for the record. What it was called with is kept as a hash."""

    tool: str
    decision: str  # done, refused, failed
    arguments: str  # 16 hex digits of their SHA-256
    why: str = ""


@dataclass
class Session:
    """What the tools of one run share."""

    definition: Definition
    reach: Reach
    context: RunContext
    params: Mapping[str, Any]
    tools: Mapping[str, Tool]
    shown: References = field(default_factory=References)
    used: list[Used] = field(default_factory=list[Used])
    queries: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    proposed: list[NewMemory] = field(default_factory=list[NewMemory])
    remembered: list[NewMemory] = field(default_factory=list[NewMemory])
    plan: list[str] = field(default_factory=list[str])  # of a dry run: what is left undone
    budget: Budget = field(init=False)
    outbound: Outbound = field(init=False)
    read_remote: bool = False

    def __post_init__(self) -> None:
        limits = self.reach.config.limits
        self.budget = Budget(limits_for(self.definition.budgets, limits), self.context)
        typed = typed_text(self.definition.prompt, self.params)
        self.outbound = Outbound(typed, limits, self.shown)

    @property
    def author(self) -> str:
        """Who wrote what this run writes. Stamped by the program."""
        return f"agent:{self.definition.name}"

    @property
    def use(self) -> Use:
        """Who asks for a grant."""
        context = self.context
        return Use(self.definition.name, self.definition.hash, context.schedule_id, context.run_id)

    def specs(self) -> list[ToolSpec]:
        """The tools as the model is told of them."""
        return [tool.spec() for tool in self.tools.values()]

    def memories(self, *, trusted: bool = False) -> MemoryStore:
        """The memories this run may see; with *trusted*, to write on a person's word."""
        # What has read the words of strangers speaks with their voice.
        trust = "reviewed" if trusted else ("untrusted" if self.read_remote else "agent")
        writer = Writer(trust, self.author, self.context.run_id, self.definition.scope or "")
        return self.reach.memories.acting(writer)

    def answer(self, call: Call) -> str:
        """What the tool that *call* names answers, and why not if it does not.

        Raises:
            RunStoppedError: the run is to stop.
            BusyError: the database is locked; the run is tried again later.
        """
        self.reach.tell(f"{call.tool} {call.arguments[:120]}")
        # Half characters and what is endless can be in anything that a model writes.
        name = one_line(call.tool)[:_LONGEST_NAME]
        given = call.arguments.encode(errors="surrogatepass")
        arguments = hashlib.sha256(given).hexdigest()[:16]
        try:
            answer = self._answered(call)
        except (RunStoppedError, BusyError):
            raise
        except RefusedError as error:
            why = str(error)[:_LONGEST_WHY]
            self.used.append(Used(name, "refused", arguments, why))
            return f"refused: {why}"
        except LsmError as error:
            why = one_line(str(error))[:_LONGEST_WHY]
            self.used.append(Used(name, "failed", arguments, why))
            return f"failed: {why}"
        self.used.append(Used(name, "done", arguments))
        return answer[:_LONGEST_ANSWER]

    def _answered(self, call: Call) -> str:
        if self.budget.tool_calls >= self.budget.limits.tool_calls:
            raise RefusedError("no tool calls are left; write the report now")
        self.budget.tool_calls += 1
        self.context.check()
        tool = self.tools.get(call.tool)
        if tool is None:
            raise RefusedError(f"this agent has no such tool; it has {', '.join(self.tools)}")
        try:
            arguments = msgspec.json.decode(call.arguments, type=tool.arguments, strict=False)
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise InvalidError("arguments", str(error)) from error
        if tool.access == "remote":
            self._count_remote()
        if tool.access == "write":
            self.need_grant(tool.name)
        return tool.use(self, arguments)

    def need_grant(self, tool: str) -> None:
        """Raises RefusedError unless a grant allows *tool* now."""
        objection = self.reach.grants.objection(self.use, tool)
        if objection is not None:
            raise RefusedError(objection)

    def _count_remote(self) -> None:
        if self.context.dry_run:
            raise RefusedError("a dry run asks no remote source")
        if self.budget.remote_calls >= self.budget.limits.remote_calls:
            raise RefusedError("no more questions to remote sources in this run")
        self.budget.remote_calls += 1
