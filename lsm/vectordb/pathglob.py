"""Which paths a glob means: ``*`` within a folder, ``**`` across folders.

A pattern that begins at the root (``/``, ``~`` or, for what was kept of the web, ``https://``)
describes whole paths; any other may begin at any folder. One that names a folder means everything
below it. ``?`` is one character, ``[a-z]`` one of these, ``[!a-z]`` one that is none of these; a
bracket that nothing closes is itself.

Every text is a pattern, and none is slow: after a star, the first place where the rest fits is
as good as any later one, so it is taken for good (the atomic groups) and never tried again.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache

_ROOT = re.compile(r"https?://|(?:[A-Za-z]:)?/")
_WILD = re.compile(r"[*?[]")
_PIECE = re.compile(r"\*+|\?|\[!?[^\]]+\]|.", re.DOTALL)
_RANGE = re.compile(r"(.)-(.)|(.)", re.DOTALL)
_ANY_FOLDERS = "(?:[^/]*/)*?"
_AND_BELOW = r"(?:/.*)?\Z"


@lru_cache(maxsize=64)
def compiled(pattern: str) -> re.Pattern[str]:
    """A regular expression whose `match` says whether a path, with ``/``, is meant."""
    root, folders = _taken_apart(pattern)
    if not folders:
        return re.compile(re.escape(root))
    if not root:
        folders = ["**", *folders]
    if folders[-1] == "**":  # what is below, not the folder itself
        folders[-1] = "*"
    first, *rest = _between_double_stars(folders)
    expression = re.escape(root) + _run(first)
    if rest:
        *middle, last = map(_run, rest)
        expression += "/" if first else ""
        expression += "".join(f"(?>{_ANY_FOLDERS}{run}/)" for run in middle)
        expression += _ANY_FOLDERS + last
    return re.compile(expression + _AND_BELOW, re.DOTALL)


def fixed_start(pattern: str) -> str:
    """The characters every path meant by *pattern* begins with; may be none."""
    root, folders = _taken_apart(pattern)
    if not root:
        return ""
    whole = root + "/".join(folders)
    wild = _WILD.search(whole)
    start = whole[: wild.start()] if wild else whole
    return start if root.startswith("http") else start.replace("/", os.sep)


def _taken_apart(pattern: str) -> tuple[str, list[str]]:
    """The root, empty if *pattern* begins anywhere, and the names that follow."""
    pattern = os.path.expanduser(pattern).replace(os.sep, "/")
    root = _ROOT.match(pattern)
    rest = pattern[root.end() :] if root else pattern
    names: list[str] = []
    for name in rest.split("/"):
        if name.startswith("**"):  # "**.md" is "**/*.md"
            names += ["**", "*" + name.lstrip("*")] if name.strip("*") else ["**"]
        elif name not in ("", "."):
            names.append(name)
    return root[0] if root else "", names


def _between_double_stars(names: list[str]) -> list[list[str]]:
    runs: list[list[str]] = [[]]
    for name in names:
        if name != "**":
            runs[-1].append(name)
        elif runs[-1] or len(runs) == 1:
            runs.append([])
    return runs


def _run(names: list[str]) -> str:
    return "/".join(map(_name, names))


def _name(name: str) -> str:
    """*name*, a pattern without ``/``, as a regular expression."""
    between_stars = [""]
    for piece in _PIECE.findall(name):
        if piece[0] == "*":
            between_stars.append("")
        else:
            between_stars[-1] += _one_character(piece)
    first, *rest = between_stars
    if not rest:
        return first
    return first + "".join(f"(?>[^/]*?{part})" for part in rest[:-1]) + f"[^/]*{rest[-1]}"


def _one_character(piece: str) -> str:
    if piece == "?":
        return "[^/]"
    if len(piece) == 1:
        return re.escape(piece)
    negated = piece[1] == "!" and len(piece) > len("[!]")
    members = "".join(
        f"{re.escape(low)}-{re.escape(high)}" if low else re.escape(single)
        for low, high, single in _RANGE.findall(piece[2 if negated else 1 : -1])
        if low <= high  # "z-a" holds nothing
    )
    if negated:
        return f"[^/{members}]"
    return f"(?!/)[{members}]" if members else "(?!)"
