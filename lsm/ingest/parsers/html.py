"""HTML as a reader sees it: blocks on lines of their own, cut at the headings.

Line numbers are those of the text made here, for the lines of the source say little: a page is
often one line.
"""

import re
from collections import Counter
from typing import TYPE_CHECKING

from lsm.ingest.document import Document, ParseError, Section
from lsm.ingest.encoding import clean, decode, flag_hidden
from lsm.ingest.parsers.outline import plain

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode


def _tags(names: str) -> frozenset[str]:
    return frozenset(names.split())


_UNSEEN = _tags(
    "head script style noscript template nav iframe object embed canvas svg audio video"
    " datalist select button dialog -comment"
)
_PARAGRAPHS = _tags(
    "address article aside blockquote body details dl fieldset figure footer form header hr main"
    " ol p pre section table ul"
)
_LINES = _tags("dd div dt figcaption legend li summary tr caption option")
_HEADINGS = {f"h{level}": level for level in range(1, 7)}

_CHARSET = re.compile(rb"charset\s{0,9}=\s{0,9}[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_CHARSET_SEARCHED = 4096  # bytes; the standard asks for the first 1024, writers do not all obey
_MAX_TAGS = 50

# Deeper than any page that is read (browsers stop at 512). The parser looks up its stack for
# every block it opens, so that a million bytes of "<div>" would take it minutes.
_MAX_DEPTH = 600
_TAG = re.compile(r"<(/?)([a-z][^\s/>]*+)")
# Tags that are closed by what follows, or never: they do not add to the depth.
_UNCOUNTED = _tags(
    "area base br col embed hr img input link meta param source track wbr"
    " html head body p li dt dd td th tr tbody thead tfoot colgroup option optgroup rb rt rp rtc"
    " a b big code em font i nobr s small strike strong tt u"
)


def parse(data: bytes, name: str, *, charset: str | None = None) -> Document:  # noqa: ARG001
    """The visible text by its headings; title, author, date and keywords from the head.

    *charset* is what a mail says of its page; without it the page's own word is taken.

    Raises:
        ParseError: "binary", or "too_deep", nested as no page is.
    """
    from selectolax.lexbor import LexborHTMLParser

    if charset is None and (found := _CHARSET.search(data[:_CHARSET_SEARCHED])):
        charset = found[1].decode()
    source, flags = decode(data, declared=charset)
    _refuse_depth(source)
    tree = LexborHTMLParser(source)
    writer = _Writer()
    if tree.body is not None:
        _write(tree.body, writer)
    meta = _meta(tree)
    title_node = tree.css_first("title")
    title = plain(clean(title_node.text())) if title_node else ""
    keywords = (plain(part) for part in meta.pop("keywords", "").split(",")[:_MAX_TAGS])
    sections = writer.sections()
    return Document(
        sections=sections,
        title=title or next((section.heading[0] for section in sections if section.heading), None),
        tags=tuple(dict.fromkeys(tag for tag in keywords if tag)),
        metadata=meta,
        flags=flag_hidden(flags, "".join(section.text for section in sections)),
    )


def _refuse_depth(source: str) -> None:
    if source.count("<") <= _MAX_DEPTH:
        return
    depth = 0
    opened = Counter[str]()
    for closing, tag in _TAG.findall(source.lower()):
        if tag in _UNCOUNTED:
            continue
        if not closing:
            opened[tag] += 1
            depth += 1
        elif opened[tag]:
            opened[tag] -= 1
            depth -= 1
        if depth > _MAX_DEPTH:
            raise ParseError("too_deep", f"its HTML is nested deeper than {_MAX_DEPTH}")


def _meta(tree: "LexborHTMLParser") -> dict[str, str]:
    names = {
        "keywords": "keywords",
        "author": "author",
        "date": "date",
        "article:published_time": "date",
        "dcterms.date": "date",
    }
    found: dict[str, str] = {}
    for node in tree.css("meta[content]"):
        attributes = node.attributes
        key = names.get((attributes.get("name") or attributes.get("property") or "").lower())
        value = clean(attributes.get("content") or "")
        if key and value.strip():
            found.setdefault(key, value[:2000] if key == "keywords" else plain(value))
    root = tree.root
    if root is not None and (language := root.attributes.get("lang")):
        found["language"] = plain(clean(language))
    return found


def _write(root: "LexborNode", writer: "_Writer") -> None:
    """Walk the tree without recursion, calling *writer* at every start, text and end."""
    node = root
    while True:
        tag = node.tag or ""
        child = None
        if tag == "-text":
            writer.text(node.text_content or "")
        elif tag not in _UNSEEN and not _is_hidden(node):
            writer.start(tag)
            child = node.first_child
            if child is None:
                writer.end(tag)
        if child is not None:
            node = child
            continue
        while node.next is None or node.mem_id == root.mem_id:
            parent = node.parent
            if parent is None or node.mem_id == root.mem_id:
                return
            node = parent
            writer.end(node.tag or "")
        node = node.next


def _is_hidden(node: "LexborNode") -> bool:
    attributes = node.attributes
    if not attributes:
        return False
    style = attributes.get("style") or ""
    return "hidden" in attributes or "display:none" in style.replace(" ", "").lower()


class _Writer:
    """Gathers words into lines, lines into sections. Line ends wait until a word follows them."""

    def __init__(self) -> None:
        self._done: list[Section] = []
        self._path: list[tuple[int, str]] = []
        self._parts: list[str] = []
        self._line = 1
        self._breaks = 0  # line ends due before the next word; two make a blank line
        self._space = False  # a space is due before the next word
        self._fresh = False  # in a list item or table cell that has no word yet
        self._pre = self._lists = self._cells = 0

    def start(self, tag: str) -> None:
        if tag in _HEADINGS:
            self._cut()
        elif tag == "br":
            self._break(min(2, self._breaks + 1))
        elif tag in ("td", "th"):
            self._start_cell()
        else:
            self._break(self._breaks_around(tag))
        if tag == "pre":
            self._pre += 1
        elif tag in ("ul", "ol"):
            self._lists += 1
        elif tag == "tr":
            self._cells = 0
        elif tag == "li":
            self._word("- ")
            self._fresh = True

    def end(self, tag: str) -> None:
        if tag == "pre":
            self._pre -= 1
        elif tag in ("ul", "ol"):
            self._lists -= 1
        if tag in _HEADINGS:
            self._name_section(_HEADINGS[tag])
            self._break(2)
        else:
            self._break(self._breaks_around(tag))

    def text(self, text: str) -> None:
        text = clean(text)
        words = text if self._pre else " ".join(text.split())
        if not words:
            self._space = self._space or bool(text)
            return
        self._space = not self._pre and (self._space or text[0].isspace())
        self._word(words)
        self._space = not self._pre and text[-1].isspace()

    def sections(self) -> tuple[Section, ...]:
        self._cut()
        return tuple(self._done)

    def _breaks_around(self, tag: str) -> int:
        if tag in ("ul", "ol") and self._lists:
            return 1
        return 2 if tag in _PARAGRAPHS else int(tag in _LINES)

    def _start_cell(self) -> None:
        if self._cells:
            # Whatever ended in the cell before ended there: the row goes on.
            self._breaks = 0
            self._word(" | ")
        self._cells += 1
        self._fresh = True

    def _word(self, text: str) -> None:
        if self._breaks and self._parts:
            last = self._parts[-1]
            ended = len(last) - len(last.rstrip("\n"))
            self._parts.append("\n" * (self._breaks - ended))
        elif self._space and self._parts and not self._parts[-1][-1:].isspace():
            self._parts.append(" ")
        self._parts.append(text)
        self._breaks, self._space, self._fresh = 0, False, False

    def _break(self, breaks: int) -> None:
        # A paragraph that opens a list item or cell stays on its line.
        if breaks and not self._fresh:
            self._breaks, self._space = max(self._breaks, breaks), False

    def _name_section(self, level: int) -> None:
        title = plain("".join(self._parts))
        while self._path and self._path[-1][0] >= level:
            self._path.pop()
        if title:
            self._path.append((level, title))

    def _cut(self) -> None:
        """End the section here: the next heading begins another."""
        text = "".join(self._parts).rstrip() + "\n\n"
        if text.strip():
            heading = tuple(title for _, title in self._path)
            self._done.append(Section(text=text, heading=heading, start_line=self._line))
            self._line += text.count("\n")
        self._parts = []
        self._breaks, self._space, self._fresh = 0, False, False
