"""Builders for the tests of ingest: a folder, a database and a model that can be told to fail."""

from __future__ import annotations

import ctypes
import hashlib
import os
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pytest

from lsm.db import Database, open_database
from lsm.errors import EmbeddingError
from lsm.ingest.chunking import ChunkOptions
from lsm.ingest.manifest import FileState, load_manifest
from lsm.ingest.messages import Limits
from lsm.ingest.pipeline import Hooks, IngestOptions, Pipeline, PipelineSettings
from lsm.ingest.selection import Selection
from lsm.ingest.walk import Start
from lsm.paths import to_text
from lsm.vectordb import open_chunk_index
from lsm.vectordb.documents import DocumentReader

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from lsm.db.database import Backend, Session
    from lsm.embedding.base import Embedder, Vectors
    from lsm.ingest.report import FileError, IngestReport
    from lsm.vectordb.documents import DocumentVersion

T = TypeVar("T")

SMALL = ChunkOptions(target=200, maximum=300)
DIMENSION = 8
_SECOND = 1_000_000_000


class Model:
    """An embedder whose vectors are a hash of the text, and that remembers what it was asked."""

    dimension = DIMENSION

    def __init__(self, model: str = "hash@1") -> None:
        self.model = model
        self.asked: list[str] = []
        self.poison: dict[str, Callable[[Vectors], Vectors]] = {}  # part of a text: what it does

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        vectors = np.array([_vector(self.model, text) for text in texts], np.float32)
        vectors = vectors.reshape(len(texts), self.dimension)
        for part, spoil in self.poison.items():
            if any(part in text for text in texts):
                vectors = spoil(vectors)
        return vectors

    def embed_query(self, text: str) -> Vectors:
        return _vector(self.model, text)


def refusing(_: Vectors) -> Vectors:
    """Poison: the model says no."""
    raise EmbeddingError("the model does not like it")


@dataclass
class Library:
    """A folder of files and the database that it is ingested into."""

    db: Database
    root: Path
    model: Model | Embedder = field(default_factory=Model)
    chunking: ChunkOptions = SMALL
    selection: Selection = field(default_factory=Selection)
    limits: Limits = field(default_factory=Limits)
    hooks: Hooks = field(default_factory=Hooks)
    workers: int = 1

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def ingest(self, *starts: str | Path | Start, **options: bool) -> IngestReport:
        """Run over *starts*, or over the root; afterwards everything must agree."""
        report = self.run(*starts, **options)
        assert problems_of(self.db) == []
        return report

    def run(self, *starts: str | Path | Start, **options: bool) -> IngestReport:
        """As `ingest`, unchecked."""
        settings = PipelineSettings(self.selection, self.chunking, self.limits, self.workers)
        index = open_chunk_index(self.db)
        pipeline = Pipeline(self.db, index, self.model, settings, self.hooks)
        places = [self._start(start) for start in starts or (self.root,)]
        return pipeline.run(places, IngestOptions(**options))

    def paths(self) -> list[str]:
        """What is in the library as it is, below the root."""
        return sorted(os.path.relpath(path, self.root) for path in current_documents(self.db))

    def document(self, name: str) -> DocumentVersion:
        found = DocumentReader(self.db).at_path(self.path(name))
        assert found is not None, name
        return found

    def text(self, name: str) -> str:
        return text_of(self.db, self.document(name))

    def path(self, name: str) -> str:
        return to_text(str(self.root / name))

    def state(self, name: str) -> FileState:
        return load_manifest(self.db, [self.path(name)])[self.path(name)]

    def _start(self, start: str | Path | Start) -> Start:
        if isinstance(start, Start):
            return start
        path = to_text(str(self.root / start))
        inside = path.startswith(str(self.root))
        return Start(path, to_text(str(self.root)) if inside else path)


@pytest.fixture
def library(db: Database, tmp_path: Path) -> Library:
    """An empty library on each engine."""
    return in_folder(db, tmp_path / "notes")


@pytest.fixture(name="db")
def on_sqlite(sqlite_url: str) -> Iterator[Database]:
    """Imported where what is tested has nothing to do with the engine: a clone takes its time."""
    with open_database(sqlite_url) as database:
        yield database


