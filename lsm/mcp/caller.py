"""Who calls a tool, and what they may do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from lsm.agents.memory import MemoryStore
    from lsm.app import Mind

Access = Literal["candidates", "trusted", "read-only"]

_NOT_IN_A_NAME = re.compile(r"[^a-z0-9._-]+")


@dataclass(frozen=True)
class Caller:
    """The mind that is asked, on whose behalf, and how far they are trusted."""

    mind: Mind
    access: Access
    client: str  # as it calls itself, made fit for a scope: "claude-code"
    version: str

    @property
    def provenance(self) -> str:
        """Of what it proposes."""
        return f"mcp {self.client} {self.version}".strip()

    @property
    def scope(self) -> str:
        """Where its memories go unless it says otherwise."""
        return f"assistants/{self.client}"

    def memories(self) -> MemoryStore:
        """The store, acting for the assistant: trusted by the user, or an agent to be reviewed."""
        from lsm.agents.memory import Writer

        trust = "reviewed" if self.access == "trusted" else "agent"
        return self.mind.memories.acting(Writer(trust=trust, author=self.client))


def client_name(given: str) -> str:
    """What a client calls itself, as one part of a scope."""
    plain = _NOT_IN_A_NAME.sub("-", given.lower()).strip("-.")[:64].strip("-.")
    return plain or "assistant"
