"""When schedules fire: known days, refusals, and a model that walks every minute."""

import random
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsm.agents.cron import (
    CronError,
    count,
    explain,
    find_zone,
    next_fires,
    parse,
    prev_or_equal,
)
from lsm.errors import InvalidError
from tests.test_agents.cron_oracle import Minute, fires, utc, walk

NEW_YORK = "America/New_York"
LORD_HOWE = "Australia/Lord_Howe"
SANTIAGO = "America/Santiago"

# A UTC day on or just before which the clocks of the zone are set, in every way we know of.
CHANGES = [
    (LORD_HOWE, "2026-04-04"),  # half an hour back
    (LORD_HOWE, "2026-10-03"),
    (NEW_YORK, "2026-03-08"),
    (NEW_YORK, "2026-11-01"),
    (SANTIAGO, "2024-09-08"),  # no midnight
    (SANTIAGO, "2026-04-04"),  # back over midnight
    ("Africa/Cairo", "2026-04-23"),
    ("Africa/Cairo", "2026-10-29"),
    ("Europe/Berlin", "2026-03-28"),
    ("Europe/Berlin", "2026-10-24"),
    ("Asia/Kathmandu", "1985-12-31"),  # a quarter of an hour forward
    ("Pacific/Apia", "2011-12-30"),  # no Friday
    ("Pacific/Kiritimati", "1994-12-31"),
    ("Pacific/Kwajalein", "1969-09-30"),  # 23 hours back
    ("Pacific/Kwajalein", "1993-08-21"),
    ("Antarctica/Casey", "2009-10-17"),  # 3 hours, just not made up
    ("Antarctica/Casey", "2010-03-04"),
    ("Antarctica/Troll", "2026-03-29"),  # 2 hours
    ("America/St_Johns", "2006-04-02"),  # at 00:01
    ("America/St_Johns", "2006-10-29"),  # at 00:01, so that two dates alternate
    ("America/Scoresbysund", "2024-03-31"),  # over midnight, forward
    ("America/Caracas", "2007-12-09"),
    ("Pacific/Chatham", "2026-09-26"),
    ("UTC", "2026-06-30"),
]


