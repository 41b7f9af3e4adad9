"""What a reviewer should look at twice in words that somebody else wants remembered.

Hints for a person, never a decision: a text without a flag is not thereby harmless.
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


def flags(text: str) -> tuple[str, ...]:
    """Names of what stands out in *text*, in a fixed order."""
    found = [name for name, sign in _SIGNS if sign.search(text)]
    if visible(text) != text:
        found.append("hidden_characters")
    if _MIXED.search(text):
        found.append("mixed_alphabets")
    return tuple(found)
