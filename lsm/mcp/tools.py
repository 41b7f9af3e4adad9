"""The tools: what each is called, says of itself, takes, and does.

Everything a client is shown of a tool is constant text of this module: nothing that was read
anywhere can become part of a description.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsm.mcp import arguments as args
from lsm.mcp import library, memory, others, results
from lsm.mcp.schemas import input_schema, output_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec

    from lsm.mcp.caller import Caller


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A tool."""

    name: str
    title: str
    description: str
    takes: type[args.Arguments]
    run: Callable[[Caller, Any], msgspec.Struct | dict[str, Any]]
    answers: type[msgspec.Struct] | None = None  # shown as its output schema, if it is
    writes: bool = False
    asks_outside: bool = False  # of this machine

    def definition(self) -> dict[str, Any]:
        """As `tools/list` shows it."""
        shown: dict[str, Any] = {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": input_schema(self.takes),
            "annotations": {
                "readOnlyHint": not self.writes,
                "destructiveHint": False,
                # The same words twice are remembered once.
                "idempotentHint": True,
                "openWorldHint": self.asks_outside,
            },
        }
        if self.answers is not None:
            shown["outputSchema"] = output_schema(self.answers)
        return shown


TOOLS = (
    Tool(
        name="search",
        title="Search documents",
        description="Find passages in the user's own documents, by words and by meaning, best "
        'first. "Words in quotes" must stand so. Fetch a result\'s id for the whole document.',
        takes=args.Search,
        answers=results.SearchResult,
        run=library.search,
    ),
    Tool(
        name="fetch",
        title="Read a document",
        description="The whole text of the document that a search result is from. A long one "
        "comes in parts: call again with offset = next_offset.",
        takes=args.Fetch,
        answers=results.FetchResult,
        run=library.fetch,
    ),
    Tool(
        name="status",
        title="Library status",
        description="How much is in the library and in memory, which folders are read, what may "
        "be asked elsewhere, and what this server may do.",
        takes=args.Status,
        run=others.status,
    ),
    Tool(
        name="memory_search",
        title="Search memories",
        description="Find what the user and their assistants asked to be remembered: facts, "
        "decisions, preferences. Stale ones rest on a document that has changed.",
        takes=args.MemorySearch,
        answers=results.MemorySearchResult,
        run=memory.search,
    ),
    Tool(
        name="memory_add",
        title="Propose a memory",
        description="Propose something worth remembering beyond this conversation. It waits for "
        "the user's review, unless they trust this server. Not for secrets, nor for what stands "
        "in a document.",
        takes=args.MemoryAdd,
        run=memory.add,
        writes=True,
    ),
    Tool(
        name="memory_context",
        title="Memories for a task",
        description="Everything remembered that bears on a task, as one block within a budget of "
        "tokens, pinned memories first. Call it once when a task begins.",
        takes=args.MemoryContext,
        run=memory.context,
    ),
    Tool(
        name="remote_search",
        title="Search elsewhere",
        description="Ask a source on the internet that the user has enabled (status names them), "
        "such as arxiv or wikipedia. The query leaves this machine: no private words in it.",
        takes=args.RemoteSearch,
        run=others.remote_search,
        asks_outside=True,
    ),
    Tool(
        name="schedule_list",
        title="List schedules",
        description="When the user's agents run next, and how their last runs ended.",
        takes=args.ScheduleList,
        run=others.schedule_list,
    ),
)
