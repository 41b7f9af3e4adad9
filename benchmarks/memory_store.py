"""One store of memories in a process of its own.

``python -m benchmarks.memory_store NAME PATH TEXTS``; TEXTS is a file with paragraphs and queries,
the same for all. Reads a JSON array ``[method, argument...]`` a line and answers with a line of
JSON. Both stores have LangGraph's interface, the same embedder, WAL and ``synchronous=FULL``.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import random
import sys
import time
from typing import TYPE_CHECKING, Any

from lsm.embedding import open_embedder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langgraph.store.base import BaseStore, SearchItem

    from lsm.agents.memory import MemoryStore

TOPICS = 100  # an item has one of them, and one kind of four
_PER_FILL = 1000


class FailingError(Exception):
    """The embedding model that a battery's check has made fail."""


class Embedder:
    """LSM's default, for both; it can be told to fail."""

    def __init__(self) -> None:
        self._inner = open_embedder()
        self.model, self.dimension = self._inner.model, self._inner.dimension
        self.failing = False
        self._inner.embed_documents(["the model is loaded before a clock starts"])

    def embed_documents(self, texts: Any) -> Any:
        if self.failing:
            raise FailingError
        return self._inner.embed_documents(texts)

    def embed_query(self, text: str) -> Any:
        return self._inner.embed_query(text)

    def lists(self, texts: Any) -> list[list[float]]:
        """As LangGraph wants vectors."""
        return [vector.tolist() for vector in self.embed_documents(texts)]


