"""Answers quote word for word, and documents are shown as they stand in their files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lsm.errors import InvalidError, NotFoundError
from lsm.sample import QUESTION, library_path
from tests.sample_questions import QUESTIONS

if TYPE_CHECKING:
    from lsm.app import Mind
    from tests.test_query.small import Small

PLAIN = {".md", ".txt", ".rst", ".py", ".toml", ".yaml", ".sql"}


def test_every_quote_stands_in_the_file_at_the_lines_it_is_cited_from(sample: Mind) -> None:
    checked = 0
    for question, _ in QUESTIONS:
        for citation in sample.ask(question, 4).citations:
            path = Path(citation.path)
            if path.suffix in PLAIN:
                lines = path.read_text().splitlines()
                cited = "\n".join(lines[citation.start_line - 1 : citation.end_line])

                assert citation.quote in cited, citation
                assert citation.quote.count("\n") == citation.end_line - citation.start_line
                checked += 1

    assert checked > 60


def test_every_passage_that_is_found_stands_at_its_lines(sample: Mind) -> None:
    for question, _ in QUESTIONS[:10]:
        for hit in sample.search(question, 5):
            path = Path(hit.path)
            if path.suffix in PLAIN - {".md"}:  # front matter is no text
                lines = path.read_text().splitlines()
                assert "\n".join(lines[hit.start_line - 1 : hit.end_line]).rstrip() == hit.text


def test_citations_are_numbered_as_in_the_answer(sample: Mind) -> None:
    answer = sample.ask(QUESTION, 3)

    assert [citation.n for citation in answer.citations] == [1, 2, 3]
    paragraphs = answer.answer.split("\n\n")
    for citation, paragraph in zip(answer.citations, paragraphs, strict=True):
        quote = " ".join(citation.quote.split())
        assert paragraph == f"\u201c{quote}\u201d [{citation.n}]"
    assert answer.model is None


def test_the_answer_to_the_tour_s_question_is_the_newer_rule(sample: Mind) -> None:
    first = sample.ask(QUESTION, 3).citations[0]

    assert first.path.endswith("returns-policy-2026.md")


@pytest.mark.parametrize("question", ["", "   "])
def test_nothing_asked_is_nothing_answered(sample: Mind, question: str) -> None:
    answer = sample.ask(question)

    assert answer.citations == ()
    assert "Nothing" in answer.answer


def test_an_answer_as_of_then_says_what_was_true_then(small: Small) -> None:
    then = small.mind.ask("how often do we rotate keys", 1, as_of=1)
    now = small.mind.ask("how often do we rotate keys", 1)

    assert "every 30 days" in then.citations[0].quote
    assert "every 90 days" in now.citations[0].quote


def test_what_is_shown_is_the_file(sample: Mind) -> None:
    files = [p for p in Path(library_path()).rglob("*") if p.suffix in {".md", ".txt"}]

    assert len(files) > 20
    for path in files:
        assert sample.show(str(path)).text == path.read_text()


def test_show_gives_the_document_as_it_was(small: Small) -> None:
    then, now = (small.mind.show(small.path("keys.md"), as_of) for as_of in (1, None))

    assert then.text == "# Keys\n\n## Rotation\n\nWe rotate keys every 30 days.\n"
    assert now.text == then.text.replace("30", "90")
    assert (then.version, now.version) == (1, 2)
    assert small.mind.show(small.path("old.md"), "2026-01-31").text == "The otter left the pond.\n"


def test_a_chunk_of_an_earlier_version_is_shown_in_its_document(small: Small) -> None:
    hit = small.mind.search("rotate keys", 1, as_of=1)[0]

    shown = small.mind.show(str(hit.chunk_id))

    assert "30 days" in shown.text
    assert shown.path == small.path("keys.md")
    assert small.mind.show(f"#{hit.chunk_id}") == shown


@pytest.mark.parametrize(
    ("name", "as_of"), [("old.md", None), ("new.md", 1), ("studio", None), ("keys.md", 0)]
)
def test_what_was_not_there_then_is_not_shown(small: Small, name: str, as_of: int | None) -> None:
    with pytest.raises(NotFoundError):
        small.mind.show(small.path(name), as_of)


@pytest.mark.parametrize("number", ["0", "999999", str(2**63), "9" * 40])
def test_a_chunk_that_is_not_there_is_not_shown(small: Small, number: str) -> None:
    with pytest.raises(NotFoundError):
        small.mind.show(number)


def test_a_version_that_is_not_there_is_no_way_to_show(small: Small) -> None:
    with pytest.raises(InvalidError):
        small.mind.show(small.path("keys.md"), 99)
