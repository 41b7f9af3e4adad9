"""What a reviewer should look at twice in words that somebody else wants remembered.

Hints for a person, never a decision: a text without a flag is not thereby harmless. Of sixty
attacks that were written down as a measure, 49 carry a flag, and so does one of sixty harmless
notes; soft words, other languages and plain lies carry none. What keeps them out is the review.
"""

from __future__ import annotations

import re

from lsm.agents.memory.fence import visible

_SIGNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("link", re.compile(r"\b(?:https?|ftp)://|\bwww\.|\]\(|data:\w+/", re.IGNORECASE)),
    (
        "instruction",
        re.compile(
            r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:previous|prior|above|earlier|"
            r"instructions?|rules?|polic(?:y|ies)|guidelines?)\b"
            r"|\b(?:from now on|always|never)\b.{0,30}\b(?:you|send|call|run|execute|reply|respond|"
            r"answer|tell|forward|email|upload|include|approve|trust)\b"
            r"|\byou (?:must|should|are now|will)\b"
            r"|\b(?:do not|don't) (?:tell|mention|reveal|inform|ask)\b"
            r"|\b(?:system|developer|assistant|user)\s*:\s",
            re.IGNORECASE | re.DOTALL,
        ),
    ),
    (
        "authority",
        re.compile(
            r"\b(?:user|owner|admin(?:istrator)?|boss|operator|developer|human)s?\b.{0,20}"
            r"\b(?:has|have|already|explicitly)\b.{0,20}"
            r"\b(?:approved?|authori[sz]ed|confirmed|consented|agreed|permitted|granted)\b"
            r"|\b(?:without|no need (?:for|of)|skip(?:s|ping)?|no) (?:asking|confirmation|review|"
            r"approval|permission|telling)\b"
            r"|\b(?:pre-?approved|highest priority|top priority|takes precedence|overrides?)\b",
            re.IGNORECASE | re.DOTALL,
        ),
    ),
    (
        "trigger",
        re.compile(
            r"\b(?:when(?:ever)?|if|once|next time|every time|the moment)\b.{0,60}"
            r"\b(?:asks?|asked|says?|mentions?|requests?|user|question)\b.{0,60}"
            r"\b(?:answer|reply|respond|say|tell|send|call|run|include|add|append|recommend|suggest|"
            r"insist|refuse|mention)\b",
            re.IGNORECASE | re.DOTALL,
        ),
    ),
    (
        "command",
        re.compile(
            r"\b(?:curl|wget|powershell|rm -\w+|sudo|chmod|nc -\w|bash -c|eval\()"
            r"|\b(?:send|forward|email|mail|post|upload|copy|report|transfer|deliver)\b.{0,60}"
            r"\S@\S+\.\w",
            re.IGNORECASE | re.DOTALL,
        ),
    ),
    ("encoded", re.compile(r"(?:[A-Za-z0-9+/]{40,}={0,2}|(?:[0-9a-f]{2}){32,})")),
    ("markup", re.compile(r"<!--|<\s*(?:script|img|iframe|system|/?lsm-)|\{\{|```", re.IGNORECASE)),
    (
        "secret",
        re.compile(
            r"\b(?:password|passwd|api[_ -]?key|secret|token)\b\s*(?:is|=|:)\s*\S"
            r"|\bsk-[A-Za-z0-9]{16,}|\bAKIA[0-9A-Z]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY",
            re.IGNORECASE,
        ),
    ),
)
# A letter of one alphabet inside a word of another: what a look-alike name is made of.
_MIXED = re.compile(r"[A-Za-z][\u0370-\u03ff\u0400-\u04ff]|[\u0370-\u03ff\u0400-\u04ff][A-Za-z]")


_LOOKED_AT = 10_000  # characters at either end; more would let one candidate hold up a review


def flags(text: str) -> tuple[str, ...]:
    """Names of what stands out in *text*, in a fixed order."""
    if len(text) > 2 * _LOOKED_AT:
        ends = (*flags(text[:_LOOKED_AT]), *flags(text[-_LOOKED_AT:]))
        return (*dict.fromkeys(ends), "too_long_to_check")
    found = [name for name, sign in _SIGNS if sign.search(text)]
    if visible(text) != text:
        found.append("hidden_characters")
    if _MIXED.search(text):
        found.append("mixed_alphabets")
    return tuple(found)
