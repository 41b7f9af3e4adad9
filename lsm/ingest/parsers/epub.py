"""E-books: the chapters of an EPUB file, in the order in which they are read."""

import posixpath
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from lsm.ingest.document import Document, ParseError
from lsm.ingest.parsers.archive import Archive
from lsm.ingest.parsers.blocks import Blocks, keywords, short
from lsm.ingest.parsers.odt import xml_tree
from lsm.ingest.parsers.ooxml import damage_told_plainly

# lxml's elements have no type stubs here.
Element = Any

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_OPF = "{http://www.idpf.org/2007/opf}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_ROOTFILE = "{urn:oasis:names:tc:opendocument:xmlns:container}rootfile"
_CHAPTERS = ("application/xhtml+xml", "text/html")
_MAX_CHAPTERS = 10_000


def parse(data: bytes, name: str) -> Document:
    """The sections of all chapters, each under the headings of its chapter.

    Raises:
        ParseError: what `Archive` raises, unsafe_xml, encrypted, damaged, too_deep.
    """
    del name
    archive = Archive(data)
    if _CONTAINER not in archive.names:
        raise ParseError("wrong_format", "it is a zip file, but not an e-book")
    _refuse_protected(archive)
    with damage_told_plainly("e-book"):
        place = _package_place(archive)
        package = xml_tree(archive.xml(place))
        title = next(_values(package, "title"), None)
        blocks = Blocks()
        for chapter in _chapters(package, place):
            _read_chapter(archive, chapter, title, blocks)
        return Document(
            sections=blocks.sections(),
            title=title,
            tags=keywords(*_values(package, "subject")),
            metadata=short(
                author=", ".join(_values(package, "creator")),
                language=next(_values(package, "language"), ""),
                publisher=next(_values(package, "publisher"), ""),
                created=next(_values(package, "date"), "")[:10],
            ),
        )


def _refuse_protected(archive: Archive) -> None:
    # Embedded fonts are commonly scrambled by methods of their own; text, only by xmlenc.
    if _ENCRYPTION in archive.names and b"xmlenc#aes" in archive.read(_ENCRYPTION):
        raise ParseError("encrypted", "it is protected against copying")


def _package_place(archive: Archive) -> str:
    rootfile = next(xml_tree(archive.xml(_CONTAINER)).iter(_ROOTFILE), None)
    place = None if rootfile is None else rootfile.get("full-path")
    if not place:
        raise ParseError("damaged", "it does not say where its list of chapters is")
    return place


def _chapters(package: Element, place: str) -> Iterator[str]:
    """The member names of the chapters in reading order, each once."""
    items = {item.get("id"): item for item in package.iter(_OPF + "item")}
    seen: set[str] = set()
    for reference in package.iter(_OPF + "itemref"):
        item = items.get(reference.get("idref"))
        if item is None or item.get("media-type") not in _CHAPTERS:
            continue
        href = unquote(item.get("href", "")).partition("#")[0]
        member = posixpath.normpath(posixpath.join(posixpath.dirname(place), href))
        if member not in seen:
            seen.add(member)
            yield member
        if len(seen) > _MAX_CHAPTERS:
            raise ParseError("too_many_pages", f"it has more than {_MAX_CHAPTERS:,} chapters")


def _read_chapter(archive: Archive, member: str, book: str | None, blocks: Blocks) -> None:
    from lsm.ingest.parsers import html

    chapter = html.parse(archive.read(member), member)
    own_title = (chapter.title,) if chapter.title and chapter.title != book else ()
    for section in chapter.sections:
        blocks.path(section.heading or own_title)
        blocks.paragraph(section.text)


def _values(package: Element, tag: str) -> Iterator[str]:
    return (" ".join(el.text.split()) for el in package.iter(_DC + tag) if (el.text or "").strip())
