"""How well a memory answers: words and meaning, then how new, sure and trusted it is. Pure.

Relevance is 0.6 x text + 0.4 x vector, each as a share of the best in its list, so that it does
not depend on how long the lists are. The factors stay near 1: being new may turn a close call, and
must not lift what is beside the point above what answers.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import log
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lsm.agents.memory.values import Trust

TEXT, VECTOR = 0.6, 0.4  # the mix that was best on three of four measured collections
_NEW = 0.2  # what being new is worth at most
_STALE = 0.3  # of the score that is left when a source no longer says so
_TRUST: Mapping[Trust, float] = {"user": 1.0, "reviewed": 0.97, "agent": 0.85, "untrusted": 0.7}
_K1, _B = 1.2, 0.75  # BM25, as the engines have them

# Words that say nothing about what is asked for; a question of nothing else keeps them.
_STOP = frozenset((
    "a", "about", "am", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "can",
    "could", "did", "do", "does", "for", "from", "had", "has", "have", "he", "her", "his", "how",
    "i", "if", "in", "into", "is", "it", "its", "me", "my", "of", "on", "or", "our", "she",
    "should", "so", "some", "that", "the", "their", "them", "then", "there", "these", "they",
    "this", "to", "us", "was", "we", "were", "what", "when", "where", "which", "who", "why",
    "will", "with", "would", "you", "your",
))  # fmt: skip
_WORD = re.compile(r"\w+(?:['\u2019]\w+)*")
_ENDING = re.compile(r"(?:'s|ing|ed|es|s)$")


class Facts(NamedTuple):
    """What ranking has to know of a memory."""

    number: int
    updated_at: str
    confidence: float
    trust: Trust
    pinned: bool
    stale_since: str | None


@dataclass(frozen=True)
class Now:
    """What factors are measured by."""

    instant: datetime
    half_life: timedelta | None  # None: being new is worth nothing


def keywords(query: str, limit: int = 24) -> tuple[str, ...]:
    """The words of *query* that are looked up: small letters, each once, at most *limit*."""
    # Not casefold: it writes ss for ß, which the engines do not.
    words = [word.lower() for word in _split(query)]
    telling = [word for word in words if word not in _STOP]
    return tuple(dict.fromkeys(telling or words))[:limit]


def factors(memory: Facts, now: Now) -> dict[str, float]:
    """recency, confidence, trust and staleness of *memory*, each from 0 to 1."""
    return {
        "recency": _recency(memory, now),
        "confidence": 0.5 + 0.5 * memory.confidence,
        "trust": _TRUST[memory.trust],
        "staleness": 1.0 if memory.stale_since is None else _STALE,
    }


def weight(memory: Facts, now: Now) -> float:
    """The product of the `factors`: what relevance is multiplied by."""
    stale = 1.0 if memory.stale_since is None else _STALE
    return _recency(memory, now) * (0.5 + 0.5 * memory.confidence) * _TRUST[memory.trust] * stale


def relevance(text: float, vector: float, *, both: bool) -> float:
    """How well words and meaning fit; a leg that nobody asked leaves its weight to the other."""
    return TEXT * text + VECTOR * vector if both else text + vector


def shares(scores: Sequence[tuple[int, float]]) -> dict[int, float]:
    """Each score as a share of the best, by number; what is below zero is zero."""
    best = max((score for _, score in scores), default=0.0)
    if best <= 0:
        return {number: 0.0 for number, _ in scores}
    return {number: max(score, 0.0) / best for number, score in scores}


def overlap(one: str, other: str) -> float:
    """The share of words two texts have in common, from 0 to 1 (Jaccard)."""
    left, right = stems(one), stems(other)
    return len(left & right) / len(left | right) if left and right else 0.0


def stems(text: str) -> frozenset[str]:
    """The telling words of *text* without their endings: what it is about."""
    return frozenset(_ENDING.sub("", word.casefold()) for word in keywords(text, 200))


def matches(query: str, texts: Mapping[int, str]) -> list[tuple[int, float]]:
    """BM25 over texts that are in no index, best first; only those with a word of *query*."""
    words = keywords(query)
    counted = {number: Counter(_stems(text)) for number, text in texts.items()}
    mean = sum(sum(each.values()) for each in counted.values()) / max(1, len(counted)) or 1.0
    scores: dict[int, float] = {}
    for word in {stem for each in words for stem in _stems(each)}:
        holding = [number for number, each in counted.items() if each[word]]
        rarity = log(1 + (len(counted) - len(holding) + 0.5) / (len(holding) + 0.5))
        for number in holding:
            count, length = counted[number][word], sum(counted[number].values())
            part = count * (_K1 + 1) / (count + _K1 * (1 - _B + _B * length / mean))
            scores[number] = scores.get(number, 0.0) + rarity * part
    return sorted(scores.items(), key=lambda each: (-each[1], each[0]))


def _recency(memory: Facts, now: Now) -> float:
    if memory.pinned or now.half_life is None:
        return 1.0
    # Twenty times as fast as `clock.from_text`, and there are hundreds in a search.
    age = max(now.instant - datetime.fromisoformat(memory.updated_at), timedelta())
    return 1.0 - _NEW + _NEW * 0.5 ** (age / now.half_life)


def _split(text: str) -> list[str]:
    return _WORD.findall(text)


def _stems(text: str) -> list[str]:
    """Words without the commonest English endings: close enough to the engines' stemmers."""
    return [_ENDING.sub("", word.lower()) or word for word in _split(text)]
