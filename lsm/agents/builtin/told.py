"""News of strangers as Markdown: one line an item, unable to be anything else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lsm.agents.watching import NewItem, NewItems

_MARKUP = re.compile(r"([\\`*_\[\]<>#|!])")
_SNIPPET = 160  # characters
# What would end a link, or begin something else, as RFC 3986 spells it.
_ESCAPED = {ord(char): f"%{ord(char):02X}" for char in " ()<>[]`\\"}


def lines_of(news: NewItems, level: int = 2) -> list[str]:
    """A section of *news*; none if there is nothing new."""
    if not news.items and not news.waiting:
        return []
    lines = ["", f"{'#' * level} {harmless(news.name)}", "", *map(_line, news.items)]
    if news.waiting:
        lines += [f"- and {news.waiting} more, for the next time"]
    return lines


def harmless(text: str) -> str:
    """*text* on one line, without a meaning in Markdown."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def _line(item: NewItem) -> str:
    title = harmless(item.title)
    address = item.url.translate(_ESCAPED)
    linked = f"[{title}]({address})" if address else title
    day = f", {item.published[:10]}" if item.published else ""
    snippet = harmless(item.snippet[:_SNIPPET])
    return f"- {linked}{day}" + (f": {snippet}" if snippet else "")
