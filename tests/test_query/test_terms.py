"""From what is typed to what the index is asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.query.terms import MAX_QUERY, MAX_WORDS, STOP_WORDS, cleaned, parsed

anything = st.text(st.characters(), max_size=300)


@pytest.mark.parametrize(
    ("query", "words", "phrases"),
    [
        ("How do we rotate keys?", ("rotate", "keys"), ()),
        ("keys KEYS Keys", ("keys",), ()),
        ("to be or not to be", ("to", "be", "or", "not"), ()),  # nothing else is said
        ('say "rotate the keys"', ("say", "rotate", "keys"), (("rotate", "the", "keys"),)),
        ("\u201crotate keys\u201d", ("rotate", "keys"), (("rotate", "keys"),)),
        ('"keys"', ("keys",), ()),  # one word is a word, not a phrase
        ('"unclosed phrase', ("unclosed", "phrase"), ()),
        ("TML-25-1187", ("tml 25 1187", "tml", "25", "1187"), ()),
        ("release 2.8.1", ("2 8 1", "release", "2", "8", "1"), ()),
        ("me@example.org", ("me example org", "example", "org"), ()),
        ("boundary-layer and/or", ("boundary", "layer"), ()),
        ("NEAR(a b) AND *", ("near", "b"), ()),
        ("", (), ()),
        ("?! --", (), ()),
    ],
)  # fmt: skip
def test_words_and_phrases(
    query: str, words: tuple[str, ...], phrases: tuple[tuple[str, ...], ...]
) -> None:
    asked = parsed(query)

    assert set(asked.words) == set(words)
    assert asked.phrases == phrases


@given(anything)
def test_what_the_index_is_asked_is_words_only(query: str) -> None:
    asked = parsed(cleaned(query))

    assert len(asked.words) <= MAX_WORDS
    for word in (*asked.words, *(word for phrase in asked.phrases for word in phrase)):
        assert all(part and part.replace("_", "a").isalnum() for part in word.split(" "))
    assert len(set(asked.words)) == len(asked.words)


@given(anything)
def test_stop_words_are_asked_only_where_nothing_else_is(query: str) -> None:
    words = [word for word in parsed(query).words if " " not in word]

    assert not set(words) & STOP_WORDS or set(words) <= STOP_WORDS


@given(anything)
def test_a_clean_query_is_one_line_every_database_takes(query: str) -> None:
    text = cleaned(query)

    assert "\0" not in text
    assert text.encode().decode() == text  # no half of a surrogate pair
    assert text == " ".join(text.split())
    assert cleaned(text) == text


def test_a_long_query_is_cut() -> None:
    assert len(cleaned("a" * 70_000)) == MAX_QUERY
