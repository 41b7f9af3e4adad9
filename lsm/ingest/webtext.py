"""What the confined child makes of web pages and of texts to be kept. Called by `confined`."""

from __future__ import annotations

import re

import msgspec

from lsm.ingest.chunking import ChunkOptions, chunk
from lsm.ingest.document import Chunk, ParseError, Section
from lsm.ingest.parsers import html, markdown

_HEADING_LIKE = re.compile(r"(?m)^( {0,3})(?=#{1,6}(?:[ \t]|$))")
_DEEPEST = 6


class PageBytes(msgspec.Struct, frozen=True):
    """A page as it came."""

    data: bytes
    media_type: str = "text/html"
    charset: str = ""  # as its server declares it


class PageText(msgspec.Struct, frozen=True):
    """A page as a person reads it: Markdown, its headings one level below the title's."""

    title: str
    text: str
    metadata: dict[str, str]


class Texts(msgspec.Struct, frozen=True):
    """Markdown texts to be cut into chunks."""

    texts: list[str]
    options: ChunkOptions


class Cut(msgspec.Struct, frozen=True):
    """A text's chunks, or why there are none."""

    chunks: tuple[Chunk, ...] = ()
    flags: tuple[str, ...] = ()
    code: str = ""
    reason: str = ""


def readable(payload: bytes) -> bytes:
    """`PageBytes` to `PageText`, both as MessagePack.

    Raises:
        ParseError: as the parser of HTML files.
    """
    page = msgspec.msgpack.decode(payload, type=PageBytes)
    return msgspec.msgpack.encode(page_text(page))


def page_text(page: PageBytes) -> PageText:
    """What a person reads on a web page; a text file is read as it stands.

    Raises:
        ParseError: as the parser of HTML files.
    """
    data, is_text = page.data, page.media_type in ("text/plain", "text/markdown")
    if is_text:
        # Escaped, it goes through the same decoding as any page and stays what it is.
        data = data.replace(b"&", b"&amp;").replace(b"<", b"&lt;")
        data = b"<pre>" + data + b"</pre>"
    document = html.parse(data, "page.html", charset=page.charset or None)
    parts = (each.text if is_text else _as_markdown(each) for each in document.sections)
    return PageText(document.title or "", "".join(parts), document.metadata)


def chunked(payload: bytes) -> bytes:
    """`Texts` to a list of `Cut`, one a text and in their order, both as MessagePack."""
    order = msgspec.msgpack.decode(payload, type=Texts)
    return msgspec.msgpack.encode([_cut(text, order.options) for text in order.texts])


def _as_markdown(section: Section) -> str:
    text = _HEADING_LIKE.sub(r"\1\\", section.text)  # what looks like a heading and is none
    level = min(len(section.heading) + 1, _DEEPEST)
    return f"{'#' * level} {text}" if section.heading else text


def _cut(text: str, options: ChunkOptions) -> Cut:
    try:
        document = markdown.parse(text.encode(), "kept.md")
        return Cut(tuple(chunk(document, options)), document.flags)
    except ParseError as error:
        return Cut(code=error.code, reason=error.reason)
