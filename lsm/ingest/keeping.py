"""Documents that are no files: texts kept from the web, under their address.

They go through chunking, embedding and versions as files do. No scan ever looks for them, so only
`KeptDocuments.drop` takes one out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from lsm.clock import from_text, to_text
from lsm.errors import InvalidError, NotFoundError
from lsm.ingest.batches import Arrival, Batch
from lsm.ingest.confined import ConfinedError, call
from lsm.ingest.derivation import Derivation, ids_with_chunking
from lsm.ingest.incoming import pieces_of
from lsm.ingest.manifest import FileState, load_manifest
from lsm.ingest.pipeline import chunking_name
from lsm.ingest.vectorizing import Vectorizer
from lsm.ingest.webtext import Cut, Texts
from lsm.ingest.writing import BatchWriter, WriterContext
from lsm.paths import is_address
from lsm.vectordb.library import NewDocument

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lsm.clock import Clock
    from lsm.db import Database
    from lsm.embedding.base import Embedder
    from lsm.ingest.chunking import ChunkOptions
    from lsm.ingest.messages import Limits
    from lsm.vectordb.base import ChunkIndex

EXTENSION = ".web"  # what `--ext` and the statistics call them by

_LIST = """
SELECT d.source_path, d.title, d.metadata_json, d.modified_at, d.version_in, m.file_size
  FROM lsm_documents d
  JOIN lsm_manifest m ON m.source_path = d.source_path
 WHERE d.version_out IS NULL
   AND (substr(d.source_path, 1, 8) = 'https://' OR substr(d.source_path, 1, 7) = 'http://')
 ORDER BY d.source_path
