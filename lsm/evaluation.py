"""Wires measuring: a mind's own questions, and public collections in minds of their own."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from operator import eq
from typing import TYPE_CHECKING, Any

import msgspec

from lsm.errors import InvalidError
from lsm.paths import absolute, to_os
from lsm.query.evaluation.collection import number_of, read_collection, write_documents
from lsm.query.evaluation.comparing import Comparison, baseline_of, compared
from lsm.query.evaluation.measuring import Asked, Measured, SetResult, means_of, measure
from lsm.query.evaluation.questions import means, question, read_questions
from lsm.query.evaluation.store import EvaluationStore, check_name
from lsm.query.search import MODES
from lsm.vectordb.base import Where
from lsm.vectordb.documents import documents_where

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from lsm.app import Mind
    from lsm.query.evaluation.collection import Collection
    from lsm.query.evaluation.measuring import ModeResult, Search
    from lsm.query.evaluation.questions import Question

_SAVED = "saved queries"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is measured."""

    files: Sequence[str] = ()  # of questions on the library
    collections: Sequence[str] = ()  # folders; neither: the questions that are saved
    modes: Sequence[str] = MODES
    k: int = 10
    keep: str | None = None  # folder in which collections stay ingested


@dataclass(frozen=True)
class Opened:
    """A collection in a mind of its own."""

    mind: Mind
    collection: Collection
    ids: list[str]  # of the documents, by number
    unread: list[str]  # documents that could not be ingested, and why

    def asked(self, searches: dict[str, Search]) -> Asked:
        """*searches* of that mind, their documents by id."""
        return Asked(searches, lambda path: self.ids[number_of(path)], eq)


class Evaluation:
    """How well one mind finds."""

    def __init__(self, mind: Mind) -> None:
        self._mind = mind
        self.store = EvaluationStore(mind.db, mind.clock)

    def add(self, query: str, expect: Sequence[str], grade: int = 1) -> Question:
        """Keep that *query* should find *expect*; the question as it is now.

        Args:
            query: as it would be typed.
            expect: paths, or globs such as ``policies/**``, which any document fits.
            grade: how relevant these are, 1 to 10.

        Raises:
            InvalidError: one of them cannot be.
        """
        added = question(query, dict.fromkeys(map(as_pattern, expect), grade))
        self.store.add([added])
        return next(each for each in self.store.questions() if each.key == added.key)

    def absent(self, patterns: Sequence[str]) -> list[str]:
        """Those of *patterns* that no document of the library fits."""
        return [
            each for each in patterns if not documents_where(self._mind.db, Where(path=_glob(each)))
        ]

    def run(self, wanted: Wanted, on_step: Callable[[Any], None]) -> Measured:
        """Measure what is wanted.

        Args:
            wanted: see there.
            on_step: told now and then how far it is.

        Raises:
            InvalidError: there is nothing to ask, or a file is not what it should be.
        """
        _check(wanted)
        collections = [read_collection(folder) for folder in wanted.collections]
        names = [each.name for each in collections]
        if twice := {name for name in names if names.count(name) > 1}:
            raise InvalidError("collection", f"two are called {twice.pop()!r}; rename one")
        sets = self._on_own_documents(wanted, on_step) if not collections or wanted.files else []
        for each in collections:
            sets.append(self._on_collection(each, wanted, on_step))
        return self._measured(sets, wanted.k)

    def save(self, name: str, measured: Measured) -> None:
        """Keep *measured* as the baseline called *name*."""
        self.store.save(name, baseline_of(measured))

    def compare(self, name: str, measured: Measured) -> Comparison:
        """*measured* beside the baseline called *name*.

        Raises:
            NotFoundError: there is none.
            InvalidError: they have no question in common, or went to other depths.
        """
        before, created_at = self.store.baseline(name)
        return compared(measured, before, name, created_at)

    @contextmanager
    def opened(
        self, collection: Collection, place: str, on_step: Callable[[Any], None]
    ) -> Generator[Opened]:
        """A mind that has read *collection* with this one's model and chunks, below *place*."""
        from lsm.app import Mind

        documents, home = os.path.join(place, "documents"), os.path.join(place, "home")
        os.makedirs(documents, exist_ok=True)
        ids = write_documents(collection, documents)
        with Mind(home, os.path.join(home, "lsm.db"), self._mind.clock) as other:
            other.config = _settings(other.config, self._mind.config)
            report = other.ingest(documents, on_progress=on_step, confirm_delete=True)
            unread = [
                f"{ids[number_of(error.path)]}: {error.reason}"
                for error in report.errors
                if error.path.endswith(".md")
            ]
            yield Opened(other, collection, ids, unread)

    def _measured(self, sets: list[SetResult], k: int) -> Measured:
        import lsm

        return Measured(
            k=k,
            model=self._mind.config.embedding.model,
            program=lsm.__version__,
            version=self._mind.overview().version,
            sets=sets,
            means=means_of(sets),
        )

    def _on_own_documents(self, wanted: Wanted, on_step: Callable[[Any], None]) -> list[SetResult]:
        named = [(os.path.basename(path), read_questions(path)) for path in wanted.files]
        if not named:
            named = [(_SAVED, self.store.questions())]
        if not named[0][1]:
            raise InvalidError(
                "eval", "no query is saved; add one: lsm eval add 'what you look for' --expect PATH"
            )
        overview = self._mind.overview()
        if not overview.version:
            raise InvalidError("eval", "nothing has been ingested yet: lsm ingest ~/notes")
        searches = searches_of(self._mind, wanted.modes)
        return [
            SetResult(
                name=name,
                documents=overview.files + overview.kept,
                modes=(found := measure(asked, Asked(searches, str, means), wanted.k, on_step)),
                absent=self.absent(_never_found(found)),
            )
            for name, asked in named
        ]

    def _on_collection(
        self, collection: Collection, wanted: Wanted, on_step: Callable[[Any], None]
    ) -> SetResult:
        with (
            _place(wanted.keep, collection.name) as place,
            self.opened(collection, place, on_step) as there,
        ):
            asked = there.asked(searches_of(there.mind, wanted.modes))
            return SetResult(
                name=collection.name,
                documents=len(there.ids),
                modes=measure(collection.questions, asked, wanted.k, on_step),
                unread=there.unread,
            )


