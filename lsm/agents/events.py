"""What the scheduler says while it works: one line each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsm.clock import from_text

if TYPE_CHECKING:
    from lsm.agents.claims import Closed
    from lsm.agents.rows import RunRow


@dataclass(frozen=True)
class Event:
    """Something worth a line."""

    kind: str  # "started", a run's final state, "retry", "paused", "unreadable", "clock_jump", ...
    text: str  # one line
    schedule_id: str | None = None
    run_id: str | None = None


def planned(run: RunRow) -> Event | None:
    """A slot that got no run; None for one that did."""
    if run.state == "pending":
        return None
    more = f" and {run.coalesced} before it" if run.coalesced else ""
    text = f"{run.schedule_id}: slot {_time(run.slot_at)}{more} {run.state} ({run.reason})"
    return Event(run.state, text, run.schedule_id, run.run_id)


def started(run: RunRow) -> Event:
    """A run begins."""
    again = f", attempt {run.attempt}" if run.attempt > 1 else ""
    text = f"{run.schedule_id}: {run.origin} {_time(run.slot_at)} started{again}"
    return Event("started", text, run.schedule_id, run.run_id)


def ended(closed: Closed) -> list[Event]:
    """A run's end, and what followed from it."""
    run, name = closed.run, closed.run.schedule_id
    why = run.error or run.reason
    text = f"{name}: {run.origin} {_time(run.slot_at)} {run.state}{_took(run)}"
    events = [Event(run.state, f"{text}: {why}" if why else text, name, run.run_id)]
    if closed.retry is not None and closed.retry.state == "pending":
        text = f"{name}: attempt {closed.retry.attempt} from {_time(closed.retry.not_before)} on"
        events.append(Event("retry", text, name, closed.retry.run_id))
    if closed.paused:
        text = f"{name}: paused after too many failures; lsm schedule resume {name}"
        events.append(Event("paused", text, name))
    return events


def _took(run: RunRow) -> str:
    if run.started_at is None or run.finished_at is None:
        return ""
    seconds = (from_text(run.finished_at) - from_text(run.started_at)).total_seconds()
    return f" in {seconds:.1f} s"


def _time(instant: str) -> str:
    return f"{instant[:10]} {instant[11:19]}Z"
