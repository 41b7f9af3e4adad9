"""Zip-based documents, sound ones and ones that are broken in one place."""

import io
import struct
import zipfile
from collections.abc import Callable, Mapping

CONTENT_TYPES = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/word/document.xml" ContentType="{main}"/></Types>'
)
WORD_MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
_RELS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Target="word/document.xml" Type="'
    'http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/>'
    "{more}</Relationships>"
)
_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_ODF = "urn:oasis:names:tc:opendocument:xmlns"

Members = dict[str, str | bytes]


def zipped(members: Mapping[str, str | bytes]) -> bytes:
    """A deflated zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def docx_members(body: str, *, main: str = WORD_MAIN, relations: str = "") -> Members:
    """The least that is a Word document; *body* is WordprocessingML."""
    return {
        "[Content_Types].xml": CONTENT_TYPES.format(main=main),
        "_rels/.rels": _RELS.format(more=relations),
        "word/document.xml": f'<w:document xmlns:w="{_W}"><w:body>{body}</w:body></w:document>',
    }


def paragraph(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def odt_members(body: str, *, kind: str = "text") -> Members:
    """An OpenDocument file; *body* stands in ``office:text`` or the like."""
    spaces = " ".join(
        f'xmlns:{name}="{_ODF}:{name}:1.0"' for name in ("office", "text", "table", "presentation")
    )
    return {
        "mimetype": f"application/vnd.oasis.opendocument.{kind}",
        "content.xml": (
            f'<office:document-content {spaces} xmlns:draw="{_ODF}:drawing:1.0"><office:body>'
            f"<office:{kind}>{body}</office:{kind}></office:body></office:document-content>"
        ),
        "meta.xml": (
            f'<office:document-meta {spaces} xmlns:meta="{_ODF}:meta:1.0"'
            ' xmlns:dc="http://purl.org/dc/elements/1.1/"><office:meta>'
            "<dc:title>The title</dc:title><dc:creator>Ann</dc:creator>"
            "<meta:keyword>one</meta:keyword><meta:keyword>two</meta:keyword>"
            "</office:meta></office:document-meta>"
        ),
    }


def epub_members(*chapters: str) -> Members:
    """An e-book; each chapter is the inside of an XHTML body."""
    items = "".join(
        f'<item id="c{n}" href="text/c%20{n}.xhtml" media-type="application/xhtml+xml"/>'
        for n in range(len(chapters))
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in reversed(range(len(chapters))))
    members: Members = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": (
            '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="OPS/book.opf"/></rootfiles></container>'
        ),
        "OPS/book.opf": (
            '<package xmlns="http://www.idpf.org/2007/opf"'
            ' xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>The book</dc:title>'
            "<dc:creator>Ann</dc:creator><dc:subject>one, two</dc:subject></metadata>"
            f"<manifest>{items}</manifest><spine>{spine}</spine></package>"
        ),
    }
    for n, chapter in enumerate(chapters):
        members[f"OPS/text/c {n}.xhtml"] = (
            '<?xml version="1.0"?><!DOCTYPE html>'
            f'<html xmlns="http://www.w3.org/1999/xhtml"><body>{chapter}</body></html>'
        )
    return members


def ratio_bomb(members: Members, part: str, megabytes: int) -> bytes:
    """*part* is followed by blanks: 200 MB of them deflate to 0.2 MB."""
    content = members[part]
    filled = content.encode() if isinstance(content, str) else content
    return zipped({**members, part: filled + b" " * (megabytes << 20)})


def with_lying_size(data: bytes, part: str, change: Callable[[int], int]) -> bytes:
    """Both headers of *part* state another uncompressed size than the truth."""
    info = zipfile.ZipFile(io.BytesIO(data)).getinfo(part)
    true, lie = struct.pack("<I", info.file_size), struct.pack("<I", change(info.file_size))
    local, central = info.header_offset + 22, data.index(b"PK\x01\x02")
    central = data.index(part.encode(), central) - 46 + 24
    assert data[local : local + 4] == data[central : central + 4] == true
    changed = bytearray(data)
    changed[local : local + 4] = changed[central : central + 4] = lie
    return bytes(changed)


def with_overlap(data: bytes, part: str, onto: str) -> bytes:
    """The directory entry of *part* points into the bytes of *onto* (Fifield, 2019)."""
    offset = zipfile.ZipFile(io.BytesIO(data)).getinfo(onto).header_offset
    central = data.index(part.encode(), data.index(b"PK\x01\x02")) - 46
    changed = bytearray(data)
    changed[central + 42 : central + 46] = struct.pack("<I", offset)
    return bytes(changed)