@pytest.fixture
def either_db(database_url: str) -> Iterator[Database]:
    """Each engine, in a module that imports `on_sqlite`."""
    with open_database(database_url) as database:
        yield database


@pytest.fixture
def either_library(either_db: Database, tmp_path: Path) -> Library:
    """An empty library on each engine, in a module that imports `on_sqlite`."""
    return in_folder(either_db, tmp_path / "notes")


def in_folder(db: Database, root: Path) -> Library:
    root.mkdir(exist_ok=True)
    return Library(db, root)


def paragraphs(*words: str) -> str:
    """A text of one title and one chunk for each of *words*."""
    told = (f"## {word}\n\n{(word + ' is what this is about. ') * 5}\n\n" for word in words)
    return "".join(["# The title\n\n", *told]) if words else ""


def counts(report: IngestReport) -> dict[str, int]:
    """The counts of files that are not 0, without `seen` and `skipped`."""
    fields = report.files.__struct_fields__
    found = {name: getattr(report.files, name) for name in fields if name not in _GENERAL}
    return {name: count for name, count in found.items() if count}


def told(errors: Iterable[FileError]) -> set[tuple[str, str]]:
    """Last part of the path, and code."""
    return {(os.path.basename(error.path), error.code) for error in errors}


def age(db: Database) -> None:
    """As if every file had been read an hour later than it was: its times can be trusted."""
    db.run("UPDATE lsm_manifest SET checked_ns = checked_ns + :hour", hour=3600 * _SECOND)


def let_the_clock_tick(folder: Path) -> None:
    """Wait until a file changed from now on has another ctime than all before."""
    probe = folder.parent / "tick"
    probe.write_text("")
    before = probe.stat().st_ctime_ns
    while probe.stat().st_ctime_ns == before:
        probe.write_text("")


def current_documents(db: Database) -> dict[str, DocumentVersion]:
    ids = [i for (i,) in db.tuples("SELECT document_id FROM lsm_documents")]
    return {d.source_path: d for d in DocumentReader(db).by_id(ids).values()}


def text_of(db: Database, document: DocumentVersion) -> str:
    chunks = DocumentReader(db).chunks([place.chunk_id for place in document.outline])
    return "".join(chunks[place.chunk_id].text for place in document.outline)


def texts_as_of(db: Database, version: int) -> dict[str, str]:
    """The library as it was: path and text, of chunks that were valid then."""
    ids = [i for (i,) in db.tuples("SELECT DISTINCT document_id FROM lsm_documents")]
    return {d.source_path: text_of(db, d) for d in DocumentReader(db).by_id(ids, version).values()}


def problems_of(db: Database) -> list[str]:
    """Whatever contradicts something else in the library, as sentences."""
    with db.snapshot():
        found = open_chunk_index(db).disagreements()
        found += [f"{path}: manifest and chunks differ" for path in _miscounted(db)]
        found += [f"document {i}: its versions overlap" for (i,) in db.tuples(_OVERLAPPING)]
        found += [f"document {d}, chunk {c}: not of that version" for d, c in _misplaced(db)]
        found += [f"chunk {c}: in no outline" for c in _lost(db)]
    return found


class InterruptedInTestError(Exception):
    """Raised by a test in the middle of something."""


class WatchedDatabase(Database):
    """A real database that tells of every statement before it is executed."""

    def __init__(self, db: Database, before: Callable[[str], None]) -> None:
        super().__init__(_WatchedBackend(db._backend, before))


class _WatchedBackend:
    def __init__(self, backend: Backend, before: Callable[[str], None]) -> None:
        self._backend = backend
        self._before = before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def reading(self) -> AbstractContextManager[Session]:
        return self._watched(self._backend.reading())

    def writing(self) -> AbstractContextManager[Session]:
        return self._watched(self._backend.writing())

    @contextmanager
    def _watched(self, opened: AbstractContextManager[Session]) -> Generator[Any]:
        with opened as session:
            yield _WatchedSession(session, self._before)


