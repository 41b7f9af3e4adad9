"""Search: text and vectors side by side, one list of the best."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from lsm.clock import utc_now
from lsm.errors import InvalidError
from lsm.paths import to_os
from lsm.query.alike import Alike
from lsm.query.fusion import weighted
from lsm.query.terms import cleaned, parsed
from lsm.query.when import beginning, end
from lsm.vectordb.base import NOW, Where
from lsm.vectordb.documents import DocumentReader
from lsm.vectordb.pruning import pruned_before
from lsm.vectordb.spaces import find_space
from lsm.vectordb.vectors import checked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lsm.clock import Clock
    from lsm.db import Database
    from lsm.embedding.base import Embedder
    from lsm.vectordb.base import ChunkIndex, Scored, Vector
    from lsm.vectordb.documents import DocumentVersion, StoredChunk

Mode = Literal["hybrid", "text", "vector"]
MODES: tuple[str, ...] = get_args(Mode)
MAX_K = 1000

# A leg's best and worst become 1 and 0, and both legs count alike: better than reciprocal ranks
# on the collections we measured with the default embedder (docs/explanation/search.md). The text
# leg counts for less the more of the words stand nowhere: who asks in other words than the
# documents use would else be given whatever shares a word.
_TEXT_SHARE = 0.5
# One round of feedback (Rocchio 1971): the three best hits pull the query's vector towards them.
_FEEDBACK_HITS = 3
_FEEDBACK = 0.4
_BLANK_LINES = re.compile(r"\A(?:[^\S\n]*\n)+")  # before the first line, which `start_line` counts
_DEPTH = 100  # chunks asked of each leg, at least: what the other leg confirms may stand deep


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """How to search, and where. The defaults search everything, as it is."""

    mode: str = "hybrid"
    path: str | None = None  # glob
    ext: Sequence[str] = ()
    tag: Sequence[str] = ()
    since: str | None = None  # date: documents modified then or later
    as_of: str | int | None = None  # date or version: the library as it was


class Hit(msgspec.Struct, frozen=True):
    """A passage that was found. The fields are those of the JSON row."""

    rank: int  # from 1
    score: float  # higher is better; comparable within one search only
    path: str
    title: str
    heading: str
    start_line: int  # 1-based, inclusive, as is the next
    end_line: int
    page: int | None
    text: str
    chunk_id: int
    version: int  # of the document
    tags: tuple[str, ...]
    parts: dict[str, float]  # what each leg said: "text", "vector", and their ranks
    also_in: tuple[str, ...] = ()  # other documents that say the same in nearly the same words

    @property
    def os_path(self) -> str:
        """`path` as `open` takes it: a name that is not UTF-8 is spelled otherwise in `path`."""
        return to_os(self.path)


@dataclass
class _Legs:
    """What each leg found."""

    text_share: float = _TEXT_SHARE
    text: Sequence[Scored] = ()
    vector: Sequence[Scored] = ()
    parts: dict[int, dict[str, float]] = field(default_factory=dict[int, dict[str, float]])

    def explain(self) -> None:
        for name, leg in (("text", self.text), ("vector", self.vector)):
            for rank, scored in enumerate(leg, 1):
                part = self.parts.setdefault(scored.chunk_id, {})
                part[name] = round(scored.score, 6)
                part[f"{name}_rank"] = rank


class Searcher:
    """Answers searches over the chunks."""

    def __init__(
        self,
        db: Database,
        index: ChunkIndex,
        embedder: Callable[[], Embedder],
        clock: Clock = utc_now,
    ) -> None:
        """*embedder* is called once something has to be embedded, not before."""
        self._db = db
        self._index = index
        self._embedder = embedder
        self._clock = clock
        self._documents = DocumentReader(db)

    def search(self, query: str, k: int = 10, options: SearchOptions | None = None) -> list[Hit]:
        """The *k* best passages, best first; fewer only if fewer qualify.

        Raises:
            InvalidError: *k*, a mode or a date that cannot be.
            EmbeddingError: the query cannot be embedded (not in mode "text").
        """
        options = options or SearchOptions()
        _check(k, options)
        text = cleaned(query)
        if not text:
            return []
        vector = self._embed(text) if options.mode != "text" else None
        # One state of the library for both legs and for what is shown of it.
        with self._db.snapshot():
            where = self.where(options)
            depth = max(_DEPTH, 4 * k)
            while True:
                legs, fused = self._rank(text, vector, depth, where, options.mode)
                hits = self._collected(fused, legs, k, where)
                if len(hits) >= k or max(len(legs.text), len(legs.vector)) < depth:
                    return hits
                depth *= 4  # near-duplicates took the places: look deeper

    def where(self, options: SearchOptions) -> Where:
        """*options* as the index takes them.

        Raises:
            InvalidError: a date that is none.
        """
        return Where(
            version=self.version(options.as_of),
            path=options.path or None,
            extensions=tuple(f".{ext.lower().lstrip('.')}" for ext in options.ext),
            tags=tuple(tag.casefold().lstrip("#") for tag in options.tag),
            since=beginning(options.since, "since", self._clock) if options.since else None,
        )

    def version(self, as_of: str | int | None) -> int:
        """The version that *as_of*, a date or a version, names.

        Raises:
            InvalidError: it is neither, or what the library was then has been pruned.
        """
        if as_of is None or as_of == "":
            return NOW
        if isinstance(as_of, int):
            return self._known(as_of)
        text = as_of.strip()
        if text.isascii() and text.isdecimal():
            # So many digits that Python refuses to count them are no version either.
            return self._known(int(text[:20]))
        return self._kept(self._documents.version_at(end(as_of, "as-of", self._clock)), as_of)

    def _known(self, version: int) -> int:
        newest = self._documents.version_at("9999")  # of all years
        if not 0 <= version <= newest:
            raise InvalidError(
                "as-of",
                f"there is no version {version}, the newest is {newest}; "
                "a date is written 2026-03-01",
            )
        return self._kept(version, version)

    def _kept(self, version: int, asked: str | int) -> int:
        oldest = pruned_before(self._db)
        if version < oldest:
            raise InvalidError(
                "as-of",
                f"{asked} lies before version {oldest}, the oldest that has been kept: lsm db "
                "prune took out what was before; a backup from then still has it",
            )
        return version

    def _embed(self, text: str) -> tuple[Vector, int] | None:
        """The query's vector and its space; None while nothing has been embedded in it."""
        embedder = self._embedder()
        space = find_space(self._db, embedder.model, embedder.dimension)
        return None if space is None else (embedder.embed_query(text), space)

    def _rank(
        self,
        text: str,
        vector: tuple[Vector, int] | None,
        depth: int,
        where: Where,
        mode: str,
    ) -> tuple[_Legs, dict[int, float]]:
        legs = _Legs()
        if mode != "vector":
            asked = parsed(text)
            legs.text = self._index.matching(asked, depth, where)
            known = len(self._index.occurring(asked.words))
            legs.text_share = _TEXT_SHARE * known / max(1, len(asked.words))
        if vector is not None:
            legs.vector = self._index.nearest(vector[0], vector[1], depth, where)
        if vector is not None and legs.text:
            closer = self._feedback(*vector, _joined(legs))
            legs.vector = self._index.nearest(closer, vector[1], depth, where)
        legs.explain()
        if mode != "hybrid":
            return legs, {s.chunk_id: s.score for s in (*legs.text, *legs.vector)}
        return legs, _joined(legs)

    def _feedback(self, query: Vector, space: int, fused: dict[int, float]) -> Vector:
        best = _ordered(fused)[:_FEEDBACK_HITS]
        found = list(self._index.vectors_of(best, space).values())
        if not found:
            return query
        moved = query + _FEEDBACK * sum(found[1:], found[0]) / len(found)
        return checked(moved.astype(query.dtype), len(query))

    def _collected(self, fused: dict[int, float], legs: _Legs, k: int, where: Where) -> list[Hit]:
        """The best of *fused*, those that say the same as a better one folded into it."""
        alike: Alike[_Found] = Alike()
        ids = _ordered(fused)
        for start in range(0, len(ids), 2 * k):
            for found in self._found(ids[start : start + 2 * k], where):
                if len(alike.groups) == k:
                    alike.join(found.chunk.text, found)
                else:
                    alike.add(found.chunk.text, found)
            if len(alike.groups) >= k:
                break
        return [
            _hit(rank, group[0], group[1:], fused, legs)
            for rank, group in enumerate(alike.groups, 1)
        ]

    def _found(self, ids: Sequence[int], where: Where) -> list[_Found]:
        chunks = self._documents.chunks(ids)
        documents = self._documents.by_id(
            list({chunk.document_id for chunk in chunks.values()}), where.version
        )
        return [
            _Found(chunk, documents[chunk.document_id])
            for chunk_id in ids
            if (chunk := chunks.get(chunk_id)) is not None and chunk.document_id in documents
        ]