def searches_of(mind: Mind, modes: Sequence[str]) -> dict[str, Search]:
    """The search of *mind* in each of *modes*."""
    return {mode: partial(mind.search, mode=mode) for mode in modes}


def as_pattern(text: str) -> str:
    """What a person typed as what is kept: a path if something is there, else a glob."""
    place = absolute(text)
    if text.strip() and os.path.exists(to_os(place)):
        return place
    return os.path.expanduser(text)


def _glob(pattern: str) -> str:
    """*pattern* as a glob that means the same, even where a file's name has brackets in it."""
    if not os.path.exists(to_os(pattern)):
        return pattern
    return "".join(f"[{char}]" if char in "*?[" else char for char in pattern)


def _never_found(modes: Sequence[ModeResult]) -> list[str]:
    missed = [{name for each in mode.queries for name in each.missed} for mode in modes]
    found = {name for mode in modes for each in mode.queries for name in each.found}
    return sorted(set.intersection(*missed) - found)


def _check(wanted: Wanted) -> None:
    for mode in wanted.modes or ("",):
        if mode not in MODES:
            raise InvalidError("mode", f"{mode!r} is none of {', '.join(MODES)}")


def _settings(there: Any, ours: Any) -> Any:
    """The settings *there*, with what decides in *ours* how well is found."""
    library = msgspec.structs.replace(
        there.library,
        chunk_target=ours.library.chunk_target,
        chunk_maximum=ours.library.chunk_maximum,
        workers=ours.library.workers,
    )
    return msgspec.structs.replace(there, embedding=ours.embedding, library=library)


@contextmanager
def _place(keep: str | None, name: str) -> Generator[str]:
    if keep is not None:
        yield os.path.join(os.path.abspath(os.path.expanduser(keep)), name)
        return
    place = tempfile.mkdtemp(prefix="lsm-eval-")
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


__all__ = ["Evaluation", "Opened", "Wanted", "as_pattern", "check_name", "searches_of"]
