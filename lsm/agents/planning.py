"""What becomes of the slots that are due: pure decisions, no database, no clock.

Catching up decides which of them deserve a run at all; admission decides, against what is
already waiting or running, which of those get one. Whatever gets none still gets a row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from lsm.agents.slots import (
    TICK,
    count_slots,
    last_slot,
    newest_slots,
    next_slot,
    part_of,
    run_time,
)
from lsm.clock import from_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm.agents.rows import RunRow
    from lsm.agents.schedules import Policy, Trigger

_FOLD_PART, _FOLD_MOST = 10, timedelta(minutes=15)
_SPREAD, _SPREAD_MOST = timedelta(seconds=2), timedelta(minutes=1)


@dataclass(frozen=True)
class Due:
    """A schedule some of whose slots have come."""

    schedule_id: str
    trigger: Trigger
    policy: Policy
    anchor: datetime
    first: datetime  # the earliest slot that has not been dealt with
    now: datetime
    carried: int = 0  # slots that were folded into the one that is due


@dataclass(frozen=True)
class Draft:
    """A row to be, for one slot."""

    slot: datetime
    state: Literal["pending", "skipped", "missed"] = "pending"
    reason: str | None = None
    coalesced: int = 0
    make_up: bool = False  # late by more than the policy's grace


@dataclass(frozen=True)
class Admission:
    """The rows to add, and what to do to the schedule's runs that wait or run."""

    drafts: list[Draft]
    supersede: tuple[str, ...] = ()  # pending runs to cancel
    stop: tuple[str, ...] = ()  # running runs to stop
    coalesce: tuple[tuple[str, int], ...] = ()  # (pending run, further slots it stands for)


def catch_up(due: Due) -> list[Draft]:
    """One draft for each slot that deserves a row of its own; each other slot is in a count.

    A month of missed minutes costs as much as one: slots are counted, never listed.
    """
    newest = last_slot(due.trigger, due.anchor, due.now)
    if newest is None or newest < due.first:
        return []  # the clock was set back, or the zone's rules have changed
    count = count_slots(due.trigger, due.anchor, due.first, newest)
    if due.policy.catch_up == "all" and count > 1:
        return _all(due, newest, count)
    late = due.now - _planned(due, newest) > timedelta(seconds=due.policy.grace_s)
    if _outside_window(due, newest):
        return [Draft(newest, "missed", "window", count - 1)]
    if due.policy.catch_up == "skip":
        return _skip(due, newest, count, late=late)
    folds = due.policy.fold_near and due.policy.catch_up != "all"
    if late and folds and _is_near(due, newest):
        return [Draft(newest, "skipped", "folded", count - 1 + due.carried)]
    return [Draft(newest, coalesced=count - 1 + due.carried, make_up=late)]


def _all(due: Due, newest: datetime, count: int) -> list[Draft]:
    wanted = newest_slots(due.trigger, due.anchor, due.first, newest, due.policy.max_catch_up)
    runs = [Draft(slot, make_up=True) for slot in wanted if not _outside_window(due, slot)]
    left_out = count - len(runs)
    if not left_out:
        return runs
    last_left_out = runs[0].slot - TICK if runs else newest
    slot = last_slot(due.trigger, due.anchor, last_left_out)
    reason = "window" if len(runs) < len(wanted) else "max_catch_up"
    return [Draft(slot or due.first, "missed", reason, left_out - 1), *runs]


def _skip(due: Due, newest: datetime, count: int, *, late: bool) -> list[Draft]:
    if late:
        return [Draft(newest, "missed", "late", count - 1)]
    earlier = last_slot(due.trigger, due.anchor, newest - TICK) if count > 1 else None
    older = [] if earlier is None else [Draft(earlier, "missed", "late", count - 2)]
    return [*older, Draft(newest)]


def _planned(due: Due, slot: datetime) -> datetime:
    # Jitter is no lateness.
    following = next_slot(due.trigger, due.anchor, slot) if due.policy.jitter_s else None
    return run_time(due.schedule_id, slot, following, due.policy.jitter_s)


