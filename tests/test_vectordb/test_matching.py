"""Search by words: what is found, in which order, and that nothing typed is ever syntax."""

from __future__ import annotations

import math

import pytest

from lsm.db import open_database
from lsm.vectordb.base import Scored, TextQuery
from tests.test_vectordb.shelf import Made, Shelf, asked, ids

HOSTILE = [
    '"',
    '""',
    '"lantern',
    'lantern"',
    "'",
    "'); DROP TABLE lsm_chunks; --",
    "lantern AND",
    "NOT lantern",
    "OR",
    "NEAR(lantern harbour, 3)",
    "title:lantern",
    "{title text} : lantern",
    "- title : lantern",
    "lant*",
    "^lantern",
    "lantern + harbour",
    "((((",
    ")" * 2000,
    "*",
    "",
    "   ",
    "\0",
    "lan\0tern",
    "\ud800",
    "lantern\udfff",
    "🏮",
    "🏮" * 300,
    "\u202elantern",  # right to left from here
    "a" * 70_000,
    "lantern " * 9_000,
    "& | ! <-> :*",
    "lantern:*",
    "\\",
    "\\'",
    "lantern\\",
    "%s %(match)s :match",
    "(a+)+$" * 50,
    "灯",
    "\u0301\u0301",
    "\n\r\t",
]


class TestNothingIsSyntax:
    @pytest.fixture
    def lanterns(self, shelf: Shelf) -> Shelf:
        shelf.add(Made(1, "the harbour lantern"), Made(2, "quiet", title="lantern"))
        return shelf

    @pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
    def test_any_text_is_looked_for_and_none_is_an_error(self, lanterns: Shelf, text: str) -> None:
        for query in (
            TextQuery((text,)),
            TextQuery((), ((text,),)),
            TextQuery(("lantern", text), ((text, text), ("lantern",))),
            TextQuery(tuple(text.split()[:64])),
        ):
            found = lanterns.index.matching(query, 5)
            assert set(ids(found)) <= {1, 2}
        assert lanterns.index.occurring([text, "lantern"]) >= {"lantern"}

    @pytest.mark.parametrize("word", ["lant*", "lantern:*x", "lanternharbour", "😀", "lan\0tern"])
    def test_an_operator_does_not_widen_the_search(self, lanterns: Shelf, word: str) -> None:
        assert lanterns.index.matching(asked(word), 5) == [] or "x" in word

    @pytest.mark.parametrize("word", ["^lantern", "-lantern", "lantern*", '"lantern"', "LANTERN"])
    def test_nor_does_it_narrow_it(self, lanterns: Shelf, word: str) -> None:
        assert set(ids(lanterns.index.matching(asked(word), 5))) == {1, 2}

    def test_many_phrases_are_not_too_many(self, lanterns: Shelf) -> None:
        phrases = tuple((f"word{n}", "lantern") for n in range(300))

        assert lanterns.index.matching(TextQuery(("lantern",), phrases), 5) == []

    def test_nothing_asked_is_nothing_found(self, lanterns: Shelf) -> None:
        assert lanterns.index.matching(TextQuery(()), 5) == []


class TestWhatIsAWord:
    @pytest.mark.parametrize(
        ("text", "word"),
        [
            ("see config.py for it", "config"),
            ("see config.py for it", "py"),
            ("see config.py for it", "config.py"),
            ("/usr/local/bin", "local"),
            ("mail ann@example.org", "example"),
            ("snake_case_name", "case"),
            ("version 1.25.3", "25"),
            ("TML-25-1187", "1187"),
            ("well-known", "known"),
            ("https://example.org/harbour?x=1", "harbour"),
            ("-42", "42"),
            ("a café", "cafe"),
            ("a cafe", "café"),
            ("a cafe\u0301", "café"),
            ("ÜBER", "uber"),
            ("the lanterns", "lantern"),
            ("a lantern", "lanterns"),
            ("sailing", "sailed"),
            ("Привет мир", "привет"),
            ("plain LANTERN", "lantern"),
        ],
    )
    def test_the_word_is_found_in_the_text(self, shelf: Shelf, text: str, word: str) -> None:
        shelf.add(Made(1, text), Made(2, "something else"))

        assert ids(shelf.index.matching(asked(word), 5)) == [1]
        assert shelf.index.occurring([word, "absent"]) == {word}


class TestPhrases:
    def test_its_words_stand_in_this_order(self, shelf: Shelf) -> None:
        shelf.add(Made(1, "red lantern"), Made(2, "lantern red"), Made(3, "red old lantern"))

        assert ids(shelf.index.matching(asked("", "red lantern"), 5)) == [1]

    def test_all_of_them_must_be_there_and_words_need_not(self, shelf: Shelf) -> None:
        shelf.add(Made(1, "red lantern"), Made(2, "red lantern of a dark harbour"), Made(3, "sea"))

        assert ids(shelf.index.matching(asked("", "red lantern", "dark harbour"), 5)) == [2]
        assert set(ids(shelf.index.matching(asked("sea", "red lantern"), 5))) == {1, 2}

    def test_a_word_beside_it_ranks(self, shelf: Shelf) -> None:
        shelf.add(
            *[Made(n, f"red lantern {'ship' if n == 7 else 'boat'}") for n in range(1, 10)],
            *[Made(n, "nothing like it") for n in range(10, 40)],
        )

        assert ids(shelf.index.matching(asked("ship", "red lantern"), 20))[0] == 7

    def test_it_does_not_reach_from_the_title_into_the_text(self, shelf: Shelf) -> None:
        shelf.add(Made(1, title="old red", heading="lantern", text="harbour wall"))

        assert shelf.index.matching(asked("", "red lantern"), 5) == []
        assert shelf.index.matching(asked("", "lantern harbour"), 5) == []
        assert ids(shelf.index.matching(asked("", "harbour wall"), 5)) == [1]

    def test_it_is_found_however_rare_the_other_words_are(self, shelf: Shelf) -> None:
        rare = [f"rare{n}" for n in range(20)]
        shelf.add(
            Made(1, "red lantern"),
            *[Made(n + 2, f"lantern red {word}") for n, word in enumerate(rare)],
        )

        assert ids(shelf.index.matching(asked(" ".join(rare), "red lantern"), 5)) == [1]

    def test_a_word_with_blanks_is_found_where_its_words_follow(self, shelf: Shelf) -> None:
        shelf.add(Made(1, "run app.py now"), Made(2, "nothing"))

        assert ids(shelf.index.matching(TextQuery(("app py", "app", "py")), 5)) == [1]


