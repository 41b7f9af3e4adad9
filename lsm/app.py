"""The only wiring: configuration, database, stores, services. Faces call what is here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self, Unpack

from msgspec import to_builtins

from lsm.clock import utc_now
from lsm.config import config_path, home_path, load_config
from lsm.db import open_database
from lsm.errors import AccessError, InvalidError
from lsm.once import once
from lsm.paths import absolute
from lsm.wiring import database_url, pipeline_settings, search_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lsm.agency import Agency
    from lsm.agents.memory import MemoryStore
    from lsm.agents.scheduler import AgentScheduler
    from lsm.catalogue import Catalogue
    from lsm.clock import Clock
    from lsm.config import Config
    from lsm.db import Database
    from lsm.embedding.base import Embedder
    from lsm.ingest.keeping import KeepReport
    from lsm.ingest.overview import LibraryOverview
    from lsm.ingest.pipeline import IngestOptions
    from lsm.ingest.report import IngestReport, Progress
    from lsm.keeping import Keeping
    from lsm.places import Places
    from lsm.query.ask import Answer
    from lsm.query.search import Hit, Searcher
    from lsm.query.show import Shown
    from lsm.reasoning import Reasoning
    from lsm.remote.sources import RemoteSources
    from lsm.remote.storage import RemoteCache
    from lsm.vectordb.base import ChunkIndex
    from lsm.wiring import SearchChoices

    StrPath = str | os.PathLike[str]


def _silent(_: Progress) -> None: ...


def _never() -> bool:
    return False


class Mind:
    """A home and its database, open. Safe to share between threads.

    Use it in a ``with`` statement, or `close` it. `home`, `config`, `clock` and `db`, the shared
    `Database`, are what it was opened with.
    """

    def __init__(
        self,
        home: StrPath | None = None,
        database: StrPath | Database | None = None,
        clock: Clock = utc_now,
    ) -> None:
        """Open the mind at *home*; both are made if they are not there.

        Args:
            home: folder; None for ``LSM_HOME`` or the platform's place for user data.
            database: ``postgresql://...``, ``sqlite:///path`` or a path; None for what the
                configuration says, which by default is ``lsm.db`` in the home. Or one that is
                open.
            clock: what time it is.

        Raises:
            ConfigError: a setting is wrong.
            StorageError: the database cannot be opened; untouched.
        """
        self.home = home_path(os.fspath(home) if home is not None else None)
        self.config: Config = load_config(config_path(self.home))
        self.clock = clock
        if database is None or isinstance(database, str | os.PathLike):
            given = os.fspath(database) if database is not None else None
            database = open_database(database_url(self.home, self.config, given), clock)
        self.db: Database = database

    @once
    def embedder(self) -> Embedder:
        """What turns text into vectors, as configured. Loaded at its first use."""
        from lsm.embedding import EmbeddingSettings, open_embedder
        from lsm.vectordb.spaces import known_dimension

        chosen = self.config.embedding
        settings = EmbeddingSettings(
            dimension=chosen.dimension,
            query_prefix=chosen.query_prefix,
            document_prefix=chosen.document_prefix,
            base_url=chosen.base_url,
            api_key_env=chosen.api_key_env,
            timeout_s=chosen.timeout_s,
            batch_tokens=chosen.batch_tokens,
            offline=chosen.offline,
        )
        embedder = open_embedder(chosen.model, settings)
        known = known_dimension(self.db, embedder.model)
        return open_embedder(chosen.model, settings, known_dimension=known)

    @once
    def _index(self) -> ChunkIndex:
        from lsm.vectordb import open_chunk_index

        return open_chunk_index(self.db)

    @once
    def _searcher(self) -> Searcher:
        from lsm.query.search import Searcher

        return Searcher(self.db, self._index, lambda: self.embedder, self.clock)

    @once
    def memories(self) -> MemoryStore:
        """What agents and people remember."""
        from lsm.agents.memory import MemoryStore

        return MemoryStore(self.db, self.clock, self.embedder, self.config.agents.memory)

    @once
    def remote(self) -> RemoteSources:
        """Sources elsewhere; none is asked before the configuration enables it."""
        from lsm.keeping import readers
        from lsm.remote.sources import RemoteSources

        return RemoteSources(self.config.remote, self.db, readers(), clock=self.clock)

    @once
    def cache(self) -> RemoteCache:
        """What remote sources answered."""
        from lsm.remote.storage import RemoteCache

        return RemoteCache(self.db, self.clock, self.config.remote.cache_mb << 20)

    @once
    def keeping(self) -> Keeping:
        """Documents of the library that are no files, but results of `remote`."""
        from lsm.keeping import Keeping

        return Keeping(self)

    def keep(self, *what: str, **how: Any) -> KeepReport:
        """Keep web pages, or the results of a remote search, as documents; see `Keeping.keep`."""
        return self.keeping.keep(*what, **how)

    def export_memories(self, path: str, scope: str | None = None) -> int:
        """Write memories with their history to a new file at *path*; how many.

        Raises:
            AccessError: it cannot be written, or is there already.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
                return self.memories.export(file, scope=scope)
        except OSError as error:
            raise AccessError(f"{path}: {error.strerror}") from error

    @once
    def catalogue(self) -> Catalogue:
        """The library page by page, for those who browse."""
        from lsm.catalogue import Catalogue

        return Catalogue(self)

    @once
    def agency(self) -> Agency:
        """Agents, and when they run."""
        from lsm.agency import Agency

        return Agency(self)

    @once
    def reasoning(self) -> Reasoning:
        """What language models do here, if one is configured."""
        from lsm.reasoning import Reasoning

        return Reasoning(self)

    @property
    def scheduler(self) -> AgentScheduler:
        """When agents run, and what became of each run."""
        return self.agency.scheduler

    def ingest(
        self,
        *paths: StrPath,
        options: IngestOptions | None = None,
        on_progress: Callable[[Progress], None] = _silent,
        should_stop: Callable[[], bool] = _never,
        **choices: bool,
    ) -> IngestReport:
        """Read what is new or changed below *paths*, or below every root if none is named.

        A path that no root holds becomes a root.

        Args:
            paths: folders and files.
            options: or its fields as keywords: ``dry_run``, ``force``, ``verify``,
                ``confirm_delete``.
            on_progress: told now and then how far it is.
            should_stop: asked now and then; what is written stays, the next run goes on.

        Raises:
            InvalidError: a path that is not there.
            EmbeddingError, StorageError: as `Pipeline.run`.
        """
        from lsm.ingest.pipeline import Hooks, IngestOptions, Pipeline
        from lsm.ingest.roots import note_scanned

        options = options or IngestOptions(**choices)
        starts = self.places.starts([os.fspath(p) for p in paths], writing=not options.dry_run)
        hooks = Hooks(
            on_changed=self._on_changed,
            on_progress=on_progress,
            should_stop=should_stop,
            clock=self.clock,
        )
        pipeline = Pipeline(
            self.db,
            self._index,
            self.embedder,
            pipeline_settings(self.config.library, self.home, self.db),
            hooks,
        )
        report = pipeline.run(starts, options)
        if not options.dry_run and not report.interrupted:
            self.places.settle(starts, report, options)
            if report.version is not None:
                note_scanned(self.db, [start.path for start in starts], self.clock)
        return report

    def search(self, query: str, k: int = 10, **choices: Unpack[SearchChoices]) -> list[Hit]:
        """The *k* passages that fit *query* best, best first.

        Args:
            query: words, a question, ``"a phrase in quotes"``; nothing in it is syntax.
            k: 1 to 1000.
            choices: ``mode`` ("hybrid", "text", "vector"), ``path`` (glob), ``ext``, ``tag``
                (one or several), ``since`` (date), ``as_of`` (date or version).

        Raises:
            InvalidError: a choice that cannot be.
        """
        return self._searcher.search(query, k, search_options(choices))

    def ask(
        self, question: str, k: int = 5, *, llm: bool = True, **choices: Unpack[SearchChoices]
    ) -> Answer:
        """The answer to *question*, each statement quoted and cited.

        Args:
            question: in your own words.
            k: how many passages at most.
            llm: let the language model write it, if one is configured.
            choices: as `search`.
        """
        from lsm.query.ask import Answerer

        writer = self.reasoning.writer() if llm else None
        answerer = Answerer(self._searcher, lambda: self.embedder, writer)
        return answerer.ask(question, k, search_options(choices))

    def show(self, chunk_or_path: StrPath, as_of: str | int | None = None) -> Shown:
        """A document, by path, or a chunk, by id, as stored.

        Raises:
            NotFoundError: there is none, or there was none then.
        """
        from lsm.query.show import show

        return show(self.db, os.fspath(chunk_or_path), self._searcher.version(as_of))

    def overview(self) -> LibraryOverview:
        """The library in a few numbers."""
        from lsm.ingest.overview import library_overview

        return library_overview(self.db)

    def status(self) -> dict[str, Any]:
        """Everything in a few numbers, with the fields of ``lsm status --json``."""
        from lsm.jobs import JobBook

        overview = self.overview()
        return {
            "version": overview.version,
            "files": overview.files,
            "kept": overview.kept,
            "unread": overview.unread,
            "chunks": overview.chunks,
            "memories": to_builtins(self.memories.stats()),
            "schedules": self._schedules_overview(),
            "cache": self._cache_overview(),
            "database": {
                "engine": self.db.engine,
                "path_or_url": self.db.url,
                "bytes": self.db.size(),
            },
            "roots": self.roots(),
            "errors": overview.errors,
            "home": self.home,
            "file_bytes": overview.file_bytes,
            "embedding": self.config.embedding.model,
            "jobs": to_builtins(JobBook(self.db, self.clock).running()),
        }

    def engine_problems(self) -> list[str]:
        """What the database engine finds wrong with its own files; empty when sound."""
        from lsm.db.check import engine_problems, log_problem

        log = log_problem(self.db)
        return engine_problems(self.db) + ([log] if log else [])

    def index_problems(self) -> list[str]:
        """Where chunks, vectors and full text differ; empty when they agree."""
        return self._index.disagreements()

    def manifest_problems(self) -> list[str]:
        """Where manifest and documents differ; empty when they agree."""
        from lsm.ingest.audit import manifest_problems

        return manifest_problems(self.db)

    def chunks_of_other_models(self) -> str | None:
        """Says so if chunks wait to be embedded with the model that is configured now."""
        from lsm.vectordb.spaces import is_only_space

        if is_only_space(self.db, self.embedder.model):
            return None
        return "some chunks still have another model's vectors"

    def close(self) -> None:
        """Give everything back."""
        self.db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @once
    def places(self) -> Places:
        """The folders and files that ``lsm ingest`` reads."""
        from lsm.places import Places

        return Places(self.db, self.home, self.config.library, self.clock)

    def roots(self) -> list[str]:
        """What ``lsm ingest`` reads, as absolute paths."""
        return self.places.roots()

    def add_root(self, path: str) -> None:
        """Read *path* from now on, at every ingest.

        Raises:
            InvalidError: it is not there, or is the home itself.
        """
        self.places.add(path)

    def watch(
        self, *paths: StrPath, should_stop: Callable[[], bool] = _never
    ) -> Iterator[IngestReport]:
        """Ingest whenever something changes below *paths* (or any root), until told to stop."""
        from lsm.ingest.watch import changes

        places = [absolute(os.fspath(path)) for path in paths] or self.roots()
        if not places:
            raise InvalidError("watch", "no folder is known yet; name one: lsm ingest ~/notes")
        for changed in changes(places, should_stop):
            yield self.ingest(*changed, should_stop=should_stop)

    def _schedules_overview(self) -> dict[str, int]:
        rows = self.scheduler.schedules()
        return {
            "active": sum(row.state == "active" for row in rows),
            "paused": sum(row.state == "paused" for row in rows),
            "failing": sum(row.consecutive_failures > 0 for row in rows),
        }

    def _cache_overview(self) -> dict[str, int]:
        found = self.cache.stats()
        return {"entries": found.entries, "fresh": found.fresh, "bytes": found.bytes}

    def _on_changed(self, document_ids: Sequence[int], version: int) -> None:
        """Inside the transaction that changes documents: what rests on them is told."""
        from lsm.agents.memory import SourceWatch

        SourceWatch(self.db, self.clock).chunks_changed(document_ids, version)
