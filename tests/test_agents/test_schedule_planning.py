"""Slots, jitter, catching up, admission and retries: the pure part, against plain models."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.agents.planning import Due, Spread, admit, backoff, catch_up, may_retry
from lsm.agents.rows import RunRow
from lsm.agents.schedules import Every, Manual, Once, Policy, Trigger, at_cron
from lsm.agents.slots import (
    TICK,
    count_slots,
    last_slot,
    newest_slots,
    next_slot,
    run_time,
)
from lsm.clock import to_text
from tests.test_agents.scheduling import NOON

HOUR = timedelta(hours=1)
TEN = Every(600)
moments = st.integers(-100_000, 1_000_000).map(lambda us: NOON + timedelta(milliseconds=us))


@given(every=st.integers(1, 500), first=moments, last=moments)
def test_an_interval_s_slots_are_those_of_its_list(
    every: int, first: datetime, last: datetime
) -> None:
    step = timedelta(seconds=every)
    listed = [NOON + k * step for k in range(1, 1200 // every + 1200)]
    inside = [slot for slot in listed if first <= slot <= last]

    assert next_slot(Every(every), NOON, first) == next(s for s in listed if s > first)
    assert last_slot(Every(every), NOON, last) == max(
        (s for s in listed if s <= last), default=None
    )
    assert count_slots(Every(every), NOON, first, last) == len(inside)
    assert newest_slots(Every(every), NOON, first, last, 3) == inside[-3:]


@given(first=moments, minutes=st.integers(0, 3000))
def test_a_cron_s_slots_are_those_of_its_list(first: datetime, minutes: int) -> None:
    trigger = at_cron("*/7 * * * *")
    last = first + timedelta(minutes=minutes)
    listed: list[datetime] = []
    slot = next_slot(trigger, NOON, first - TICK)
    while slot is not None and slot <= last:
        listed.append(slot)
        slot = next_slot(trigger, NOON, slot)

    assert count_slots(trigger, NOON, first, last) == len(listed)
    assert newest_slots(trigger, NOON, first, last, 4) == listed[-4:]


def test_one_instant_is_one_slot_and_a_manual_trigger_has_none() -> None:
    once = Once("2026-01-01T13:00:00Z")

    assert next_slot(once, NOON, NOON) == NOON + HOUR
    assert next_slot(once, NOON, NOON + HOUR) is None
    assert last_slot(once, NOON, NOON) is None
    assert last_slot(once, NOON, NOON + 2 * HOUR) == NOON + HOUR
    assert count_slots(once, NOON, NOON, NOON + 2 * HOUR) == 1
    assert count_slots(once, NOON, NOON + 1.5 * HOUR, NOON + 2 * HOUR) == 0
    assert next_slot(Manual(), NOON, NOON) is None
    assert last_slot(Manual(), NOON, NOON) is None


def test_a_zone_s_slots_come_out_in_utc() -> None:
    berlin = at_cron("0 9 * * *", "Europe/Berlin")

    found = next_slot(berlin, NOON, NOON)

    assert found == datetime.fromisoformat("2026-01-02T08:00Z")
    assert found.utcoffset() == timedelta()


@given(jitter=st.integers(0, 10_000), number=st.integers(0, 10**6))
def test_jitter_is_the_same_everywhere_and_at_most_half_the_gap(jitter: int, number: int) -> None:
    slot = NOON + number * HOUR

    first = run_time("curator:1", slot, slot + HOUR, jitter)

    assert first == run_time("curator:1", slot, slot + HOUR, jitter)
    assert slot <= first <= slot + min(timedelta(seconds=jitter), HOUR / 2)


def test_jitter_differs_between_schedules() -> None:
    times = {run_time(f"curator:{n}", NOON, NOON + HOUR, 600) for n in range(50)}

    assert len(times) == 50


@pytest.mark.parametrize(
    ("policy", "late_s", "expected"),
    [
        # (slot as minutes after noon, state, reason, further slots) of every ten minutes
        (Policy(), 5, [(60, "pending", None, 0)]),
        (Policy(fold_near=False), 599, [(60, "pending", None, 0)]),
        (Policy(catch_up="skip"), 60, [(60, "pending", None, 0)]),
        (Policy(catch_up="skip"), 61, [(60, "missed", "late", 0)]),
        (Policy(catch_up="skip", grace_s=0), 1, [(60, "missed", "late", 0)]),
        (Policy(window_s=120), 120, [(60, "pending", None, 0)]),
        (Policy(window_s=120), 121, [(60, "missed", "window", 0)]),
        # A minute before the next slot, a tenth of ten minutes, a make-up is folded into it.
        (Policy(), 540, [(60, "pending", None, 0)]),
        (Policy(), 541, [(60, "skipped", "folded", 0)]),
        (Policy(catch_up="all"), 541, [(60, "pending", None, 0)]),
    ],
)
def test_one_slot_that_comes_late(policy: Policy, late_s: int, expected: Any) -> None:
    now = NOON + HOUR + timedelta(seconds=late_s)

    assert drafts(policy, first=NOON + HOUR, now=now) == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Policy(), [(110, "pending", None, 5)]),
        (Policy(catch_up="latest"), [(110, "pending", None, 5)]),
        (Policy(catch_up="skip"), [(110, "missed", "late", 5)]),
        (
            Policy(catch_up="skip", grace_s=600),
            [(100, "missed", "late", 4), (110, "pending", None, 0)],
        ),
        (
            Policy(catch_up="all", max_catch_up=2),
            [
                (90, "missed", "max_catch_up", 3),
                (100, "pending", None, 0),
                (110, "pending", None, 0),
            ],
        ),
        (
            Policy(catch_up="all", window_s=1200),
            [(90, "missed", "window", 3), (100, "pending", None, 0), (110, "pending", None, 0)],
        ),
        (Policy(catch_up="all", window_s=60), [(110, "missed", "window", 5)]),
        (Policy(catch_up="all"), [(60 + 10 * n, "pending", None, 0) for n in range(6)]),
    ],
)
def test_six_slots_missed(policy: Policy, expected: Any) -> None:
    now = NOON + 1.9 * HOUR  # 13:54, four minutes after the last of them

    assert drafts(policy, first=NOON + HOUR, now=now) == expected


def test_a_month_of_missed_minutes_is_one_run() -> None:
    policy, month = Policy(), timedelta(days=30)
    due = due_from(at_cron("* * * * *"), policy, NOON, NOON + month)

    (draft,) = catch_up(due)

    assert (draft.slot, draft.coalesced) == (NOON + month, 30 * 1440)


def test_a_slot_that_lies_ahead_of_the_clock_is_not_due() -> None:
    assert drafts(Policy(), first=NOON + HOUR, now=NOON) == []


def test_what_was_folded_is_counted_by_the_slot_it_waited_for() -> None:
    due = due_from(TEN, Policy(), NOON + HOUR, NOON + HOUR)

    (draft,) = catch_up(Due(**{**vars(due), "carried": 3}))

    assert draft.coalesced == 3


def test_jitter_is_no_lateness() -> None:
    policy = Policy(catch_up="skip", jitter_s=300, grace_s=1)
    due = due_from(TEN, policy, NOON + HOUR, NOON + HOUR)
    start = run_time(due.schedule_id, due.first, due.first + timedelta(minutes=10), 300)
    assert start - due.first > timedelta(seconds=2)

    (draft,) = catch_up(Due(**{**vars(due), "now": start}))

    assert draft.state == "pending"


@pytest.mark.parametrize(
    ("policy", "busy", "state", "reason"),
    [
        (Policy(), [], "pending", None),
        (Policy(), ["running"], "skipped", "overlap"),
        (Policy(), ["pending"], "skipped", "overlap"),
        (Policy(overlap="queue"), ["running"], "pending", None),
        (Policy(overlap="queue"), ["running", "pending"], "skipped", "queue_full"),
        (Policy(overlap="queue", max_queued=2), ["running", "pending"], "pending", None),
        (Policy(overlap="cancel"), ["running", "pending"], "pending", None),
        (Policy(overlap="allow"), ["running"] * 3, "pending", None),
        (Policy(overlap="allow"), ["running"] * 3 + ["pending"], "skipped", "max_parallel"),
    ],
)
def test_admission_beside_what_waits_and_runs(
    policy: Policy, busy: list[str], state: str, reason: str | None
) -> None:
    due = due_from(TEN, policy, NOON + HOUR, NOON + HOUR)

    admission = admit(policy, [run(n, state) for n, state in enumerate(busy)], catch_up(due), NOON)

    assert [(d.state, d.reason) for d in admission.drafts] == [(state, reason)]


def test_a_full_queue_lets_its_newest_run_stand_for_the_slot() -> None:
    policy = Policy(overlap="queue", max_queued=2)
    busy = [run(1, "pending"), run(2, "pending")]

    admission = admit(policy, busy, catch_up(due_from(TEN, policy, NOON + HOUR, NOON + HOUR)), NOON)

    assert admission.coalesce == (("run-2", 1),)


def test_cancel_stops_what_runs_and_supersedes_what_waits() -> None:
    policy = Policy(overlap="cancel")
    busy = [run(1, "running"), run(2, "pending")]

    admission = admit(policy, busy, catch_up(due_from(TEN, policy, NOON + HOUR, NOON + HOUR)), NOON)

    assert (admission.stop, admission.supersede) == (("run-1",), ("run-2",))


def test_runs_by_hand_and_backfills_do_not_make_a_schedule_busy() -> None:
    by_hand = [run(1, "running", origin="manual"), run(2, "pending", origin="backfill")]
    due = due_from(TEN, Policy(), NOON + HOUR, NOON + HOUR)

    admission = admit(Policy(), by_hand, catch_up(due), NOON)

    assert [draft.state for draft in admission.drafts] == ["pending"]


@pytest.mark.parametrize(("wait_s", "superseded"), [(-1, ()), (0, ()), (1, ("run-1",))])
def test_a_retry_that_is_not_due_yet_gives_way_to_the_next_slot(
    wait_s: int, superseded: tuple[str, ...]
) -> None:
    retry = run(1, "pending", attempt=2, not_before=to_text(NOON + timedelta(seconds=wait_s)))
    due = due_from(TEN, Policy(), NOON + HOUR, NOON + HOUR)

    admission = admit(Policy(), [retry], catch_up(due), NOON)

    assert admission.supersede == superseded
    assert admission.drafts[0].state == ("pending" if superseded else "skipped")


@given(attempt=st.integers(1, 200), run_id=st.text())
def test_a_retry_waits_longer_each_time_up_to_the_cap(attempt: int, run_id: str) -> None:
    policy = Policy(retry_base_s=30, retry_cap_s=3600)

    wait = backoff(policy, run_id, attempt)

    nominal = timedelta(seconds=min(30 * 2 ** (attempt - 1), 3600))
    assert nominal * 0.75 <= wait <= nominal * 1.25
    assert wait == backoff(policy, run_id, attempt)


@pytest.mark.parametrize(
    ("policy", "state", "attempt", "retryable", "lost_before", "expected"),
    [
        (Policy(), "failed", 1, False, 0, False),
        (Policy(), "failed", 1, True, 0, True),
        (Policy(), "failed", 3, True, 0, False),
        (Policy(), "timed_out", 2, False, 0, True),
        (Policy(max_attempts=1), "timed_out", 1, False, 0, False),
        (Policy(max_attempts=1), "lost", 1, False, 0, True),
        (Policy(), "lost", 2, False, 1, False),
        (Policy(on_lost="record"), "lost", 1, False, 0, False),
        (Policy(), "cancelled", 1, True, 0, False),
        (Policy(), "succeeded", 1, True, 0, False),
    ],
)
def test_which_ends_are_tried_again(
    policy: Policy, state: str, attempt: int, retryable: bool, lost_before: int, expected: bool
) -> None:
    ended = run(1, "running", attempt=attempt)

    assert may_retry(policy, ended, state, retryable=retryable, lost_before=lost_before) is expected


def test_make_ups_begin_one_after_the_other_but_never_much_later() -> None:
    spread = Spread()

    waits = [spread.wait().total_seconds() for _ in range(100)]

    assert waits[:3] == [0, 2, 4]
    assert max(waits) == 60


def due_from(trigger: Trigger, policy: Policy, first: datetime, now: datetime) -> Due:
    return Due("curator:1", trigger, policy, NOON, first, now)


def drafts(policy: Policy, first: datetime, now: datetime) -> list[tuple[int, str, Any, int]]:
    return [
        ((draft.slot - NOON) // timedelta(minutes=1), draft.state, draft.reason, draft.coalesced)
        for draft in catch_up(due_from(TEN, policy, first, now))
    ]


def run(number: int, state: Any, **fields: Any) -> RunRow:
    values: dict[str, Any] = {
        "schedule_id": "curator:1",
        "slot_at": to_text(NOON + number * TICK),
        "origin": "slot",
        "attempt": 1,
        "not_before": to_text(NOON),
        "created_at": to_text(NOON),
    }
    return RunRow(run_id=f"run-{number}", state=state, **(values | fields))
