"""Excel workbooks: a sheet is a heading, a row is a line of tab-separated values.

Formulas are never computed; the value that the last program stored is taken.
"""

import warnings
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from lsm.ingest.document import Document, ParseError
from lsm.ingest.parsers.blocks import Blocks
from lsm.ingest.parsers.ooxml import damage_told_plainly, metadata_of, package, tags_of, title_of

if TYPE_CHECKING:
    from openpyxl import Workbook

MAX_CELLS = 5_000_000  # that hold something
_MAX_SHEETS = 1_000


def parse(data: bytes, name: str) -> Document:
    """One section a sheet. A declared size of a million rows costs nothing.

    Raises:
        ParseError: too_large, and see `lsm.ingest.parsers.ooxml`.
    """
    del name
    import openpyxl

    buffer = package(data)
    # openpyxl warns of each thing it will not keep when it saves; nothing is saved here.
    with damage_told_plainly("workbook"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        workbook = openpyxl.load_workbook(buffer, read_only=True, data_only=True, keep_links=False)
        blocks = Blocks()
        _read_sheets(workbook, blocks)
        properties = workbook.properties
        return Document(
            sections=blocks.sections(),
            title=title_of(properties),
            tags=tags_of(properties),
            metadata=metadata_of(properties, properties.creator),
        )


def _read_sheets(workbook: "Workbook", blocks: Blocks) -> None:
    cells = 0
    for sheet in workbook.worksheets[:_MAX_SHEETS]:
        blocks.path((" ".join(sheet.title.split()),))
        for row in _rows(workbook, sheet):
            cells += len(row)
            if cells > MAX_CELLS:
                raise ParseError("too_large", f"it has more than {MAX_CELLS:,} filled cells")
            blocks.line("\t".join(row))


def _rows(workbook: Any, sheet: Any) -> Iterator[list[str]]:
    """The filled cells of each row that has any.

    Not `sheet.rows`: that makes up all cells between the first and the farthest one,
    which may be 16,384 columns and any number of rows away.
    """
    from openpyxl.worksheet._reader import WorkSheetParser

    with sheet._get_source() as source:  # noqa: SLF001 - what `sheet.rows` opens
        parser = WorkSheetParser(
            source,
            sheet._shared_strings,  # noqa: SLF001
            data_only=True,
            epoch=workbook.epoch,
            date_formats=workbook._date_formats,  # noqa: SLF001
            timedelta_formats=workbook._timedelta_formats,  # noqa: SLF001
        )
        for _, cells in parser.parse():
            row = [text for cell in cells if (text := _text(cell["value"]))]
            if row:
                yield row


def _text(value: object) -> str:
    """A cell as one line of text, as a person would write it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return f"{value:.15g}"  # Excel's own precision: 0.1 + 0.2 is shown as 0.3
    if isinstance(value, datetime) and value.time() == time.min:
        return value.date().isoformat()
    if isinstance(value, date | time):
        return str(value)
    return " ".join(str(value).split())
