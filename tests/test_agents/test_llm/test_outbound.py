"""What a run may send to a remote source, before and after it has read something."""

from __future__ import annotations

from typing import Any

import pytest

from lsm.agents.llm.outbound import Outbound, typed_text
from lsm.agents.llm.reach import Page
from lsm.agents.llm.references import References
from lsm.config.models.agents import LimitsConfig
from lsm.errors import RefusedError

TYPED = typed_text(
    "See https://example.org/start and look.", {"question": "How do Kilns cool?", "days": 7}
)


@pytest.mark.parametrize("query", ["pottery ovens", "kilns", "thermal shock in glazes"])
def test_before_it_has_read_anything_it_asks_in_its_own_words(query: str) -> None:
    outbound("guarded").check_words(query)


@pytest.mark.parametrize(("private", "foreign"), [(True, False), (False, True)])
def test_one_of_the_two_alone_does_not_bind_it(*, private: bool, foreign: bool) -> None:
    judge = outbound("guarded", private=private, foreign=foreign)

    judge.check_words("pottery ovens")


@pytest.mark.parametrize("query", ["kilns", "How do kilns cool", "the KILNS of 7 days", "kilns?!"])
def test_after_both_it_may_use_what_was_typed(query: str) -> None:
    outbound("guarded", private=True, foreign=True).check_words(query)


@pytest.mark.parametrize("query", ["kilns tangerine", "k i l n s", "kiln", "kilns-4471"])
def test_after_both_it_may_use_no_other_word(query: str) -> None:
    judge = outbound("guarded", private=True, foreign=True)

    with pytest.raises(RefusedError, match="not among them"):
        judge.check_words(query)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("kilns " * 40, "at most 200"),
        ("password: hunter2", "held a secret"),
        ("sk-abcdefghijklmnop1234", "held a secret"),
        ("QWxhZGRpbjpvcGVuIHNlc2FtZSBhbmQgdGhlIGZvcnR5IHRoaWV2ZXM=", "held a secret"),
    ],
)
def test_what_looks_like_a_secret_is_never_sent(query: str, said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        outbound("guarded").check_words(query)


def test_what_a_person_typed_is_no_secret_whatever_it_looks_like() -> None:
    judge = Outbound("token: kilns", LimitsConfig(), References())

    judge.check_words("token: kilns")


def test_own_words_binds_it_from_the_start() -> None:
    with pytest.raises(RefusedError, match="pottery"):
        outbound("own_words").check_words("pottery")


@pytest.mark.parametrize(
    ("mode", "url", "is_opened"),
    [
        ("guarded", "https://example.org/start", True),
        ("guarded", "https://found.example/page", True),
        ("guarded", "https://found.example/page?q=word", False),
        ("guarded", "https://example.org/", False),
        ("own_words", "https://example.org/start", True),
        ("own_words", "https://found.example/page", False),
        ("free", "https://anything.example/?q=word", True),
    ],
)
def test_only_addresses_that_somebody_has_named_are_opened(
    mode: Any, url: str, *, is_opened: bool
) -> None:
    judge = outbound(mode)

    if is_opened:
        judge.check_address(url)
        return
    with pytest.raises(RefusedError, match="not opened"):
        judge.check_address(url)


def test_the_judge_of_free_words_lets_everything_pass() -> None:
    outbound("free", private=True, foreign=True).check_words("password: hunter2")


def outbound(mode: Any, *, private: bool = False, foreign: bool = False) -> Outbound:
    shown = References()
    shown.page(Page("searx", "A page", "https://found.example/page", None, "text"))
    judge = Outbound(TYPED, LimitsConfig(remote_queries=mode), shown)
    judge.read_private, judge.read_foreign = private, foreign
    return judge
