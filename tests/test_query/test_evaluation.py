"""What a ranked list is worth, by hand; questions kept; one measurement beside another."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.app import Mind
from lsm.errors import InvalidError, LsmError, NotFoundError
from lsm.evaluation import Evaluation, Wanted
from lsm.query.evaluation.collection import read_collection, write_documents
from lsm.query.evaluation.metrics import Scores, percentile, scored
from lsm.query.evaluation.questions import means, question, read_questions
from lsm.query.evaluation.store import EvaluationStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from lsm.db import Database
    from lsm.query.evaluation.measuring import Measured

_SECOND = 1 / math.log2(3)  # what the second place counts for
_THIRD = 1 / 2


@pytest.mark.parametrize(
    ("ranked", "grades", "expected"),
    [
        ("abc", {"a": 1}, (1.0, 1.0, 1.0)),
        ("xay", {"a": 1}, (_SECOND, 1.0, 1 / 2)),
        ("xya", {"a": 3}, (_THIRD, 1.0, 1 / 3)),
        ("xyz", {"a": 1}, (0.0, 0.0, 0.0)),
        ("", {"a": 1}, (0.0, 0.0, 0.0)),
        # Gains are 2^grade - 1: 7 and 1. Worst first: (1 + 7 x 0.631) / (7 + 1 x 0.631).
        ("ba", {"a": 3, "b": 1}, ((1 + 7 * _SECOND) / (7 + _SECOND), 1.0, 1.0)),
        # One of two, in the third place.
        ("xyb", {"a": 1, "b": 1}, (_THIRD / (1 + _SECOND), 1 / 2, 1 / 3)),
        # Beyond the third place nothing counts, and no more is ideal than fits.
        ("xyza", {"a": 1}, (0.0, 0.0, 0.0)),
        ("abc", dict.fromkeys("abcd", 1), (1.0, 3 / 4, 1.0)),
    ],
)
def test_scores_are_those_of_the_definition(
    ranked: str, grades: Mapping[str, int], expected: tuple[float, float, float]
) -> None:
    found = scored(list(ranked), grades, 3)

    assert (found.ndcg, found.recall, found.mrr) == pytest.approx(expected)


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 10), min_size=1),
    st.lists(st.sampled_from("abcdefgh"), unique=True),
    st.integers(1, 8),
)
def test_nothing_is_better_than_the_best_first(
    grades: dict[str, int], ranked: list[str], k: int
) -> None:
    best = scored(sorted(grades, key=lambda name: -grades[name]), grades, k)
    found = scored(ranked, grades, k)

    assert best.ndcg == pytest.approx(1)
    assert 0 <= found.ndcg <= best.ndcg + 1e-12
    assert 0 <= found.recall <= best.recall
    assert 0 <= found.mrr <= best.mrr


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 1), (50, 2), (51, 3), (75, 3), (95, 4), (100, 4)]
)
def test_a_percentile_is_one_of_the_values(percent: int, expected: float) -> None:
    assert percentile([4, 2, 3, 1], percent) == expected


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("/notes/keys.md", "/notes/keys.md", True),
        ("/notes/keys[1].md", "/notes/keys[1].md", True),  # a name, although it looks like a glob
        ("/notes/keys.md", "/other/notes/keys.md", False),
        ("keys.md", "/notes/keys.md", True),
        ("studio", "/notes/studio/kiln.txt", True),
        ("studio/*.txt", "/notes/studio/deep/kiln.txt", False),
    ],
)
def test_what_is_expected_is_a_path_or_a_glob(pattern: str, path: str, expected: bool) -> None:
    assert means(pattern, path) is expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "some.toml",
            (
                '[[query]]\nquery = "how often"\nexpect = { "a.md" = 3, "b/**" = 1 }\n'
                '[[query]]\nquery = "where"\nexpect = ["c.md"]\n'
            ),
        ),
        (
            "some.jsonl",
            (
                '{"query": "how often", "expect": {"a.md": 3}}\n\n'
                '{"query": "where", "expect": "c.md"}\n'
                '{"query": "how often", "expect": ["b/**"]}\n'
            ),
        ),
    ],
)
def test_questions_are_read_from_either_kind_of_file(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)

    found = read_questions(str(tmp_path / name))

    assert {each.query: each.grades for each in found} == {
        "how often": {"a.md": 3, "b/**": 1},
        "where": {"c.md": 1},
    }


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.toml", "", "no query"),
        ("a.toml", "[[query]", "a.toml"),
        ("a.toml", "[[queries]]\nquery = 'x'", "'queries'"),
        ("a.toml", "[[query]]\nquery = 'x'\nexpect = ['a']\n[[query]]\nexpect = ['a']", "query 2"),
        ("a.jsonl", '{"query": "x", "expect": "a"}\n{"query": ', "line 2"),
        ("a.jsonl", '["x"]', "line 1"),
        ("a.jsonl", '{"query": "x", "expect": {"a": 0}}', "not between 1 and 10"),
        ("a.jsonl", '{"query": "x", "expect": {"a": true}}', "no whole number"),
        ("a.jsonl", '{"query": "x", "expect": []}', "nothing is expected"),
        ("a.jsonl", '{"query": "x"}', "expect"),
        ("a.jsonl", '{"query": "?!", "expect": "a"}', "no word"),
        ("a.jsonl", '{"query": "x", "expected": "a"}', "expected"),
        ("missing.toml", None, "No such file"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_place(
    tmp_path: Path, name: str, text: str | None, told: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)

    with pytest.raises(LsmError) as refused:
        read_questions(str(tmp_path / name))

    assert told in str(refused.value)


class TestStore:
    def test_what_is_added_is_what_is_there(self, db: Database) -> None:
        store = EvaluationStore(db)

        store.add([question("how often", {"a.md": 1}), question("where", {"b.md": 2, "c.md": 3})])
        store.add([question("how often", {"b/**": 1, "a.md": 5})])

        assert {each.query: dict(each.grades) for each in store.questions()} == {
            "how often": {"a.md": 5, "b/**": 1},
            "where": {"c.md": 3, "b.md": 2},
        }

    def test_a_query_goes_whole_or_with_the_last_it_expects(self, db: Database) -> None:
        store = EvaluationStore(db)
        store.add([question("one", {"a": 1, "b": 1}), question("two", {"a": 1})])

        store.remove("one", ["a"])
        left = {each.query: dict(each.grades) for each in store.questions()}
        store.remove("one", ["b"])
        store.remove("two")

        assert left == {"one": {"b": 1}, "two": {"a": 1}}
        assert store.questions() == []
        assert db.rows("SELECT query_id FROM lsm_eval_expected") == []

    def test_removing_what_is_not_there_changes_nothing(self, db: Database) -> None:
        store = EvaluationStore(db)
        store.add([question("one", {"a": 1, "b": 1})])

        with pytest.raises(NotFoundError):
            store.remove("two")
        with pytest.raises(NotFoundError):
            store.remove("one", ["a", "c"])

        assert store.questions()[0].grades == {"a": 1, "b": 1}

    def test_there_is_no_baseline_that_was_not_saved(self, db: Database) -> None:
        store = EvaluationStore(db)

        with pytest.raises(NotFoundError):
            store.baseline("before")
        with pytest.raises(NotFoundError):
            store.forget("before")

        assert store.baselines() == []


class TestLibrary:
    def test_every_mode_is_scored_on_what_a_person_expects(self, mind: Mind, notes: Path) -> None:
        evaluation = Evaluation(mind)
        evaluation.add("how often do we rotate keys", [str(notes / "keys.md")], 3)
        evaluation.add("the kiln is fired", ["studio", "nowhere.md"])

        (found,) = evaluation.run(Wanted(), silent).sets

        assert [each.mode for each in found.modes] == ["hybrid", "text", "vector"]
        assert found.absent == ["nowhere.md"]
        for mode in found.modes:
            keys, kiln = mode.queries
            assert keys.scores == Scores(1, 1, 1)
            assert (kiln.found, kiln.missed) == ({"studio": 1}, ["nowhere.md"])
            assert kiln.scores.ndcg == pytest.approx(1 / (1 + _SECOND))
            assert mode.scores.recall == pytest.approx(3 / 4)
            assert 0 < mode.p50_ms <= mode.p95_ms

    def test_of_a_glob_any_document_will_do_and_counts_once(self, mind: Mind) -> None:
        evaluation = Evaluation(mind)
        evaluation.add("kiln keys", ["**/*.md", "**/*.txt"])

        found = evaluation.run(Wanted(modes=["text"]), silent).sets[0].modes[0]

        # Three documents have one of the words, and two of them fit the same glob.
        assert found.queries[0].scores == Scores(1, 1, 1)
        assert sorted(found.queries[0].found.values()) == [1, 2]

    def test_a_document_folded_into_a_hit_is_found(self, mind: Mind, notes: Path) -> None:
        copy = notes / "copy-of-keys.md"
        copy.write_bytes((notes / "keys.md").read_bytes())
        mind.ingest()
        evaluation = Evaluation(mind)
        evaluation.add("how often do we rotate keys", [str(copy), str(notes / "keys.md")])

        found = evaluation.run(Wanted(modes=["text"]), silent).sets[0].modes[0]

        assert found.queries[0].missed == []

    def test_a_baseline_tells_which_questions_moved(self, mind: Mind, notes: Path) -> None:
        evaluation = Evaluation(mind)
        evaluation.add("rotate keys", [str(notes / "keys.md")])
        evaluation.add("fired kiln", ["kiln.txt"])
        evaluation.add("never mind", ["kiln.txt"])
        evaluation.save("before", measured(evaluation))
        (notes / "keys.md").write_text("Nothing of the sort.\n")
        (notes / "mind.txt").write_text("Never mind.\n")
        mind.ingest()
        evaluation.store.remove("never mind")
        evaluation.add("never mind the sort", ["mind.txt"])

        compared = evaluation.compare("before", measured(evaluation))

        (text,) = compared.modes
        assert (text.better, text.worse, text.same) == (0, 1, 1)
        assert text.scores == Scores(-1 / 2, -1 / 2, -1 / 2)
        assert [(each.query, each.ndcg) for each in compared.worse] == [("rotate keys", -1.0)]
        assert (compared.better, compared.only_now, compared.only_before) == ([], 1, 1)
        assert [each.mode for each in compared.lost(0.49)] == ["text"]
        assert compared.lost(0.5) == []

    def test_another_depth_cannot_be_compared(self, mind: Mind) -> None:
        evaluation = Evaluation(mind)
        evaluation.add("fired kiln", ["kiln.txt"])
        evaluation.save("before", measured(evaluation))

        with pytest.raises(InvalidError, match="-k 10"):
            evaluation.compare("before", evaluation.run(Wanted(k=5, modes=["text"]), silent))
        with pytest.raises(InvalidError, match="no question in common"):
            evaluation.compare("before", evaluation.run(Wanted(modes=["vector"]), silent))

    def test_with_nothing_to_ask_it_says_what_to_do(self, mind: Mind) -> None:
        with pytest.raises(InvalidError, match="lsm eval add"):
            Evaluation(mind).run(Wanted(), silent)


class TestCollection:
    def test_it_is_read_into_a_home_of_its_own(self, mind: Mind, tmp_path: Path) -> None:
        before = mind.overview()
        folder = collection(tmp_path / "tiny")

        found = Evaluation(mind).run(Wanted(collections=[str(folder)], modes=["text"]), silent)

        (one,) = found.sets
        assert (one.name, one.documents, one.unread) == ("tiny", 5, [])
        first, second = one.modes[0].queries
        assert (first.key, first.found, first.missed) == ("q1", {"d1": 1}, [])
        # d3 has the word twice in fewer words, so it comes first, but d2 is the better answer.
        assert (second.key, second.found) == ("q2", {"d3": 1, "d2": 2})
        assert second.missed == ["d9"]
        ideal = 7 + 3 * _SECOND + 1 * _THIRD  # grades 3 (d9), 2 (d2), 1 (d3)
        assert second.scores.ndcg == pytest.approx((1 + 3 * _SECOND) / ideal)
        assert (second.scores.recall, second.scores.mrr) == (pytest.approx(2 / 3), 1.0)
        assert mind.overview() == before

    def test_beir_s_own_names_are_read_too(self, tmp_path: Path) -> None:
        here, there = collection(tmp_path / "one"), collection(tmp_path / "two")
        (there / "qrels").mkdir()
        (there / "qrels.tsv").rename(there / "qrels" / "test.tsv")
        for name in ("corpus.jsonl", "queries.jsonl"):
            text = (there / name).read_text().replace('"id"', '"_id"')
            (there / name).write_text(text)

        assert read_collection(str(there)).questions == read_collection(str(here)).questions

    def test_kept_documents_are_those_of_the_corpus_as_it_is(self, tmp_path: Path) -> None:
        place, folder = tmp_path / "place", collection(tmp_path / "tiny")
        write_documents(read_collection(str(folder)), str(place))
        kept = {path: path.stat().st_mtime_ns for path in place.rglob("*.md")}
        corpus = (folder / "corpus.jsonl").read_text().splitlines()
        corpus[1] = corpus[1].replace("swan", "goose")
        (folder / "corpus.jsonl").write_text("\n".join(corpus[:3]))

        ids = write_documents(read_collection(str(folder)), str(place))

        now = {path: path.stat().st_mtime_ns for path in place.rglob("*.md")}
        assert ids == ["d1", "d2", "d3"]
        assert len(kept) == 4  # d5 has no word in it
        assert len(now) == 3
        assert sum(kept[path] == now[path] for path in now) == 2

    @pytest.mark.parametrize(
        ("name", "line", "told"),
        [
            ("corpus.jsonl", '{"title": "t", "text": "no id"}', "line 6: there is no id"),
            ("queries.jsonl", '{"id": "q1"}', "line 4: there is no text"),
            ("qrels.tsv", "q1\td1", "line 8: a line has"),
            ("qrels.tsv", "q1\td1\tgood", "line 8: a line has"),
            ("qrels.tsv", "q1\td1\t11", "line 8: grade 11"),
        ],
    )
    def test_a_wrong_line_is_named(self, tmp_path: Path, name: str, line: str, told: str) -> None:
        folder = collection(tmp_path / "tiny")
        with (folder / name).open("a") as file:
            file.write(f"{line}\n")

        with pytest.raises(InvalidError) as refused:
            write_documents(read_collection(str(folder)), str(tmp_path / "place"))

        assert told in str(refused.value)

    def test_a_folder_that_is_none_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidError, match=r"corpus\.jsonl"):
            read_collection(str(tmp_path))


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Two documents."""
    folder = tmp_path / "notes"
    (folder / "studio").mkdir(parents=True)
    (folder / "keys.md").write_text("# Keys\n\nWe rotate keys every 90 days.\n")
    (folder / "cellar.md").write_text("# Cellar\n\nThe keys of the cellar hang by the door.\n")
    (folder / "studio" / "kiln.txt").write_text("The kiln is fired on Fridays.\n")
    return folder


