"""Text of strangers made fit to be shown: no markup, no scripts, no control characters."""

from __future__ import annotations

import html
import re

# Names, not anything in angle brackets: "Map<K, V>" and "x < y" are text.
_NAMES = (
    "a|abbr|article|b|big|blockquote|br|center|cite|code|dd|del|div|dl|dt|em|figcaption|figure|"
    "font|footer|h[1-6]|header|hr|i|iframe|img|inf|ins|kbd|li|link|main|mark|math|meta|nav|object|"
    "ol|p|pre|q|s|samp|scp|script|section|small|span|strike|strong|style|sub|sup|svg|table|tbody|"
    "td|th|thead|title|tr|tt|u|ul|var|video|(?:jats|mml):[a-z]+"
)
_HIDDEN = re.compile(
    r"<(script|style)\b[^<>]{0,2000}>.*?(?:</\1\s{0,20}>|\Z)", re.IGNORECASE | re.DOTALL
)
_COMMENT = re.compile(r"(?s)<!--.*?(?:-->|\Z)")
_BREAK = re.compile(
    r"</?(?:br|p|div|li|tr|h[1-6]|jats:p|jats:title)\b[^<>]{0,2000}>", re.IGNORECASE
)
_TAG = re.compile(rf"(?i)</?(?:{_NAMES})(?:[\s/][^<>]{{0,2000}})?>")
# Controls, what turns the direction of text, invisible characters, halves of characters.
_UNSHOWN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_BLANKS = re.compile(r"[^\S\n]+")
_LINES = re.compile(r"\n[\s]*\n[\s]*")


def plain(text: str) -> str:
    """*text* without markup; its paragraphs stay apart by one blank line."""
    if "<" in text or "&" in text:
        # Twice: feeds and Crossref give markup that has itself been escaped.
        text = html.unescape(_stripped(html.unescape(_stripped(text))))
        text = _stripped(text)
    return tidy(text)


def tidy(text: str) -> str:
    """*text*, which is no markup, without what cannot be seen and with single blanks."""
    text = _UNSHOWN.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _LINES.sub("\n\n", _BLANKS.sub(" ", text)).strip()


def shortened(text: str, length: int) -> str:
    """*text* on one line of at most *length* characters, cut between words."""
    line = " ".join(text.split())
    if len(line) <= length:
        return line
    cut = line[: length - 1]
    return (cut.rpartition(" ")[0] if " " in cut[length // 2 :] else cut) + "…"


def _stripped(text: str) -> str:
    text = _COMMENT.sub(" ", _HIDDEN.sub(" ", text))
    return _TAG.sub("", _BREAK.sub("\n\n", text))
