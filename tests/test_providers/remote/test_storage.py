"""The cache: what goes in comes out while it is fresh, and only then."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsm.clock import to_text
from lsm.errors import InvalidError
from lsm.remote.storage import RemoteCache, cache_key

if TYPE_CHECKING:
    from lsm.db import Database
    from tests.test_providers.remote.conftest import Time

HOUR = timedelta(hours=1)
texts = st.text(st.characters(codec="utf-8"), max_size=20)
values = st.recursive(
    st.booleans()
    | st.integers(-(2**53), 2**53)
    | texts
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(texts, values, values)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30
)
def test_what_is_put_is_got(
    db: Database, clock: Time, provider: str, question: Any, response: Any
) -> None:
    cache = RemoteCache(db, clock)

    cache.put(provider.replace("\0", ""), question, response, HOUR)

    assert cache.get(provider.replace("\0", ""), question) == response


def test_an_answer_ends_with_its_time_to_live(db: Database, clock: Time) -> None:
    cache = RemoteCache(db, clock)
    cache.put("p", "q", [1], HOUR)

    clock.pass_by(minutes=59, seconds=59, microseconds=999_999)
    last = cache.get("p", "q")
    clock.pass_by(microseconds=1)

    assert (last, cache.get("p", "q")) == ([1], None)
    held = cache.look("p", "q")
    assert held is not None
    assert (held.response, held.fresh) == ([1], False)


def test_without_a_time_to_live_an_answer_stays_fresh(db: Database, clock: Time) -> None:
    cache = RemoteCache(db, clock)
    cache.put("p", "q", [1], None)

    clock.pass_by(days=30_000)

    assert cache.get("p", "q") == [1]


def test_an_answer_from_the_future_is_not_fresh(db: Database, clock: Time) -> None:
    cache = RemoteCache(db, clock)
    cache.put("p", "q", [1], HOUR)
    cache.put("p", "for ever", [1], None)

    clock.pass_by(seconds=-1)

    assert (cache.get("p", "q"), cache.get("p", "for ever")) == (None, None)
    assert cache.purge() == 2


@pytest.mark.parametrize("text", ["{", "", "nonsense", "[" * 100_000, '{"a": NaN}'])
def test_a_row_that_is_not_json_is_no_answer(db: Database, clock: Time, text: str) -> None:
    cache = RemoteCache(db, clock)
    insert(db, cache_key("p", "q"), text, to_text(clock()), None)

    assert (cache.get("p", "q"), cache.look("p", "q")) == (None, None)
    assert cache.stats().entries == 1


@pytest.mark.parametrize("year", ["1970", "9999"])
def test_a_row_with_an_odd_end_is_judged_by_it(db: Database, clock: Time, year: str) -> None:
    cache = RemoteCache(db, clock)
    insert(db, cache_key("p", "q"), "[1]", to_text(clock()), f"{year}-12-31T00:00:00.000000Z")

    assert cache.get("p", "q") == ([1] if year == "9999" else None)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("x", "y:z"), ("x:y", "z")),
        (("x", {"a": 1}), ("x", '{"a":1}')),
        (("x", {"query": "a", "k": 10}), ("x", {"query": "a", "k": 1})),
        (("x", "a"), ("x", "a ")),
        (("x", "a"), ("X", "a")),
        (("x", ["a"]), ("x", "a")),
    ],
)
def test_near_questions_do_not_share_an_answer(
    db: Database, one: tuple[str, Any], other: tuple[str, Any]
) -> None:
    cache = RemoteCache(db)

    cache.put(*one, "first", None)
    cache.put(*other, "second", None)

    assert (cache.get(*one), cache.get(*other)) == ("first", "second")


def test_a_question_is_the_same_in_any_order() -> None:
    assert cache_key("p", {"a": 1, "b": 2}) == cache_key("p", {"b": 2, "a": 1})


def test_the_least_recently_used_make_room(db: Database, clock: Time) -> None:
    cache = RemoteCache(db, clock, limit_bytes=50_000)
    for name in "abcd":
        cache.put("p", name, name * 10_000, None)
        clock.pass_by(hours=2)
    cache.get("p", "a")
    clock.pass_by(hours=2)

    cache.put("p", "e", "e" * 10_000, None)

    assert [name for name in "abcde" if cache.get("p", name)] == ["a", "c", "d", "e"]
    assert cache.stats().bytes <= 50_000


def test_after_the_clock_was_set_back_the_newest_answer_still_finds_room(
    db: Database, clock: Time
) -> None:
    cache = RemoteCache(db, clock, limit_bytes=50_000)
    for name in "abcd":
        cache.put("p", name, name * 10_000, None)
    clock.pass_by(days=-9)

    for name in "ef":
        cache.put("p", name, name * 10_000, None)

    assert cache.get("p", "f")


def test_an_answer_too_large_for_the_cache_pushes_nothing_out(db: Database) -> None:
    cache = RemoteCache(db, limit_bytes=50_000)
    cache.put("p", "a", "a" * 10_000, None)

    with pytest.raises(InvalidError, match="do not fit"):
        cache.put("p", "b", "b" * 50_000, None)

    assert cache.get("p", "a")


def test_purge_takes_what_it_is_told(db: Database, clock: Time) -> None:
    cache = RemoteCache(db, clock)
    for provider in "ab":
        cache.put(provider, "stale", 1, HOUR)
        cache.put(provider, "fresh", 1, 24 * HOUR)
    clock.pass_by(hours=1)

    stale = cache.purge()
    of_a = cache.purge(provider="a")
    rest = cache.purge(everything=True)

    assert (stale, of_a, rest) == (2, 1, 1)


def test_statistics_tell_fresh_from_stale(db: Database, clock: Time) -> None:
    cache = RemoteCache(db, clock)
    cache.put("b", 1, "x", HOUR)
    cache.put("a", 1, "x", 24 * HOUR)
    cache.put("a", 2, "x", None)
    clock.pass_by(hours=2)

    stats = cache.stats()

    assert (stats.entries, stats.fresh, stats.stale) == (3, 2, 1)
    assert [(p.provider, p.entries, p.fresh) for p in stats.providers] == [("a", 2, 2), ("b", 1, 0)]
    assert {(entry.provider, entry.question_json, entry.stale) for entry in cache.entries()} == {
        ("a", "1", False),
        ("a", "2", False),
        ("b", "1", True),
    }


def test_a_put_joins_the_transaction_it_is_in(db: Database) -> None:
    cache = RemoteCache(db)

    with suppress(ZeroDivisionError), db.transaction():
        cache.put("p", "q", 1, None)
        raise ZeroDivisionError

    assert cache.get("p", "q") is None


def test_renewing_makes_fresh_only_what_is_there(db: Database, clock: Time) -> None:
    cache = RemoteCache(db, clock)
    cache.put("p", "q", [1], HOUR)
    clock.pass_by(hours=2)

    assert (cache.renew("p", "q", HOUR), cache.renew("p", "other", HOUR)) == (True, False)
    assert cache.get("p", "q") == [1]


def insert(db: Database, key: str, text: str, created_at: str, expires_at: str | None) -> None:
    """A row as another program would write it: only the columns that were always there."""
    db.run(
        "INSERT INTO lsm_remote_cache (cache_key, provider, response_json, created_at, expires_at)"
        " VALUES (:key, 'p', :text, :created_at, :expires_at)",
        key=key,
        text=text,
        created_at=created_at,
        expires_at=expires_at,
    )
