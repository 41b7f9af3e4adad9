"""Which paths a glob means: ``*`` within a folder, ``**`` across folders.

A pattern that begins at the root (``/`` or ``~``) describes whole paths; any other may begin at
any folder. One that names a folder means everything below it.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache

_WILD = re.compile(r"\*\*/|\*\*|\*|\?|\[!?[^\]]+\]")


@lru_cache(maxsize=64)
def compiled(pattern: str) -> re.Pattern[str]:
    """A regular expression whose `match` says whether a path, with ``/``, is meant."""
    pattern = os.path.expanduser(pattern).replace("\\", "/").rstrip("/")
    start = "" if _absolute(pattern) else "(?:.*/)?"
    pattern = pattern.removeprefix("./")
    return re.compile(start + _translated(pattern) + r"(?:/.*)?\Z", re.DOTALL)


def fixed_start(pattern: str) -> str:
    """The characters every path meant by *pattern* begins with; may be none."""
    pattern = os.path.expanduser(pattern).replace("\\", "/")
    if not _absolute(pattern):
        return ""
    wild = _WILD.search(pattern)
    start = pattern[: wild.start()] if wild else pattern.rstrip("/")
    return start.replace("/", os.sep)


def _absolute(pattern: str) -> bool:
    return pattern.startswith("/") or re.match(r"[A-Za-z]:/", pattern) is not None


def _translated(pattern: str) -> str:
    parts: list[str] = []
    end = 0
    for wild in _WILD.finditer(pattern):
        parts += [re.escape(pattern[end : wild.start()]), _wild(wild[0])]
        end = wild.end()
    return "".join([*parts, re.escape(pattern[end:])])


def _wild(token: str) -> str:
    match token:
        case "**/":
            return "(?:.*/)?"
        case "**":
            return ".*"
        case "*":
            return "[^/]*"
        case "?":
            return "[^/]"
        case _:
            negated, inside = token[1] == "!", token[1:-1].removeprefix("!")
            # "-" stays a range; everything else in the brackets is itself.
            plain = re.escape(inside).replace("\\-", "-")
            return f"[^{plain}]" if negated else f"[{plain}]"