@pytest.fixture
def mind(tmp_path: Path, notes: Path, database_url: str) -> Iterator[Mind]:
    """A mind that has read them."""
    with Mind(str(tmp_path / "home"), database_url) as made:
        made.ingest(str(notes))
        yield made


def collection(folder: Path) -> Path:
    """Five documents, the last without a word; three queries, the last of them unjudged."""
    folder.mkdir()
    (folder / "corpus.jsonl").write_text(
        '{"id": "d1", "title": "Geese", "text": "The goose flies south in autumn."}\n'
        '{"id": "d2", "title": "", "text": "A swan on the lake stays all winter long, they say."}\n'
        '{"id": "d3", "title": "", "text": "Swan, swan."}\n'
        '{"id": "d4", "title": "Ducks", "text": "Ducks dive for weeds."}\n'
        '{"id": "d5", "title": "", "text": " "}\n'
    )
    (folder / "queries.jsonl").write_text(
        '{"id": "q1", "text": "when does a goose fly"}\n'
        '{"id": "q2", "text": "swan"}\n'
        '{"id": "q3", "text": "nobody has judged this"}\n'
    )
    (folder / "qrels.tsv").write_text(
        "query\tdoc\tgrade\nq1\td1\t1\nq1\td4\t0\nq2\td2\t2\nq2\td3\t1\nq2\td9\t3\nq2\td4\t-1\n"
    )
    return folder


def measured(evaluation: Evaluation) -> Measured:
    return evaluation.run(Wanted(modes=["text"]), silent)


def silent(_: object) -> None: ...