@pytest.mark.parametrize(
    ("expr", "tz", "after", "expected"),
    [
        # Lord Howe sets its clocks by half an hour: the libraries lose 02:00 and the second 01:45.
        ("0 */2 * * *", LORD_HOWE, "2026-04-05T00:00+11:00", ["2026-04-05T02:00+10:30"]),
        (
            "45 * * * *",
            LORD_HOWE,
            "2026-04-05T01:00+11:00",
            ["2026-04-05T01:45+11:00", "2026-04-05T01:45+10:30", "2026-04-05T02:45+10:30"],
        ),
        (
            "*/6 14-17 * * *",
            LORD_HOWE,
            "2026-04-05T00:00+11:00",
            ["2026-04-05T14:00+10:30", "2026-04-05T14:06+10:30"],
        ),
        ("30 2 * * *", LORD_HOWE, "2026-10-04T00:00+10:30", ["2026-10-04T02:30+11:00"]),
        ("15 2 * * *", LORD_HOWE, "2026-10-04T00:00+10:30", ["2026-10-04T02:30+11:00"]),
        ("*/6 14 * * *", "Asia/Kathmandu", "1986-01-01T00:30+05:45", ["1986-01-01T14:00+05:45"]),
        ("5 0 1 1 *", "Asia/Kathmandu", "1985-12-31T12:00+05:30", ["1986-01-01T00:15+05:45"]),
        # Santiago has no midnight that Sunday; the rest of it is there.
        ("*/6 1 * * 0", SANTIAGO, "2024-09-07T00:00-04:00", ["2024-09-08T01:00-03:00"]),
        ("*/6 0 * * 0", SANTIAGO, "2024-09-07T00:00-04:00", ["2024-09-15T00:00-03:00"]),
        ("6 0 * * 0", SANTIAGO, "2024-09-07T00:00-04:00", ["2024-09-08T01:00-03:00"]),
        # Within New York's second pass, the first one is over.
        ("30 1 * * *", NEW_YORK, "2026-11-01T01:10-05:00", ["2026-11-02T01:30-05:00"]),
        ("30 1 * * *", NEW_YORK, "2026-11-01T00:00-04:00", ["2026-11-01T01:30-04:00"]),
        ("30 1 * * *", NEW_YORK, "2026-11-01T01:30-04:00", ["2026-11-02T01:30-05:00"]),
        (
            "*/30 1 * * *",
            NEW_YORK,
            "2026-11-01T01:10-04:00",
            ["2026-11-01T01:30-04:00", "2026-11-01T01:00-05:00", "2026-11-01T01:30-05:00"],
        ),
        (
            "30 2 * * *",
            NEW_YORK,
            "2026-03-08T00:00-05:00",
            ["2026-03-08T03:00-04:00", "2026-03-09T02:30-04:00"],
        ),
        ("*/30 2 * * *", NEW_YORK, "2026-03-08T00:00-05:00", ["2026-03-09T02:00-04:00"]),
        ("30 */2 * * *", NEW_YORK, "2026-03-08T01:00-05:00", ["2026-03-08T04:30-04:00"]),
        # Several times that were left out, and a regular one, are one run.
        (
            "0,20 2,3 * * *",
            "Europe/Berlin",
            "2026-03-29T00:00+01:00",
            ["2026-03-29T03:00+02:00", "2026-03-29T03:20+02:00", "2026-03-30T02:00+02:00"],
        ),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:00+02:00", ["2026-10-25T02:30+02:00"]),
        # Cairo: the day without midnight is not lost.
        ("0 0 * * *", "Africa/Cairo", "2026-04-23T12:00+02:00", ["2026-04-24T01:00+03:00"]),
        ("30 0 * * 5", "Africa/Cairo", "2026-04-23T12:00+02:00", ["2026-04-24T01:00+03:00"]),
        # A whole day left out is a correction: nothing is made up.
        ("0 12 30 * *", "Pacific/Apia", "2011-12-29T13:00-10:00", ["2012-01-30T12:00+14:00"]),
        ("0 12 * * *", "Pacific/Apia", "2011-12-29T13:00-10:00", ["2011-12-31T12:00+14:00"]),
        ("0 0 1 1 *", "Pacific/Kiritimati", "1994-12-30T00:00-10:40", ["1995-01-01T00:00+14:00"]),
        ("0 0 * * *", "Pacific/Kiritimati", "2026-01-01T00:00+14:00", ["2026-01-02T00:00+14:00"]),
        ("20 19 17 10 *", "Antarctica/Casey", "2009-10-17T00:00+08:00", ["2009-10-17T19:20+08:00"]),
        ("20 3 18 10 *", "Antarctica/Casey", "2009-10-17T00:00+08:00", ["2010-10-18T03:20+08:00"]),
        # A gap of 2 hours is made up.
        ("30 1 * * *", "Antarctica/Troll", "2026-03-29T00:00Z", ["2026-03-29T03:00+02:00"]),
    ],
)
def test_a_change_of_the_clocks_fires_what_debian_would(
    expr: str, tz: str, after: str, expected: list[str]
) -> None:
    found = next_fires(expr, tz, datetime.fromisoformat(after), len(expected))

    assert [fire.isoformat(timespec="minutes") for fire in found] == expected


