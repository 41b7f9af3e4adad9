"""PDF, Office, OpenDocument and e-book files that are broken or made to break their reader."""

import io
import struct
import zlib
from collections.abc import Iterator

from tests.bad_inputs import pdfs
from tests.bad_inputs.corpus import INGESTED, Case, content
from tests.bad_inputs.zips import (
    docx_members,
    epub_members,
    odt_members,
    paragraph,
    ratio_bomb,
    with_lying_size,
    with_overlap,
    zipped,
)

_WORD = "word/document.xml"
_DOCTYPE = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'


def cases() -> Iterator[Case]:
    yield from _pdfs()
    yield from _word()
    yield from _other_zips()


def _pdfs() -> Iterator[Case]:
    sound = pdfs.pdf("first page", "second page").render()
    yield content("text.pdf", b"This is just text.\n", "wrong_format")
    yield content("cut.pdf", sound[: len(sound) // 2], "damaged")
    yield content("no_eof.pdf", sound.replace(b"%%EOF", b""), "damaged")
    # PDFium rebuilds the table and reads everything; the document is flagged "repaired".
    wrong = sound.replace(b"startxref\n", b"startxref\n9")
    yield content("wrong_xref.pdf", wrong, INGESTED)
    yield content("xref_loop.pdf", _xref_loop, INGESTED, "damaged")
    yield content("circular_pages.pdf", _circular_pages, INGESTED, "damaged")
    yield content("no_pages.pdf", pdfs.pdf().render(), "damaged")
    yield content("encrypted.pdf", pdfs.encrypted("x", user=b"u", owner=b"o"), "encrypted")
    yield content("owner.pdf", pdfs.encrypted("open text", user=b"", owner=b"o"), INGESTED)
    yield content("scan.pdf", pdfs.pdf("", "").render(), INGESTED)
    yield content("bomb.pdf", lambda: pdfs.bomb(200).render(), INGESTED, "oom", "timeout")
    yield content("bomb_map.pdf", _bomb_map, INGESTED, "oom", "timeout")
    yield content("pages.pdf", _many_pages, "too_many_pages")
    yield content("script.pdf", _script, INGESTED)


def _xref_loop() -> bytes:
    """The trailer names itself as the one before it."""
    document = pdfs.pdf("text")
    start = document.render().index(b"xref\n")
    document.trailer += b" /Prev %d" % start
    return document.render()


def _circular_pages() -> bytes:
    document = pdfs.pdf("text")
    document.objects[2] = b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>"
    return document.render()


def _many_pages() -> bytes:
    """One page, listed 5,001 times."""
    document = pdfs.pdf("text")
    kids = b" 10 0 R" * 5001
    document.objects[2] = b"<< /Type /Pages /Kids [%b] /Count 5001 >>" % kids
    return document.render()


def _bomb_map() -> bytes:
    """A map from glyphs to letters that inflates to 100 MB of nonsense."""
    document = pdfs.pdf("text")
    packed = zlib.compress(b"<00> <0041>\n" * (100 << 20 >> 4), 9)
    document.objects[5] = pdfs.stream(packed, b"/Filter /FlateDecode")
    document.objects[3] = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 5 0 R >>"
    return document.render()


def _script() -> bytes:
    document = pdfs.pdf("text")
    document.objects[1] = (
        b"<< /Type /Catalog /Pages 2 0 R /OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >>"
        b" /AA << /WC << /S /Launch /F (/bin/sh) >> >> >>"
    )
    return document.render()


def _word() -> Iterator[Case]:
    members = docx_members(paragraph("text " * 200))
    sound = zipped(members)
    yield content("text.docx", b"This is just text.\n", "wrong_format")
    yield content("cut.docx", sound[: len(sound) // 2], "damaged")
    yield content("bomb.docx", lambda: ratio_bomb(members, _WORD, 199), "zip_bomb")
    yield content("members.docx", lambda: _many_members(100_000), "too_many_members")
    yield content("overlap.docx", with_overlap(sound, _WORD, "_rels/.rels"), "zip_bomb")
    yield content("liar.docx", with_lying_size(sound, _WORD, lambda size: size // 2), "damaged")
    yield content("nested.docx", _nested_bomb, INGESTED)
    escaping = {**members, "../../escaped.xml": "<a/>", "/escaped.xml": "<a/>"}
    yield content("escaping.docx", zipped(escaping), INGESTED)
    absent = {name: data for name, data in members.items() if name != _WORD}
    yield content("absent.docx", zipped(absent), "damaged")
    other_type = docx_members(paragraph("x"), main="application/vnd.ms-excel")
    yield content("other_type.docx", zipped(other_type), "damaged")
    external = (
        '<Relationship Id="r9" TargetMode="External" Target="http://127.0.0.1:9/x" Type="x"/>'
    )
    yield content(
        "external.docx", zipped(docx_members(paragraph("x"), relations=external)), INGESTED
    )
    xxe = {**members, _WORD: _DOCTYPE + str(members[_WORD])}
    yield content("xxe.docx", zipped(xxe), "unsafe_xml")
    deep = docx_members("<w:p>" * 20_000 + "</w:p>" * 20_000)
    yield content("deep.docx", zipped(deep), "too_deep")
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    yield content("locked.docx", ole + "EncryptedPackage".encode("utf-16-le"), "encrypted")
    yield content("old.docx", ole + b"\0" * 1000, "wrong_format")


def _many_members(count: int) -> bytes:
    """Empty members, written by hand: `zipfile` takes seconds for so many."""
    names = [b"%06d" % number for number in range(count)]
    common = struct.pack("<5H3I2H", 20, 0, 0, 0, 0x21, 0, 0, 0, 6, 0)
    local = b"".join(b"PK\3\4" + common + name for name in names)
    directory = b"".join(
        b"PK\1\2\x14\0" + common + struct.pack("<3H2I", 0, 0, 0, 0, 36 * number) + name
        for number, name in enumerate(names)
    )
    shown = min(count, 0xFFFF)
    end = struct.pack("<4H2IH", 0, 0, shown, shown, len(directory), len(local), 0)
    return local + directory + b"PK\5\6" + end


def _nested_bomb() -> bytes:
    """An embedded archive is not opened, so what is in it does not matter."""
    inner = zipped({"zeros": b"\0" * (50 << 20)})
    return zipped({**docx_members(paragraph("x")), "word/embeddings/inner.zip": inner})


def _other_zips() -> Iterator[Case]:
    for name in ("text.pptx", "text.xlsx", "text.epub", "text.odt"):
        yield content(name, b"This is just text.\n", "wrong_format")
        yield content(f"zip_{name}", zipped({"a": "b"}), "wrong_format")
    book, writing = epub_members("<p>text</p>"), odt_members("<text:p>text</text:p>")
    yield content("bomb.epub", lambda: ratio_bomb(book, "OPS/book.opf", 50), "zip_bomb")
    yield content("bomb.odt", lambda: ratio_bomb(writing, "content.xml", 50), "zip_bomb")
    for part, name, members in (
        ("OPS/book.opf", "xxe.epub", book),
        ("content.xml", "xxe.odt", writing),
    ):
        yield content(name, zipped({**members, part: _DOCTYPE + str(members[part])}), "unsafe_xml")
    deep = odt_members("<text:span>" * 20_000 + "</text:span>" * 20_000)
    yield content("deep.odt", zipped(deep), "too_deep")
    outside = str(book["OPS/book.opf"]).replace("text/c%200.xhtml", "../../../etc/passwd")
    yield content("outside.epub", zipped({**book, "OPS/book.opf": outside}), "damaged")
    yield content("dimension.xlsx", _huge_dimension, INGESTED)


def _huge_dimension() -> bytes:
    """A sheet that claims 1,048,576 x 16,384 cells and has two, at the corners."""
    import openpyxl

    book = openpyxl.Workbook()
    book.active["A1"] = "first"
    book.active.cell(1_048_576, 16_384, "last")
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()
