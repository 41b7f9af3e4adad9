"""OpenDocument files: text (.odt), presentations (.odp) and spreadsheets (.ods)."""

from collections.abc import Callable, Iterator
from typing import Any

from lsm.ingest.document import Document, ParseError
from lsm.ingest.parsers.archive import Archive
from lsm.ingest.parsers.blocks import Blocks, keywords, short
from lsm.ingest.parsers.ooxml import damage_told_plainly

# lxml's elements have no type stubs here.
Element = Any

_URN = "{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}"
_TEXT, _TABLE, _DRAW = _URN % "text", _URN % "table", _URN % "drawing"
_META, _OFFICE, _PRESENTATION = _URN % "meta", _URN % "office", _URN % "presentation"
_DC = "{http://purl.org/dc/elements/1.1/}"
_MAX_SPACES = 100  # of one <text:s/>, which may claim any number
_BREAKS = {_TEXT + "tab": "\t", _TEXT + "line-break": "\n"}
# Not text of the document: change history, remarks, form controls.
_ASIDE = (_TEXT + "tracked-changes", _OFFICE + "annotation", _OFFICE + "forms")


def parse(data: bytes, name: str) -> Document:
    """Headings, paragraphs, list items and table rows in order; a slide is a page.

    Raises:
        ParseError: what `Archive` raises, unsafe_xml, encrypted, damaged, too_deep.
    """
    del name
    archive = Archive(data)
    _refuse_other_formats(archive)
    with damage_told_plainly("OpenDocument file"):
        body = xml_tree(archive.xml("content.xml")).find(f"{_OFFICE}body")
        if body is None:
            raise ParseError("damaged", "it has no body")
        blocks = Blocks()
        _Reader(blocks).read(body)
        meta = _meta(archive)
        return Document(
            sections=blocks.sections(),
            title=next(meta(_DC + "title"), None),
            tags=keywords(*meta(_META + "keyword")),
            metadata=short(
                author=next(meta(_DC + "creator"), next(meta(_META + "initial-creator"), "")),
                subject=next(meta(_DC + "subject"), ""),
                language=next(meta(_DC + "language"), ""),
                created=next(meta(_META + "creation-date"), "")[:10],
                modified=next(meta(_DC + "date"), "")[:10],
            ),
        )


def xml_tree(content: bytes) -> Element:
    """The root element of screened XML; nesting beyond 256 is an `XMLSyntaxError`."""
    from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - has no stubs

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True
    )
    return etree.fromstring(content, parser)


def _refuse_other_formats(archive: Archive) -> None:
    manifest = "META-INF/manifest.xml"
    if "content.xml" not in archive.names:
        raise ParseError("wrong_format", "it is a zip file, but not an OpenDocument file")
    if manifest in archive.names and b"encryption-data" in archive.read(manifest):
        raise ParseError("encrypted", "it is protected by a password")


class _Reader:
    """Walks the body and sorts its blocks into sections."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._pages = 0
        self._list_depth = 0
        # Bound to what each element means; elements without an entry are walked through.
        self._readers: dict[str, Callable[[Element], None]] = {
            _TEXT + "h": self._heading,
            _TEXT + "p": self._paragraph,
            _TEXT + "list": self._list,
            _TABLE + "table": self._table,
            _DRAW + "page": self._page,
            _PRESENTATION + "notes": self._notes,
        }

    def read(self, element: Element) -> None:
        for child in element:
            if child.tag not in _ASIDE:
                self._readers.get(child.tag, self.read)(child)

    def _heading(self, element: Element) -> None:
        level = element.get(_TEXT + "outline-level", "1")
        self._blocks.heading(_text(element), int(level) if level in "123456789" else 9)

    def _paragraph(self, element: Element) -> None:
        text = _text(element)
        if self._list_depth and text.strip():
            self._blocks.line("  " * (self._list_depth - 1) + "- " + text.strip())
        else:
            self._blocks.paragraph(text)

    def _list(self, element: Element) -> None:
        self._list_depth += 1
        self.read(element)
        self._list_depth -= 1

    def _table(self, element: Element) -> None:
        # In a spreadsheet a table is a sheet; elsewhere its name is "Table1".
        if element.getparent().tag == _OFFICE + "spreadsheet":
            self._blocks.path((element.get(_TABLE + "name", ""),))
        # Repetition counts are not followed: a sheet is padded to its millionth row by them.
        for row in element.iter(_TABLE + "table-row"):
            cells = (" ".join(_text(cell).split()) for cell in row)
            self._blocks.line("\t".join(cell for cell in cells if cell))

    def _page(self, element: Element) -> None:
        self._pages += 1
        self._blocks.path((), page=self._pages)
        self.read(element)

    def _notes(self, element: Element) -> None:
        self._blocks.path(("Notes",), page=self._pages)
        self.read(element)


def _text(element: Element) -> str:
    return "".join(_pieces(element)).strip("\n")


def _pieces(element: Element) -> Iterator[str]:
    """The text of an element and all below it; paragraphs inside it on their own lines."""
    yield element.text or ""
    for child in element:
        if child.tag == _TEXT + "s":
            count = child.get(_TEXT + "c", "1")
            yield " " * (min(int(count), _MAX_SPACES) if count.isdecimal() else 1)
        elif child.tag in _BREAKS:
            yield _BREAKS[child.tag]
        elif child.tag not in _ASIDE:
            yield "\n" if child.tag == _TEXT + "p" else ""
            yield from _pieces(child)
        yield child.tail or ""


def _meta(archive: Archive) -> Callable[[str], Iterator[str]]:
    """Looks up the texts of a tag in the file's description, which it need not have."""
    has_meta = "meta.xml" in archive.names
    root = xml_tree(archive.xml("meta.xml") if has_meta else b"<none/>")
    return lambda tag: (" ".join((el.text or "").split()) for el in root.iter(tag) if el.text)