def _outside_window(due: Due, slot: datetime) -> bool:
    window = due.policy.window_s
    return window is not None and due.now - slot > timedelta(seconds=window)


def _is_near(due: Due, newest: datetime) -> bool:
    """Whether the next slot comes so soon that making up the missed one would be a double."""
    following = next_slot(due.trigger, due.anchor, due.now)
    if following is None:
        return False
    return following - due.now < min((following - newest) / _FOLD_PART, _FOLD_MOST)


def admit(policy: Policy, busy: Sequence[RunRow], drafts: list[Draft], now: datetime) -> Admission:
    """What of *drafts* may wait for its start, given the schedule's runs that wait or run."""
    slots = [run for run in busy if run.origin == "slot"]
    # A retry that is not due yet has lost against the slot that is.
    retries = tuple(
        run.run_id for run in slots if run.attempt > 1 and _waits(run) and _start(run) > now
    )
    waiting = [run for run in slots if _waits(run) and run.run_id not in retries]
    running = [run for run in slots if run.state == "running"]
    wanted = [draft for draft in drafts if draft.state == "pending"]
    if not wanted:
        return Admission(drafts)
    if len(wanted) > 1 or not (waiting or running):
        return Admission(drafts, supersede=retries)
    rest = [draft for draft in drafts if draft.state != "pending"]
    decided = _decide(policy, waiting, running, wanted[0])
    return replace(decided, drafts=[*rest, *decided.drafts], supersede=retries + decided.supersede)


def _decide(
    policy: Policy, waiting: list[RunRow], running: list[RunRow], draft: Draft
) -> Admission:
    """What *policy* says to one more run beside others."""
    match policy.overlap:
        case "skip":
            return Admission([replace(draft, state="skipped", reason="overlap")])
        case "queue":
            if len(waiting) < policy.max_queued:
                return Admission([draft])
            newest = max(waiting, key=lambda run: run.slot_at)
            full = replace(draft, state="skipped", reason="queue_full")
            return Admission([full], coalesce=((newest.run_id, 1 + draft.coalesced),))
        case "cancel":
            return Admission(
                [draft],
                supersede=tuple(run.run_id for run in waiting),
                stop=tuple(run.run_id for run in running),
            )
        case "allow":
            if len(waiting) + len(running) < policy.max_parallel:
                return Admission([draft])
            return Admission([replace(draft, state="skipped", reason="max_parallel")])


def _waits(run: RunRow) -> bool:
    return run.state == "pending"


def _start(run: RunRow) -> datetime:
    return from_text(run.not_before)


class Spread:
    """Lets make-up runs begin one after the other, so that a start is no storm."""

    def __init__(self) -> None:
        self._rank = 0

    def wait(self) -> timedelta:
        """How long the next make-up run waits: none for the first, never over a minute."""
        self._rank += 1
        return min((self._rank - 1) * _SPREAD, _SPREAD_MOST)


def backoff(policy: Policy, run_id: str, attempt: int) -> timedelta:
    """How long after attempt number *attempt* failed the next one, *run_id*, may start.

    Doubles with each attempt up to the cap, then varies by a quarter either way, always the
    same for one run: schedules that failed together do not come back together.
    """
    doubled = policy.retry_base_s * 2 ** min(attempt - 1, 32)
    wait = timedelta(seconds=min(doubled, policy.retry_cap_s))
    return wait * 3 / 4 + part_of(wait / 2, run_id)


def may_retry(
    policy: Policy, run: RunRow, state: str, *, retryable: bool, lost_before: int
) -> bool:
    """Whether another attempt follows *run*, which ended in *state*.

    Args:
        policy: of the run's schedule.
        run: the attempt that ended.
        state: how it ended.
        retryable: what the agent said of its error.
        lost_before: attempts at the same slot that were lost earlier.
    """
    if state == "lost":
        return policy.on_lost == "retry" and lost_before == 0
    if state == "timed_out" or (state == "failed" and retryable):
        return run.attempt < policy.max_attempts
    return False
