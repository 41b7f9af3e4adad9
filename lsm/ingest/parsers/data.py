"""Data as it stands: JSON, YAML, TOML, INI, CSV, XML.

Nothing here builds what the file describes, so nesting, entities, huge numbers and duplicate
keys have nothing to break. Only XML is walked once, to refuse what other programs would choke on.
"""

import csv
import re
from collections.abc import Callable, Sequence

from lsm.ingest.document import Document, ParseError, Section
from lsm.ingest.encoding import decode
from lsm.ingest.parsers.outline import Heading, outline, plain

_MAX_XML_DEPTH = 256
_HEADER = 4096  # characters of a first line that are looked at
_FEWEST_COLUMNS = 2

_JSON_ESCAPE = re.compile(r"\\\\|\\u([dD][89abAB]\w\w)\\u([dD][c-fC-F]\w\w)|\\u([0-9a-fA-F]{4})")
_TABLE = re.compile(r"\s{0,40}\[{1,2}([^\[\]\n]{1,200})\]{1,2}\s*(?:[#;].*)?")
_KEY = re.compile(r"([\w\"'./-][^:#\n]{0,100}):(?:\s|$)")
_NUMBER = re.compile(r"[-+]?[\d.,\s%]+")
_XML_CHARSET = re.compile(rb"<\?xml[^>]{1,100}?encoding=[\"']([\w.:-]{1,40})[\"']")
_XML_TITLE = re.compile(r"<(?:\w+:)?title(?:\s[^<>]{0,200})?>([^<>]{1,300})</")


def parse(data: bytes, name: str) -> Document:
    """The raw text, by its tables or top keys where the format has them."""
    extension = name.lower().rpartition(".")[2]
    return _READERS.get(extension, _parse_plain)(data)


def _parse_plain(data: bytes) -> Document:
    text, flags = decode(data)
    return Document(sections=(Section(text=text),), flags=flags)


def _parse_json(data: bytes) -> Document:
    text, flags = decode(data)
    if "\\u" in text:
        # Many programs write every letter outside ASCII as an escape; nobody searches for that.
        text = _JSON_ESCAPE.sub(_unescape, text)
    return Document(sections=(Section(text=text),), flags=flags)


def _unescape(found: re.Match[str]) -> str:
    try:
        if found[3]:
            code = int(found[3], 16)
        elif found[1]:
            code = 0x10000 + ((int(found[1], 16) & 0x3FF) << 10) + (int(found[2], 16) & 0x3FF)
        else:
            return found[0]
    except ValueError:
        return found[0]
    character = chr(code)
    letter = code > 0x9F and not 0xD800 <= code <= 0xDFFF and character.isprintable()
    return character if letter else found[0]


def _parse_tables(data: bytes) -> Document:
    return _parse_by(data, _TABLE, "[")


def _parse_yaml(data: bytes) -> Document:
    return _parse_by(data, _KEY, "")


def _parse_by(data: bytes, pattern: re.Pattern[str], lead: str) -> Document:
    text, flags = decode(data)
    lines = text.split("\n")
    found = (
        (index, pattern.match(line[:400]))
        for index, line in enumerate(lines)
        if line.lstrip().startswith(lead)
    )
    headings = (Heading(i, 1, match[1].strip(" \"'")) for i, match in found if match)
    return Document(sections=outline(lines, headings), flags=flags)


def _parse_csv(data: bytes) -> Document:
    text, flags = decode(data)
    columns = _columns(text[:_HEADER].partition("\n")[0])
    # As a heading the names of the columns go with every row, and stand in the text once.
    heading = (plain(", ".join(columns)),) if columns else ()
    return Document(sections=(Section(text=text, heading=heading),), flags=flags)


def _columns(line: str) -> Sequence[str]:
    """The names in a header line, or nothing where the line looks like a row."""
    delimiter = max(",;\t|", key=line.count)
    try:
        cells = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return ()
    cells = [cell.strip() for cell in cells]
    is_header = len(cells) >= _FEWEST_COLUMNS and all(
        cell and not _NUMBER.fullmatch(cell) for cell in cells
    )
    return cells if is_header else ()


def _parse_xml(data: bytes) -> Document:
    declared = _XML_CHARSET.match(data[:200].lstrip())
    text, flags = decode(data, declared=declared[1].decode() if declared else None)
    _refuse_dangerous_xml(text)
    title = _XML_TITLE.search(text[:_HEADER])
    return Document(
        sections=(Section(text=text),), title=plain(title[1]) if title else None, flags=flags
    )


def _refuse_dangerous_xml(text: str) -> None:
    """Entity declarations and deep nesting. Broken XML is not dangerous: it is text."""
    from xml.parsers import expat

    depth = 0

    def start(*_: object) -> None:
        nonlocal depth
        depth += 1
        if depth > _MAX_XML_DEPTH:
            raise ParseError("too_deep", f"its XML is nested deeper than {_MAX_XML_DEPTH}")

    def end(_: object) -> None:
        nonlocal depth
        depth -= 1

    def declare(*_: object) -> None:
        raise ParseError("unsafe_xml", "its XML declares entities, which are not expanded")

    # The text is decoded: what the file says of its own encoding no longer holds.
    parser = expat.ParserCreate("utf-8")
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.EntityDeclHandler = declare
    try:
        parser.Parse(text.encode(), True)  # noqa: FBT003
    except expat.ExpatError:
        return


_READERS: dict[str, Callable[[bytes], Document]] = {
    **dict.fromkeys(("json", "jsonl", "ndjson", "json5", "jsonc", "geojson"), _parse_json),
    **dict.fromkeys(("toml", "ini", "cfg", "conf"), _parse_tables),
    **dict.fromkeys(("yaml", "yml"), _parse_yaml),
    **dict.fromkeys(("csv", "tsv"), _parse_csv),
    **dict.fromkeys(("xml", "rss", "atom"), _parse_xml),
}