class _WatchedSession:
    def __init__(self, session: Session, before: Callable[[str], None]) -> None:
        self._session = session
        self._before = before

    def fetch(
        self, sql: str, params: Mapping[str, object]
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        self._before(sql)
        return self._session.fetch(sql, params)

    def execute(self, sql: str, params: Mapping[str, object]) -> int:
        self._before(sql)
        return self._session.execute(sql, params)

    def execute_many(self, sql: str, params: Iterable[Mapping[str, object]]) -> None:
        self._before(sql)
        self._session.execute_many(sql, params)

    def script(self, sql: str) -> None:
        self._before(sql)
        self._session.script(sql)


def as_ordinary_user(action: Callable[[], T]) -> T:
    """What *action* returns to somebody whom mode 000 keeps out, even if we are root."""
    if sys.platform != "linux":
        if os.geteuid() == 0:
            pytest.skip("root is let in everywhere, and cannot give that up here")
        return action()
    done: list[T] = []

    def work() -> None:
        _drop_capabilities()
        done.append(action())

    # Capabilities are a thread's own, and are handed on to what it starts.
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return done[0]


def _drop_capabilities() -> None:
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    data = (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.capget(header, data) == 0
    data[0] &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert libc.capset(header, data) == 0


_GENERAL = ("seen", "skipped")
_OVERLAPPING = """
SELECT a.document_id
  FROM lsm_documents a JOIN lsm_documents b
    ON b.document_id = a.document_id AND b.version_in > a.version_in
 WHERE a.version_out IS NULL OR a.version_out > b.version_in
"""
_OUTLINES = """
SELECT d.document_id, d.source_path, d.version_in, d.version_out, d.file_hash, m.chunk_count,
       m.file_hash AS manifest_hash, m.version
  FROM lsm_documents d LEFT JOIN lsm_manifest m ON m.document_id = d.document_id
   AND m.source_path = d.source_path AND d.version_out IS NULL
"""
_UNDOCUMENTED = """
SELECT source_path FROM lsm_manifest m WHERE NOT EXISTS (
       SELECT 1 FROM lsm_documents d WHERE d.document_id = m.document_id
          AND d.source_path = m.source_path AND d.version_out IS NULL)
"""
_RANGES = "SELECT chunk_id, document_id, version_in, version_out FROM lsm_chunks"
_END = 2**62


def _miscounted(db: Database) -> list[str]:
    current, newest = current_documents(db), _newest(db)
    bad = [path for (path,) in db.tuples(_UNDOCUMENTED)]
    for row in db.rows(_OUTLINES):
        if row["version_out"] is None:
            outline = current[row["source_path"]].outline
            agree = (
                row["chunk_count"] == len(outline)
                and row["manifest_hash"] == row["file_hash"]
                and row["version"] <= newest
            )
            bad += [] if agree else [row["source_path"]]
    return bad


def _newest(db: Database) -> int:
    return db.tuples("SELECT max(version) FROM lsm_versions")[0][0]


def _outlines(db: Database) -> list[tuple[int, int, int, set[int]]]:
    import msgspec

    rows = db.tuples("SELECT document_id, version_in, version_out, outline_json FROM lsm_documents")
    return [(i, a, b or _END, {p[0] for p in msgspec.json.decode(o)}) for i, a, b, o in rows]


def _misplaced(db: Database) -> list[tuple[int, int]]:
    chunks = {c: (d, a, b or _END) for c, d, a, b in db.tuples(_RANGES)}
    return [
        (document, chunk)
        for document, first, last, outline in _outlines(db)
        for chunk in outline
        if chunk not in chunks
        or chunks[chunk][0] != document
        or not (chunks[chunk][1] <= first and last <= chunks[chunk][2])
    ]


def _lost(db: Database) -> list[int]:
    """Chunks that are valid somewhere where no outline names them."""
    named: dict[int, list[tuple[int, int]]] = {}
    for _, first, last, outline in _outlines(db):
        for chunk in outline:
            named.setdefault(chunk, []).append((first, last))
    return [
        chunk
        for chunk, _, first, last in db.tuples(_RANGES)
        if not _covers(sorted(named.get(chunk, [])), first, last or _END)
    ]


def _covers(ranges: list[tuple[int, int]], first: int, last: int) -> bool:
    for start, end in ranges:
        if start > first:
            return False
        first = max(first, end)
    return first >= last


def _vector(model: str, text: str) -> Vectors:
    digest = hashlib.sha256(f"{model}\0{text}".encode()).digest()[:DIMENSION]
    vector = np.frombuffer(digest, np.uint8).astype(np.float32) - 127.5
    return vector / np.linalg.norm(vector)