@dataclass(frozen=True)
class _Found:
    chunk: StoredChunk
    document: DocumentVersion


def _joined(legs: _Legs) -> dict[int, float]:
    return weighted([(legs.text_share, legs.text), (1 - legs.text_share, legs.vector)])


def _ordered(fused: dict[int, float]) -> list[int]:
    """Chunk ids, best first; ties by id, so that the same search gives the same list."""
    return sorted(fused, key=lambda chunk_id: (-fused[chunk_id], chunk_id))


def _hit(
    rank: int,
    found: _Found,
    others: Sequence[_Found],
    fused: dict[int, float],
    legs: _Legs,
) -> Hit:
    chunk, document = found.chunk, found.document
    place = next(place for place in document.outline if place.chunk_id == chunk.chunk_id)
    elsewhere = dict.fromkeys(other.document.source_path for other in others)
    elsewhere.pop(document.source_path, None)
    return Hit(
        rank=rank,
        score=round(fused[chunk.chunk_id], 6),
        path=document.source_path,
        title=document.title,
        heading=chunk.heading,
        start_line=place.start_line,
        end_line=place.end_line,
        page=place.page,
        text=_BLANK_LINES.sub("", chunk.text).rstrip(),
        chunk_id=chunk.chunk_id,
        version=document.version,
        tags=document.tags,
        parts=legs.parts.get(chunk.chunk_id, {}),
        also_in=tuple(elsewhere),
    )


def _check(k: int, options: SearchOptions) -> None:
    if not 1 <= k <= MAX_K:
        raise InvalidError("k", f"{k} is not between 1 and {MAX_K}")
    if options.mode not in MODES:
        raise InvalidError("mode", f"{options.mode!r} is none of {', '.join(MODES)}")
