"""Write the binary documents of the sample library from the texts in ``sample_sources``.

For maintainers, after a text was changed: ``.venv/bin/python tools/make_sample.py``. Needs only
what LSM itself depends on. Running it twice gives the same bytes; what it writes is committed.
"""

import csv
import io
import os
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import docx
import openpyxl
import pptx
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from sample_markup import SOURCES, Block, chapters, read, runs
from sample_pdf import pdf
from sample_zip import epub, odt, repack

if TYPE_CHECKING:
    from docx.document import Document
    from openpyxl.worksheet.worksheet import Worksheet
    from pptx.presentation import Presentation
    from pptx.shapes.placeholder import SlidePlaceholder

LIBRARY = Path(__file__).parent.parent / "lsm" / "sample" / "library"
_LIST_STYLES = {"bullet": "List Bullet", "step": "List Number", "text": "Normal"}


def word(name: str, author: str) -> bytes:
    """The text *name* as a Word document."""
    document = docx.Document()
    blocks = read(name)
    document.core_properties.title = blocks[0].text
    document.core_properties.author = author
    document.core_properties.comments = ""
    for block in blocks:
        _add_to_word(document, block)
    return repack(_saved(document.save))


def slides(name: str, author: str) -> bytes:
    """The text *name* as a presentation: a slide each heading, its last line for the speaker."""
    deck = pptx.Presentation()
    parts = chapters(read(name))
    deck.core_properties.title = parts[0][0].text
    deck.core_properties.author = author
    for part in parts:
        _add_slide(deck, [block.text for block in part])
    return repack(_saved(deck.save))


def workbook(sheets: dict[str, str], title: str, author: str) -> bytes:
    """A workbook with a sheet for each name in *sheets*, filled from that CSV text."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    book.properties.title = title
    book.properties.creator = author
    for name, source in sheets.items():
        text = (SOURCES / f"{source}.csv").read_text("utf-8")
        _fill(book.create_sheet(name), list(csv.reader(io.StringIO(text))))
    return repack(_saved(book.save))


def report(name: str, author: str, date: str) -> bytes:
    """The text *name* as a PDF."""
    blocks = read(name)
    return pdf(blocks, blocks[0].text, author, date)


def binaries() -> dict[str, bytes]:
    """Every binary document of the sample, by its path in the library."""
    return {
        "studio/glazes/glaze-recipes.xlsx": workbook(
            {"Recipes": "glaze-recipes.recipes", "Test tiles": "glaze-recipes.tiles"},
            "Glaze recipes and test tiles",
            "Jonas Tarrick",
        ),
        "studio/firing/element-replacement.docx": word("element-replacement", "Jonas Tarrick"),
        "studio/classes/beginners-wheel-course.pptx": slides(
            "beginners-wheel-course", "Mira Tolvane"
        ),
        "studio/lease-renewal-letter.odt": odt(
            read("lease-letter"), "Renewal of the lease of 4 Smokehouse Lane", "Edda Corlish"
        ),
        "observatory/visitor-handbook.epub": epub(
            read("visitor-handbook"), "Hennet Hill: a handbook for visitors", "Oddny Varre"
        ),
        "observatory/papers/sky-brightness-survey.pdf": report(
            "sky-brightness-survey", "Oddny Varre, Leto Marrane, Mira Tolvane", "20260109"
        ),
        "observatory/solar/feasibility-report.pdf": report(
            "solar-feasibility", "Pell Arkwin, Oddny Varre", "20241117"
        ),
        "observatory/solar/grant-application.docx": word("grant-application", "Oddny Varre"),
    }


def main(target: Path) -> None:
    """Write them below *target*."""
    for path, content in binaries().items():
        file = target / path
        os.makedirs(file.parent, exist_ok=True)
        file.write_bytes(content)
        print(f"{len(content):>7} {path}")


def _add_to_word(document: "Document", block: Block) -> None:
    if block.kind == "heading":
        document.add_heading(block.text, block.number - 1)
    elif block.kind == "table":
        table = document.add_table(0, len(block.rows[0]), style="Table Grid")
        for row in block.rows:
            for cell, text in zip(table.add_row().cells, row, strict=True):
                cell.text = text
    else:
        paragraph = document.add_paragraph(style=_LIST_STYLES[block.kind])
        for piece, bold in runs(block.text):
            paragraph.add_run(piece).bold = bold or None


def _add_slide(deck: "Presentation", texts: list[str]) -> None:
    title, *lines, notes = texts
    slide = deck.slides.add_slide(deck.slide_layouts[1])  # title and content
    for shape, text in zip(slide.placeholders, (title, "\n".join(lines)), strict=True):
        cast("SlidePlaceholder", shape).text_frame.text = text
    frame = slide.notes_slide.notes_text_frame
    assert frame is not None, "the default template has a place for notes"
    frame.text = notes.removeprefix("Notes: ")


def _fill(sheet: "Worksheet", rows: list[list[str]]) -> None:
    for row in rows:
        sheet.append([_value(cell) for cell in row])
    for index, header in enumerate(rows[0], start=1):
        sheet.cell(1, index).font = Font(bold=True)
        longest = max(len(row[index - 1]) for row in rows)
        sheet.column_dimensions[get_column_letter(index)].width = max(len(header), longest) + 2
    sheet.freeze_panes = "B2"


def _value(cell: str) -> str | int | float | datetime:
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    try:
        return datetime.strptime(cell, "%Y-%m-%d")  # noqa: DTZ007 - a sheet's dates have no zone
    except ValueError:
        return cell


def _saved(save: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    save(buffer)
    return buffer.getvalue()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else LIBRARY)
