"""What may be found is decided before the k are counted: k come back when k exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from lsm.vectordb.base import ANYWHERE, Where
from lsm.vectordb.documents import documents_where
from lsm.vectordb.spaces import open_space
from tests.test_vectordb.shelf import (
    DIMENSION,
    Made,
    Shelf,
    asked,
    direction,
    ids,
    random_vectors,
)

if TYPE_CHECKING:
    from lsm.db import Database

EARLY, LATE = "2025-03-01T00:00:00.000000Z", "2026-03-01T00:00:00.000000Z"


class TestDocuments:
    @pytest.fixture
    def documents(self, shelf: Shelf) -> Database:
        shelf.document(1, "/home/ann/notes/a.md", ("Work", "Tax"), EARLY)
        shelf.document(2, "/home/ann/notes/deep/b.pdf", ("work",), LATE)
        shelf.document(3, "/home/ann/mail/c.MD", ("Straße",), LATE)
        return shelf.db

    @pytest.mark.parametrize(
        ("where", "expected"),
        [
            (Where(), [1, 2, 3]),
            (Where(path="notes"), [1, 2]),
            (Where(path="/home/ann/notes/*"), [1, 2]),
            (Where(path="/home/ann/notes/*.*"), [1]),
            (Where(path="/home/ann/notes/**/*.pdf"), [2]),
            (Where(path="/home/bob"), []),
            (Where(path="[!]["), []),
            (Where(extensions=(".md",)), [1]),
            (Where(extensions=(".md", ".pdf")), [1, 2]),
            (Where(extensions=("",)), []),
            (Where(tags=("work",)), [1, 2]),
            (Where(tags=("work", "tax")), [1]),
            (Where(tags=("work", "absent")), []),
            (Where(tags=("wor",)), []),
            (Where(tags=("straße",)), [3]),
            (Where(since=LATE), [2, 3]),
            (Where(since=EARLY), [1, 2, 3]),
            (Where(since="2026-03-01T00:00:00.000001Z"), []),
            (Where(path="notes", extensions=(".pdf",), tags=("work",), since=LATE), [2]),
            (Where(path="%", tags=("%",)), []),
            (Where(path="/home/\0"), []),
            (Where(path="/home/\udc80\ud800"), []),
            (Where(extensions=("\0", "\ud800")), []),
            (Where(tags=("\0", "\ud800")), []),
            (Where(extensions=tuple(f".{n}" for n in range(100_000))), []),
            (Where(extensions=("' OR 1=1 --",)), []),
        ],
    )
    def test_all_that_is_asked_must_hold(
        self, documents: Database, where: Where, expected: list[int]
    ) -> None:
        assert sorted(documents_where(documents, where)) == expected

    @pytest.mark.parametrize(
        ("version", "path", "expected"),
        [
            (1, "old", [1]),
            (1, "new", []),
            (2, "old", []),
            (2, "new", [1]),
            (3, "new", []),
            (0, "old", []),
        ],
    )
    def test_a_document_is_where_it_was_in_that_version(
        self, shelf: Shelf, version: int, path: str, expected: list[int]
    ) -> None:
        shelf.document(1, "/old/a.md", versions=(1, 2))
        shelf.document(1, "/new/a.md", versions=(2, 3))

        assert documents_where(shelf.db, Where(version=version, path=path)) == expected


@pytest.fixture(params=["words", "vectors"])
def find(request: pytest.FixtureRequest, shelf: Shelf) -> Find:
    return Find(shelf, request.param)


class TestEitherLeg:
    def test_when_the_nearest_are_all_filtered_out_those_behind_them_come(self, find: Find) -> None:
        crowd = [Made(n, "lantern", vector=direction(1), document_id=1) for n in range(1, 200)]
        wanted = [far(n, document_id=2) for n in range(200, 205)]
        find.shelf.document(1, "/crowd/a.md")
        find.shelf.document(2, "/wanted/b.md")
        find.shelf.add(*crowd, *wanted)

        assert find(5, Where(path="wanted")) == [200, 201, 202, 203, 204]
        assert find(9, Where(path="wanted")) == [200, 201, 202, 203, 204]
        assert find(2, Where(path="wanted")) == [200, 201]

    def test_old_versions_do_not_crowd_out_what_is(self, find: Find) -> None:
        old = [
            Made(n, "lantern", vector=direction(1), version_in=1, version_out=2)
            for n in range(1, 300)
        ]
        find.shelf.add(*old, *[far(n, version_in=2) for n in range(300, 306)])

        assert find(4, ANYWHERE) == [300, 301, 302, 303]
        assert find(9, ANYWHERE) == [300, 301, 302, 303, 304, 305]
        assert find(3, Where(version=1)) == [1, 2, 3]

    @pytest.mark.parametrize(
        ("version", "expected"), [(0, []), (1, [1]), (2, [1, 2]), (3, [2, 3]), (4, [3]), (9, [3])]
    )
    def test_the_library_is_read_as_of_a_version(
        self, find: Find, version: int, expected: list[int]
    ) -> None:
        find.shelf.add(
            near(1, version_in=1, version_out=3),
            near(2, version_in=2, version_out=4),
            near(3, version_in=3),
        )

        assert find(5, Where(version=version)) == expected

    def test_a_filter_that_allows_one_in_a_hundred_still_gives_k(self, find: Find) -> None:
        vectors = random_vectors(1000)
        for document_id in range(1, 101):
            tags = ("rare",) if document_id == 50 else ()
            find.shelf.document(document_id, tags=tags)
        find.shelf.add(
            *[
                Made(
                    n,
                    "lantern " * (n % 7 + 1),
                    vector=vectors[n - 1],
                    document_id=(n - 1) // 10 + 1,
                )
                for n in range(1, 1001)
            ]
        )

        assert sorted(find(10, Where(tags=("rare",)))) == list(range(491, 501))
        assert len(find(7, Where(tags=("rare",)))) == 7

    def test_a_filter_and_a_version_hold_together(self, find: Find) -> None:
        find.shelf.document(1, "/a/1.md")
        find.shelf.add(near(1, version_in=1, version_out=2), near(2, version_in=2))

        assert find(5, Where(version=1, path="/a")) == [1]
        assert find(5, Where(path="/a")) == [2]

    def test_nothing_is_found_where_nothing_is_allowed(self, find: Find) -> None:
        find.shelf.document(1)
        find.shelf.add(near(1))

        assert find(5, Where(tags=("absent",))) == []
        assert find(5, Where(version=0)) == []

    def test_an_empty_library_answers_nothing(self, find: Find) -> None:
        assert find(5, ANYWHERE) == []
        assert find(5, Where(path="/")) == []

    def test_equally_good_ones_come_by_their_number(self, find: Find) -> None:
        find.shelf.document(1)
        find.shelf.add(*[near(n) for n in (5, 3, 9, 1, 7)])

        assert find(3, ANYWHERE) == [1, 3, 5]
        assert find(3, Where(path="/docs")) == [1, 3, 5]

    def test_more_than_there_are_can_be_asked_for(self, find: Find) -> None:
        find.shelf.document(1)
        find.shelf.add(near(1), near(2))

        assert find(10**9, ANYWHERE) == [1, 2]
        assert find(10**9, Where(path="/docs")) == [1, 2]


def test_a_chunk_of_another_model_is_not_counted_twice_under_a_filter(shelf: Shelf) -> None:
    # Found once: an allowed chunk without a vector here used to let its neighbour in again.
    other = open_space(shelf.db, "another model", DIMENSION)
    shelf.document(1)
    shelf.add(Made(5), Made(10))
    shelf.add(Made(2), Made(7), Made(12), space=other)

    assert sorted(ids(shelf.index.nearest(direction(1), shelf.space, 9, Where(path="/")))) == [
        5,
        10,
    ]


class Find:
    """Asks one of the two legs; `near` chunks fit best, `far` ones hardly."""

    def __init__(self, shelf: Shelf, leg: str) -> None:
        self.shelf = shelf
        self._leg = leg

    def __call__(self, k: int, where: Where) -> list[int]:
        if self._leg == "words":
            return ids(self.shelf.index.matching(asked("lantern"), k, where))
        return ids(self.shelf.index.nearest(direction(1), self.shelf.space, k, where))


def near(chunk_id: int, version_in: int = 1, version_out: int | None = None) -> Made:
    return Made(
        chunk_id, "lantern", vector=direction(1), version_in=version_in, version_out=version_out
    )


def far(chunk_id: int, document_id: int = 1, version_in: int = 1) -> Made:
    vector = np.asarray(direction(-1, 0.1))
    text = "lantern " + "filler words of no use " * 20
    return Made(chunk_id, text, vector=vector, document_id=document_id, version_in=version_in)