@pytest.mark.parametrize(
    ("expr", "after", "expected"),
    [
        ("0 0 29 2 *", "2096-01-01", ["2096-02-29", "2104-02-29"]),
        ("0 0 31 * *", "2026-01-31", ["2026-03-31", "2026-05-31"]),
        ("0 0 L * *", "2028-01-31", ["2028-02-29", "2028-03-31"]),
        ("0 0 LW * *", "2026-01-01", ["2026-01-30", "2026-02-27", "2026-03-31"]),
        ("0 0 15,l 2 *", "2026-01-01", ["2026-02-15", "2026-02-28"]),
        ("0 0 * * 5L", "2026-01-01", ["2026-01-30", "2026-02-27"]),
        ("0 0 * * FRI#5", "2026-02-01", ["2026-05-29", "2026-07-31"]),
        ("0 0 * * 7#1", "2026-02-01", ["2026-03-01", "2026-04-05"]),
        ("0 0 * 2 1#5", "2026-01-01", ["2044-02-29", "2072-02-29", "2112-02-29"]),
        # Rule 4: either field, unless one begins with a star.
        ("0 0 13 * 5", "2026-02-05", ["2026-02-06", "2026-02-13", "2026-02-20"]),
        ("0 0 14 * 5", "2026-02-06", ["2026-02-13", "2026-02-14", "2026-02-20"]),
        ("0 0 */2 * 1", "2026-06-01", ["2026-06-15", "2026-06-29", "2026-07-13"]),
        ("0 0 13 * */5", "2026-02-01", ["2026-02-13", "2026-03-13", "2026-09-13"]),
        ("0 0 1-31/2 * 1", "2026-05-30", ["2026-05-31", "2026-06-01", "2026-06-03"]),
        # A step begins anew in each field.
        ("0 0 */10 * *", "2026-01-21", ["2026-01-31", "2026-02-01", "2026-02-11"]),
        ("0 0 20/5 * *", "2026-01-21", ["2026-01-25", "2026-01-30", "2026-02-20"]),
        ("0 0 * * 5-7", "2026-01-01", ["2026-01-02", "2026-01-03", "2026-01-04", "2026-01-09"]),
        ("0 0 1 jan,JUL *", "2026-01-01", ["2026-07-01", "2027-01-01"]),
    ],
)
def test_days_are_those_of_the_calendar(expr: str, after: str, expected: list[str]) -> None:
    found = next_fires(expr, "UTC", utc(after), len(expected))

    assert [fire.date().isoformat() for fire in found] == expected


@pytest.mark.parametrize(
    ("expr", "canonical"),
    [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        (" @Hourly ", "0 * * * *"),
        ("  0\t9  *  * mon-Fri ", "0 9 * * 1-5"),
        ("00 09 01,02 jan-DEC/03 *", "0 9 1,2 1-12/3 *"),
        ("*/05 5/010 lw * *", "*/5 5/10 LW * *"),
        ("0 0 * * sunL,TUE#02", "0 0 * * 0L,2#2"),
        # Not the same through a change of the clocks, so not the same schedule.
        ("0-59 * * * *", "0-59 * * * *"),
        ("*/1 * * * *", "*/1 * * * *"),
        ("0 0 * * 7", "0 0 * * 7"),
    ],
)
def test_what_is_hashed_is_one_spelling(expr: str, canonical: str) -> None:
    cron = parse(expr)

    assert cron.canonical == canonical
    assert cron == parse(canonical)


