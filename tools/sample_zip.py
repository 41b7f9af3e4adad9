"""Zip containers of the sample whose bytes do not depend on the day they are made; EPUB and ODT."""

import html
import io
import re
import zipfile

from sample_markup import Block, chapters, runs

_MADE = (2026, 6, 7, 9, 0, 0)
_STAMP = "2026-06-07T09:00:00Z"
_DATES = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*")
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def pack(members: list[tuple[str, bytes]]) -> bytes:
    """A zip of *members* in that order; a member called ``mimetype`` is not compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members:
            entry = zipfile.ZipInfo(name, _MADE)
            entry.create_system = 3  # else Windows and the others write different bytes
            entry.external_attr = 0o100644 << 16
            stored = name == "mimetype"
            entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return buffer.getvalue()


def repack(container: bytes) -> bytes:
    """*container*, an office file, with every date in it replaced by the fixed one."""
    with zipfile.ZipFile(io.BytesIO(container)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    stamp = rb"\g<1>" + _STAMP.encode()
    return pack(
        [
            (name, _DATES.sub(stamp, content) if name == "docProps/core.xml" else content)
            for name, content in members
        ]
    )


def epub(blocks: list[Block], title: str, author: str) -> bytes:
    """An EPUB 3 book with one chapter for each heading of level 1."""
    parts = chapters(blocks)
    names = [f"chapter-{number}" for number in range(1, len(parts) + 1)]
    titles = [part[0].text for part in parts]
    pages = [
        (f"OEBPS/{name}.xhtml", _xhtml(part[0].text, "\n".join(map(_html, part))).encode())
        for name, part in zip(names, parts, strict=True)
    ]
    return pack(
        [
            ("mimetype", b"application/epub+zip"),
            ("META-INF/container.xml", _CONTAINER.encode()),
            ("OEBPS/content.opf", _opf(title, author, names).encode()),
            ("OEBPS/nav.xhtml", _nav(title, dict(zip(names, titles, strict=True))).encode()),
            *pages,
        ]
    )


def odt(blocks: list[Block], title: str, author: str) -> bytes:
    """An OpenDocument 1.3 text."""
    body = "\n".join(map(_odf, blocks))
    return pack(
        [
            ("mimetype", b"application/vnd.oasis.opendocument.text"),
            ("content.xml", _ODT_CONTENT.format(body=body).encode()),
            (
                "meta.xml",
                _ODT_META.format(title=title, author=author, stamp=_STAMP).encode(),
            ),
            ("META-INF/manifest.xml", _ODT_MANIFEST.encode()),
        ]
    )


def _html(block: Block) -> str:
    inner = "".join(
        f"<strong>{html.escape(piece)}</strong>" if bold else html.escape(piece)
        for piece, bold in runs(block.text)
    )
    return f"<h{block.number}>{inner}</h{block.number}>" if block.number else f"<p>{inner}</p>"


def _odf(block: Block) -> str:
    inner = "".join(
        f'<text:span text:style-name="Bold">{html.escape(piece)}</text:span>'
        if bold
        else html.escape(piece)
        for piece, bold in runs(block.text)
    )
    if block.kind == "heading":
        return f'<text:h text:outline-level="{block.number}">{inner}</text:h>'
    return f"<text:p>{inner}</text:p>"


def _xhtml(title: str, body: str) -> str:
    return (
        f'{_HEAD}<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml" '
        f'xmlns:epub="http://www.idpf.org/2007/ops" lang="en">\n'
        f"<head><title>{html.escape(title)}</title></head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _nav(title: str, names: dict[str, str]) -> str:
    items = "".join(
        f'<li><a href="{name}.xhtml">{html.escape(text)}</a></li>' for name, text in names.items()
    )
    return _xhtml(title, f'<nav epub:type="toc"><h1>Contents</h1><ol>{items}</ol></nav>')


def _opf(title: str, author: str, names: list[str]) -> str:
    kind = 'media-type="application/xhtml+xml"'
    items = "".join(f'<item id="{name}" href="{name}.xhtml" {kind}/>' for name in names)
    spine = "".join(f'<itemref idref="{name}"/>' for name in names)
    return f"""{_HEAD}<package version="3.0" unique-identifier="id"
 xmlns="http://www.idpf.org/2007/opf">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">urn:uuid:5a0c1d0e-7a55-4c1e-9b7e-2f1b6a3d4c21</dc:identifier>
<dc:title>{html.escape(title)}</dc:title><dc:creator>{html.escape(author)}</dc:creator>
<dc:language>en</dc:language><meta property="dcterms:modified">{_STAMP}</meta>
</metadata>
<manifest><item id="nav" href="nav.xhtml" {kind} properties="nav"/>{items}</manifest>
<spine>{spine}</spine>
</package>
"""


_CONTAINER = f"""{_HEAD}<container version="1.0"
 xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles>
<rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/>
</rootfiles>
</container>
"""

_OASIS = "urn:oasis:names:tc:opendocument:xmlns"

_ODT_CONTENT = f"""{_HEAD}<office:document-content xmlns:office="{_OASIS}:office:1.0"
 xmlns:style="{_OASIS}:style:1.0" xmlns:text="{_OASIS}:text:1.0"
 xmlns:fo="{_OASIS}:xsl-fo-compatible:1.0" office:version="1.3">
<office:automatic-styles><style:style style:name="Bold" style:family="text">
<style:text-properties fo:font-weight="bold"/></style:style></office:automatic-styles>
<office:body><office:text>
{{body}}
</office:text></office:body>
</office:document-content>
"""

_ODT_META = f"""{_HEAD}<office:document-meta xmlns:office="{_OASIS}:office:1.0"
 xmlns:meta="{_OASIS}:meta:1.0" xmlns:dc="http://purl.org/dc/elements/1.1/" office:version="1.3">
<office:meta><dc:title>{{title}}</dc:title><dc:creator>{{author}}</dc:creator>
<meta:creation-date>{{stamp}}</meta:creation-date><dc:language>en</dc:language></office:meta>
</office:document-meta>
"""

_ODT_MANIFEST = f"""{_HEAD}<manifest:manifest xmlns:manifest="{_OASIS}:manifest:1.0"
 manifest:version="1.3">
<manifest:file-entry manifest:full-path="/"
 manifest:media-type="application/vnd.oasis.opendocument.text"/>
<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/>
<manifest:file-entry manifest:full-path="meta.xml" manifest:media-type="text/xml"/>
</manifest:manifest>
"""
