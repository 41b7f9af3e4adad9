"""Joining two rankings, and folding what says the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lsm.query.alike import Alike
from lsm.query.fusion import weighted
from lsm.vectordb.base import Scored

scores = st.floats(-1000, 1000, allow_nan=False)
legs = st.dictionaries(st.integers(1, 50), scores, max_size=30).map(
    lambda by_id: sorted(
        (Scored(chunk_id, score) for chunk_id, score in by_id.items()),
        key=lambda scored: (-scored.score, scored.chunk_id),
    )
)
sentences = st.lists(
    st.lists(st.sampled_from(["kiln", "pot", "door", "shoe", "hand"]), max_size=12).map(" ".join),
    max_size=12,
)


def test_best_and_worst_of_each_leg_become_1_and_0() -> None:
    text = [Scored(1, 20.0), Scored(2, 15.0), Scored(3, 10.0)]
    vector = [Scored(3, 0.9), Scored(4, 0.1)]

    fused = weighted([(0.25, text), (0.75, vector)])

    assert fused == {1: 0.25, 2: 0.125, 3: 0.75, 4: 0.0}


@given(legs, legs, st.floats(0, 1))
def test_every_chunk_of_a_leg_is_there_between_0_and_1(
    text: list[Scored], vector: list[Scored], share: float
) -> None:
    fused = weighted([(share, text), (1 - share, vector)])

    assert fused.keys() == {scored.chunk_id for scored in (*text, *vector)}
    assert all(0 <= score <= 1 + 1e-9 for score in fused.values())


@given(legs)
def test_one_leg_alone_keeps_its_order(leg: list[Scored]) -> None:
    fused = weighted([(1.0, leg), (0.0, [])])

    assert [fused[scored.chunk_id] for scored in leg] == sorted(fused.values(), reverse=True)


@given(legs, st.floats(0.01, 100), scores)
def test_the_scale_of_a_leg_does_not_matter(
    leg: list[Scored], factor: float, offset: float
) -> None:
    steps = [Scored(s.chunk_id, round(s.score)) for s in leg]  # none too close to tell apart
    moved = [Scored(s.chunk_id, s.score * factor + offset) for s in steps]

    before, after = weighted([(1.0, steps)]), weighted([(1.0, moved)])

    assert all(abs(before[chunk_id] - after[chunk_id]) < 1e-6 for chunk_id in before)


def test_what_differs_in_a_word_or_two_is_alike() -> None:
    alike: Alike[str] = Alike()
    rule = "visitors leave their shoes at the door and wash their hands before they touch a pot "

    for name, text in (("a", rule + "twice"), ("b", rule + "once"), ("c", "the kiln is cold")):
        alike.add(text, name)

    assert alike.groups == [["a", "b"], ["c"]]


def test_what_only_joins_makes_no_group_of_its_own() -> None:
    alike: Alike[str] = Alike()
    rule = "visitors leave their shoes at the door and wash their hands before they touch a pot "
    alike.add(rule + "twice", "a")

    assert alike.join(rule + "once", "b")
    assert not alike.join("a fourth thing", "c")

    assert alike.groups == [["a", "b"]]


def test_what_two_groups_hold_between_them_is_like_neither() -> None:
    alike: Alike[str] = Alike()
    one, other = "the kiln is fired on fridays at noon", "keys are rotated every ninety days here"
    alike.add(one, "a")
    alike.add(other, "b")

    alike.add(f"{one} {other}", "c")

    assert alike.groups == [["a"], ["b"], ["c"]]


def test_case_and_punctuation_do_not_tell_texts_apart() -> None:
    alike: Alike[int] = Alike()

    alike.add("The kiln: it is FIRED on Fridays.", 1)

    assert alike.join("the kiln it is fired, on fridays", 2)


@given(sentences)
def test_nothing_is_lost_and_the_same_text_never_stands_twice(texts: list[str]) -> None:
    alike: Alike[str] = Alike()
    for text in texts:
        alike.add(text, text)

    assert sorted(text for group in alike.groups for text in group) == sorted(texts)
    assert len({group[0] for group in alike.groups}) == len(alike.groups)