@pytest.mark.parametrize(
    ("expr", "position", "problem", "hint"),
    [
        ("", 0, "it is empty", "add minute, hour,"),
        ("   ", 3, "it is empty", "0 9 * * 1-5"),
        ("* * * *", 7, "4 of 5 fields", "add day of week"),
        ("* * * * * *", 10, "6 fields", "interval"),
        ("0 0 0 * * * *", 10, "7 fields", "interval"),
        ("@reboot", 0, "@reboot is not a time", "interval"),
        ("@dayly", 0, "@dayly is not a time", "@daily"),
        ("@", 0, "@ is not a time", "@midnight"),
        ("@daily *", 7, "@daily takes no fields", "leave"),
        ("60 * * * *", 0, "minute 60 does not exist", "0 to 59"),
        ("0 24 * * *", 2, "hour 24 does not exist", "0 to 23"),
        ("0 0 0 * *", 4, "day of month 0 does not exist", "1 to 31"),
        ("0 0 1,32 * *", 6, "day of month 32 does not exist", "1 to 31"),
        ("0 0 * 13 *", 6, "month 13 does not exist", "1 to 12"),
        ("0 0 * * 8", 8, "day of week 8 does not exist", "0 to 7"),
        ("99999999999999999999 * * * *", 0, "does not exist", "0 to 59"),
        ("*/0 * * * *", 0, "step 0", "1 or more"),
        ("0,*/00 * * * *", 2, "step 0", "1 or more"),
        ("5-1 * * * *", 0, "5-1 runs backwards", "write 1-5, or 5-59,0-1"),
        ("0 22-3 * * *", 2, "22-3 runs backwards", "22-23,0-3"),
        ("0 0 * * FRI-MON", 8, "FRI-MON runs backwards", "write 5-6,0-1"),
        ("0 0 * * FRI-SUN", 8, "FRI-SUN runs backwards", "write 5-7"),
        ("0 0 * * 7-1", 8, "7-1 runs backwards", "write 0-1"),
        ("0 0 * * 1/2", 8, "1/2 is ambiguous", "write 1-6/2"),
        ("0 0 * * SUN/2", 8, "SUN/2 is ambiguous", "write 0-6/2"),
        ("0 0 * * 1#6", 8, "1#6 is never in a month", "1#1 to 1#5"),
        ("0 0 * * 1#0", 8, "1#0 is never in a month", "1#1 to 1#5"),
        ("0 0 * * L", 8, "cannot be L", "5L"),
        ("0 0 5L * *", 4, "cannot be 5L", "days of week"),
        ("0 0 15W * *", 4, "cannot be 15W", "LW"),
        ("0 0 L-3 * *", 4, "cannot be L-3", "LW"),
        ("1#2 * * * *", 0, "cannot be 1#2", "days of week"),
        ("JAN * * * *", 0, "'JAN' is not known", "only months and weekdays"),
        ("0 0 * MON *", 6, "'MON' is not known", "JAN, FEB"),
        ("0 0 * * MONDAY", 8, "'MONDAY' is not known", "SUN, MON"),
        ("1,,2 * * * *", 2, "empty place", "comma"),
        (", * * * *", 0, "empty place", "comma"),
        ("-5 * * * *", 0, "cannot be -5", "n-m"),
        ("5- * * * *", 0, "cannot be 5-", "n-m"),
        ("1-2-3 * * * *", 0, "cannot be 1-2-3", "n-m"),
        ("*-5 * * * *", 0, "cannot be *-5", "n-m"),
        ("** * * * *", 0, "cannot be **", "n-m"),
        ("5/ * * * *", 0, "cannot be 5/", "n-m/step"),
        ("/5 * * * *", 0, "cannot be /5", "*/step"),
        ("*/-5 * * * *", 0, "cannot be */-5", "*/step"),
        ("*/5/2 * * * *", 0, "cannot be */5/2", "*/step"),
        ("0 0 ? * 1", 4, "'?'", "write * instead"),
        ("٣ * * * *", 0, "U+0663", "0-9"),
        ("0 ² * * *", 2, "U+00B2", "0-9"),
        ("0 0\xa0* * *", 3, "U+00A0", "0-9"),
        ("0 9 * * *\n", 9, "U+000A", "0-9"),
        ("0 9 * * \0", 8, "U+0000", "0-9"),
        ("1.5 * * * *", 1, "'.'", "0-9"),
        ("x" * 10_000, 1000, "10000 characters", "at most 1000"),
        ("*/5" + "," * 9_997, 1000, "10000 characters", "at most 1000"),
        ("0 0 30 2 *", 4, "never fires", "choose a day"),
        ("0 0 31 2,4 *", 4, "never fires", "choose a day"),
        ("0 0 30-31 FEB *", 4, "never fires", "choose a day"),
        ("0 0 */31 * 1#2", 4, "never fires", "choose a day"),
    ],
)
def test_a_wrong_expression_is_refused_with_its_position_and_a_hint(
    expr: str, position: int, problem: str, hint: str
) -> None:
    with pytest.raises(CronError) as caught:
        parse(expr)

    message = str(caught.value)
    assert caught.value.position == position
    assert f"character {position + 1}: " in message
    assert problem in message
    assert hint in caught.value.hint
    assert message.endswith(caught.value.hint)
    assert caught.value.expr == expr
    assert caught.value.exit_code == 2
    assert "\n" not in message
    assert len(message) < 250


