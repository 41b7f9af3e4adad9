"""The history of memories: what each change made of them, and taking a run back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lsm.agents.memory.values import Revision, Undo
from lsm.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lsm.agents.memory.desk import Desk
    from lsm.agents.memory.values import Memory
    from lsm.db import Database

_OF = """
SELECT version, changed_at, action, author, reason, run_id, state_json
  FROM lsm_memory_revisions
 WHERE memory_id = :id
 ORDER BY version
"""
_TOUCHED = """
SELECT memory_id, min(version) AS first, max(version) AS last
  FROM lsm_memory_revisions
 WHERE run_id = :run_id
 GROUP BY memory_id
 ORDER BY memory_id
"""
# What the program itself notes about a memory is no change by somebody.
_LATER = """
SELECT count(*) FROM lsm_memory_revisions
 WHERE memory_id = :id AND version > :last AND action NOT IN ('stale', 'anchored', 'promoted')
"""
_AS_OF = """
SELECT r.memory_id, r.version, r.state_json
  FROM lsm_memory_revisions r
 WHERE r.changed_at <= :at
   AND r.version = (SELECT max(l.version) FROM lsm_memory_revisions l
                     WHERE l.memory_id = r.memory_id AND l.changed_at <= :at)
"""


def history_of(db: Database, memory_id: str) -> list[Revision]:
    """Every change of a memory, the first one first."""
    revisions: list[Revision] = []
    before: dict[str, Any] | None = None
    for row in db.rows(_OF, id=memory_id):
        after = msgspec.json.decode(row.pop("state_json"))
        revisions.append(Revision(**row, before=before, after=after))
        before = after
    return revisions


def last_active(
    memory_id: str, revisions: Sequence[Revision], version: int | None
) -> dict[str, Any]:
    """The state of *version*, or without one that in which the memory was last in use.

    Raises:
        NotFoundError: it has no such version.
    """
    if version is not None:
        chosen = [revision for revision in revisions if revision.version == version]
    else:
        used = [revision for revision in revisions if revision.after["status"] == "active"]
        chosen = used or list(revisions)
    if not chosen:
        raise NotFoundError("version", f"{version} of memory {memory_id}")
    return dict(chosen[-1].after)


def states_at(db: Database, at: str) -> dict[str, tuple[int, dict[str, Any]]]:
    """Every memory there was at that instant, by id: its version and state."""
    return {
        row["memory_id"]: (row["version"], msgspec.json.decode(row["state_json"]))
        for row in db.rows(_AS_OF, at=at)
    }


class Reverting:
    """Takes back what a run did to memories."""

    def __init__(
        self,
        desk: Desk,
        delete: Callable[[str, str], Memory],
        restore: Callable[[str, int | None, str], Memory],
    ) -> None:
        self._desk = desk
        self._delete = delete
        self._restore = restore

    def revert(self, run_id: str, *, preview: bool) -> tuple[Undo, ...]:
        """Undo every change of *run_id*, all of them or none; with *preview* only say which.

        What the run brought is deleted, what it changed is put back, and what somebody else
        has changed since is kept and named.
        """
        desk = self._desk
        desk.need_person("revert")
        if preview:
            with desk.db.snapshot():
                return self._plan(run_id)
        with desk.db.transaction():
            plan = self._plan(run_id)
            for undo in plan:
                if undo.action == "delete":
                    self._delete(undo.id, f"run {run_id} reverted")
                elif undo.action == "restore":
                    self._restore(undo.id, undo.version, f"run {run_id} reverted")
        return plan

    def _plan(self, run_id: str) -> tuple[Undo, ...]:
        touched = self._desk.db.rows(_TOUCHED, run_id=run_id)
        memories = self._desk.rows.by_id([row["memory_id"] for row in touched])
        plan = [
            self._undo(memories[row["memory_id"]], row["first"], row["last"])
            for row in touched
            if self._desk.covers(memories[row["memory_id"]].scope)
        ]
        # Deletions first: what is put back may need a key that the run gave away.
        return tuple(sorted(plan, key=lambda undo: (undo.action, undo.id)))

    def _undo(self, memory: Memory, first: int, last: int) -> Undo:
        if self._desk.db.tuples(_LATER, id=memory.id, last=last)[0][0]:
            return Undo(memory.id, "keep", memory.text, "somebody has changed it since")
        if first > 1:
            return Undo(memory.id, "restore", memory.text, "the run changed it", first - 1)
        if memory.status in ("deleted", "rejected"):
            return Undo(memory.id, "keep", memory.text, f"it is {memory.status} already")
        return Undo(memory.id, "delete", memory.text, "the run brought it")
