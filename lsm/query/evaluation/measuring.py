"""Puts questions to a search, and scores and times the answers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from lsm.query.evaluation.metrics import Scores, mean, percentile, scored

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lsm.query.evaluation.questions import Question
    from lsm.query.search import Hit

    Search = Callable[[str, int], Sequence[Hit]]


class Step(msgspec.Struct, frozen=True):
    """How far a measurement is."""

    stage: str
    done: int  # questions
    total: int | None


class Answered(msgspec.Struct, frozen=True):
    """One question, and what came of it."""

    key: str
    query: str
    scores: Scores
    found: dict[str, int]  # what was expected: its rank among the documents found, from 1
    missed: list[str]  # what was expected and not found
    milliseconds: float


class ModeResult(msgspec.Struct, frozen=True):
    """All questions, in one mode."""

    mode: str
    scores: Scores  # means
    p50_ms: float
    p95_ms: float
    queries: list[Answered]


class SetResult(msgspec.Struct, frozen=True, kw_only=True):
    """A set of questions, in every mode."""

    name: str
    documents: int  # in the library that was asked
    modes: list[ModeResult]
    absent: list[str] = []  # expected, but the library has nothing of that name
    unread: list[str] = []  # documents of a collection that could not be ingested, and why


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one run has measured."""

    k: int  # passages asked for
    model: str  # that embedded them
    program: str  # the version of this program
    version: int  # of the library
    sets: list[SetResult]
    means: dict[str, Scores]  # by mode, each set counting alike


@dataclass(frozen=True)
class Asked:
    """What is asked, and how its answers are read."""

    searches: Mapping[str, Search]  # by mode
    name_of: Callable[[str], str]  # of the document at a path, as questions name it
    means: Callable[[str, str], bool]  # whether what is expected (first) is that document


def measure(
    questions: Sequence[Question], asked: Asked, k: int, on_step: Callable[[Step], None]
) -> list[ModeResult]:
    """Put each of *questions* in every mode, in turn, and score the first *k* passages.

    A document counts once, where its first passage stands, and so does what a glob expects,
    whichever of its documents was found. A document folded into a hit counts as found with it.

    The first search of a mode loads what later ones find loaded, so it is made once before.
    """
    answers: dict[str, list[Answered]] = {mode: [] for mode in asked.searches}
    for search in asked.searches.values():
        search(questions[0].query, k)
    for number, question in enumerate(questions, 1):
        for mode, search in asked.searches.items():
            began = time.perf_counter()
            hits = search(question.query, k)
            taken = 1000 * (time.perf_counter() - began)
            answers[mode].append(_answered(question, _ranked(hits, question, asked), k, taken))
        on_step(Step("asking", number, len(questions)))
    return [_summed(mode, found) for mode, found in answers.items()]


def means_of(sets: Sequence[SetResult]) -> dict[str, Scores]:
    """The mean of all sets, by mode."""
    modes = [each.mode for each in sets[0].modes]
    scores = [{each.mode: each.scores for each in one.modes} for one in sets]
    return {mode: mean([each[mode] for each in scores]) for mode in modes}


def _ranked(hits: Sequence[Hit], question: Question, asked: Asked) -> list[str]:
    """What was found, best first, each once: what was expected by that name."""
    ranked: dict[str, None] = {}
    for hit in hits:
        documents = [asked.name_of(path) for path in (hit.path, *hit.also_in)]
        expected = [
            pattern
            for pattern in question.grades
            if any(asked.means(pattern, document) for document in documents)
        ]
        ranked |= dict.fromkeys(expected or documents[:1])
    return list(ranked)


def _answered(question: Question, ranked: Sequence[str], k: int, taken: float) -> Answered:
    ranks = {name: rank for rank, name in enumerate(ranked[:k], 1) if name in question.grades}
    return Answered(
        key=question.key,
        query=question.query,
        scores=scored(ranked, question.grades, k),
        found=ranks,
        missed=[name for name in question.grades if name not in ranks],
        milliseconds=round(taken, 3),
    )


def _summed(mode: str, found: list[Answered]) -> ModeResult:
    times = [each.milliseconds for each in found]
    return ModeResult(
        mode=mode,
        scores=mean([each.scores for each in found]),
        p50_ms=percentile(times, 50),
        p95_ms=percentile(times, 95),
        queries=found,
    )
