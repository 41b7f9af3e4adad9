"""Memories searched by words: the same words, phrases and ranks on both engines."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import pytest

from lsm.agents.memory import NewMemory
from lsm.db import open_database
from lsm.vectordb import memory_index
from lsm.vectordb.base import TextQuery
from lsm.vectordb.memory_index import MemoryWhere, open_memory_index
from lsm.vectordb.spelling import plain
from tests.test_agents import memories as fixtures
from tests.test_agents.memories import store
from tests.test_vectordb.shelf import asked

if TYPE_CHECKING:
    from lsm.db import Database

database_url = fixtures.database_url
NOW = MemoryWhere("2026-02-01T00:00:00.000000Z")
CORPUS = [
    NewMemory(text="The lantern of the harbour burns oil, see lamp/config.py", key="lantern.oil"),
    NewMemory(text="Ships wait outside of the harbour", tags=["pilot", "lantern"]),
    NewMemory(text="A café by the sea with a lantern and a lantern and oil"),
    NewMemory(text="Bread needs flour, water and salt"),
    NewMemory(text="The pilot knows every light"),
    NewMemory(text="Letters about storms and the sea"),
    NewMemory(text="Glass is cooled slowly"),
]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("see config.py for it", "config"),
        ("see config.py for it", "py"),
        ("see config.py for it", "config.py"),
        ("either a1/b2 or not", "b2"),
        ("/usr/local/bin", "local"),
        ("mail ann@example.org", "example"),
        ("snake_case_name", "case"),
        ("version 1.25.3", "25"),
        ("well-known", "known"),
        ("https://example.org/harbour?x=1", "harbour"),
        ("a café", "cafe"),
        ("a cafe\u0301", "café"),
        ("ÜBER", "uber"),
        ("Привет…мир", "мир"),
        ("हिन्दी", "न"),
        ("the lanterns", "lantern"),
    ],
)
def test_the_word_is_found_in_the_memory(db: Database, text: str, word: str) -> None:
    store(db, embedded=False).add_many([NewMemory(text=text), NewMemory(text="something else")])

    assert found(db, asked(word)) == [text]


def test_words_of_a_key_and_of_tags_are_found(db: Database) -> None:
    memories = store(db, embedded=False)
    memories.add("the first", key="build.config-file")
    memories.add("the second", tags=["año/rojo"])

    assert found(db, asked("config")) == ["the first"]
    assert found(db, asked("ano")) == found(db, asked("rojo")) == ["the second"]


def test_a_phrase_stands_in_this_order_and_in_one_place(db: Database) -> None:
    memories = store(db, embedded=False)
    memories.add("red lantern.py")
    memories.add("lantern red")
    memories.add("lantern of a ship", key="old.red")

    assert found(db, asked("", "red lantern")) == ["red lantern.py"]
    assert found(db, asked("", "lantern.py")) == ["red lantern.py"]


def test_a_phrase_of_common_words_is_found_beside_a_rare_one(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for engine in ("postgres", "sqlite"):
        monkeypatch.setattr(f"lsm.vectordb.{engine}_memory.COMMON", 5)
    memories = store(db, embedded=False)
    memories.add_many([NewMemory(text=f"lantern red {n}") for n in range(10)])
    memories.add("red lantern")
    memories.add("rare")

    assert memory_index.COMMON > 5
    assert found(db, asked("rare", "red lantern")) == ["red lantern"]


def test_a_long_phrase_is_not_too_long(db: Database) -> None:
    said = " ".join(f"word{n}" for n in range(3000))
    store(db, embedded=False).add(said)

    assert found(db, asked("", said)) == [said]
    assert found(db, TextQuery((), tuple((f"word{n}", "absent") for n in range(300)))) == []


def test_both_engines_give_the_same_order_and_scores(sqlite_url: str, postgres_url: str) -> None:
    answers: list[list[tuple[int, float]]] = []

    for url in (sqlite_url, postgres_url):
        with open_database(url) as db:
            store(db, embedded=False).add_many(CORPUS)
            index = open_memory_index(db)
            answers.append(
                [
                    (each.number, each.score)
                    for words in ("lantern", "lantern oil", "pilot sea", "config harbour")
                    for each in index.matching(asked(words), 10, NOW)
                ]
            )

    assert [number for number, _ in answers[0]] == [number for number, _ in answers[1]]
    assert [score for _, score in answers[0]] == pytest.approx([s for _, s in answers[1]])
    assert len(answers[0]) > 8


def test_the_database_spells_as_we_do(postgres_url: str) -> None:
    # Letters whose small form depends on the place or the server are left out.
    letters = [
        letter
        for letter in map(chr, range(1, 0x10000))
        if unicodedata.category(letter) not in ("Cs", "Co", "Cn") and letter == letter.lower()
    ]

    with open_database(postgres_url) as db:
        rows = db.tuples(
            "SELECT said, lsm_plain('x' || said || 'y') FROM unnest(CAST(:said AS TEXT[])) AS said",
            said=letters,
        )

    assert {said: spelled for said, spelled in rows if spelled != plain(f"x{said}y")} == {}
    assert len(rows) > 50_000


def found(db: Database, query: TextQuery) -> list[str]:
    texts = dict(db.tuples("SELECT number, text FROM lsm_agent_memories"))
    return [texts[each.number] for each in open_memory_index(db).matching(query, 20, NOW)]