"""


class Text(Protocol):
    """What is to be kept."""

    @property
    def source_path(self) -> str:
        """Its web address."""
        ...

    @property
    def title(self) -> str:
        """One line."""
        ...

    @property
    def text(self) -> str:
        """Markdown."""
        ...

    @property
    def tags(self) -> Sequence[str]:
        """What it is found by besides."""
        ...

    @property
    def metadata(self) -> Mapping[str, str]:
        """Short texts."""
        ...

    @property
    def modified_at(self) -> str | None:
        """When it was published, if that is known."""
        ...

    @property
    def content_hash(self) -> str:
        """SHA-256 of the text, 64 hex digits."""
        ...


class Kept(msgspec.Struct, frozen=True):
    """What became of one text."""

    url: str
    title: str
    state: Literal["new", "changed", "unchanged"]


class KeepError(msgspec.Struct, frozen=True):
    """What could not be kept, or only as it was some time ago."""

    url: str
    code: str
    reason: str


class KeepReport(msgspec.Struct, frozen=True):
    """The result of `lsm remote keep`."""

    kept: tuple[Kept, ...]
    version: int | None  # None: nothing changed, so no version was taken
    errors: tuple[KeepError, ...] = ()


class KeptRow(msgspec.Struct, frozen=True):
    """A kept document."""

    url: str
    title: str
    provider: str
    retrieved_at: str
    modified_at: str
    version: int  # since when it is like this
    bytes: int


@dataclass(frozen=True)
class Prepared:
    """Texts with their chunks and vectors, ready to be written."""

    texts: tuple[Text, ...]  # each address once
    batch: Batch
    errors: tuple[KeepError, ...]


@dataclass(frozen=True)
class KeepSettings:
    """How texts are cut, and what that may cost."""

    chunking: ChunkOptions
    limits: Limits
    clock: Clock
    # Told inside the transaction which documents changed, and in which version.
    on_changed: Callable[[Sequence[int], int], None]


class KeptDocuments:
    """Puts texts of the web into the library, and takes them out."""

    def __init__(
        self,
        db: Database,
        index: ChunkIndex,
        embedder: Callable[[], Embedder],
        settings: KeepSettings,
    ) -> None:
        """*embedder* is called once something has to be embedded, not before."""
        self._db = db
        self._index = index
        self._embedder = embedder
        self._settings = settings
        self._chunking = chunking_name(settings.chunking)

    def prepare(self, texts: Sequence[Text]) -> Prepared:
        """Cut and embed what is new or changed of *texts*; nothing is written.

        Raises:
            InvalidError: a text has no web address.
            EmbeddingError: the model refuses everything.
        """
        for text in texts:
            if not is_address(text.source_path):
                raise InvalidError("keep", f"{text.title!r} has no web address to be kept under")
        unique = {text.source_path: text for text in texts}
        states = load_manifest(self._db, list(unique))
        schemas = ids_with_chunking(self._db, self._chunking)
        fresh = [
            text for path, text in unique.items() if not _is_known(text, states.get(path), schemas)
        ]
        batch, errors = Batch(), list[KeepError]()
        for text, cut in zip(fresh, self._cut(fresh), strict=True):
            if cut.code:
                errors.append(KeepError(text.source_path, cut.code, cut.reason))
            else:
                batch.arrive(self._arrival(text, cut, states.get(text.source_path)))
        if batch.arrivals:
            Vectorizer(self._db, self._index, self._embedder(), self._chunking).fill(batch)
        errors += [KeepError(f.source_path, f.code, f.reason) for f in batch.failures]
        failed = {error.url for error in errors}
        kept = tuple(text for path, text in unique.items() if path not in failed)
        return Prepared(kept, batch, tuple(errors))

    def write(self, prepared: Prepared) -> KeepReport:
        """Put it into the library, all under one version. Joins the caller's transaction."""
        # Anew each time: when a transaction is tried again, nothing of the first try counts.
        batch = Batch(arrivals=list(prepared.batch.arrivals), vectors=prepared.batch.vectors)
        before = {a.state.source_path: a.before is not None for a in batch.arrivals}
        version: int | None = None
        now: dict[str, FileState] = {}
        if batch.arrivals:
            writer = self._writer()
            writer.write(batch)
            version = writer.version
            now = load_manifest(self._db, list(before))

        def state(path: str) -> Literal["new", "changed", "unchanged"]:
            if path not in now or version is None or now[path].version != version:
                return "unchanged"
            return "changed" if before[path] else "new"

        kept = [Kept(t.source_path, t.title, state(t.source_path)) for t in prepared.texts]
        return KeepReport(tuple(kept), version, prepared.errors)

    def drop(self, urls: Sequence[str]) -> int | None:
        """Take kept documents out of the library as it is; the version that did.

        Raises:
            NotFoundError: one of them is not kept; nothing was dropped.
        """
        with self._db.transaction():
            states = load_manifest(self._db, list(urls))
            for url in urls:
                if url not in states or not is_address(url):
                    raise NotFoundError("kept document", url)
            writer = self._writer()
            writer.retire({url: state.checked_ns for url, state in states.items()})
        return writer.version

    def rows(self) -> list[KeptRow]:
        """Every kept document, by address."""
        found: list[KeptRow] = []
        for url, title, metadata_json, modified_at, version, size in self._db.tuples(_LIST):
            metadata = msgspec.json.decode(metadata_json, type=dict[str, str])
            provider, at = metadata.get("provider", ""), metadata.get("retrieved_at", "")
            found.append(KeptRow(url, title, provider, at, modified_at, version, size))
        return found

    def _cut(self, texts: Sequence[Text]) -> list[Cut]:
        if not texts:
            return []
        order = Texts([text.text for text in texts], self._settings.chunking)
        try:
            answer = call(
                "lsm.ingest.webtext:chunked", msgspec.msgpack.encode(order), self._settings.limits
            )
        except ConfinedError as error:
            if len(texts) == 1:
                return [Cut(code=error.code, reason=error.reason)]
            # One of them is to blame: the others must not suffer for it.
            return [cut for text in texts for cut in self._cut([text])]
        return msgspec.msgpack.decode(answer, type=list[Cut])

    def _arrival(self, text: Text, cut: Cut, before: FileState | None) -> Arrival:
        now = self._settings.clock()
        published = from_text(text.modified_at) if text.modified_at else now
        size = len(text.text.encode())
        document = NewDocument(
            document_id=before.document_id if before is not None else None,
            source_path=text.source_path,
            extension=EXTENSION,
            title=text.title,
            own_title=text.title,
            tags=tuple(text.tags),
            own_tags=tuple(text.tags),
            metadata=text.metadata,
            flags=cut.flags,
            modified_at=text.modified_at or to_text(now),
            file_size=size,
            file_hash=text.content_hash,
            pieces=pieces_of(text.title, cut.chunks),
        )
        state = FileState(
            source_path=text.source_path,
            mtime_ns=_nanoseconds(published),
            file_size=size,
            file_hash=text.content_hash,
            version=0,  # told when it is written
            checked_ns=_nanoseconds(now),
        )
        return Arrival(document, state, before)

    def _writer(self) -> BatchWriter:
        settings = self._settings

        def derivation() -> Derivation:
            embedder = self._embedder()
            return Derivation(embedder.model, embedder.dimension, self._chunking)

        context = WriterContext(derivation, settings.clock, settings.on_changed)
        return BatchWriter(self._db, self._index, context)


def _is_known(text: Text, state: FileState | None, schemas: frozenset[int]) -> bool:
    return (
        state is not None
        and state.file_hash == text.content_hash
        and state.schema_version_id in schemas
    )


def _nanoseconds(instant: datetime) -> int:
    # Not timestamp(): a float holds no microsecond of this century in nanoseconds.
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
