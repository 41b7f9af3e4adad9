"""Running what has been claimed: one path, whether a schedule or a person asked for it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from lsm.agents.claims import LeaseLostError
from lsm.agents.ledger import pending_run
from lsm.agents.run_store import Ending
from lsm.agents.runtime import RunContext, RunControl, RunError, RunStoppedError
from lsm.agents.schedules import Policy
from lsm.clock import from_text
from lsm.errors import BusyError, LsmError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from lsm.agents.claims import Claimed, Claims, Closed
    from lsm.agents.rows import RunRow
    from lsm.agents.run_store import RunStore
    from lsm.agents.runtime import Agent, AgentFinder, Apply, Outcome, StopReason

_ERROR_LENGTH = 500
_FINISH_TRIES = 3  # each waits for the database as long as the engine does


@dataclass(eq=False)
class LiveRun:
    """A run that is going on in this process."""

    claimed: Claimed
    control: RunControl
    abandoned: Callable[[], None]  # called once if the agent does not stop when told
    returned: Callable[[], None]  # called if it comes back after that
    stopped_at: float | None = None  # when it was told, on the monotonic clock
    left: bool = False
    over: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def run(self) -> RunRow:
        """Its row, as claimed."""
        return self.claimed.run


class Execution:
    """The runs that are going on in this process, from their claim to their end."""

    def __init__(
        self, claims: Claims, store: RunStore, find: AgentFinder, monotonic: Callable[[], float]
    ) -> None:
        self._claims = claims
        self._store = store
        self._find = find
        self._monotonic = monotonic
        self._live: dict[str, LiveRun] = {}
        self._lock = threading.Lock()
        self._beat_at = monotonic()

    def live(self) -> list[LiveRun]:
        """What is going on."""
        with self._lock:
            return list(self._live.values())

    def begin(
        self,
        claimed: Claimed,
        abandoned: Callable[[], None] | None = None,
        returned: Callable[[], None] | None = None,
    ) -> LiveRun:
        """Look after a claimed run from now on; `carry_out` runs it."""
        run, deadline = claimed.run, self._monotonic() + claimed.schedule.policy.timeout_s
        control = RunControl(
            remaining=lambda: max(deadline - self._monotonic(), 0.0),
            renew=lambda: self._claims.beat(run),
            step=lambda apply: self._step(run, apply),
        )
        live = LiveRun(claimed, control, abandoned or _nothing, returned or _nothing)
        with self._lock:
            self._live[run.run_id] = live
        return live

    def carry_out(self, live: LiveRun) -> Closed | None:
        """Run the agent to its end and record it; None if the run was not ours to end."""
        try:
            ending, apply = self._run_agent(live)
            if ending is None:
                return None
            return self._finish(live.run, ending, apply)
        finally:
            with live.lock:
                live.over = True
                if live.left:
                    live.returned()
            self._forget(live)

    def tend(self, beat_every: float) -> list[Closed]:
        """Beat if it is time, pass on what stops a run, and give up on agents that do not stop.

        Returns:
            The runs that were ended over their agents' heads.
        """
        live = self.live()
        if not live:
            return []
        try:
            signals = self._store.signals([each.run.run_id for each in live])
            if self._monotonic() - self._beat_at >= beat_every:
                self._beat_at = self._monotonic()
                for each in live:
                    self._claims.beat(each.run)
            for each in live:
                self._pass_on(each, signals.get(each.run.run_id))
            return [closed for each in live if (closed := self._give_up(each)) is not None]
        except StorageError:
            # Locked or out of reach: tried again at the next look. If that is too late for a
            # lease, the fence keeps the run from ending twice.
            return []

    def stop_all(self) -> None:
        """Tell every agent that the process is about to end."""
        for each in self.live():
            self._stop(each, "stopping")

    def leave(self, live: LiveRun) -> Closed | None:
        """End a run whose agent does not return: its outputs are refused from now on."""
        ending = _STOPPED[live.control.stopped() or "stopping"]
        with live.lock:
            if live.over or live.left:
                return None
            live.left = True
            live.abandoned()
        self._forget(live)
        return None if ending is None else self._finish(live.run, ending, ())

    def _pass_on(self, live: LiveRun, signal: tuple[int, str | None] | None) -> None:
        if signal is None or signal[0] != live.run.fence:
            self._stop(live, "lease_lost")
        elif signal[1] is not None:
            self._stop(live, "cancelled")
        elif live.control.remaining() <= 0:
            self._stop(live, "timed_out")

    def _stop(self, live: LiveRun, reason: StopReason) -> None:
        if live.control.stop(reason):
            live.stopped_at = self._monotonic()

    def _give_up(self, live: LiveRun) -> Closed | None:
        grace = live.claimed.schedule.policy.cancel_grace_s
        told = live.stopped_at
        if told is None or self._monotonic() - told < grace:
            return None
        return self.leave(live) if live.control.stopped() != "stopping" else None

    def _forget(self, live: LiveRun) -> None:
        with self._lock:
            self._live.pop(live.run.run_id, None)

    def _run_agent(self, live: LiveRun) -> tuple[Ending | None, Sequence[Apply]]:
        try:
            outcome = self._find(live.claimed.schedule.agent).run(_context(live))
            return _success(outcome), outcome.apply
        except RunStoppedError as stopped:
            return _STOPPED[stopped.reason], ()
        except LsmError as error:
            retryable = isinstance(error, BusyError) or (
                isinstance(error, RunError) and error.retryable
            )
            return Ending("failed", error=_short(str(error)), retryable=retryable), ()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - an agent's bug ends its run only
            return Ending("failed", error=_short(f"{type(error).__name__}: {error}")), ()

    def _finish(self, run: RunRow, ending: Ending, apply: Sequence[Apply]) -> Closed | None:
        try:
            return self._try_to_finish(run, ending, apply)
        except LeaseLostError:
            return None
        except (Exception, SystemExit) as error:  # outputs are an agent's code too
            if not apply:
                raise
            text = error if isinstance(error, LsmError) else f"{type(error).__name__}: {error}"
        # Nothing of it was written: the outputs rolled back with the run's success.
        failed = Ending("failed", error=_short(f"its results could not be stored: {text}"))
        return self._finish(run, failed, ())

    def _try_to_finish(self, run: RunRow, ending: Ending, apply: Sequence[Apply]) -> Closed:
        for _ in range(_FINISH_TRIES - 1):
            try:
                return self._claims.finish(run, ending, apply)
            except BusyError:
                continue
        return self._claims.finish(run, ending, apply)

    def _step(self, run: RunRow, apply: Apply) -> bool:
        try:
            self._claims.step(run, apply)
        except LeaseLostError:
            return False
        return True


# What the row of a run says that was stopped; None: the row is no longer ours.
_STOPPED: dict[StopReason, Ending | None] = {
    "cancelled": Ending("cancelled", "requested"),
    "timed_out": Ending("timed_out", "timeout", "it did not end in time"),
    "stopping": Ending("lost", "stopped"),
    "lease_lost": None,
}


def rehearse(agent: Agent, name: str, params: Mapping[str, Any], now: datetime) -> Outcome:
    """Run *agent* without a run: nothing is booked, nothing of the outcome or a step is applied.

    Raises:
        LsmError: whatever the agent raises.
    """
    run, policy = pending_run("dry-run", now, "manual", now, now), Policy()
    end = time.monotonic() + policy.timeout_s
    control = RunControl(
        remaining=lambda: max(end - time.monotonic(), 0.0),
        renew=lambda: True,
        step=lambda _: True,
    )
    context = RunContext(
        run_id=run.run_id,
        schedule_id=run.schedule_id,
        agent_name=name,
        params=params,
        slot_at=now,
        origin="manual",
        attempt=1,
        started_at=now,
        deadline=now + timedelta(seconds=policy.timeout_s),
        control=control,
        dry_run=True,
    )
    return agent.run(context)


def parameters(claimed: Claimed) -> Mapping[str, Any]:
    """The run's own parameters, or its schedule's."""
    if claimed.run.params_json is None:
        return claimed.schedule.params
    return msgspec.json.decode(claimed.run.params_json)


def _context(live: LiveRun) -> RunContext:
    run = live.run
    return RunContext(
        run_id=run.run_id,
        schedule_id=run.schedule_id,
        agent_name=live.claimed.schedule.agent,
        params=parameters(live.claimed),
        slot_at=from_text(run.slot_at),
        origin=run.origin,
        attempt=run.attempt,
        started_at=from_text(run.started_at or run.created_at),
        deadline=from_text(run.deadline_at or run.created_at),
        control=live.control,
    )


def _success(outcome: Outcome) -> Ending:
    try:
        result = msgspec.json.encode(outcome.result, order="sorted").decode()
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        raise RunError(f"its result cannot be kept as JSON: {error}") from error
    return Ending("succeeded", result_json=result, report=outcome.report)


def _short(text: str) -> str:
    line = " ".join(text.replace("\0", " ").split())
    return line if len(line) <= _ERROR_LENGTH else line[: _ERROR_LENGTH - 3] + "..."


def _nothing() -> None:
    """What happens where there is no worker to replace."""
