"""A library in a process of its own, driven line by line: ``NAME DOCUMENTS``.

Each line is a JSON list, a method's name and its arguments; each answer is a line of JSON. What is
imported and the embedder are loaded before the first answer.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from benchmarks.corpus import queries
from lsm.embedding import open_embedder

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

_COUNT = 100  # queries
_K = 10
_TIE = 1e-5  # of a cosine: what float16 and another order of adding make of equal ones


class Library(Protocol):
    """Documents that can be found, in a folder."""

    def open(self, folder: str) -> None:
        """Use what is in *folder*, or begin there."""
        ...

    def ingest(self) -> int:
        """Have the library hold what the documents are now; the number of chunks."""
        ...

    def dense(self, query: str) -> list[str]:
        """Ids of the ten nearest chunks; their texts are fetched, too."""
        ...

    def hybrid(self, query: str) -> object:
        """The ten best by words and meaning; not there in those that have no such thing."""
        ...

    def accuracy(self, level: int) -> None:
        """Look at *level* candidates; not there in those that have no graph."""
        ...

    def vectors(self) -> tuple[list[str], Vectors]:
        """Ids and vectors of every chunk."""
        ...


class Driven:
    """What the lines call."""

    def __init__(self, library: Library, embed: Callable[[str], Vectors]) -> None:
        self._library = library
        self._embed = embed
        self._asked = queries(_COUNT)

    def cold(self, folder: str) -> dict[str, float]:
        """Seconds to ingest into the empty *folder*, and the chunks."""
        os.makedirs(folder, mode=0o700)
        began = time.perf_counter()
        self._library.open(folder)
        chunks = self._library.ingest()
        return {"seconds": time.perf_counter() - began, "chunks": chunks}

    def again(self) -> float:
        """Seconds to ingest once more."""
        began = time.perf_counter()
        self._library.ingest()
        return time.perf_counter() - began

    def dense(self) -> float:
        """Seconds a query takes by meaning: the median."""
        return self._median(self._library.dense)

    def hybrid(self) -> float | None:
        """... and by words and meaning; None if there is no such search."""
        search = getattr(self._library, "hybrid", None)
        return None if search is None else self._median(search)

    def recall(self) -> float:
        """The share of the ten nearest that are among the ten found, over all queries.

        What is as near as the tenth counts, whichever of them was found.
        """
        ids, vectors = self._library.vectors()
        matrix = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        at = {each: number for number, each in enumerate(ids)}
        found = 0
        for query in self._asked:
            cosines = matrix @ self._embed(query)
            tenth = np.partition(cosines, -_K)[-_K]
            mine = self._nearest(query)
            found += sum(cosines[at[each]] >= tenth - _TIE for each in mine[:_K])
        return found / (_K * len(self._asked))

    def accuracy(self, level: int) -> None:
        """Have a search by graph look at *level* candidates."""
        self._library.accuracy(level)

    def _nearest(self, query: str) -> list[str]:
        # What people are shown may fold near-duplicates: then the index itself is asked.
        return getattr(self._library, "nearest", self._library.dense)(query)

    def _median(self, search: Callable[[str], object]) -> float:
        times: list[float] = []
        search(self._asked[-1])  # loads what is loaded at the first use
        for query in self._asked:
            began = time.perf_counter()
            search(query)
            times.append(time.perf_counter() - began)
        return statistics.median(times)


class Lsm:
    """Ours."""

    def __init__(self, documents: str) -> None:
        import lsm
        from lsm.vectordb import open_chunk_index

        self._open, self._index = lsm.open, open_chunk_index
        self._documents = documents

    def open(self, folder: str) -> None:
        self.mind = self._open(folder)

    def ingest(self) -> int:
        report = self.mind.ingest(self._documents)
        assert not report.errors, report.errors
        return self.mind.overview().chunks

    def dense(self, query: str) -> list[str]:
        return [str(hit.chunk_id) for hit in self.mind.search(query, k=_K, mode="vector")]

    def hybrid(self, query: str) -> object:
        return self.mind.search(query, k=_K)

    def nearest(self, query: str) -> list[str]:
        from lsm.vectordb.base import Where
        from lsm.vectordb.spaces import find_space

        embedder = self.mind.embedder
        space = find_space(self.mind.db, embedder.model, embedder.dimension)
        assert space is not None
        index = self._index(self.mind.db)
        found = index.nearest(embedder.embed_query(query), space, _K, Where())
        return [str(each.chunk_id) for each in found]

    def vectors(self) -> tuple[list[str], Vectors]:
        # Embedded anew: what is exact does not depend on how it is stored.
        from lsm.ingest.incoming import embedded_text

        rows = self.mind.db.tuples(
            "SELECT chunk_id, title, heading, text FROM lsm_chunks WHERE is_current"
        )
        texts = [embedded_text(*row[1:]) for row in rows]
        return [str(row[0]) for row in rows], self.mind.embedder.embed_documents(texts)


def _library(name: str, documents: str) -> Any:
    if name == "lsm":
        return Lsm(documents)
    from benchmarks import library_peer_stores

    return getattr(library_peer_stores, name)(documents)


def main(name: str, documents: str) -> None:
    """Answer line by line until there are no more."""
    embedder = open_embedder()
    embedder.embed_query("loads what is loaded at the first use")
    driven = Driven(_library(name, documents), embedder.embed_query)
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    print(json.dumps("ready"), file=answers, flush=True)
    for line in sys.stdin:
        method, *arguments = json.loads(line)
        print(json.dumps(getattr(driven, method)(*arguments)), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
