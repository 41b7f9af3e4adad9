"""What a schedule is called, and what may stand in it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.agents.cron import CronError
from lsm.agents.schedules import (
    CronTime,
    Every,
    Once,
    Policy,
    Schedule,
    at_cron,
    checked,
    config_hash,
    duration,
    every,
    from_config,
    identity,
    once,
    schedule_id,
    to_config,
)
from lsm.errors import InvalidError, LsmError


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (
            Schedule(agent="daily-digest", trigger=at_cron("0 9 * * 1-5", "Europe/Berlin")),
            "daily-digest:81d31e6edf4d2aec",
        ),
        (
            Schedule(agent="daily-digest", trigger=at_cron("0 9 * * 1-5", "UTC")),
            "daily-digest:dd86bb1c41402747",
        ),
        (Schedule(agent="curator", trigger=every("1h")), "curator:45de2c78e503e892"),
        (
            Schedule(agent="curator", trigger=every("1h"), params={"topic": "ai"}),
            "curator:c08e3f2f6ddb0152",
        ),
        (
            Schedule(agent="backup", trigger=once("2026-12-31T23:00:00Z")),
            "backup:44b0dd7f887358d1",
        ),
        (
            Schedule(agent="curator", trigger=every("1h"), key="nightly"),
            "curator:243897a26e108511",
        ),
    ],
)
def test_an_id_is_computed_from_what_is_asked_for(schedule: Schedule, expected: str) -> None:
    assert schedule_id(checked(schedule)) == expected


def test_the_identity_is_json_with_sorted_keys_and_no_blanks() -> None:
    schedule = Schedule(agent="curator", trigger=Every(3600), params={"topic": "ai"})

    assert identity(schedule) == (
        '{"agent":"curator","params":{"topic":"ai"},'
        '"trigger":{"every_s":3600,"kind":"interval"},"v":1}'
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (at_cron("0 9 * * MON-FRI"), at_cron(" 00  09 * *   mon-fri")),
        (at_cron("@daily"), at_cron("0 0 * * *")),
        (every("1h"), every("60m")),
        (every("1h30m"), every(5400)),
        (once("2026-12-31T23:00:00Z"), once("2027-01-01T00:00", "Europe/Berlin")),
    ],
)
def test_two_spellings_of_one_trigger_are_one_schedule(one: Any, other: Any) -> None:
    first, second = Schedule(agent="a", trigger=one), Schedule(agent="a", trigger=other)

    assert schedule_id(checked(first)) == schedule_id(checked(second))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (at_cron("* * * * *"), at_cron("0-59 * * * *")),  # differ where clocks are set
        (at_cron("0 9 * * *", "UTC"), at_cron("0 9 * * *", "Etc/UTC")),
        (every("24h"), at_cron("@daily")),
    ],
)
def test_what_can_fire_differently_is_another_schedule(one: Any, other: Any) -> None:
    first, second = Schedule(agent="a", trigger=one), Schedule(agent="a", trigger=other)

    assert schedule_id(checked(first)) != schedule_id(checked(second))


def test_policy_is_not_part_of_the_identity_but_of_the_configuration() -> None:
    plain = Schedule(agent="a", trigger=Every(60))
    other = Schedule(
        agent="a",
        trigger=Every(60),
        policy=Policy(overlap="queue", jitter_s=5),
        enabled=False,
        description="x",
    )

    assert schedule_id(plain) == schedule_id(other)
    assert config_hash(to_config(plain)) != config_hash(to_config(other))


def test_texts_that_look_alike_are_one_schedule() -> None:
    composed = Schedule(agent="a", trigger=Every(60), params={"caf\u00e9": "\u00e9"})
    decomposed = Schedule(agent="a", trigger=Every(60), params={"cafe\u0301": "e\u0301"})

    assert schedule_id(checked(composed)) == schedule_id(checked(decomposed))


def test_a_fraction_among_the_parameters_has_one_spelling() -> None:
    schedule = Schedule(agent="a", trigger=Every(60), params={"threshold": 0.1, "all": [1.5]})

    assert '"params":{"all":["1.5"],"threshold":"0.1"}' in identity(checked(schedule))


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
triggers = st.builds(Every, st.integers(1, 10**6)) | st.sampled_from(
    [at_cron("*/5 * * * *", "Asia/Kathmandu"), once("2030-01-01T00:00:00.5Z")]
)


@given(
    trigger=triggers,
    params=st.dictionaries(st.text(max_size=8), values, max_size=3),
    overlap=st.sampled_from(["skip", "queue", "cancel", "allow"]),
    jitter=st.integers(0, 3600),
)
def test_what_is_written_is_what_is_read(
    trigger: Any, params: dict[str, Any], overlap: Any, jitter: int
) -> None:
    schedule = checked(
        Schedule(
            agent="a",
            trigger=trigger,
            params=params,
            policy=Policy(overlap=overlap, jitter_s=jitter),
        )
    )

    text = to_config(schedule)

    assert from_config(text) == schedule
    assert to_config(from_config(text)) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("1h30m", 5400), ("2d", 172_800), ("1w", 604_800), (" 45 ", 45)],
)
def test_a_duration_is_whole_seconds(text: str, seconds: int) -> None:
    assert duration("every", text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "1.5h", "-1h", "1h1", "h", "11y", "99999w"])
def test_what_is_no_duration_is_refused_by_its_setting_s_name(text: str) -> None:
    with pytest.raises(InvalidError, match="every"):
        duration("every", text)


def test_an_interval_has_at_least_a_second() -> None:
    with pytest.raises(InvalidError, match="at least 1s"):
        every("0s")


def test_a_wall_time_is_one_of_its_zone() -> None:
    assert once("2026-07-01T09:00", "Europe/Berlin") == Once("2026-07-01T07:00:00Z")


def test_a_wall_time_that_the_clocks_leave_out_is_refused() -> None:
    with pytest.raises(InvalidError, match="leave that time out"):
        once("2026-03-29T02:30", "Europe/Berlin")


@pytest.mark.parametrize(
    ("schedule", "named"),
    [
        (Schedule(agent=" ", trigger=Every(60)), "agent"),
        (Schedule(agent="a\nb", trigger=Every(60)), "agent"),
        (Schedule(agent="a", trigger=Every(0)), "every_s"),
        (Schedule(agent="a", trigger=CronTime("0 9 * *", "UTC")), "cron"),
        (Schedule(agent="a", trigger=CronTime("0 9 * * *", "Mars/Base")), "time zone"),
        (Schedule(agent="a", trigger=Once("tomorrow")), "at"),
        (Schedule(agent="a", trigger=Every(60), params={"x": float("nan")}), "params.x"),
        (Schedule(agent="a", trigger=Every(60), params={"x": {"y": object()}}), "params.x.y"),
        (Schedule(agent="a", trigger=Every(60), policy=Policy(max_queued=0)), "max_queued"),
        (Schedule(agent="a", trigger=Every(60), policy=Policy(overlap="no")), "overlap"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_what_cannot_run_is_refused_by_the_name_of_its_field(
    schedule: Schedule, named: str
) -> None:
    with pytest.raises(LsmError, match=named):
        checked(schedule)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"agent":"a"}',
        '{"agent":"a","trigger":{"kind":"weekly"}}',
        '{"agent":"a","trigger":{"kind":"interval","every_s":0}}',
    ],
)
def test_a_damaged_configuration_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="config_json"):
        from_config(text)


def test_a_stored_cron_that_is_no_longer_valid_is_refused() -> None:
    text = msgspec.json.encode(Schedule(agent="a", trigger=CronTime("x", "UTC"))).decode()

    with pytest.raises(CronError):
        from_config(text)
