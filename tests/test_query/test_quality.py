"""A floor under the quality of search, on questions that avoid the words of their answers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lsm.sample import SEARCHES, library_path
from tests.sample_questions import QUESTIONS

if TYPE_CHECKING:
    from lsm.app import Mind

_TOP = 5


def test_hybrid_answers_nearly_all_and_no_fewer_than_either_leg(sample: Mind) -> None:
    found = {mode: answered(sample, mode) for mode in ("hybrid", "text", "vector")}

    assert found["hybrid"] >= 27
    assert found["hybrid"] >= max(found["text"], found["vector"])


def test_each_search_of_the_tour_finds_something_first(sample: Mind) -> None:
    number, reworded, in_pdf = (sample.search(search, 2)[0] for search in SEARCHES)

    assert "TML-25-1187" in number.text
    assert "battery-incident" in reworded.path
    assert "sky-brightness" in in_pdf.path


def answered(mind: Mind, mode: str) -> int:
    """How many questions find their document among the first five."""
    count = 0
    for question, name in QUESTIONS:
        expected = os.path.join(library_path(), *name.split("/"))
        count += expected in {hit.path for hit in mind.search(question, _TOP, mode=mode)}
    return count
