"""PDF, Office, OpenDocument and e-book parsers, on files built here."""

import io
import warnings
from collections.abc import Callable

import docx
import openpyxl
import pptx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsm.ingest.document import Document, ParseError
from lsm.ingest.parsers import archive, blocks, epub, odt, pdf, xlsx
from lsm.ingest.parsers import docx as docx_parser
from lsm.ingest.parsers import pptx as pptx_parser
from tests.bad_inputs import pdfs
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

PART = "word/document.xml"


# --- PDF ----------------------------------------------------------------------------------


def test_each_page_of_a_pdf_is_a_section_with_its_number() -> None:
    data = pdfs.pdf("first words", "", "third words").render()

    document = pdf.parse(data, "a.pdf")

    assert [(s.page, s.text.strip()) for s in document.sections] == [
        (1, "first words"),
        (3, "third words"),
    ]
    assert document.flags == ()


def test_a_page_stands_under_the_bookmark_that_is_open_where_it_begins() -> None:
    bookmarks = {"Start": 1, "Middle": 3}

    document = pdf.parse(pdfs.pdf("a", "b", "c", "d", bookmarks=bookmarks).render(), "a.pdf")

    assert [s.heading for s in document.sections] == [
        ("Start",),
        ("Start",),
        ("Middle",),
        ("Middle",),
    ]


def test_a_pdf_brings_its_title_and_keywords() -> None:
    document = pdf.parse(pdfs.pdf("text", title="On keys").render(), "a.pdf")

    assert document.title == "On keys"
    assert document.tags == ("one", "two")
    assert document.metadata["pages"] == "1"


@pytest.mark.parametrize("title", ["Untitled", "Microsoft Word - a.doc", "report.docx"])
def test_a_title_that_a_program_made_up_is_none(title: str) -> None:
    assert pdf.parse(pdfs.pdf("text", title=title).render(), "a.pdf").title is None


def test_a_pdf_without_text_has_no_sections_and_says_so() -> None:
    document = pdf.parse(pdfs.pdf("", "").render(), "scan.pdf")

    assert document.sections == ()
    assert document.flags == ("no_text_layer",)


def test_a_pdf_with_a_user_password_is_encrypted() -> None:
    data = pdfs.encrypted("secret", user=b"user", owner=b"owner")

    assert code_of(pdf.parse, data) == "encrypted"


def test_a_pdf_with_only_an_owner_password_is_read() -> None:
    data = pdfs.encrypted("not secret", user=b"", owner=b"owner")

    assert pdf.parse(data, "a.pdf").sections[0].text.strip() == "not secret"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_pdf_that_was_cut_off_is_damaged(share: float) -> None:
    data = pdfs.pdf("first", "second").render()

    assert code_of(pdf.parse, data[: int(len(data) * share)]) == "damaged"


def test_a_pdf_with_a_wrong_cross_reference_is_read_and_flagged() -> None:
    data = pdfs.pdf("still here").render().replace(b"startxref\n", b"startxref\n9")

    document = pdf.parse(data, "a.pdf")

    assert document.sections[0].text.strip() == "still here"
    assert document.flags == ("repaired",)


def test_a_word_that_is_parted_at_the_end_of_a_line_is_found_whole() -> None:
    document = pdfs.pdf("x")
    shown = b"BT /F1 12 Tf 14 TL 50 700 Td (an exam-) Tj T* (ple) Tj ET"
    document.objects[11] = pdfs.stream(shown)

    assert pdf.parse(document.render(), "a.pdf").sections[0].text == "an example\n\n"


def test_rubbish_around_a_pdf_does_no_harm() -> None:
    data = b"\n\n" + pdfs.pdf("still here").render() + b"\0" * 5000

    assert pdf.parse(data, "a.pdf").sections[0].text.strip() == "still here"


def test_a_pdf_of_too_many_pages_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "MAX_PAGES", 2)

    assert code_of(pdf.parse, pdfs.pdf("a", "b", "c").render()) == "too_many_pages"
    assert len(pdf.parse(pdfs.pdf("a", "b").render(), "a.pdf").sections) == 2


def test_text_named_pdf_is_of_the_wrong_format() -> None:
    assert code_of(pdf.parse, b"just text") == "wrong_format"


# --- DOCX ---------------------------------------------------------------------------------


