"""Paths as text: kept exactly as the operating system gives them, and fit for any column.

A name need not be UTF-8. Each byte that does not decode becomes one character of the range
U+F780-U+F7FF (private use), and so does each byte of a real character of that range, which makes
the mapping one to one. Letters keep their case: identity is the file system's business.
"""

from __future__ import annotations

import codecs
import os
import re
import unicodedata

_BASE = 0xF700
_PRIVATE = re.compile("[\uf780-\uf7ff]")
_PRIVATE_UTF8 = re.compile(rb"(\xef[\x9e\x9f][\x80-\xbf])")  # the same range, encoded
_HANDLER = "lsm-private-use"


def to_text(path: str | bytes) -> str:
    """*path* as text that every database takes; `to_os` gives the very same path back."""
    if isinstance(path, str) and path.isascii():
        return path
    # Every second part is a real character of the range, and is taken apart.
    parts = _PRIVATE_UTF8.split(os.fsencode(path))
    return "".join(
        _bytewise(part) if number % 2 else part.decode("utf-8", _HANDLER)
        for number, part in enumerate(parts)
    )


def to_os(text: str) -> str:
    """The path that `to_text` wrote, as the functions of `os` take it."""
    if text.isascii():
        return text
    raw = b"".join(
        bytes([ord(char) - _BASE]) if _PRIVATE.fullmatch(char) else char.encode() for char in text
    )
    return os.fsdecode(raw)


def _bytewise(raw: bytes) -> str:
    return "".join(chr(_BASE + byte) for byte in raw)


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return _bytewise(error.object[error.start : error.end]), error.end


codecs.register_error(_HANDLER, _stand_in)


def absolute(path: str) -> str:
    """*path* with ``~`` and relative parts resolved, links kept, as text."""
    return to_text(os.path.abspath(os.path.expanduser(path)))


def is_address(text: str) -> bool:
    """Whether *text* is the web address of something that was kept, and no path of a file."""
    return text.startswith(("https://", "http://"))


def shown(text: str) -> str:
    """*text* fit for a terminal: what could move the cursor or turn the line is escaped."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown_character(char) for char in text)


def _shown_character(char: str) -> str:
    if _PRIVATE.fullmatch(char):
        return f"\\x{ord(char) - _BASE:02x}"
    # Cc: control, Cf: bidi and zero-width, Co/Cn: nothing to show, Zl/Zp: line breaks.
    if unicodedata.category(char) in ("Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"):
        return char.encode("unicode_escape").decode()
    return char
