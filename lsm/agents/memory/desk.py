"""What every part of the store works with, and on whose behalf."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsm.agents.memory import checks
from lsm.agents.memory.rows import Why
from lsm.agents.memory.values import PERSONAL, TRUSTS
from lsm.clock import to_text
from lsm.errors import NotFoundError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.agents.memory.rows import MemoryRows
    from lsm.agents.memory.values import Memory, Trust
    from lsm.clock import Clock
    from lsm.config.models.agents import MemoryConfig
    from lsm.db import Database
    from lsm.embedding.base import Embedder
    from lsm.vectordb.base import Vector
    from lsm.vectordb.memory_index import MemoryIndex

GLOBAL = "global"  # where a memory goes when nobody says where


@dataclass(frozen=True)
class Writer:
    """On whose behalf a store writes. Stamped by the program, never taken from content."""

    trust: Trust = "user"
    author: str = ""
    run_id: str | None = None
    scope: str = ""  # reads and writes reach nothing outside it; "" is everything


@dataclass(frozen=True)
class Desk:
    """Database, clock, index and model, and the writer."""

    db: Database
    clock: Clock
    rows: MemoryRows
    index: MemoryIndex
    embedder: Embedder | None
    config: MemoryConfig
    writer: Writer

    def now(self) -> str:
        """The current instant."""
        return to_text(self.clock())

    def why(self, action: str, reason: str = "") -> Why:
        """The writer's next revision."""
        return Why(self.now(), action, self.writer.author, reason, self.writer.run_id)

    @property
    def person(self) -> bool:
        """Whether what the writer says is remembered without a review."""
        return self.writer.trust in PERSONAL

    def need_person(self, what: str) -> None:
        """Refuse what only a person may do.

        Raises:
            RefusedError: the writer is an agent.
        """
        if not self.person:
            raise RefusedError(f"an agent may not {what} a memory; let it propose a new one")

    def least(self, trust: Trust | None) -> Trust:
        """*trust*, or the writer's if that is less."""
        wanted = trust or self.writer.trust
        return (
            wanted if TRUSTS.index(wanted) < TRUSTS.index(self.writer.trust) else self.writer.trust
        )

    def inside(self, scope: str | None) -> str:
        """The scope that is read when *scope* is asked for; "" is everything.

        Raises:
            RefusedError: it lies outside of the store's own.
        """
        if scope is None:
            return self.writer.scope
        path = checks.scope(scope)
        if not self.covers(path):
            raise RefusedError(f"scope {path} lies outside of {self.writer.scope}")
        return path

    def home(self, scope: str | None) -> str:
        """The scope that is written to when *scope* is asked for."""
        return self.inside(scope) or GLOBAL

    def covers(self, scope: str) -> bool:
        """Whether the store may see *scope*."""
        own = self.writer.scope
        return not own or scope == own or scope.startswith(own + "/")

    def own(self, memory_id: str) -> Memory:
        """The memory of any status, if the store may see its scope.

        Raises:
            NotFoundError: it may not, or there is none.
        """
        memory = self.rows.one(memory_id)
        if not self.covers(memory.scope):
            raise NotFoundError("memory", memory_id)
        return memory

    def vectors(self, texts: Sequence[str]) -> list[Vector] | None:
        """The meaning of each text; None without an embedder. Never inside a transaction of ours.

        Raises:
            EmbeddingError: the model failed.
        """
        if self.embedder is None:
            return None
        return list(self.embedder.embed_documents(texts))

    def index_vector(self, memory: Memory, vector: Vector | None) -> None:
        """Let *memory* be found by meaning, if it is active and has one."""
        if self.embedder is not None and vector is not None and memory.status == "active":
            self.index.put(self.embedder.model, [(memory.number, vector)])