class Subject:
    """What is measured and checked, through LangGraph's interface alone."""

    def __init__(self, path: str, texts: str) -> None:
        self.path = path
        with open(texts, encoding="utf-8") as file:
            self._paragraphs, asked = json.load(file)
        self.embedder = Embedder()
        self.sockets = 0
        self.items: BaseStore = self.open(["text"])
        self._dice = random.Random(7)
        self._texts = itertools.cycle(self._paragraphs)
        self._asked = itertools.cycle(asked)
        self._count = 0
        sys.addaudithook(self._audit)

    def open(self, fields: list[str]) -> BaseStore:
        raise NotImplementedError

    def vectors(self) -> int:
        """How many vectors the database holds."""
        raise NotImplementedError

    def durability(self) -> list[str | int]:
        """Journal mode and level of synchronisation of the connection that writes."""
        raise NotImplementedError

    def erase(self, namespace: tuple[str, ...], key: str) -> None:
        """Remove an item as thoroughly as the store can, and flush its log."""
        raise NotImplementedError

    def _audit(self, event: str, _: object) -> None:
        if event in ("socket.connect", "socket.getaddrinfo", "socket.bind"):
            self.sockets += 1

    # -- what is timed: seconds, of *count* of them one after another ----------------------

    def fill(self, count: int) -> float:
        """Put *count* items, a thousand in each batch."""
        from langgraph.store.base import PutOp

        began = time.perf_counter()
        while count > 0:
            ops = [PutOp(*self._next()) for _ in range(min(count, _PER_FILL))]
            self.items.batch(ops)
            count -= len(ops)
        return time.perf_counter() - began

    def put(self, count: int) -> float:
        entries = [self._next() for _ in range(count)]
        return self._timed(entries, lambda each: self.items.put(*each))

    def get(self, count: int) -> float:
        numbers = [self._dice.randrange(self._count) for _ in range(count)]
        return self._timed(numbers, lambda n: self._present(self.items.get(_space(n), f"note-{n}")))

    def list(self, count: int) -> float:
        topics = [f"topic-{self._dice.randrange(TOPICS)}" for _ in range(count)]
        return self._timed(
            topics,
            lambda topic: self._ten(self.items.search(("users",), filter={"topic": topic})),
        )

    def list_one(self, count: int) -> float:
        """As `list`, below one user of ten."""
        topics = [f"topic-{10 * self._dice.randrange(TOPICS // 10)}" for _ in range(count)]
        return self._timed(
            topics,
            lambda topic: self._some(self.items.search(("users", "0"), filter={"topic": topic})),
        )

    def search(self, count: int) -> float:
        asked = list(itertools.islice(self._asked, count))
        return self._timed(
            asked,
            lambda query: self._ten(
                self.items.search(("users",), query=query, filter={"kind": "b"})
            ),
        )

    def _next(self) -> tuple[tuple[str, ...], str, dict[str, Any]]:
        n, self._count = self._count, self._count + 1
        value = {
            "text": f"{next(self._texts)} ({n})",
            "topic": f"topic-{n % TOPICS}",
            "kind": "abcd"[n % 4],
        }
        return _space(n), f"note-{n}", value

    def _timed(self, arguments: list[Any], call: Callable[[Any], None]) -> float:
        began = time.perf_counter()
        for each in arguments:
            call(each)
        return (time.perf_counter() - began) / len(arguments)

    def _present(self, item: object) -> None:
        assert item is not None

    def _some(self, found: list[SearchItem]) -> None:
        assert found

    def _ten(self, found: list[SearchItem]) -> None:
        assert len(found) == min(10, self._count // TOPICS), len(found)

    # -- the battery -----------------------------------------------------------------------

    def keeps_created_at(self) -> bool:
        self.items.put(("b", "created"), "a", {"text": "one"})
        before = self.items.get(("b", "created"), "a")
        time.sleep(1.1)  # one of them counts in seconds
        self.items.put(("b", "created"), "a", {"text": "two"})
        after = self.items.get(("b", "created"), "a")
        assert before is not None
        assert after is not None
        return after.created_at == before.created_at

    def failed_batch_changes_nothing(self) -> bool:
        from langgraph.store.base import PutOp

        self.embedder.failing = True
        try:
            self.items.batch([PutOp(("b", "batch"), str(n), {"text": "new"}) for n in range(3)])
        except FailingError:
            return self.items.search(("b", "batch")) == []
        finally:
            self.embedder.failing = False
        return False

    def delete_leaves_no_vector(self) -> bool:
        before = self.vectors()
        self.items.put(("b", "deleted"), "a", {"text": "a memory that goes"})
        assert self.vectors() == before + 1
        self.items.delete(("b", "deleted"), "a")
        return self.vectors() == before

    def erasing_leaves_no_byte(self) -> bool:
        word = "Quetzalcoatlus"
        self.items.put(("b", "erased"), "a", {"text": f"saw a {word} in the garden"})
        self.erase(("b", "erased"), "a")
        files = [self.path + end for end in ("", "-wal", "-journal")]
        return not any(word.casefold() in _bytes(file) for file in files)

    def pages_are_complete(self) -> bool:
        for n in range(50):
            self.items.put(("b", "pages"), str(n), {"text": f"zebra number {n}"})
        found = [
            item.key
            for offset in range(0, 50, 10)
            for item in self.items.search(("b", "pages"), query="zebra", limit=10, offset=offset)
        ]
        return len(found) == len(set(found)) == 50

    def filtered_ten(self) -> bool:
        self._two_kinds(self.items, ("b", "ten"))
        return len(self._of_kind(self.items, ("b", "ten"))) == 10

    def filtered_ten_of_three_texts(self) -> bool:
        items = self.open(["text", "title", "detail"])
        self._two_kinds(items, ("b", "three"))
        return len(self._of_kind(items, ("b", "three"))) == 10

    def keyword_ranks_first(self) -> bool:
        for n, text in enumerate(self._paragraphs[:300]):
            self.items.put(("b", "words"), str(n), {"text": f"About error codes: {text}"})
        story = " ".join(self._paragraphs[300:306])
        self.items.put(("b", "words"), "it", {"text": f"{story} The fix for KX7719 was a fuse."})
        found = self.items.search(("b", "words"), query="error code KX7719")
        return bool(found) and found[0].key == "it"

    def metadata_keeps_scope(self) -> bool:
        value = {"text": "inside", "scope": "b/out", "namespace": ["b", "out"], "prefix": "b.out"}
        self.items.put(("b", "in"), "a", value)
        return self.items.search(("b", "out")) == [] and len(self.items.search(("b", "in"))) == 1

    def opened_no_socket(self) -> bool:
        return self.sockets == 0

    def write_many(self, name: str, count: int) -> int:
        """Put *count* items while others do; how many were acknowledged."""
        done = 0
        for n in range(count):
            try:
                self.items.put(("b", "many", name), str(n), {"text": f"from {name}, {n}"})
            except Exception:  # noqa: BLE001, S112 - whatever a store raises is no acknowledgement
                continue
            done += 1
        return done

    def written(self) -> int:
        """How many of them are there."""
        return len(self.items.search(("b", "many"), limit=1000))

    def _two_kinds(self, items: BaseStore, space: tuple[str, ...]) -> None:
        for n in range(60):
            value = {"text": f"zebra {n}", "title": f"zebra title {n}", "detail": f"zebra more {n}"}
            items.put(space, str(n), value | {"kind": "rare" if n < 10 else "usual"})

    def _of_kind(self, items: BaseStore, space: tuple[str, ...]) -> list[SearchItem]:
        return items.search(space, query="zebra", filter={"kind": "rare"}, limit=10)


class Lsm(Subject):
    """LSM's memory, as a LangGraph store."""

    _memories: MemoryStore

    def open(self, fields: list[str]) -> BaseStore:
        from lsm.adapters.langgraph import LangGraphStore
        from lsm.agents.memory import MemoryStore
        from lsm.db import open_database

        self._db = open_database(self.path)
        self._memories = MemoryStore(self._db, embedder=self.embedder)
        return LangGraphStore(self._memories, fields=fields)

    def durability(self) -> list[str | int]:
        with self._db.transaction():
            names = ("PRAGMA journal_mode", "PRAGMA synchronous")
            return [self._db.tuples(name)[0][0] for name in names]

    def vectors(self) -> int:
        return self._db.tuples("SELECT count(*) FROM vec_memories")[0][0]

    def erase(self, namespace: tuple[str, ...], key: str) -> None:
        found = self._memories.get_by_key("/".join(namespace), key)
        assert found is not None
        assert self._memories.purge(found.id).bytes_found == 0


class SqliteStore(Subject):
    """LangGraph's own store in an SQLite file."""

    def open(self, fields: list[str]) -> BaseStore:
        import sqlite3

        if not hasattr(sqlite3.Connection, "enable_load_extension"):
            # This Python was built without it, and SqliteStore loads its vectors' extension.
            sys.modules["sqlite3"] = sqlite3 = importlib.import_module("pysqlite3")
        from langgraph.store.sqlite import SqliteStore

        self._connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        embedder = self.embedder
        made = SqliteStore(
            self._connection,
            index={"dims": embedder.dimension, "embed": embedder.lists, "fields": fields},
        )
        made.setup()
        return made

    def durability(self) -> list[str | int]:
        names = ("PRAGMA journal_mode", "PRAGMA synchronous")
        return [self._connection.execute(name).fetchone()[0] for name in names]

    def vectors(self) -> int:
        return self._connection.execute("SELECT count(*) FROM store_vectors").fetchone()[0]

    def erase(self, namespace: tuple[str, ...], key: str) -> None:
        self.items.delete(namespace, key)
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _space(number: int) -> tuple[str, ...]:
    return "users", str(number % 10), "notes"


def _bytes(path: str) -> str:
    if not os.path.exists(path):
        return ""
    with open(path, "rb") as file:
        return file.read().decode("latin-1").casefold()


def _answers(subject: Subject) -> Iterator[str]:
    yield json.dumps("ready")
    for line in sys.stdin:
        method, *arguments = json.loads(line)
        yield json.dumps(getattr(subject, method)(*arguments))


if __name__ == "__main__":
    for answer in _answers({"lsm": Lsm, "SqliteStore": SqliteStore}[sys.argv[1]](*sys.argv[2:])):
        print(answer, flush=True)
