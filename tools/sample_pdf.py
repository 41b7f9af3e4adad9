"""A PDF 1.4 writer for plain reports: B5, Helvetica, headings, lists, tables, page numbers.

Nothing is compressed, so the same text gives the same bytes with every version of zlib.
"""

from dataclasses import dataclass, field

from sample_markup import Block

_WIDTH, _HEIGHT, _MARGIN = 499.0, 709.0, 50.0
_SIZE, _LEADING, _TABLE_SIZE = 10.5, 15.5, 9.0
_TOP, _BOTTOM = _HEIGHT - 56, 62.0
_HEADING_SIZE = {1: 17.0, 2: 13.0, 3: 11.0}
_GAP = 12.0  # between two columns of a table

# Advance widths of Helvetica for the characters 32 to 126, in thousandths of the size.
_ADVANCES_TEXT = """
278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278
556 556 556 556 556 556 556 556 556 556 278 278 584 584 584 556 1015
667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 667 778 722 667 611 722 667 944 667
667 611 278 278 278 469 556 333
556 556 500 556 556 278 556 556 222 222 500 222 833 556 556 556 556 333 500 278 556 500 722 500
500 500 334 260 334 584
"""
_ADVANCES = [int(width) for width in _ADVANCES_TEXT.split()]
_BOLD_FACTOR = 1.08  # bold is wider by less than this, so a line never runs out of the page


@dataclass
class _Page:
    operators: list[bytes] = field(default_factory=list)
    y: float = _TOP


def pdf(blocks: list[Block], title: str, author: str, date: str) -> bytes:
    """A whole file; *date* is ``YYYYMMDD``.

    Raises:
        ValueError: a page holds more than fits; put a ``=== page ===`` into the text.
    """
    pages = [_Page()]
    for block in blocks:
        if block.kind == "page":
            pages.append(_Page())
        else:
            _draw(pages[-1], block)
    for number, page in enumerate(pages, start=1):
        if page.y < _BOTTOM:
            raise ValueError(f"{title}: page {number} is too full")
        _show(page, f"{title}  -  page {number} of {len(pages)}", (_MARGIN, 38), 8.5)
    contents = [b"\n".join(page.operators) for page in pages]
    return _assemble(contents, {"Title": title, "Author": author, "CreationDate": f"D:{date}"})


def _draw(page: _Page, block: Block) -> None:
    if block.kind == "heading":
        size = _HEADING_SIZE[block.number]
        page.y -= 8
        _flow(page, block.text, size, bold=True)
        page.y -= 2
    elif block.kind == "table":
        _table(page, block.rows)
    elif block.kind in {"bullet", "step"}:
        mark = "\N{BULLET}" if block.kind == "bullet" else f"{block.number}."
        _show(page, mark, (_MARGIN, page.y - _SIZE), _SIZE)
        _flow(page, block.text, _SIZE, indent=16)
    else:
        _flow(page, block.text, _SIZE)
        page.y -= 7


def _flow(page: _Page, text: str, size: float, *, indent: float = 0, bold: bool = False) -> None:
    room = (_WIDTH - 2 * _MARGIN - indent) / (_BOLD_FACTOR if bold else 1)
    for line in _wrap(text, size, room):
        _show(page, line, (_MARGIN + indent, page.y - size), size, bold=bold)
        page.y -= size * _LEADING / _SIZE


def _wrap(text: str, size: float, room: float) -> list[str]:
    lines: list[str] = []
    for word in text.split(" "):
        if lines and _measure(f"{lines[-1]} {word}", size) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _table(page: _Page, rows: tuple[tuple[str, ...], ...]) -> None:
    columns = zip(*rows, strict=True)
    steps = [max(_measure(cell, _TABLE_SIZE) for cell in column) + _GAP for column in columns]
    if sum(steps) - _GAP > _WIDTH - 2 * _MARGIN:
        raise ValueError(f"the table of {rows[0]} is too wide")
    page.y -= 2
    for index, row in enumerate(rows):
        x = _MARGIN
        for cell, step in zip(row, steps, strict=True):
            _show(page, cell, (x, page.y - _SIZE), _TABLE_SIZE, bold=index == 0)
            x += step
        page.y -= _LEADING
        if index == 0:
            rule = f"0.6 w {_MARGIN} {page.y:.1f} m {_WIDTH - _MARGIN} {page.y:.1f} l S"
            page.operators.append(rule.encode())
            page.y -= 3
    page.y -= 8


def _measure(text: str, size: float) -> float:
    # What is not ASCII (dashes, the euro, degrees) is at most as wide as a digit, but for few.
    return size / 1000 * sum(_ADVANCES[ord(c) - 32] if " " <= c <= "~" else 600 for c in text)


def _show(
    page: _Page, text: str, at: tuple[float, float], size: float, *, bold: bool = False
) -> None:
    font = "F2" if bold else "F1"
    start = f"BT /{font} {size} Tf {at[0]:.1f} {at[1]:.1f} Td ".encode()
    page.operators.append(start + _string(text) + b" Tj ET")


def _string(text: str) -> bytes:
    # WinAnsiEncoding is what Python calls cp1252.
    raw = text.encode("cp1252")
    for special in (b"\\", b"(", b")"):
        raw = raw.replace(special, b"\\" + special)
    return b"(" + raw + b")"


def _assemble(contents: list[bytes], info: dict[str, str]) -> bytes:
    # Objects 1 to 5: catalog, page tree, two fonts, information; then each page and its contents.
    kids = " ".join(f"{6 + 2 * index} 0 R" for index in range(len(contents)))
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /{} /Encoding /WinAnsiEncoding >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(contents)} >>".encode(),
        font.format("Helvetica").encode(),
        font.format("Helvetica-Bold").encode(),
        b"<< " + b" ".join(f"/{key} ".encode() + _string(info[key]) for key in info) + b" >>",
    ]
    page = (
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {_WIDTH:.0f} {_HEIGHT:.0f}] "
        "/Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> /Contents"
    )
    for index, content in enumerate(contents):
        objects.append(f"{page} {7 + 2 * index} 0 R >>".encode())
        objects.append(
            f"<< /Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream"
        )
    return _with_table(objects)


def _with_table(objects: list[bytes]) -> bytes:
    file = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets: list[int] = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(file))
        file += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    start = len(file)
    file += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    file += b"".join(f"{offset:010} 00000 n \n".encode() for offset in offsets)
    file += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info 5 0 R >>\n".encode()
    return bytes(file + f"startxref\n{start}\n%%EOF\n".encode())
