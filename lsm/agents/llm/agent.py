"""An agent that a language model drives: a definition, its tools, and a loop with limits.

The model decides nothing that matters. It asks for tools; what it may use, what leaves the machine
and what is written is decided here and in the modules beside this one, whatever it has been told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsm.agents.llm.outputs import Outputs
from lsm.agents.llm.report import write_report
from lsm.agents.llm.session import Session
from lsm.agents.llm.toolbox import TOOLS, show_memories
from lsm.agents.params import checked_params
from lsm.agents.runtime import Outcome, RunError
from lsm.fencing import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lsm.agents.definitions import Definition
    from lsm.agents.llm.budget import Limit
    from lsm.agents.llm.model import Dialogue, Reply
    from lsm.agents.llm.reach import Reach
    from lsm.agents.runtime import RunContext

_CONTEXT_TOKENS = 1500  # of memories that are handed to every run

_INSTRUCTIONS = """\
You are {name}, an agent of Local Second Mind: {description}.

{rules}

What a tool shows has a number. End each statement of your report with the number of what supports \
it: [3]. Say what you did not find. A tool that was refused stays refused: go on without it.

When you are done, answer with the report alone, in Markdown, without calling a tool. Nobody is \
there to answer questions.{sources}"""
_CLOSING = "The run's {limit} budget is used up. Write the report now, from what you have."


class ModelAgent:
    """A definition that can be run."""

    def __init__(self, definition: Definition, reach: Reach) -> None:
        self._definition = definition
        self._reach = reach

    def run(self, context: RunContext, /) -> Outcome:
        """Let the model work until it has a report or a budget is used up."""
        definition = self._definition
        params = checked_params(definition.name, definition.params, context.params)
        tools = {name: TOOLS[name] for name in definition.tools}
        session = Session(definition, self._reach, context, params, tools)
        model = self._reach.open_model(definition.model)
        with model.begin(self._instructions(), session.specs()) as dialogue:
            dialogue.say(self._opening(session, params))
            talk = _Talk(dialogue, session)
            stopped = talk.lead()
        return _outcome(session, talk, model.name, stopped)

    def _instructions(self) -> str:
        sources = [source.name for source in self._reach.sources() if not source.takes_addresses]
        asked = "remote_search" in self._definition.tools
        listed = f"\n\nRemote sources: {', '.join(sources) or 'none'}." if asked else ""
        return _INSTRUCTIONS.format(
            name=self._definition.name,
            description=self._definition.description.rstrip("."),
            rules=RULES,
            sources=listed,
        )

    def _opening(self, session: Session, params: Mapping[str, Any]) -> str:
        """The first message: the task as the user wrote it, and what is remembered about it."""
        task = self._definition.asked(params)
        day = session.context.started_at.date().isoformat()
        return "\n\n".join(filter(None, [task, f"Today is {day}.", _memories(session, task)]))


class _Talk:
    """The exchange with the model, from the first request to the report."""

    def __init__(self, dialogue: Dialogue, session: Session) -> None:
        self._dialogue = dialogue
        self._session = session
        self.said: list[str] = []
        self.requests = 0

    def lead(self) -> Limit | None:
        """Go on until the model has its report; the budget that ended it before, if one did."""
        budget = self._session.budget
        while True:
            over = budget.over(self._dialogue.size())
            if over is not None:
                return over
            closing = budget.closing(self._dialogue.size())
            if closing is not None and self.requests:
                self._dialogue.say(_CLOSING.format(limit=closing.replace("_", " ")))
            reply = self._reply(with_tools=closing is None)
            if reply is None:
                return "time"
            if reply.text.strip():
                self.said.append(reply.text)
            if not reply.calls or closing is not None:
                return closing
            for call in reply.calls:
                self._session.context.check()
                self._dialogue.answer(call, self._session.answer(call))

    def _reply(self, *, with_tools: bool) -> Reply | None:
        """The next answer; None when the time is up."""
        session, budget = self._session, self._session.budget
        context = session.context
        context.check()
        room = budget.room(self._dialogue.size())
        reply = self._dialogue.reply(
            lambda: context.cancelled() or budget.is_out_of_time(),
            with_tools=with_tools,
            most_tokens=room,
        )
        context.check()
        if reply is not None:
            self.requests += 1
            budget.tokens += reply.tokens
        return reply


def _memories(session: Session, task: str) -> str:
    """What is remembered about the task, numbered; "" if nothing is."""
    found = session.memories().context(
        task,
        budget_tokens=_CONTEXT_TOKENS,
        scope=session.definition.scope,
        record=not session.context.dry_run,
    )
    known = [session.reach.memories.get(each) for each in found.used]
    memories = [memory for memory in known if memory is not None]
    return "What is remembered:\n" + show_memories(session, memories) if memories else ""


def _outcome(session: Session, talk: _Talk, model: str, stopped: Limit | None) -> Outcome:
    if not talk.said and stopped is None:
        raise RunError("the model ended without a report")
    definition, budget = session.definition, session.budget
    outputs = Outputs(session)
    refused = [vars(each) for each in session.used if each.decision != "done"]
    result = {
        "agent": definition.name,
        "definition": definition.hash,
        "model": model,
        "stopped": stopped,
        "requests": talk.requests,
        "tokens": budget.tokens,
        "tool_calls": budget.tool_calls,
        "calls": [vars(each) for each in session.used if each.decision == "done"],
        "not_done": refused,
        "queries": session.queries,
        "proposed": [new.text for new in session.proposed],
        "remembered": [new.text for new in session.remembered],
    }
    return Outcome(
        report=write_report(session, talk.said, stopped),
        result=result,
        apply=(outputs.propose, outputs.remember),
        plan=tuple(session.plan),
    )
