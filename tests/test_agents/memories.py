"""Builders for the tests of memory: a clock that is set, an embedder of words, a library."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np
import pytest

from lsm.agents.memory import MemoryStore, SourceWatch, Writer
from lsm.clock import to_text
from lsm.db import open_database
from lsm.vectordb import open_chunk_index
from lsm.vectordb.library import LibraryWriter, NewDocument, Piece
from lsm.vectordb.spaces import open_space

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from lsm.db import Database

TABLES = (
    "lsm_agent_memories", "lsm_agent_memory_candidates", "lsm_memory_sources",
    "lsm_memory_revisions", "lsm_memory_contexts", "lsm_memory_context_uses", "vec_memories",
)  # fmt: skip
AGENT = Writer(trust="agent", author="researcher", run_id="run-1", scope="agents/researcher")


_servers: dict[str, str] = {}  # of this run, to the one database that memory's tests share there


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database of each engine. Emptying one of PostgreSQL's takes a tenth of making it."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_url")
        return
    server = request.getfixturevalue("postgres_server")
    if server not in _servers:
        name = f"memories_{uuid4().hex[:12]}"
        _execute(server.format("postgres"), f"CREATE DATABASE {name}")
        open_database(server.format(name)).close()
        _execute(server.format(name), "CREATE TABLE lsm.at_first AS SELECT * FROM lsm.lsm_counters")
        _servers[server] = server.format(name)
    yield _servers[server]
    _execute(_servers[server], _EMPTY)


_EMPTY = """
SET session_replication_role = replica;
DO $$ DECLARE name TEXT; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'lsm'
                 AND tablename NOT IN ('at_first', 'lsm_counters', 'lsm_meta', 'lsm_migrations')
    LOOP EXECUTE format('DELETE FROM lsm.%I', name); END LOOP;
END $$;
UPDATE lsm.lsm_counters c SET next_value = f.next_value FROM lsm.at_first f WHERE f.name = c.name;
"""


def _execute(url: str, statements: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statements)


@dataclass
class Clock:
    """A clock that stands until it is set; every look moves it by a microsecond."""

    now: datetime = field(default=datetime(2026, 1, 1, 12, tzinfo=UTC))

    def __call__(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now

    def forward(self, **length: float) -> None:
        self.now += timedelta(**length)


class WordEmbedder:
    """Texts are alike as far as they share words: real vectors, without a model's weights."""

    model = "words-64"
    dimension = 64

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.texts += texts
        rows = [self._vector(text) for text in texts]
        return np.array(rows, np.float32).reshape(len(rows), self.dimension)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        return self._vector(text)

    def _vector(self, text: str) -> NDArray[np.float32]:
        vector = np.full(self.dimension, 0.01, np.float32)
        for word in text.casefold().split():
            digest = hashlib.sha256(word.strip(".,:").encode()).digest()
            vector[digest[0] % self.dimension] += 1
        return vector / np.linalg.norm(vector)


def store(db: Database, clock: Clock | None = None, *, embedded: bool = True) -> MemoryStore:
    return MemoryStore(db, clock or Clock(), WordEmbedder() if embedded else None)


def agent(memories: MemoryStore, **more: str | None) -> MemoryStore:
    given = vars(AGENT) | more
    return memories.acting(Writer(**given))


def contents(db: Database) -> dict[str, list[str]]:
    """Every row of every table of memory, sorted; with what the full-text index has."""
    found = {table: sorted(map(str, db.tuples(f"SELECT * FROM {table}"))) for table in TABLES}
    docs = "memories_fts_docsize" if db.engine == "sqlite" else "memories_fts"
    name = "id" if db.engine == "sqlite" else "number"
    found["memories_fts"] = sorted(map(str, db.tuples(f"SELECT {name} FROM {docs}")))
    return found


class Library:
    """Documents of a few lines, one chunk a paragraph, as ingest writes them."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._writer = LibraryWriter(db, open_chunk_index(db))
        self._watch = SourceWatch(db, Clock())
        self._ids: dict[str, int] = {}
        self.version = 0
        self._space = open_space(db, WordEmbedder.model, WordEmbedder.dimension)

    def write(self, path: str, text: str, *, fail: bool = False) -> None:
        """Make *text* the document at *path*, in one transaction with what rests on it."""
        self.version += 1
        known = self._ids.get(path)
        document = new_document(known, path, text)
        vectors = {
            piece.text_hash: WordEmbedder().embed_query(piece.text) for piece in document.pieces
        }
        with self._db.transaction():
            written = self._writer.put([document], vectors, self.version, self._space)
            self._ids[path] = written.document_ids[0]
            self._watch.chunks_changed([self._ids[path]], self.version)
            if fail:
                raise RuntimeError("the process dies before the commit")

    def remove(self, path: str) -> None:
        """Take the document out of the library."""
        self.version += 1
        with self._db.transaction():
            self._writer.retire([self._ids[path]], self.version)
            self._watch.chunks_changed([self._ids[path]], self.version)


def new_document(document_id: int | None, path: str, text: str) -> NewDocument:
    pieces: list[Piece] = []
    line = 1
    for paragraph in text.split("\n\n"):
        count = paragraph.count("\n") + 1
        digest = hashlib.sha256(paragraph.encode()).hexdigest()
        pieces.append(Piece(digest, "", paragraph + "\n\n", line, line + count - 1, None))
        line += count + 1
    return NewDocument(
        document_id=document_id,
        source_path=path,
        extension=".md",
        title=path,
        own_title="",
        tags=(),
        own_tags=(),
        metadata={},
        flags=(),
        modified_at=to_text(datetime(2026, 1, 1, tzinfo=UTC)),
        file_size=len(text),
        file_hash=hashlib.sha256(text.encode()).hexdigest(),
        pieces=tuple(pieces),
    )