def test_times_that_the_clocks_of_a_zone_always_leave_out_never_fire_there() -> None:
    expr, after = "*/5 2 * 3 0#2", utc("2026-01-01")

    assert next_fires(expr, "UTC", after, 1) == [utc("2026-03-08T02:00")]
    assert prev_or_equal(expr, NEW_YORK, after) == datetime(
        2006, 3, 12, 2, 55, tzinfo=ZoneInfo(NEW_YORK)
    )
    with pytest.raises(CronError, match=r"never fires in America/New_York after 2026-01-01"):
        next_fires(expr, NEW_YORK, after, 1)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Europe/Berln", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("America", "America/"),
        ("", "Europe/Berlin"),
        ("../../etc/passwd", "Europe/Berlin"),
        ("\0", "Europe/Berlin"),
        ("\ud800", "Europe/Berlin"),
        ("x" * 5000, "Europe/Berlin"),
    ],
)
def test_an_unknown_time_zone_names_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(InvalidError, match="not known") as caught:
        find_zone(name)

    assert hint in str(caught.value)
    assert len(str(caught.value)) < 250


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        next_fires("* * * * *", "UTC", datetime(2026, 1, 1), 1)  # noqa: DTZ001


def test_the_ends_of_the_calendar_are_no_error_of_arithmetic() -> None:
    first, late, last = utc("0001-01-01"), utc("9999-12-28"), utc("9999-12-31T23:59")

    assert prev_or_equal("0 0 29 2 *", "Pacific/Kiritimati", first) is None
    assert count("* * * * *", "America/Adak", last, last, 5) == 0
    assert prev_or_equal("@hourly", NEW_YORK, late) == late
    with pytest.raises(CronError, match=r"never fires in UTC after 9999-12-31"):
        next_fires("@hourly", "UTC", last, 1)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2026-01-01T08:59:59.999999", "2026-01-01T09:00"),
        ("2026-01-01T09:00:00", "2026-01-02T09:00"),
        ("2026-01-01T09:00:00.000001", "2026-01-02T09:00"),
    ],
)
def test_next_is_strictly_after(after: str, expected: str) -> None:
    found = next_fires("0 9 * * *", "UTC", utc(after), 1)

    assert found == [utc(expected)]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-01-01T08:59:59.999999", "2025-12-31T09:00"),
        ("2026-01-01T09:00:00", "2026-01-01T09:00"),
        ("2026-01-01T09:00:00.000001", "2026-01-01T09:00"),
    ],
)
def test_previous_may_be_now(now: str, expected: str) -> None:
    found = prev_or_equal("0 9 * * *", "UTC", utc(now))

    assert found == utc(expected)


def test_a_minutely_schedule_that_slept_a_month_has_one_newest_and_a_number_of_missed() -> None:
    asleep, awake = utc("2026-03-20T00:00"), utc("2026-04-19T00:00:30")

    newest = prev_or_equal("* * * * *", "Europe/Berlin", awake)

    assert newest == utc("2026-04-19T00:00")
    assert count("* * * * *", "Europe/Berlin", asleep, awake, 10**9) == 30 * 1440
    assert count("* * * * *", "Europe/Berlin", asleep, awake, 1000) == 1000
    assert count("* * * * *", "Europe/Berlin", awake, asleep, 1000) == 0
    assert next_fires("* * * * *", "Europe/Berlin", asleep, 0) == []


def test_every_reason_says_which_fields_match() -> None:
    reasons = explain("0 9 13 * 5", "Europe/Berlin", utc("2026-03-06T12:00"), 2)
    weekday = explain("0 9 * 6 1-5", "UTC", utc("2026-06-01"), 1)

    assert [(reason.at.isoformat(), reason.fires) for reason in reasons] == [
        ("2026-03-13T09:00:00+01:00", True),
        ("2026-03-20T09:00:00+01:00", True),
    ]
    assert "Friday 2026-03-13 matches day of month 13 and day of week 5" in reasons[0].why
    assert "09:00 matches minute 0 and hour 9" in reasons[0].why
    assert reasons[1].why.endswith("day of week 5 (one of the two day fields is enough)")
    assert weekday[0].why.endswith("Monday 2026-06-01 matches month 6 and day of week 1-5")


