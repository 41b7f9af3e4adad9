"""Word documents: body, tables, lists, text boxes and notes, in reading order.

Text is gathered from the XML, because `Paragraph.text` leaves out what stands in tracked
insertions, content controls and text boxes. Deleted and moved-away text is left out.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lsm.ingest.document import Document
from lsm.ingest.parsers.blocks import Blocks
from lsm.ingest.parsers.ooxml import damage_told_plainly, metadata_of, package, tags_of, title_of

if TYPE_CHECKING:
    from docx.document import Document as WordDocument

# lxml's elements have no type stubs here.
Element = Any

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_P, _T, _R, _TBL = _W + "p", _W + "t", _W + "r", _W + "tbl"
_MATH_TEXT = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
# A text box is stored twice, for new and for old readers; moved text stands at both places.
_TWICE = ("{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback", _W + "moveFrom")
_BREAKS = {_W + "tab": "\t", _W + "br": "\n", _W + "cr": "\n", _W + "noBreakHyphen": "-"}
_CONTAINERS = tuple(_W + tag for tag in ("sdt", "sdtContent", "customXml", "smartTag", "ins"))
_NOTES = {"footnotes": "Footnotes", "endnotes": "Endnotes"}
_MAX_STYLE_CHAIN = 20


def parse(data: bytes, name: str) -> Document:
    """Headings become the heading path; a table's row is one line, its cells tab-separated.

    Raises:
        ParseError: see `lsm.ingest.parsers.ooxml`.
    """
    del name
    import docx

    buffer = package(data)
    with damage_told_plainly("Word document"):
        document = docx.Document(buffer)
        blocks = Blocks()
        reader = _Reader(_Styles(document), blocks)
        for element in _blocks(document.element.body):
            reader.read(element)
        _read_notes(document, blocks)
        properties = document.core_properties
        return Document(
            sections=blocks.sections(),
            title=title_of(properties) or reader.title,
            tags=tags_of(properties),
            metadata=metadata_of(properties, properties.author),
        )


class _Styles:
    """What the paragraph styles of a document mean for its outline."""

    def __init__(self, document: "WordDocument") -> None:
        elements = document.styles.element.iter(_W + "style")
        self._styles: dict[str, Element] = {el.get(_W + "styleId", ""): el for el in elements}

    def level(self, style: str) -> int | None:
        """1 to 9 for a heading, 0 for the title of the document, None for other text."""
        for element in self._chain(style):
            name = _value(element.find(_W + "name")).lower()
            if name == "title":
                return 0
            if match := re.fullmatch(r"heading ([1-9])", name):
                return int(match[1])
            if (level := _outline_level(element.find(_W + "pPr"))) is not None:
                return level
        return None

    def is_list(self, style: str) -> bool:
        """Whether paragraphs of this style are numbered or have bullets."""
        path = f"{_W}pPr/{_W}numPr"
        return any(element.find(path) is not None for element in self._chain(style))

    def _chain(self, style: str) -> Iterator[Element]:
        for _ in range(_MAX_STYLE_CHAIN):
            element = self._styles.get(style)
            if element is None:
                return
            yield element
            style = _value(element.find(_W + "basedOn"))


class _Reader:
    """Sorts the blocks of the body into sections."""

    def __init__(self, styles: _Styles, blocks: Blocks) -> None:
        self._styles = styles
        self._blocks = blocks
        self._meaning: dict[str, tuple[int | None, bool]] = {}
        self.title: str | None = None

    def read(self, element: Element) -> None:
        if element.tag == _TBL:
            for row in element.iter(_W + "tr"):
                cells = (" ".join(_text(cell).split()) for cell in row.iterchildren(_W + "tc"))
                self._blocks.line("\t".join(cells).rstrip("\t"))
            return
        level, is_list, depth = self._kind(element)
        text = _text(element)
        if level:
            self._blocks.heading(text, level)
        elif is_list and text.strip():
            self._blocks.line("  " * depth + "- " + text.strip())
        else:
            self._blocks.paragraph(text)
        if level == 0 and self.title is None:
            self.title = " ".join(text.split())[:500] or None

    def _kind(self, paragraph: Element) -> tuple[int | None, bool, int]:
        """Blocks level, whether it is a list item, and how deep it is in its list."""
        format_ = paragraph.find(_W + "pPr")
        if format_ is None:
            return None, False, 0
        style = _value(format_.find(_W + "pStyle"))
        if style not in self._meaning:
            self._meaning[style] = self._styles.level(style), self._styles.is_list(style)
        level, is_list = self._meaning[style]
        own_level = _outline_level(format_)
        depth = _number(format_.find(f"{_W}numPr/{_W}ilvl")) or 0
        is_list = is_list or format_.find(_W + "numPr") is not None
        return (level if own_level is None else own_level), is_list, min(depth, 8)


def _blocks(body: Element) -> Iterator[Element]:
    """Paragraphs and tables in order, out of whatever they are wrapped in."""
    for element in body.iterchildren():
        if element.tag in (_P, _TBL):
            yield element
        elif element.tag in _CONTAINERS:
            yield from _blocks(element)


def _text(block: Element) -> str:
    """All text of a block; the paragraphs inside it on lines of their own."""
    for twice in list(block.iter(*_TWICE)):
        twice.getparent().remove(twice)
    parts: list[str] = []
    for element in block.iter(_P, _T, _MATH_TEXT, *_BREAKS):
        if element.tag == _P:
            parts.append("\n" if parts else "")
        elif element.tag in (_T, _MATH_TEXT):
            parts.append(element.text or "")
        elif element.getparent().tag == _R:  # a tab stop has the tag of a tab
            parts.append(_BREAKS[element.tag])
    return "".join(parts)


def _read_notes(document: "WordDocument", blocks: Blocks) -> None:
    from docx.oxml.parser import parse_xml

    for relation in document.part.rels.values():
        title = _NOTES.get(relation.reltype.rpartition("/")[2])
        if title is None or relation.is_external:
            continue
        blocks.path((title,))
        for note in parse_xml(relation.target_part.blob).iterchildren():
            blocks.line(" ".join(_text(note).split()))


def _outline_level(format_: Element | None) -> int | None:
    level = None if format_ is None else _number(format_.find(_W + "outlineLvl"))
    return level + 1 if level is not None and 0 <= level <= 8 else None


def _value(element: Element | None) -> str:
    return "" if element is None else element.get(_W + "val", "")


def _number(element: Element | None) -> int | None:
    value = _value(element)
    return int(value) if re.fullmatch(r"[0-9]{1,3}", value) else None
