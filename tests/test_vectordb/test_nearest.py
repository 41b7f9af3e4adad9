"""The nearest are the nearest: compared with sqlite-vec, which looks at every vector."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import apsw
import numpy as np
import pytest
import sqlite_vec

from lsm.db import open_database
from lsm.vectordb import open_chunk_index
from lsm.vectordb.base import Where
from tests.test_vectordb.shelf import Made, Shelf, direction, ids, random_vectors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lsm.db import Database
    from lsm.vectordb.base import Vector

CHUNKS, WIDE = 600, 64


@pytest.fixture
def oracle() -> Iterator[apsw.Connection]:
    connection = apsw.Connection(":memory:")
    connection.enable_load_extension(True)  # noqa: FBT003
    connection.load_extension(sqlite_vec.loadable_path())
    connection.execute("CREATE TABLE v (id INTEGER PRIMARY KEY, embedding BLOB)")
    yield connection
    connection.close()


class TestExactness:
    def test_nearest_is_what_a_comparison_with_all_gives(
        self, db: Database, oracle: apsw.Connection
    ) -> None:
        shelf, _ = filled(db)
        tell(oracle, shelf)
        rounding = 1e-6 if db.engine == "sqlite" else 5e-4  # the query is halfvec there

        for query in random_vectors(20, WIDE, seed=1):
            found = shelf.index.nearest(query, shelf.space, 10)
            exact = closest(oracle, query, 10)
            assert ids(found) == [chunk_id for chunk_id, _ in exact]
            assert [s.score for s in found] == pytest.approx([c for _, c in exact], abs=rounding)

    def test_and_so_under_a_filter(self, db: Database, oracle: apsw.Connection) -> None:
        shelf, _ = filled(db)
        tell(oracle, shelf)
        oracle.execute("DELETE FROM v WHERE id % 10 <> 3")

        for query in random_vectors(10, WIDE, seed=2):
            found = shelf.index.nearest(query, shelf.space, 10, Where(path="/docs/3.md"))
            assert ids(found) == [chunk_id for chunk_id, _ in closest(oracle, query, 10)]

    def test_the_graph_finds_nearly_all_of_them_and_always_k(self, db: Database) -> None:
        if db.engine == "sqlite":
            pytest.skip("it has no graph")
        shelf, vectors = filled(db)
        stored = vectors.astype(np.float16).astype(np.float32)

        hits = 0
        with db.snapshot():
            db.tuples("SELECT set_config('enable_seqscan', 'off', true)")
            db.tuples("SELECT set_config('enable_sort', 'off', true)")
            for query in random_vectors(20, WIDE, seed=3):
                found = ids(shelf.index.nearest(query, shelf.space, 10))
                exact = np.argsort(-(stored @ query), kind="stable")[:10] + 1
                assert len(found) == 10
                hits += len(set(found) & set(exact.tolist()))

        assert hits >= 0.95 * 200

    def test_the_graph_is_what_an_unfiltered_search_may_use(self, db: Database) -> None:
        if db.engine == "sqlite":
            pytest.skip("it has no graph")
        shelf, _ = filled(db)

        with db.snapshot():
            db.tuples("SELECT set_config('enable_seqscan', 'off', true)")
            db.tuples("SELECT set_config('enable_sort', 'off', true)")
            plan = db.tuples(
                "EXPLAIN SELECT v.chunk_id FROM vec_chunks v"
                f" WHERE v.space_id = {shelf.space}"
                f" ORDER BY CAST(v.embedding AS halfvec({WIDE})) <=> CAST(:query AS halfvec)"
                " LIMIT 10",
                query=str(random_vectors(1, WIDE)[0].tolist()),
            )

        assert f"vec_chunks_hnsw_{shelf.space}" in str(plan)

    def test_a_vector_is_as_close_to_itself_as_can_be(self, shelf: Shelf) -> None:
        vectors = random_vectors(50)
        shelf.add(*[Made(n, vector=vector) for n, vector in enumerate(vectors, 1)])

        for n, vector in enumerate(vectors, 1):
            [best] = shelf.index.nearest(vector, shelf.space, 1)
            assert best.chunk_id == n
            assert 0.999 < best.score <= 1.0

    def test_the_query_need_not_have_unit_length(self, shelf: Shelf) -> None:
        shelf.add(Made(1, vector=direction(1)), Made(2, vector=direction(1, 1)))

        [best] = shelf.index.nearest(direction(1) * 40, shelf.space, 1)

        assert best.chunk_id == 1
        assert best.score == pytest.approx(1, abs=1e-6)

    def test_more_dimensions_than_a_graph_takes_are_compared_all_the_same(
        self, db: Database
    ) -> None:
        shelf = Shelf(db, 5000)
        vectors = random_vectors(3, 5000)
        shelf.add(*[Made(n, vector=vector) for n, vector in enumerate(vectors, 1)])

        assert ids(shelf.index.nearest(vectors[1], shelf.space, 1)) == [2]


class TestUpToDate:
    """SQLite keeps the vectors in memory; nobody may notice."""

    def test_what_another_process_adds_replaces_and_removes_is_seen(
        self, shelf: Shelf, open_again: Callable[[], Database]
    ) -> None:
        other = Shelf(open_again())
        nearest = shelf.index.nearest

        other.add(Made(1, vector=direction(1)), Made(2, vector=direction(0, 1)))
        assert ids(nearest(direction(1), shelf.space, 5)) == [1, 2]

        other.add(Made(3, vector=direction(1, 1)))
        assert ids(nearest(direction(1), shelf.space, 5)) == [1, 3, 2]

        other.index.replace_vectors(shelf.space, [(1, direction(-1))])
        assert ids(nearest(direction(1), shelf.space, 5)) == [3, 2, 1]

        other.delete(3)
        assert ids(nearest(direction(1), shelf.space, 5)) == [2, 1]

    def test_a_number_given_out_again_after_a_rollback_has_its_new_vector(
        self, shelf: Shelf
    ) -> None:
        shelf.add(Made(1, vector=direction(0, 1)))
        with shelf.given_up():
            shelf.add(Made(2, vector=direction(1)))
            assert ids(shelf.index.nearest(direction(1), shelf.space, 1)) == [2]

        shelf.add(Made(2, vector=direction(-1)))

        assert ids(shelf.index.nearest(direction(1), shelf.space, 5)) == [1, 2]

    def test_a_replacement_that_was_rolled_back_does_not_hide_the_next_one(
        self, shelf: Shelf
    ) -> None:
        shelf.add(Made(1, vector=direction(1)), Made(2, vector=direction(0, 1)))
        shelf.index.nearest(direction(1), shelf.space, 1)
        with shelf.given_up():
            shelf.index.replace_vectors(shelf.space, [(2, direction(1))])
            shelf.index.nearest(direction(1), shelf.space, 1)

        shelf.index.replace_vectors(shelf.space, [(1, direction(-1))])

        assert ids(shelf.index.nearest(direction(1), shelf.space, 5)) == [2, 1]

    def test_a_transaction_sees_its_own_vectors_and_the_others_do_not(self, shelf: Shelf) -> None:
        shelf.add(Made(1, vector=direction(0, 1)))

        with shelf.db.transaction(), ThreadPoolExecutor(1) as elsewhere:
            shelf.add(Made(2, vector=direction(1)))
            mine = ids(shelf.index.nearest(direction(1), shelf.space, 5))
            theirs = elsewhere.submit(shelf.index.nearest, direction(1), shelf.space, 5).result()

        assert mine == [2, 1]
        assert ids(theirs) == [1]

    def test_a_snapshot_goes_on_seeing_what_it_saw(self, shelf: Shelf) -> None:
        shelf.add(Made(1, vector=direction(1)), Made(2, vector=direction(0, 1)))

        with shelf.db.snapshot(), ThreadPoolExecutor(1) as elsewhere:
            before = ids(shelf.index.nearest(direction(1), shelf.space, 5))
            elsewhere.submit(shelf.add, Made(3, vector=direction(1, 1))).result()
            elsewhere.submit(
                shelf.index.replace_vectors, shelf.space, [(1, direction(-1))]
            ).result()
            after = elsewhere.submit(shelf.index.nearest, direction(1), shelf.space, 5).result()
            still = ids(shelf.index.nearest(direction(1), shelf.space, 5))

        assert before == still == [1, 2]
        assert ids(after) == [3, 2, 1]
        assert ids(shelf.index.nearest(direction(1), shelf.space, 5)) == [3, 2, 1]

    def test_threads_that_search_while_another_writes_see_whole_commits(self, shelf: Shelf) -> None:
        def write() -> None:
            for start in range(0, 200, 5):  # five at once, all equal
                shelf.add(*[Made(start + n, vector=direction(1)) for n in range(1, 6)])

        def search() -> list[int]:
            return [len(shelf.index.nearest(direction(1), shelf.space, 999)) for _ in range(40)]

        with ThreadPoolExecutor(4) as pool:
            searches = [pool.submit(search) for _ in range(3)]
            pool.submit(write).result()
            counts = [one.result() for one in searches]

        assert all(count % 5 == 0 for seen in counts for count in seen)
        assert all(seen == sorted(seen) for seen in counts)
        assert len(shelf.index.nearest(direction(1), shelf.space, 999)) == 200

    def test_more_vectors_than_are_read_at_once_arrive_whole(
        self, sqlite_shelf: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("lsm.vectordb.vector_blocks._PAGE", 7)
        vectors = random_vectors(100)
        sqlite_shelf.add(*[Made(n, vector=v) for n, v in enumerate(vectors[:50], 1)])
        sqlite_shelf.index.nearest(direction(1), sqlite_shelf.space, 1)
        for n in range(51, 101):
            sqlite_shelf.add(Made(n, vector=vectors[n - 1]))
            sqlite_shelf.index.nearest(direction(1), sqlite_shelf.space, 1)

        with open_database(sqlite_shelf.db.url) as again:
            fresh = open_chunk_index(again).nearest(direction(1), sqlite_shelf.space, 100)

        assert sqlite_shelf.index.nearest(direction(1), sqlite_shelf.space, 100) == fresh
        assert len(fresh) == 100


def filled(db: Database) -> tuple[Shelf, Vector]:
    """`CHUNKS` chunks of ten documents; chunk n has the vector of row n - 1."""
    shelf = Shelf(db, WIDE)
    for document_id in range(10):
        shelf.document(document_id)
    vectors = random_vectors(CHUNKS, WIDE)
    chunks = [Made(n, vector=v, document_id=n % 10) for n, v in enumerate(vectors, 1)]
    shelf.add(*chunks)
    return shelf, vectors


def tell(oracle: apsw.Connection, shelf: Shelf) -> None:
    stored = shelf.index.vectors_of(range(1, CHUNKS + 1), shelf.space)
    rows = ((chunk_id, vector.tobytes()) for chunk_id, vector in stored.items())
    oracle.executemany("INSERT INTO v VALUES (?, ?)", rows)


def closest(oracle: apsw.Connection, query: Vector, k: int) -> list[tuple[int, float]]:
    """Ids and cosines, by sqlite-vec's own arithmetic."""
    rows = oracle.execute(
        "SELECT id, 1.0 - vec_distance_cosine(embedding, ?) FROM v ORDER BY 2 DESC, 1 LIMIT ?",
        (query.tobytes(), k),
    )
    return [(row[0], row[1]) for row in rows]