@pytest.mark.parametrize(
    ("expr", "tz", "after", "expected"),
    [
        (
            "30 2 * * *",
            NEW_YORK,
            "2026-03-07T12:00",
            [("2026-03-08T03:00-04:00", True, "made up at the first minute after the gap")],
        ),
        (
            "0,30 2,3 * * *",
            NEW_YORK,
            "2026-03-07T12:00",
            [("2026-03-08T03:00-04:00", True, "(2 times); one run with the regular 03:00")],
        ),
        (
            "*/30 2 * * *",
            NEW_YORK,
            "2026-03-07T12:00",
            [
                ("2026-03-08T03:00-04:00", False, "left out 2026-03-08 02:00 to 02:30 (2 times)"),
                ("2026-03-09T02:00-04:00", True, "02:00 matches minute */30 and hour 2"),
            ],
        ),
        (
            "30 1 * * *",
            NEW_YORK,
            "2026-11-01T00:00",
            [
                ("2026-11-01T01:30-04:00", True, "first pass, the second one is left out"),
                ("2026-11-01T01:30-05:00", False, "second pass of 2026-11-01 01:30"),
                ("2026-11-02T01:30-05:00", True, "01:30 matches"),
            ],
        ),
        (
            "*/60 1 * * *",
            NEW_YORK,
            "2026-11-01T00:00",
            [
                ("2026-11-01T01:00-04:00", True, "first pass, both count"),
                ("2026-11-01T01:00-05:00", True, "second pass, both count"),
            ],
        ),
        (
            "0 12 * * 5",
            "Pacific/Apia",
            "2011-12-29T12:00",
            [
                ("2011-12-31T00:00+14:00", False, "a jump of 24 h corrects the clock"),
                ("2012-01-06T12:00+14:00", True, "Friday 2012-01-06"),
            ],
        ),
    ],
)
def test_what_the_clocks_change_is_explained(
    expr: str, tz: str, after: str, expected: list[tuple[str, bool, str]]
) -> None:
    n = sum(fires for _, fires, _ in expected)

    reasons = explain(expr, tz, utc(after), n)

    assert [(r.at.isoformat(timespec="minutes"), r.fires) for r in reasons] == [
        (at, fires) for at, fires, _ in expected
    ]
    for reason, (_, _, why) in zip(reasons, expected, strict=True):
        assert why in reason.why


@pytest.mark.parametrize(("zone", "day"), CHANGES)
def test_around_a_change_every_answer_is_that_of_the_oracle(zone: str, day: str) -> None:
    chance = random.Random(f"{zone} {day}")
    minutes = _two_days(zone, day)

    for _ in range(90):
        _compare(_expression(chance), zone, minutes, chance.randrange(3 * 86_400))


@given(
    st.sampled_from(CHANGES),
    st.integers(0, 3 * 86_400 - 1),
    st.integers(),
)
@settings(max_examples=150, deadline=None)
def test_no_expression_and_start_differ_from_the_oracle(
    change: tuple[str, str], second: int, seed: int
) -> None:
    zone, day = change

    _compare(_expression(random.Random(seed)), zone, _two_days(zone, day), second)


