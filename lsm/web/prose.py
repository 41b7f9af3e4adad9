"""Markdown of others as HTML that runs nothing and fetches nothing.

HTML inside Markdown is shown as the text it is. What the renderer makes of the rest passes an
allow list; pictures become their description, for a picture elsewhere would tell its server who
reads what.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import nh3
from markupsafe import Markup

from lsm.web.texts import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h2", "h3", "h4",
    "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "span", "strong", "table", "tbody",
    "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {
    "a": {"href", "title"},
    "ol": {"start"},
    **{tag: {"id"} for tag in ("p", "h2", "h3", "h4", "h5", "h6", "code", "hr", "tr", "li")},
}
_FRONT_MATTER = re.compile(r"---\n.*?\n(?:---|\.\.\.)(?:\n|\Z)", re.DOTALL)
_ANCHORED = {
    "paragraph_open", "heading_open", "list_item_open", "fence", "code_block", "tr_open", "hr",
}  # fmt: skip
_LONGEST = 400_000  # characters; beyond that the lines are shown as they are
_LONG_TITLE = 150  # characters
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    attributes=_ATTRIBUTES,
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
    allowed_classes={"span": {"picture"}},
    link_rel="noopener noreferrer",
)


def prose(
    text: str, first_line: int = 1, here: int | None = None, title: str = ""
) -> Markup | None:
    """*text*, Markdown, as HTML; None if it is too long to be rendered.

    Args:
        text: as stored.
        first_line: the number of its first line.
        here: a line; the block it stands in gets the id ``here``, others ``L12`` by their line.
        title: what stands above already; a first heading that says the same is left out.
    """
    if len(text) > _LONGEST:
        return None
    renderer = _renderer()
    head = _FRONT_MATTER.match(text) if first_line == 1 else None
    if head:  # its title and tags are shown above the text
        first_line += head[0].count("\n")
        text = text[head.end() :]
    tokens = renderer.parse(visible(text))
    if title and len(tokens) > 3 and tokens[0].type == "heading_open":
        tokens = tokens[3:] if _same(tokens[1].content, title) else tokens
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            # The page has a title of its own: the document's begin one lower.
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"
    _number(tokens, first_line, here)
    html = renderer.renderer.render(tokens, renderer.options, {})
    cleaned = _CLEANER.clean(html)
    for scrolled in ("table", "pre"):  # wider than the page: the keyboard must reach it, too
        cleaned = cleaned.replace(f"<{scrolled}>", f'<{scrolled} tabindex="0">')
    return Markup(cleaned)  # noqa: S704 - cleaned just now


def _same(heading: str, title: str) -> bool:
    """Whether *title* was made of *heading*: of a very long one it is the beginning."""
    heading, title = heading.strip(), title.strip()
    return heading == title or (len(title) >= _LONG_TITLE and heading.startswith(title))


def _number(tokens: Sequence[Token], first_line: int, here: int | None) -> None:
    by_line: dict[int, Token] = {}
    for token in tokens:
        if token.map is not None and token.nesting >= 0 and token.type in _ANCHORED:
            by_line.setdefault(first_line + token.map[0], token)
    for line, token in by_line.items():
        token.attrSet("id", f"L{line}")
    if here is not None and by_line:
        before = [line for line in by_line if line <= here]
        by_line[max(before, default=min(by_line))].attrSet("id", "here")


@cache
def _renderer() -> MarkdownIt:
    from markdown_it import MarkdownIt

    renderer = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    renderer.add_render_rule("image", _picture)
    return renderer


def _picture(_self: Any, tokens: Sequence[Token], at: int, *_: Any) -> str:
    from markdown_it.common.utils import escapeHtml

    return f'<span class="picture">{escapeHtml(tokens[at].content or "picture")}</span>'
