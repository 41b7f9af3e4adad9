"""What a person has allowed an agent to do: by tool, for a while, and for no other definition.

Without a grant an agent with a model reads, asks enabled sources, and proposes. A grant is looked
up when the tool is called and once more in the transaction that ends the run, so that what was
revoked or ran out in between has no effect.
"""

from __future__ import annotations

import getpass
import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from lsm.clock import to_text, utc_now
from lsm.errors import InvalidError, NotFoundError, RefusedError

if TYPE_CHECKING:
    from lsm.clock import Clock
    from lsm.db.database import Database

LONGEST = timedelta(days=30)

_ADD = """
INSERT INTO lsm_agent_grants (
       grant_id, agent_name, tool, definition_hash, schedule_id, run_id, granted_by, granted_at,
       expires_at)
VALUES (:grant_id, :agent_name, :tool, :definition_hash, :schedule_id, :run_id, :granted_by,
       :granted_at, :expires_at)
"""
_ALL = "SELECT * FROM lsm_agent_grants ORDER BY granted_at DESC, grant_id DESC"
_LIVE = """
SELECT *
  FROM lsm_agent_grants
 WHERE revoked_at IS NULL AND expires_at > :now
 ORDER BY granted_at DESC, grant_id DESC
"""
_GET = "SELECT * FROM lsm_agent_grants WHERE grant_id = :grant_id"
_REVOKE = """
UPDATE lsm_agent_grants
   SET revoked_at = :now, revoked_by = :who
 WHERE grant_id = :grant_id AND revoked_at IS NULL
"""
# Everything that was ever granted for the tool and could concern the run, the newest first.
_CONCERNING = """
SELECT *
  FROM lsm_agent_grants
 WHERE agent_name = :agent_name
   AND tool = :tool
   AND (schedule_id IS NULL OR schedule_id = :schedule_id)
   AND (run_id IS NULL OR run_id = :run_id)
 ORDER BY granted_at DESC, grant_id DESC
"""
# Takes the row's lock: whoever revokes it waits until the run has ended, or was first.
_USE = """
UPDATE lsm_agent_grants
   SET last_used_at = :now
 WHERE agent_name = :agent_name
   AND tool = :tool
   AND definition_hash = :definition_hash
   AND (schedule_id IS NULL OR schedule_id = :schedule_id)
   AND (run_id IS NULL OR run_id = :run_id)
   AND revoked_at IS NULL
   AND expires_at > :now
"""


@dataclass(frozen=True)
class Grant:
    """One permission. Field names are column names."""

    grant_id: str
    agent_name: str
    tool: str
    definition_hash: str  # 64 hex digits
    schedule_id: str | None
    run_id: str | None
    granted_by: str
    granted_at: str
    expires_at: str
    last_used_at: str | None = None
    revoked_at: str | None = None
    revoked_by: str | None = None


@dataclass(frozen=True)
class Use:
    """Who wants to use a tool, in which run."""

    agent_name: str
    definition_hash: str
    schedule_id: str
    run_id: str


class Grants:
    """Rows of `lsm_agent_grants`. They are written on a person's word only, and never deleted."""

    def __init__(self, db: Database, clock: Clock = utc_now) -> None:
        self._db = db
        self._clock = clock

    def allow(self, use: Use, tool: str, length: timedelta, *, only_run: bool = False) -> Grant:
        """Let *use*'s agent use *tool* for *length*.

        Args:
            use: the agent; ``schedule_id`` limits it to that schedule, "" does not.
            tool: its name.
            length: at most `LONGEST`.
            only_run: for ``use.run_id`` alone.

        Raises:
            InvalidError: *length* is no time, or too long.
        """
        from lsm.agents.memory.ids import new_id

        if not timedelta() < length <= LONGEST:
            raise InvalidError("--for", f"must be more than 0 and at most {LONGEST.days}d")
        now = self._clock()
        grant = Grant(
            grant_id=new_id(now),
            agent_name=use.agent_name,
            tool=tool,
            definition_hash=use.definition_hash,
            schedule_id=use.schedule_id or None,
            run_id=use.run_id if only_run else None,
            granted_by=who(),
            granted_at=to_text(now),
            expires_at=to_text(now + length),
        )
        unset = ("last_used_at", "revoked_at", "revoked_by")
        self._db.run(_ADD, **{k: v for k, v in vars(grant).items() if k not in unset})
        return grant

    def grants(self, *, everything: bool = False) -> list[Grant]:
        """Those in force, the newest first; with *everything* also what is over."""
        statement = _ALL if everything else _LIVE
        given = {} if everything else {"now": to_text(self._clock())}
        return [Grant(**row) for row in self._db.rows(statement, **given)]

    def revoke(self, grant_id: str) -> Grant:
        """End a grant at once, in runs that are going on as well.

        Raises:
            NotFoundError: there is none of that id.
            RefusedError: it has been revoked before.
        """
        with self._db.transaction():
            revoked = self._db.run(
                _REVOKE, grant_id=grant_id, now=to_text(self._clock()), who=who()
            )
            found = self._db.rows(_GET, grant_id=grant_id)
            if not found:
                raise NotFoundError("grant", grant_id)
            if not revoked:
                raise RefusedError(f"grant {grant_id} was revoked at {found[0]['revoked_at']}")
            return Grant(**found[0])

    def objection(self, use: Use, tool: str) -> str | None:
        """Why *use* may not use *tool* now; None: a grant allows it."""
        rows = self._db.rows(
            _CONCERNING,
            agent_name=use.agent_name,
            tool=tool,
            schedule_id=use.schedule_id,
            run_id=use.run_id,
        )
        objections = [self._against(Grant(**row), use) for row in rows]
        if None in objections:
            return None
        told = next(iter(objections), None) or "nobody has granted it"
        return f"{told}; a person can: lsm agent grant {use.agent_name} {tool} --for 7d"

    def spend(self, use: Use, tool: str) -> str | None:
        """As `objection`, in the transaction in which the tool's effect is written."""
        used = self._db.run(_USE, tool=tool, now=to_text(self._clock()), **vars(use))
        return None if used else (self.objection(use, tool) or "the grant is over")

    def _against(self, grant: Grant, use: Use) -> str | None:
        if grant.revoked_at is not None:
            return f"the grant was revoked at {grant.revoked_at}"
        if grant.expires_at <= to_text(self._clock()):
            return f"the grant ran out at {grant.expires_at}"
        if grant.definition_hash != use.definition_hash:
            return "the agent has been edited since it was granted"
        return None


def who() -> str:
    """The person at this terminal, as far as the system knows."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = "unknown"  # no name belongs to the process's number
    return f"{user}@{socket.gethostname()}"
