"""What two memories that say nearly the same may be made into, without a model. Pure.

Nothing is reworded: either one of them says all that the other says, and stays; or the sentences
that the longer one lacks are put behind it. What differs in a number or a negation is no
repetition but perhaps a contradiction, which only a person can settle.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lsm.agents.memory import ranking

if TYPE_CHECKING:
    from lsm.agents.memory.values import Memory

# Of their words, numbers aside, in common at least: to be joined, and to be asked about.
_ALIKE, _AT_ODDS = 0.6, 0.5
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_NEGATIONS = frozenset((
    "no", "not", "never", "none", "nobody", "nothing", "neither", "nor", "without", "cannot",
    "nicht", "kein", "keine", "nie",
))  # fmt: skip


@dataclass(frozen=True)
class Merge:
    """What is to become of two memories."""

    kind: Literal["contains", "joined", "at_odds"]
    text: str  # in the place of both; "" where they are at odds
    why: str  # for the reviewer


def merge(one: Memory, other: Memory) -> Merge | None:
    """What to propose for two memories; None where nothing can be said without losing something.

    Memories of different scope, type, key or value are never proposed.
    """
    if (one.scope, one.type) != (other.scope, other.type) or _both_differ(one, other):
        return None
    longer, shorter = sorted((one, other), key=lambda each: (-len(each.text), each.number))
    held, repeated = ranking.stems(longer.text), ranking.stems(shorter.text)
    alike = ranking.overlap(_NUMBER.sub("", one.text), _NUMBER.sub("", other.text))
    if _claims(longer.text) != _claims(shorter.text):
        why = "they differ in a number or a negation: which one is true?"
        return Merge("at_odds", "", why) if alike >= _AT_ODDS else None
    if repeated <= held:
        return Merge("contains", longer.text, "the longer one says all that the other says")
    if alike < _ALIKE:
        return None
    missing = [each for each in _sentences(shorter.text) if not ranking.stems(each) <= held]
    text = "\n".join([longer.text, *missing])
    return Merge("joined", text, "the sentences of both, nothing reworded")


def _both_differ(one: Memory, other: Memory) -> bool:
    """Whether both have a key, or a value, and not the same one."""
    keys = {each.key for each in (one, other) if each.key is not None}
    valued = one.value is not None and other.value is not None and one.value != other.value
    return len(keys) > 1 or valued


def _claims(text: str) -> tuple[frozenset[str], bool]:
    """The numbers in *text*, and whether it denies something."""
    words = {word.lower() for word in re.findall(r"\w+(?:['\u2019]\w+)?", text)}
    denies = bool(words & _NEGATIONS) or any(re.search(r"n['\u2019]t\Z", word) for word in words)
    return frozenset(_NUMBER.findall(text)), denies


def _sentences(text: str) -> list[str]:
    return [each.strip() for each in _SENTENCE.split(text) if each.strip()]