def test_word_text_comes_in_reading_order_under_its_headings() -> None:
    word = docx.Document()
    word.add_heading("Keys", 1)
    word.add_paragraph("Keys rotate.")
    word.add_paragraph("daily", style="List Bullet")
    word.add_paragraph("weekly", style="List Bullet")
    word.add_heading("Table", 2)
    table = word.add_table(rows=2, cols=2)
    for index, text in enumerate(("a", "b", "c", "d")):
        table.cell(index // 2, index % 2).text = text
    word.add_paragraph("After it.")

    document = docx_parser.parse(saved(word.save), "a.docx")

    assert [(s.heading, s.text) for s in document.sections] == [
        (("Keys",), "Keys\n\nKeys rotate.\n\n- daily\n- weekly\n\n"),
        (("Keys", "Table"), "Table\n\na\tb\nc\td\n\nAfter it.\n\n"),
    ]
    assert [s.start_line for s in document.sections] == [1, 8]


def test_word_properties_become_title_tags_and_metadata() -> None:
    word = docx.Document()
    word.core_properties.title = "On keys"
    word.core_properties.author = "Ann"
    word.core_properties.keywords = "one; two"

    document = docx_parser.parse(saved(word.save), "a.docx")

    assert document.title == "On keys"
    assert document.tags == ("one", "two")
    assert document.metadata["author"] == "Ann"


def test_the_title_paragraph_is_the_title_when_the_properties_have_none() -> None:
    word = docx.Document()
    word.add_heading("Spoken title", 0)

    assert docx_parser.parse(saved(word.save), "a.docx").title == "Spoken title"


def test_inserted_text_is_read_and_deleted_text_is_not() -> None:
    body = (
        "<w:p><w:r><w:t>kept </w:t></w:r><w:ins><w:r><w:t>new</w:t></w:r></w:ins>"
        "<w:del><w:r><w:delText>old</w:delText></w:r></w:del></w:p>"
        "<w:sdt><w:sdtContent><w:p><w:r><w:t>in a control</w:t></w:r></w:p></w:sdtContent></w:sdt>"
    )

    document = docx_parser.parse(zipped(docx_members(body)), "a.docx")

    assert text_of(document) == "kept new\n\nin a control\n\n"


def test_pictures_and_embedded_files_are_never_opened() -> None:
    members = docx_members(paragraph("text"))
    members["word/media/image1.png"] = b"not a picture"
    members["word/embeddings/inner.zip"] = zipped({"bomb": b"\0" * 1000})

    copy = archive.Archive(zipped(members)).copy_of_xml()

    contents = archive.Archive(copy.getvalue())
    assert contents.read("word/media/image1.png") == b""
    assert contents.read("word/embeddings/inner.zip") == b""
    assert contents.read(PART)


def test_an_external_relationship_is_not_followed() -> None:
    relation = '<Relationship Id="r9" Type="x" TargetMode="External" Target="http://127.0.0.1:9/"/>'
    members = docx_members(paragraph("text"), relations=relation)

    assert text_of(docx_parser.parse(zipped(members), "a.docx")) == "text\n\n"


# --- the limits of every zip-based format -------------------------------------------------


def test_a_member_of_a_huge_ratio_is_a_zip_bomb() -> None:
    data = ratio_bomb(docx_members(paragraph("x")), PART, megabytes=50)

    assert code_of(docx_parser.parse, data) == "zip_bomb"


def test_a_total_beyond_the_limit_is_a_zip_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    data = zipped({"a": b"x" * 600, "b": b"y" * 600})
    monkeypatch.setattr(archive, "MAX_TOTAL", 1199)

    assert code_of(archive.Archive, data) == "zip_bomb"


@pytest.mark.parametrize(("members", "expected"), [(10, None), (11, "too_many_members")])
def test_members_are_counted(
    members: int, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 10)

    assert code_of(archive.Archive, zipped({str(n): b"" for n in range(members)})) == expected


def test_overlapping_members_are_a_zip_bomb() -> None:
    data = with_overlap(zipped(docx_members(paragraph("x"))), PART, "[Content_Types].xml")

    assert code_of(docx_parser.parse, data) == "zip_bomb"


@pytest.mark.parametrize("change", [lambda size: size // 2, lambda size: size * 2])
def test_a_lying_size_is_damage(change: Callable[[int], int]) -> None:
    data = with_lying_size(zipped(docx_members(paragraph("x" * 500))), PART, change)

    assert code_of(docx_parser.parse, data) == "damaged"


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:9/"> %x;]>',
        '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]>',
    ],
)
@pytest.mark.parametrize("codec", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
def test_declared_entities_are_refused(declaration: str, codec: str) -> None:
    members = docx_members("")
    members[PART] = (declaration + str(members[PART])).encode(codec)

    assert code_of(docx_parser.parse, zipped(members)) == "unsafe_xml"


@pytest.mark.parametrize("codec", ["utf-7", "cp037"])
def test_xml_in_an_encoding_that_could_hide_entities_is_refused(codec: str) -> None:
    members = docx_members("")
    xml = f'<?xml version="1.0" encoding="{codec}"?><!DOCTYPE a [<!ENTITY x "y">]>'
    members[PART] = xml[:1].encode(codec) + xml[1:].encode(codec)

    assert code_of(docx_parser.parse, zipped(members)) == "unsafe_xml"


def test_xml_nested_without_end_is_too_deep() -> None:
    body = "<w:p>" * 5000 + "</w:p>" * 5000

    assert code_of(docx_parser.parse, zipped(docx_members(body))) == "too_deep"


@pytest.mark.parametrize("missing", ["[Content_Types].xml", "_rels/.rels", PART])
def test_a_word_file_without_one_of_its_parts_is_refused(missing: str) -> None:
    members = docx_members(paragraph("x"))
    del members[missing]

    assert code_of(docx_parser.parse, zipped(members)) in {"damaged", "wrong_format"}


def test_a_word_file_of_another_content_type_is_damaged() -> None:
    data = zipped(docx_members(paragraph("x"), main="application/vnd.ms-excel"))

    assert code_of(docx_parser.parse, data) == "damaged"


def test_an_office_file_with_a_password_is_encrypted() -> None:
    container = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le")

    assert code_of(docx_parser.parse, container) == "encrypted"
    assert code_of(docx_parser.parse, container[:8] + b"Word 97") == "wrong_format"


@pytest.mark.parametrize("parse", [docx_parser.parse, pptx_parser.parse, xlsx.parse, odt.parse])
def test_another_zip_file_is_of_the_wrong_format(parse: Callable[[bytes, str], Document]) -> None:
    assert code_of(parse, zipped({"a.txt": b"text"})) == "wrong_format"


@settings(deadline=None)
@given(cut=st.integers(0, 600), flip=st.integers(0, 599), value=st.integers(0, 255))
def test_no_damage_gets_past_as_anything_but_a_parse_error(cut: int, flip: int, value: int) -> None:
    data = bytearray(zipped(docx_members(paragraph("some text"))))
    data[flip % len(data)] = value

    code_of(docx_parser.parse, bytes(data[: len(data) - cut]))


# --- PPTX ---------------------------------------------------------------------------------


def test_a_slide_is_a_page_and_its_notes_follow_it() -> None:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = "Keys"
    slide.placeholders[1].text = "rotate\nrevoke"
    slide.notes_slide.notes_text_frame.text = "say it slowly"
    second = deck.slides.add_slide(deck.slide_layouts[5])
    table = second.shapes.add_table(1, 2, 0, 0, 100, 100).table
    table.cell(0, 0).text, table.cell(0, 1).text = "a", "b"

    document = pptx_parser.parse(saved(deck.save), "a.pptx")

    assert [(s.page, s.heading, s.text) for s in document.sections] == [
        (1, ("Keys",), "Keys\n\nrotate\nrevoke\n\n"),
        (1, ("Keys", "Notes"), "say it slowly\n\n"),
        (2, (), "a\tb\n\n"),
    ]
    assert document.title is None


# --- XLSX ---------------------------------------------------------------------------------


def test_a_sheet_is_a_heading_and_a_row_is_a_line() -> None:
    book = openpyxl.Workbook()
    book.active.title = "Costs"
    book.active.append(["what", None, "how much"])
    book.active.append(["rent", True, 0.1 + 0.2])
    book.create_sheet("Empty")
    book.create_sheet("Dates").append(["two\nlines"])

    document = xlsx.parse(saved(book.save), "a.xlsx")

    assert [(s.heading, s.text) for s in document.sections] == [
        (("Costs",), "what\thow much\nrent\tTRUE\t0.3\n\n"),
        (("Dates",), "two lines\n\n"),
    ]


def test_formulas_are_not_computed_and_not_shown() -> None:
    book = openpyxl.Workbook()
    book.active.append(["total", "=cmd|' /C calc'!A0"])

    assert text_of(xlsx.parse(saved(book.save), "a.xlsx")) == "total\n\n"


def test_a_cell_in_the_farthest_corner_costs_one_line() -> None:
    book = openpyxl.Workbook()
    book.active["A1"] = "first"
    book.active.cell(1_048_576, 16_384, "last")

    assert text_of(xlsx.parse(saved(book.save), "a.xlsx")) == "first\nlast\n\n"


def test_filled_cells_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    book = openpyxl.Workbook()
    book.active.append([1, 2, 3])
    monkeypatch.setattr(xlsx, "MAX_CELLS", 2)

    assert code_of(xlsx.parse, saved(book.save)) == "too_large"


# --- OpenDocument and EPUB ----------------------------------------------------------------


def test_open_document_text_comes_under_its_headings() -> None:
    body = (
        '<text:h text:outline-level="1">Keys</text:h>'
        '<text:p>They<text:s text:c="2"/>rotate<text:tab/>daily.</text:p>'
        "<text:list><text:list-item><text:p>one</text:p></text:list-item>"
        "<text:list-item><text:p>two</text:p></text:list-item></text:list>"
        "<table:table><table:table-row><table:table-cell><text:p>a</text:p></table:table-cell>"
        '<table:table-cell table:number-columns-repeated="16000"/>'
        "<table:table-cell><text:p>b</text:p></table:table-cell></table:table-row></table:table>"
    )

    document = odt.parse(zipped(odt_members(body)), "a.odt")

    assert document.sections[0].heading == ("Keys",)
    assert text_of(document) == "Keys\n\nThey  rotate\tdaily.\n\n- one\n- two\na\tb\n\n"
    assert (document.title, document.tags) == ("The title", ("one", "two"))
    assert document.metadata["author"] == "Ann"


def test_slides_and_sheets_of_open_documents_are_told_apart() -> None:
    slides = (
        "<draw:page><text:p>one</text:p></draw:page><draw:page><text:p>two</text:p></draw:page>"
    )
    sheet = (
        '<table:table table:name="Costs"><table:table-row><table:table-cell><text:p>a</text:p>'
        "</table:table-cell></table:table-row></table:table>"
    )

    deck = odt.parse(zipped(odt_members(slides, kind="presentation")), "a.odp")
    book = odt.parse(zipped(odt_members(sheet, kind="spreadsheet")), "a.ods")

    assert [(s.page, s.text.strip()) for s in deck.sections] == [(1, "one"), (2, "two")]
    assert book.sections[0].heading == ("Costs",)


def test_an_encrypted_open_document_is_encrypted() -> None:
    members = odt_members("")
    members["META-INF/manifest.xml"] = "<m:manifest><m:encryption-data/></m:manifest>"

    assert code_of(odt.parse, zipped(members)) == "encrypted"


def test_chapters_of_a_book_come_in_the_order_of_its_spine() -> None:
    data = zipped(epub_members("<h1>Last</h1><p>end</p>", "<h1>First</h1><p>begin</p>"))

    document = epub.parse(data, "a.epub")

    assert [s.heading for s in document.sections] == [("First",), ("Last",)]
    assert (document.title, document.tags) == ("The book", ("one", "two"))
    assert document.metadata["author"] == "Ann"


def test_a_protected_book_is_encrypted() -> None:
    members = epub_members("<p>x</p>")
    members["META-INF/encryption.xml"] = "http://www.w3.org/2001/04/xmlenc#aes128-cbc"

    assert code_of(epub.parse, zipped(members)) == "encrypted"


@pytest.mark.parametrize(("parse", "members", "part"), [
    (odt.parse, odt_members(""), "content.xml"),
    (epub.parse, epub_members("<p>x</p>"), "OPS/book.opf"),
])  # fmt: skip
def test_entities_are_refused_in_every_format(
    parse: Callable[[bytes, str], Document], members: dict[str, str | bytes], part: str
) -> None:
    declared = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + str(members[part])

    assert code_of(parse, zipped({**members, part: declared})) == "unsafe_xml"


# --- blocks of text -----------------------------------------------------------------------

lines = st.text(st.characters(codec="utf-8"), max_size=30)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["heading", "paragraph", "line"]), lines)))
def test_sections_claim_every_line_once(added: list[tuple[str, str]]) -> None:
    made = blocks.Blocks()
    for kind, text in added:
        made.heading(text, 1) if kind == "heading" else getattr(made, kind)(text)

    sections = made.sections()

    expected = 1
    for section in sections:
        assert section.start_line == expected
        assert section.text.endswith("\n")
        assert not {"\0", "\r"} & set(section.text)
        expected += section.text.count("\n")


# --- builders -----------------------------------------------------------------------------


def saved(save: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    save(buffer)
    return buffer.getvalue()


def text_of(document: Document) -> str:
    return "".join(section.text for section in document.sections)


def code_of(parse: Callable[..., object], data: bytes) -> str | None:
    """The code of the error, or None if there is none."""
    arguments = (data,) if parse is archive.Archive else (data, "name")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parse(*arguments)
    except ParseError as error:
        plain = bool(error.reason) and error.reason.isprintable()
        return error.code if plain else f"not one plain line: {error.reason!r}"
    return None