zones = st.sampled_from(sorted({zone for zone, _ in CHANGES}))
moments = st.datetimes(
    datetime(1970, 1, 1),  # noqa: DTZ001 - bounds of Hypothesis have no zone
    datetime(2060, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
expressions = st.integers(0, 10**6).map(lambda seed: _expression(random.Random(seed)))


@given(expressions, zones, moments)
@settings(max_examples=200, deadline=None)
def test_next_previous_count_and_explain_agree(expr: str, zone: str, after: datetime) -> None:
    found = next_fires(expr, zone, after, 5)
    instants = [fire.astimezone(UTC) for fire in found]
    last = instants[-1]

    assert instants == sorted(set(instants))
    assert instants[0] > after
    assert [prev_or_equal(expr, zone, instant) for instant in instants] == found
    before = prev_or_equal(expr, zone, instants[0] - timedelta(microseconds=1))
    assert before is not None
    assert before.astimezone(UTC) <= after
    assert count(expr, zone, after, last, 100) == 5
    assert count(expr, zone, after, last - timedelta(seconds=1), 100) == 4
    assert count(expr, zone, after, last, 3) == 3
    assert [reason.at for reason in explain(expr, zone, after, 5) if reason.fires] == found
    assert next_fires(parse(expr).canonical, ZoneInfo(zone), after, 5) == found


@given(st.text("0123456789*,-/#@LWMONJAN ٣", max_size=20))
@settings(max_examples=300, deadline=None)
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    try:
        canonical = parse(text).canonical
    except CronError as error:
        assert 0 <= error.position <= len(text)  # noqa: PT017 - most texts are refused
    else:
        assert parse(canonical).canonical == canonical


YEARS = [
    (NEW_YORK, "2026-01-01", "2026-02-25"),
    ("Europe/Berlin", "2026-01-01", "2026-10-15"),
    (LORD_HOWE, "2026-01-01", "2026-03-25"),
    (SANTIAGO, "2026-01-01", "2026-08-28"),
    ("Africa/Cairo", "2026-01-01", "2026-04-15"),
    ("Asia/Kathmandu", "1985-07-01", "1985-12-20"),
]
DAILY = ["30 2 * * *", "15 0 * * *", "45 1,23 * * *", "0 9 * * 1-5", "0 0 LW * *"]
HOURLY = ["@hourly", "*/15 0-3 * * *", "*/7 * * * *"]


@pytest.mark.parametrize(("zone", "_year", "start"), YEARS)
def test_a_simulated_month_fires_exactly_what_the_oracle_says(
    zone: str, _year: str, start: str
) -> None:
    minutes = walk(zone, utc(start), timedelta(days=25))

    for expr in ("30 2 * * *", "15 0 * * *", "0 9 13 * 5", "*/20 0-3 * * *"):
        assert _simulate(expr, zone, minutes) == fires(expr, minutes)


@pytest.mark.long
@pytest.mark.parametrize(("zone", "start", "_month"), YEARS)
def test_a_simulated_year_fires_exactly_what_the_oracle_says(
    zone: str, start: str, _month: str
) -> None:
    chance = random.Random(zone)
    minutes = walk(zone, utc(start), timedelta(days=365))

    for expr in [*DAILY, *HOURLY, *(_expression(chance) for _ in range(20))]:
        plain = parse(expr).canonical

        assert _simulate(expr, zone, minutes) == fires(plain, minutes)


def _simulate(expr: str, zone: str, minutes: list[Minute]) -> list[datetime]:
    """What a scheduler fires whose clock passes through *minutes*, asking one instant at a time."""
    clock, end = minutes[0].at - timedelta(minutes=1), minutes[-1].at
    fired: list[datetime] = []
    while (clock := next_fires(expr, zone, clock, 1)[0].astimezone(UTC)) <= end:
        fired.append(clock)
    return fired


def _compare(expr: str, zone: str, minutes: list[Minute], second: int) -> None:
    """All questions about *expr*, asked *second* seconds into the walk."""
    after, end = minutes[0].at + timedelta(seconds=second), minutes[-1].at
    expected = fires(expr, minutes)
    later = [at for at in expected if at > after]
    earlier = [at for at in expected if at <= after]

    found = [fire.astimezone(UTC) for fire in next_fires(expr, zone, after, len(later) + 1)]
    previous = prev_or_equal(expr, zone, after)

    assert found[:-1] == later, expr
    assert found[-1] > end, expr
    assert count(expr, zone, after, end, 10_000) == len(later), expr
    assert previous is not None, expr
    if earlier:
        assert previous.astimezone(UTC) == earlier[-1], expr
    else:
        assert previous.astimezone(UTC) < minutes[0].at, expr


@cache
def _two_days(zone: str, day: str) -> list[Minute]:
    return walk(zone, utc(day) - timedelta(days=1), timedelta(days=3))


def _expression(chance: random.Random) -> str:
    """One that can fire, mostly at night, when clocks are set."""
    first, last = sorted(chance.sample(range(60), 2))
    minute = chance.choice(
        ["*", "0", "30", str(first), f"{first},{last}", f"{first}-{last}/7", "*/6", "*/45", "5/20"]
    )
    early, late = sorted(chance.sample([0, 1, 2, 3, 4, 18, 22, 23], 2))
    hour = chance.choice(["*", "*/2", "0", "2", str(early), f"{early}-{late}", f"{early},{late}"])
    day = chance.choice(["*", "*", "*", "1", "29", "30,31", "*/2", "L", "LW", "1-28/3"])
    month = chance.choice(["*", "*", "*", "3,10", "1-12/2", "4,9-12"])
    week = chance.choice(["*", "*", "*", "0", "7", "5-7", "*/2", "5L", "0#1", "1,4", "6L,5#5"])
    return f"{minute} {hour} {day} {month} {week}"
