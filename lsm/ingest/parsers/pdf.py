"""PDF through PDFium: text page by page. Scripts, attachments and forms are not looked at."""

import re
from typing import TYPE_CHECKING

from lsm.ingest.document import Document, ParseError
from lsm.ingest.parsers.blocks import Blocks, clean, keywords, short

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

MAX_PAGES = 5_000
_MAX_BOOKMARKS = 10_000
_HEADER_WITHIN = 1024  # bytes; readers accept rubbish before "%PDF-" and after "%%EOF" up to here
_WRONG_PASSWORD = 4  # FPDF_ERR_PASSWORD
# Titles that a program put there because nobody gave one.
_NO_TITLE = re.compile(r"(?i)untitled|microsoft word\b.*|.*\.(docx?|dvi|tex|indd|qxd|pdf|rtf)")
_START = re.compile(rb"startxref\s+(\d{1,12})\s*%%EOF")
_TABLE = re.compile(rb"\s*(?:xref|\d{1,10}\s+\d{1,5}\s+obj)")


def parse(data: bytes, name: str) -> Document:
    """One section a page that has text, under the bookmarks that are open at that page.

    Flags: no_text_layer when no page has text (a scan), damaged_pages when some pages
    cannot be read, repaired when PDFium had to rebuild the table of contents of the file.

    Raises:
        ParseError: wrong_format, damaged, encrypted, too_many_pages.
    """
    del name
    _check_ends(data)
    with _open(data) as pdf:
        if len(pdf) > MAX_PAGES:
            reason = f"it has {len(pdf):,} pages; at most {MAX_PAGES:,} are read"
            raise ParseError("too_many_pages", reason)
        blocks, unread = _read_pages(pdf)
        sections = blocks.sections()
        flags = {
            "damaged_pages": unread > 0,
            "no_text_layer": not sections,
            "repaired": not _has_valid_xref(data),
        }
        return Document(
            sections=sections,
            title=_title(pdf),
            tags=keywords(_value(pdf, "Keywords")),
            metadata=_metadata(pdf),
            flags=tuple(flag for flag, is_set in flags.items() if is_set),
        )


def _check_ends(data: bytes) -> None:
    if b"%PDF-" not in data[:_HEADER_WITHIN]:
        raise ParseError("wrong_format", "it is not a PDF: it does not begin like one")
    if b"%%EOF" not in data.rstrip(b"\0\r\n\t ")[-_HEADER_WITHIN:]:
        reason = "it does not end like a PDF; it was probably cut off while it was copied"
        raise ParseError("damaged", reason)


def _has_valid_xref(data: bytes) -> bool:
    """Whether the file's last pointer leads to a cross-reference table or stream."""
    pointer = _START.match(data, max(0, data.rfind(b"startxref")))
    if pointer is None:
        return False
    # Offsets count from the header, or, in careless files, from the first byte.
    offset = int(pointer[1])
    return any(_TABLE.match(data, offset + base) for base in (0, data.find(b"%PDF-")))


def _open(data: bytes) -> "PdfDocument":
    import pypdfium2

    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code == _WRONG_PASSWORD:
            raise ParseError("encrypted", "it is protected by a password") from error
        raise ParseError("damaged", "no page of this PDF can be read") from error


def _read_pages(pdf: "PdfDocument") -> tuple[Blocks, int]:
    """The text of all pages, and how many pages could not be read."""
    import pypdfium2

    blocks = Blocks()
    headings = _headings(pdf)
    unread = 0
    for index in range(len(pdf)):
        blocks.path(headings[index], page=index + 1)
        try:
            blocks.paragraph(_page_text(pdf, index))
        except pypdfium2.PdfiumError:
            unread += 1
    if unread == len(pdf):
        raise ParseError("damaged", "no page of this PDF can be read")
    return blocks, unread


def _page_text(pdf: "PdfDocument", index: int) -> str:
    page = pdf[index]
    try:
        text = page.get_textpage().get_text_bounded()
    finally:
        # Closes the text page with it; pages left open would hold the whole file in memory.
        page.close()
    # PDFium's marks for a word cut at the end of a line: whoever looks for it types it whole.
    return re.sub(r"[\ufffe\x02]", "", text)


def _headings(pdf: "PdfDocument") -> list[tuple[str, ...]]:
    """For each page, the bookmarks open where it begins, or the first that begins on it."""
    starts: dict[int, tuple[str, ...]] = {}
    ends: dict[int, tuple[str, ...]] = {}
    open_now: list[str] = []
    for count, bookmark in enumerate(pdf.get_toc()):
        if count >= _MAX_BOOKMARKS:
            break
        title = " ".join(clean(bookmark.get_title()).split())[:200]
        open_now = [*open_now[: bookmark.level], title]
        dest = bookmark.get_dest()
        page = dest.get_index() if dest else None
        if page is not None and title:
            starts.setdefault(page, tuple(filter(None, open_now)))
            ends[page] = tuple(filter(None, open_now))
    paths: list[tuple[str, ...]] = []
    current: tuple[str, ...] = ()
    for index in range(len(pdf)):
        paths.append(starts.get(index, current))
        current = ends.get(index, current)
    return paths


def _title(pdf: "PdfDocument") -> str | None:
    title = " ".join(_value(pdf, "Title").split())[:500]
    return None if not title or _NO_TITLE.fullmatch(title) else title


def _metadata(pdf: "PdfDocument") -> dict[str, str]:
    return short(
        author=_value(pdf, "Author"),
        subject=_value(pdf, "Subject"),
        created=_date(_value(pdf, "CreationDate")),
        modified=_date(_value(pdf, "ModDate")),
        pages=len(pdf),
    )


def _value(pdf: "PdfDocument", key: str) -> str:
    try:
        return clean(pdf.get_metadata_value(key))
    except UnicodeDecodeError:
        # Half of a surrogate pair: nothing a person could have meant as a title.
        return ""


def _date(value: str) -> str:
    """``D:20240131...`` as ``2024-01-31``; anything else as nothing."""
    match = re.match(r"D:(\d{4})(\d\d)(\d\d)", value)
    return "-".join(match.groups()) if match else ""