class TestRank:
    def test_scores_are_positive_and_fall(self, shelf: Shelf) -> None:
        shelf.add(*[Made(n, "lantern " * n + "sea " * (20 - n)) for n in range(1, 20)])

        scores = [scored.score for scored in shelf.index.matching(asked("lantern sea"), 19)]

        assert len(scores) == 19
        assert scores == sorted(scores, reverse=True)
        assert min(scores) > 0

    def test_a_word_says_more_in_the_title_than_in_the_heading_than_in_the_text(
        self, shelf: Shelf
    ) -> None:
        shelf.add(
            Made(1, title="sea", heading="ship", text="lantern"),
            Made(2, title="sea", heading="lantern", text="ship"),
            Made(3, title="lantern", heading="ship", text="sea"),
            *[Made(n, "something else") for n in range(4, 12)],
        )

        assert ids(shelf.index.matching(asked("lantern"), 5)) == [3, 2, 1]

    def test_a_rare_word_counts_for_more(self, shelf: Shelf) -> None:
        shelf.add(Made(1, "lantern"), Made(2, "ship"), *[Made(n, "ship sea") for n in range(3, 30)])

        assert ids(shelf.index.matching(asked("lantern ship"), 2)) == [1, 2]

    def test_the_score_is_bm25(self, shelf: Shelf) -> None:
        shelf.add(
            Made(1, "lantern lantern harbour"),
            Made(2, "ship", title="lantern"),
            *[Made(n, "ship sail ship") for n in range(3, 8)],
        )

        found = shelf.index.matching(asked("lantern"), 5)

        # N = 7 chunks, 2 with the word; lengths 3, 2 and five times 3: 20 / 7 on average.
        rarity = math.log((7 - 2 + 0.5) / (2 + 0.5))
        first = rarity * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 3 / (20 / 7)))
        second = rarity * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 2 / (20 / 7)))  # a title weighs 2
        assert ids(found) == [2, 1]
        assert [s.score for s in found] == pytest.approx([second, first], rel=1e-9)

    def test_of_more_than_twelve_words_the_rarest_count(self, shelf: Shelf) -> None:
        common = ["sea", "ship", "sail"]
        rare = [f"rare{n}" for n in range(12)]
        shelf.add(
            *[Made(n + 1, word) for n, word in enumerate(rare)],
            *[Made(n, " ".join(common)) for n in range(100, 120)],
        )

        found = ids(shelf.index.matching(asked(" ".join(["absent", *common, *rare])), 50))

        assert sorted(found) == list(range(1, 13))

    def test_a_word_said_twice_counts_once(self, shelf: Shelf) -> None:
        shelf.add(*[Made(n, "lantern") for n in range(1, 3)], Made(3, "ship"), Made(4, "sea"))

        once, twice = asked("lantern"), asked("lantern lantern")

        assert shelf.index.matching(twice, 5) == shelf.index.matching(once, 5)


CORPUS = [
    ("Keeping a lighthouse", "The keeper climbed the tower each evening and lit the lantern."),
    ("Ships", "A ship without a keel drifts; sailors watch the lantern on the shore."),
    ("Harbour rules", "Ships wait outside the harbour until the pilot boards them."),
    ("Oil", "Lantern oil burns slowly. Keep the oil dry and the wick short."),
    ("Storms", "During the storm of March the tower lost its glass and the lantern went out."),
    ("Bread", "Knead flour, water and salt; let the dough rest over night."),
    ("Pilots", "A pilot knows the rocks, the tides and every light along the coast."),
    ("Tides", "Tides follow the moon; the harbour is dry twice a day."),
    ("Letters", "She wrote letters about storms, ships and bread, and never sent one."),
    ("Glass", "Glass for lamps is blown thin and cooled slowly in sand."),
]
QUESTIONS = ["lantern", "lantern oil", "storm ships", "pilot harbour tides", "glass tower", "bread"]


def test_both_engines_give_the_same_order_and_scores(sqlite_url: str, postgres_url: str) -> None:
    answers: list[list[Scored]] = []

    for url in (sqlite_url, postgres_url):
        with open_database(url) as db:
            shelf = Shelf(db)
            shelf.add(*[Made(n, text, title) for n, (title, text) in enumerate(CORPUS, 1)])
            answers.append([s for q in QUESTIONS for s in shelf.index.matching(asked(q), 10)])

    assert ids(answers[0]) == ids(answers[1])
    assert [s.score for s in answers[0]] == pytest.approx([s.score for s in answers[1]], rel=1e-9)
    assert len(answers[0]) > 2 * len(QUESTIONS)
