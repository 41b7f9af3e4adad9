"""What runs for every batch or search uses an index; a scan would grow with the library."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lsm.vectordb import sqlite_vec, vector_blocks

if TYPE_CHECKING:
    from tests.test_vectordb.shelf import Shelf


@pytest.mark.parametrize(
    ("statement", "params"),
    [
        (sqlite_vec._KNOWN, {"hashes": ["a"], "space_id": 1}),
        (sqlite_vec._VECTORS_OF, {"ids": [1], "space_id": 1}),
        (sqlite_vec._OUTDATED, {"id": 1, "limit": 1}),
        (sqlite_vec._VALID, {"ids": [1], "version": 1}),
        (sqlite_vec._OF_DOCUMENTS, {"documents": [1], "version": 1}),
        (sqlite_vec._REMOVE_TEXT, {"ids": [1]}),
        (sqlite_vec._REMOVE_VECTORS, {"ids": [1]}),
        (sqlite_vec._BEST_MATCHES, {"match": '"a"', "limit": 1}),
        (
            sqlite_vec._ALL_MATCHES,
            {"match": '"a"', "version": 1, "anywhere": True, "documents": [], "k": 1},
        ),
        (vector_blocks._ROWS, {"space_id": 1, "after": 0, "before": 9, "limit": 1}),
        (vector_blocks._NEXT, {"space_id": 1, "after": 0}),
        (vector_blocks._COUNT, {"space_id": 1, "after": 0}),
    ],
)
def test_no_table_is_walked_from_end_to_end(
    sqlite_shelf: Shelf, statement: str, params: dict[str, object]
) -> None:
    with sqlite_shelf.db.transaction():
        plan = sqlite_shelf.db.tuples("EXPLAIN QUERY PLAN " + statement, **params)

    steps = [row[3] for row in plan]
    walked = [step for step in steps if step.startswith("SCAN") and "VIRTUAL TABLE" not in step]
    assert [step for step in walked if step != "SCAN m"] == []  # `m`: what matched, and no more


def test_known_vectors_are_looked_up_and_not_searched_for_among_all(sqlite_shelf: Shelf) -> None:
    plan = sqlite_shelf.db.tuples(
        "EXPLAIN QUERY PLAN " + sqlite_vec._KNOWN, hashes=["a"], space_id=1
    )

    steps = [row[3] for row in plan]
    assert any("lsm_chunks_hash (text_hash=?)" in step for step in steps)
    assert any(step.startswith("SEARCH v USING INTEGER PRIMARY KEY") for step in steps)
