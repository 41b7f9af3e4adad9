"""How an agent is run: what it is given, what it gives back, and how it says that it failed.

An agent computes first and changes nothing; what it wants changed it hands back as `Outcome.apply`,
which the scheduler calls inside the one transaction that also records the run as succeeded. So a
run's memories, candidates and report are there together with its success, or not at all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from lsm.db.database import Database
from lsm.errors import LsmError

if TYPE_CHECKING:
    from datetime import datetime

    from lsm.agents.rows import Origin

Apply = Callable[[Database], str | None]
"""Writes to the database given, whose transaction is open; nothing slow, no network, no model.

What it returns is a remark for the end of the report: what was meant to be written and was not.
"""

StopReason = Literal["cancelled", "timed_out", "stopping", "lease_lost"]


class RunError(LsmError):
    """The run failed; *retryable* says that another attempt may well succeed."""

    def __init__(self, problem: str, *, retryable: bool = False) -> None:
        super().__init__(problem)
        self.retryable = retryable


class RunStoppedError(LsmError):
    """The run was told to stop and does so: let it pass through `Agent.run`."""

    def __init__(self, reason: StopReason) -> None:
        super().__init__(f"run stopped: {reason}")
        self.reason: StopReason = reason


@dataclass(frozen=True)
class Outcome:
    """What a run that succeeded leaves behind, all in one transaction."""

    report: str | None = None  # Markdown for a person; kept in the run's row
    result: Mapping[str, Any] = field(default_factory=dict[str, Any])  # what JSON holds
    apply: tuple[Apply, ...] = ()  # called in order
    plan: tuple[str, ...] = ()  # what a dry run has left undone, a line each


@dataclass(frozen=True)
class RunContext:
    """What a run is given."""

    run_id: str
    schedule_id: str
    agent_name: str
    params: Mapping[str, Any]
    slot_at: datetime  # the instant the run stands for
    origin: Origin
    attempt: int  # from 1
    started_at: datetime
    deadline: datetime  # from then on `cancelled`; a little later its result is refused
    control: RunControl
    dry_run: bool = False  # nothing of the outcome will be applied; change nothing by yourself

    def cancelled(self) -> bool:
        """Whether to stop: asked for, out of time, shutting down, or no longer ours."""
        return self.control.stopped() is not None

    def check(self) -> None:
        """Raises RunStoppedError if the run is to stop: call it between steps."""
        reason = self.control.stopped()
        if reason is not None:
            raise RunStoppedError(reason)

    def remaining(self) -> float:
        """Seconds until the deadline, by a clock that nobody sets; never below 0."""
        return self.control.remaining()

    def beat(self) -> None:
        """Renew the lease now: before something that must not be done by two.

        Raises:
            RunStoppedError: the run is to stop, or another process has taken it over.
        """
        if not self.control.renew():
            self.control.stop("lease_lost")
        self.check()

    def step(self, apply: Apply) -> None:
        """Apply part of the outputs now, in a transaction of its own, if the run is still ours.

        For work that is safe to repeat: a run that dies keeps the steps it has made, and its
        retry makes them again.

        Raises:
            RunStoppedError: another process has taken the run over; nothing was applied.
        """
        if not self.control.step(apply):
            self.control.stop("lease_lost")
            self.check()


class Agent(Protocol):
    """Something that can be run, on a schedule or by hand: the path is the same."""

    def run(self, context: RunContext, /) -> Outcome:
        """Do the work in a worker thread, stopping soon after `context.cancelled`.

        Raises:
            RunError: it failed; `retryable` if trying again makes sense.
            RunStoppedError: it was told to stop, by way of `context.check`.
            LsmError: it failed and trying again would fail the same way.
        """
        ...


AgentFinder = Callable[[str], Agent]
"""The agent of that name; raises NotFoundError."""


class RunControl:
    """The scheduler's end of a run that is going on in this process."""

    def __init__(
        self,
        remaining: Callable[[], float],
        renew: Callable[[], bool],
        step: Callable[[Apply], bool],
    ) -> None:
        self.remaining = remaining
        self.renew = renew
        self.step = step
        self._reason: StopReason | None = None
        self._told = threading.Event()

    def stop(self, reason: StopReason) -> bool:
        """Tell the agent to stop; whether this was the first reason to."""
        if self._told.is_set():
            return False
        self._reason = reason
        self._told.set()
        return True

    def stopped(self) -> StopReason | None:
        """Why the agent is to stop, or None."""
        return self._reason if self._told.is_set() else None

    def wait(self, seconds: float) -> bool:
        """Sleep, but no longer than until the run is to stop; whether it is."""
        return self._told.wait(seconds)
